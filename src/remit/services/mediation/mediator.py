# SPDX-License-Identifier: Apache-2.0
"""Mediation: takes calls through the nine steps, and counts how they ended."""

from __future__ import annotations

from collections import Counter

from remit.core.decisions.mediation import Answered, End, Machine, resume
from remit.core.errors import RemitError
from remit.services.mediation.call import RequestedCall
from remit.services.mediation.deferred_calls import DeferredCall
from remit.services.mediation.dependencies import Dependencies, Sink
from remit.services.mediation.driver import CallDriver
from remit.services.mediation.resumption import ResumptionDriver

__all__ = ["Mediator", "RequestedCall", "Sink"]


class Mediator:
    """Takes calls through the nine steps. For one event loop."""

    def __init__(self, parts: Dependencies) -> None:
        """Take the parts that every call is driven with."""
        self._parts = parts
        self.ends: Counter[str] = Counter()

    async def run(self, asked: RequestedCall, sink: Sink, machine: Machine | None = None) -> End:
        """Take one call to its end; a fault ends it and is raised with the step where it arose.

        `machine` stands in for `core.decisions.mediation.mediate()`, for whoever wants to see what it needs.
        """
        try:
            end = await CallDriver(self._parts, asked, sink).run(machine)
        except RemitError:
            self.ends["fault"] += 1
            raise
        self.ends[(end.outcome if isinstance(end, Answered) else end.decision.outcome)._value_] += 1
        return end

    async def look(self, asked: RequestedCall, sink: Sink, held: DeferredCall) -> End:
        """Look after a deferred call once: how it stands, or that it is to be cancelled."""
        return await ResumptionDriver(self._parts, asked, sink, held).run(resume())

    async def retry_late(self) -> int:
        """Write outcomes that could not be written yet; gives how many are still left."""
        return await self._parts.late.retry()

    async def count_refusals(self) -> int:
        """Write how many refused calls were only counted; gives of how many tasks."""
        return await self._parts.refusals.sweep()
