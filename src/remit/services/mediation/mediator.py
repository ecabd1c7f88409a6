# SPDX-License-Identifier: Apache-2.0
"""Mediation: takes calls through the nine steps, and counts their outcomes."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from remit.core.decisions.mediation import Answered, End, mediate, resume
from remit.core.errors import RemitError
from remit.ports.telemetry.tracer import Tracer
from remit.services.mediation.call import RequestedCall
from remit.services.mediation.call_log import CallTimer, outcome_of, traced_facts
from remit.services.mediation.call_steps import CallSteps
from remit.services.mediation.deferred_calls import DeferredCall
from remit.services.mediation.dependencies import Dependencies, Sink
from remit.services.mediation.resumption import ResumptionSteps
from remit.services.mediation.step_times import CallMetrics, StepTimes

__all__ = ["Mediator", "RequestedCall", "Sink"]


class Mediator:
    """Takes calls through the nine steps; for one event loop."""

    def __init__(self, parts: Dependencies, tracer: Tracer | None = None) -> None:
        """Take what every call works with."""
        self._parts = parts
        self._tracer = tracer
        self.figures = CallMetrics()

    async def run(
        self,
        asked: RequestedCall,
        sink: Sink,
        steps: Callable[[Dependencies, RequestedCall, Sink], CallSteps] = CallSteps,
    ) -> End:
        """Take one call to its end; a fault ends it and is raised with the step where it arose.

        `steps` makes the steps of the call, for callers who watch what they do.
        """
        clock = self._parts.clock
        timer = CallTimer(clock, f"{asked.upstream}/{asked.name}")
        times, began = StepTimes(clock.boot_s()), clock.now()
        trace = None
        if self._tracer is not None:
            trace = self._tracer.begin("remit.call", str(asked.meta.get("traceparent", "")), began)
            asked = msgspec.structs.replace(asked, meta={**asked.meta, "traceparent": trace.traceparent})
        taken = steps(self._parts, asked, sink)
        taken.times = times
        end: End | None = None
        code = "cancelled"
        try:
            end = await mediate(taken)
            code = ""
            timer.ended(end)
        except RemitError as fault:
            code = fault.code
            timer.failed(fault)
            raise
        finally:
            times.turn(0, clock.boot_s())
            decided = (end.request, end.decision) if end is not None else taken.recorded
            outcome = "fault" if end is None else outcome_of(end)
            self.figures.add(decided[0].tool if decided else None, outcome, times, code)
            if trace is not None:
                trace.ended(clock.now(), times.traced(began), traced_facts(decided, outcome), code)
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
