# SPDX-License-Identifier: Apache-2.0
"""One call of a rehearsal, as it was decided, and its completion by a result."""

from __future__ import annotations

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision, Outcome, Reason
from remit.core.errors import Conflict, RemitError
from remit.core.flow.facts import NO_FLOW, Flow
from remit.core.json_value import Json
from remit.rehearse.stand_in import CallRun, result_chunk


class RehearsedCall:
    """A decided call. A permitted call waits at its upstream until `RehearsedTask.result`."""

    def __init__(self, task: str, tool: str, arguments: dict[str, Json], run: CallRun) -> None:
        """Keep the call in its state after the nine steps' decision; `task` is the id of its task."""
        self.task = task
        self.tool = tool
        self.arguments = arguments
        self.run = run
        #: The decision; a fault before the call was sent is a refusal, as at the gateway.
        self.decision: Decision = _decision(run)

    @property
    def outcome(self) -> Outcome:
        """`permit`, `deny` or `defer`; each equals its word as a string."""
        return self.decision.outcome

    @property
    def permitted(self) -> bool:
        """Whether the call continues: permitted, or refused for an upstream in observe mode."""
        return self.decision.proceeds and self.run.sent

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why the call was refused or needs approval: code, text, rule, remediation, argument, step."""
        return self.decision.reasons

    @property
    def rules(self) -> tuple[str, ...]:
        """The ids of the rules that decided."""
        return tuple(rule.id for rule in self.decision.rules)

    @property
    def request(self) -> AccessRequest | None:
        """Everything that the decision considered; `None` if the call was refused before step 4."""
        return self.run.request

    @property
    def flow(self) -> Flow:
        """The provenance of the arguments."""
        return self.run.request.flow if self.run.request else NO_FLOW

    @property
    def approval(self) -> str:
        """The id of the requested approval, or of the approval that permitted the call; may be empty."""
        return self.decision.approval

    def __repr__(self) -> str:
        """Return the call in the form that a test failure should show."""
        why = "; ".join(f"{one.rule or one.code}: {one.text}" for one in self.reasons)
        return f"<{self.tool} {self.outcome.value}{f' ({why})' if why else ''}>"


async def finish(run: CallRun, given: Json, *, error: bool) -> Json:
    """Give a call its result, complete the call, and return what is released.

    Raises `Conflict` if the call does not wait for a result, and the fault that ends it.
    """
    assert run.driven is not None
    if run.result.done() and not run.driven.done():
        raise Conflict("the call was cancelled", remediation="make it again in an open task")
    if not run.result.done():
        run.result.set_result(result_chunk(run, given, error=error))
    elif run.result.exception() is None:
        raise Conflict("the call already has its result", remediation="make another call")
    await run.driven
    return run.released.value


def _decision(run: CallRun) -> Decision:
    """Return the decision; a fault that stopped the call is a refusal with the fault's reason."""
    driven = run.driven
    fault = driven.exception() if driven is not None and driven.done() and not driven.cancelled() else None
    if fault is None:
        assert run.decision is not None
        return run.decision
    if not isinstance(fault, RemitError):
        raise fault
    reason = Reason(
        code=fault.code,
        text=fault.message,
        remediation=fault.remediation,
        rule="" if fault.step is None else f"step {fault.step}",
        step=fault.step or 0,
    )
    before = run.decision
    return Decision(
        id=before.id if before else "",
        outcome=Outcome.DENY,
        reasons=(*(before.reasons if before else ()), reason),
        rules=before.rules if before else (),
        bundle=before.bundle if before else "",
    )
