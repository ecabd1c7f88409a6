# SPDX-License-Identifier: Apache-2.0
"""Mediation: takes calls through the nine steps, and counts their outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from remit.core.decisions.mediation import Answered, End, mediate, resume
from remit.core.errors import RemitError
from remit.services.mediation.call import RequestedCall
from remit.services.mediation.call_log import CallTimer
from remit.services.mediation.call_steps import CallSteps
from remit.services.mediation.deferred_calls import DeferredCall
from remit.services.mediation.dependencies import Dependencies, Sink
from remit.services.mediation.resumption import ResumptionSteps

__all__ = ["Mediator", "RequestedCall", "Sink"]


class Mediator:
    """Takes calls through the nine steps; for one event loop."""

    def __init__(self, parts: Dependencies) -> None:
        """Take what every call works with."""
        self._parts = parts
        self.ends: Counter[str] = Counter()

    async def run(
        self,
        asked: RequestedCall,
        sink: Sink,
        steps: Callable[[Dependencies, RequestedCall, Sink], CallSteps] = CallSteps,
    ) -> End:
        """Take one call to its end; a fault ends it and is raised with the step where it arose.

        `steps` makes the steps of the call, for callers who watch what they do.
        """
        timer = CallTimer(self._parts.clock, f"{asked.upstream}/{asked.name}")
        try:
            end = await mediate(steps(self._parts, asked, sink))
        except RemitError as fault:
            self.ends["fault"] += 1
            timer.failed(fault)
            raise
        timer.ended(end)
        self.ends[(end.outcome if isinstance(end, Answered) else end.decision.outcome)._value_] += 1
        return end

    async def look(self, asked: RequestedCall, sink: Sink, held: DeferredCall) -> Answered:
        """Look after a deferred call once: read its status, or cancel it."""
        return await resume(ResumptionSteps(self._parts, asked, sink, held))

    async def retry_late(self) -> int:
        """Write outcomes that could not be written yet; return how many are left."""
        return await self._parts.late.retry()

    async def count_refusals(self) -> int:
        """Write the number of refused calls that were only counted; return the number of tasks concerned."""
        return await self._parts.refusals.sweep()
