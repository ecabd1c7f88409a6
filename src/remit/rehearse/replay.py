# SPDX-License-Identifier: Apache-2.0
"""Recorded decisions, decided again by the services of a gateway that touches nothing else.

Each bundle gets separate services: without an upstream, in a temporary folder, as in a rehearsal. The
policies' texts are parsed in a process apart, because a candidate may be anyone's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from remit.compose import open_records
from remit.config import Config, load_bundle
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision
from remit.core.decisions.decision_facts import CannotReplay
from remit.core.errors import ConfigInvalid
from remit.core.evidence.replay_inputs import RecordedDecision
from remit.core.policy.bundle import Bundle
from remit.core.tasks.history import HistoryCounter
from remit.core.tools.tool import Tool
from remit.ports.store.changes import Pin
from remit.rehearse.folder import alone
from remit.rehearse.stage import BY
from remit.services.assembly.services import Services
from remit.services.inspection.decision_replay import (
    WHY,
    DecisionReplay,
    ReplayedDecision,
    ReplayVerdict,
    compared,
)
from remit.services.tools.pinned_tools import as_last_seen


class ReplayStage:
    """The services for the decisions of one bundle. Opened by `replay_stage`."""

    def __init__(self, services: Services, bundle: Bundle, counted: Iterable[HistoryCounter] | None) -> None:
        """Take services in which nothing is in force yet."""
        self.bundle = bundle
        self._services = services
        self._pins: tuple[Pin, ...] = ()
        self._known: tuple[object, object] | None = None
        self._replay = DecisionReplay(
            services.policies,
            services.decisions.authorizer,
            tuple(counted) if counted is not None else None,
        )
        services.policies.use_tools(self._tools)

    def _tools(self, bundle: Bundle) -> list[Tool]:
        return as_last_seen(bundle, self._pins)

    async def decided(self, decision: RecordedDecision) -> Decision:
        """Decide again; raise `CannotReplay`."""
        return (await self._decided(decision))[1]

    async def replayed(self, decision: RecordedDecision) -> ReplayedDecision:
        """Decide again and compare; where that is impossible, the result says why."""
        try:
            if decision.record["facts"]["bundle"] not in ("", self.bundle.digest):
                raise CannotReplay("bundle-unknown")
            request, made = await self._decided(decision)
            return compared(decision, request, made, self.bundle.digest)
        except CannotReplay as why:
            return cannot(decision, str(why))

    async def _decided(self, decision: RecordedDecision) -> tuple[AccessRequest, Decision]:
        offers, surfaces = decision.offers, decision.surfaces
        if self._known is None or self._known[0] is not offers or self._known[1] is not surfaces:
            tenant = self._services.tenant
            self._pins = tuple(
                Pin(
                    tenant,
                    tool,
                    one.accepted,
                    dict(surfaces.get(one.accepted, {})),
                    one.offered,
                    dict(surfaces.get(one.offered, {})),
                )
                for tool, one in offers.items()
            )
            self._known = (offers, surfaces)
            try:
                await self._services.policies.apply(self.bundle, by=BY)
            except ConfigInvalid:
                self._known = None
                raise CannotReplay("bundle-invalid") from None
            if self._services.policies.applied.policy.served:
                raise CannotReplay("bundle-invalid")
        return await self._replay.decide(decision)


def cannot(decision: RecordedDecision, code: str) -> ReplayedDecision:
    """Return that a decision cannot be replayed, why, and what to do."""
    because, remedy = WHY.get(code, (code, "read the event with `remit audit show`"))
    told = compared(decision, None, None, "")
    return ReplayedDecision(
        **{name: getattr(told, name) for name in ("index", "decision", "at", "agent", "task", "tool")},
        verdict=ReplayVerdict.CANNOT,
        recorded=told.recorded,
        because=because,
        remedy=remedy,
    )


@asynccontextmanager
async def replay_stage(
    config: Config, bundle: Bundle | None = None, *, counted: Iterable[HistoryCounter] | None = None
) -> AsyncIterator[ReplayStage]:
    """Open the services for the bundle of a configuration, or another one in its place.

    `counted` are the counters of the bundle that decided, for a candidate. Raises `ConfigInvalid`.
    """
    async with AsyncExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory(prefix="remit-replay-")))
        read = bundle or load_bundle(config)
        services = await stack.enter_async_context(open_records(alone(config, place), {}))
        yield ReplayStage(services, read, counted)
