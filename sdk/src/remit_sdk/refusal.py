# SPDX-License-Identifier: Apache-2.0
"""What a question to remit brings: a permit, or a refusal that is a value and an exception alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from remit_sdk.errors import AgentFault, GatewayRefused, GatewayUnreachable

Json = Any


@dataclass(frozen=True, slots=True)
class CallPermit:
    """A permitted call: carry it out, and report its result once."""

    call: str
    decision: str
    obligations: tuple[str, ...] = ()

    permitted: Final = True


class CallRefused(AgentFault):
    """A call, or a task, that may not go on: `raise` it, or show it to the model as it is.

    `code` is stable, `reason` says why, `remediation` what to do. `approval` names the question where a
    person is asked. `decision` is the recorded decision; empty where remit gave none. `done` says that the
    call was carried out, and only its result is not released: never repeat such a call.
    """

    permitted: Final = False

    def __init__(
        self,
        reason: str,
        *,
        code: str,
        remediation: str = "",
        approval: str = "",
        decision: str = "",
        done: bool = False,
    ) -> None:
        """Keep each part for the calling program."""
        super().__init__(reason, remediation=remediation)
        self.reason = reason
        self.code = code
        self.approval = approval
        self.decision = decision
        self.done = done

    def alone(self) -> CallRefused:
        """Return the refusal without frames and context: their locals can hold what was not released."""
        self.__context__ = None
        return self.with_traceback(None)

    @classmethod
    def after(cls, permit: CallPermit, fault: AgentFault) -> CallRefused:
        """Return the refusal of a permitted call's result: the call has been carried out."""
        refused = cls.by(fault)
        if refused.done:
            return refused
        return cls(
            refused.reason,
            code=refused.code,
            remediation="do not repeat the call: it was carried out, and only its result is not released",
            decision=permit.decision,
            done=True,
        )

    @classmethod
    def by(cls, fault: AgentFault) -> CallRefused:
        """Return the refusal that a fault between agent and remit means: no answer is no permit."""
        if isinstance(fault, CallRefused):
            return fault
        if isinstance(fault, GatewayRefused):
            if fault.code == "no-route":
                return cls(
                    "this remit cannot decide calls of functions",
                    code="server-too-old",
                    remediation="update remit at that address",
                )
            return cls(fault.message, code=fault.code or "refused", remediation=fault.remediation)
        code = "unreachable" if isinstance(fault, GatewayUnreachable) else "fault"
        return cls(fault.message, code=code, remediation=fault.remediation or "call again")


def answer_of(told: Json) -> CallPermit | CallRefused:
    """Return what a decision means. INVARIANT: only a permit with the name of its call is one."""
    try:
        outcome, call, decision = told["outcome"], told["call"], told["decision"]
        if outcome == "permit" and isinstance(call, str) and call and isinstance(decision, str):
            return CallPermit(call, decision, tuple(map(str, told["obligations"])))
        if outcome in ("deny", "defer"):
            first = (*told["reasons"], {})[0]
            return CallRefused(
                str(first.get("text") or "no rule permits this call"),
                code=str(first.get("code") or outcome),
                remediation=str(first.get("remediation") or ""),
                approval=str(told["approval"]),
                decision=str(decision),
            )
    except (KeyError, TypeError, AttributeError):
        pass
    return CallRefused(
        "remit's answer cannot be understood",
        code="server-too-new",
        remediation="update remit-sdk, or check the address",
    )
