# SPDX-License-Identifier: Apache-2.0
"""One line of the service's log for each call: who, what, the outcome and its rule; no value of an argument.

The log is for the people who run remit. The evidence is complete and signed, and does not rest on it.
"""

from __future__ import annotations

import logging
from typing import Final

from remit.core.decisions.mediation import Answered, Permitted, Refused
from remit.core.errors import RemitError
from remit.ports.runtime import Clock

#: The logger of calls.
CALLS: Final = "remit.calls"
_log = logging.getLogger(CALLS)


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
            "outcome": (end.outcome if isinstance(end, Answered) else decision.outcome)._value_,
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
