# SPDX-License-Identifier: Apache-2.0
"""One line of the service's log for each call: who, what, the outcome and its rule; no value of an argument.

The log is for the people who run remit. The evidence is complete and signed, and does not rest on it.
"""

from __future__ import annotations

import logging
from typing import Final

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision
from remit.core.decisions.mediation import Answered, Permitted, Refused
from remit.core.errors import RemitError
from remit.ports.runtime import Clock

#: The logger of calls.
CALLS: Final = "remit.calls"
_log = logging.getLogger(CALLS)


def outcome_of(end: Refused | Permitted | Answered) -> str:
    """Return the word for how a call ended: of its decision, or of its answer."""
    return (end.outcome if isinstance(end, Answered) else end.decision.outcome)._value_


def traced_facts(decided: tuple[AccessRequest, Decision] | None, outcome: str) -> dict[str, str]:
    """Return what a trace says of a call: names, by the conventions of OpenTelemetry where it has them."""
    facts = {"remit.outcome": outcome}
    if decided is None:
        return facts
    request, decision = decided
    facts |= {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": request.tool.name,
        "gen_ai.agent.name": request.agent.name,
        "remit.upstream": request.tool.upstream,
        "remit.task": request.task.id,
        "remit.call": decision.id,
        "remit.decision": decision.outcome._value_,
    }
    if decision.reasons:
        facts |= {"remit.code": decision.reasons[0].code, "remit.rule": decision.reasons[0].rule}
    return facts


class CallTimer:
    """Times one call and writes its line; without a reader of the log it does nothing."""

    __slots__ = ("_began_s", "_clock", "_tool")

    def __init__(self, clock: Clock, tool: str) -> None:
        """Begin; `tool` is what was asked for."""
        self._clock = clock
        self._tool = tool
        self._began_s = clock.boot_s() if _log.isEnabledFor(logging.INFO) else None

    def ended(self, end: Refused | Permitted | Answered) -> None:
        """Write the line of a call that was decided."""
        if self._began_s is None:
            return
        request, decision = end.request, end.decision
        line: dict[str, object] = {
            "call": decision.id,
            "outcome": outcome_of(end),
            "tool": request.tool.id,
            "agent": request.agent.name,
            "person": request.task.on_behalf_of,
            "task": request.task.id,
            "ms": self._ms(self._began_s),
        }
        if decision.reasons:
            first = decision.reasons[0]
            line |= {"code": first.code, "rule": first.rule}
        if decision.observed:
            line["observed"] = True
        if decision.approval:
            line["approval"] = decision.approval
        _log.info(line)

    def failed(self, fault: RemitError) -> None:
        """Write the line of a call that a fault has ended, often before its caller was known."""
        if self._began_s is not None:
            _log.info(
                {"outcome": "fault", "tool": self._tool, "code": fault.code, "ms": self._ms(self._began_s)}
            )

    def _ms(self, began_s: float) -> float:
        return round((self._clock.boot_s() - began_s) * 1000, 1)
