# SPDX-License-Identifier: Apache-2.0
"""Step 3: the circumstances of a call, as remit itself knows them.

Freezes, reported risks and open findings are in the store, where every replica finds them. They are read at
most once in `MAX_AGE_S`; a change by this process counts at once. Where they cannot be read, the call is
refused (`StoreUnavailable`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Protocol

import msgspec

from remit.core.circumstances.change_freeze import ChangeFreeze
from remit.core.circumstances.circumstances import BudgetUse, Circumstances, RiskLevel, worst_risk
from remit.core.circumstances.networks import Networks
from remit.core.circumstances.time_window import TimeWindow
from remit.core.decisions.access_request import AccessRequest
from remit.core.findings.finding import Finding, FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.findings.meanings import OBSERVED
from remit.core.signals.risk import RISK, ReportedRisk
from remit.ports.runtime import Clock
from remit.ports.store.findings import FindingStore
from remit.ports.store.tasks import TaskStore
from remit.services.decisions.freezes import FREEZE
from remit.services.findings.anomaly_watch import POSITION, is_blind
from remit.services.tasks.live_tasks import LiveTask

#: Seconds for which what was read from the store counts.
MAX_AGE_S: Final = 1.0
#: Most open findings that are read; the newest count.
MAX_FINDINGS: Final = 10_000


class _Rooms(FindingStore, TaskStore, Protocol):
    """The rooms of the store that circumstances are read from."""


class _Known(msgspec.Struct, frozen=True):
    """What the store held at one moment: freezes, risks by scope, and kinds of findings by agent.

    `of_all` are kinds that count for every agent.
    """

    read_s: float
    changes: int
    freezes: tuple[ChangeFreeze, ...] = ()
    risks: dict[str, list[RiskLevel]] = {}
    findings: dict[str, tuple[str, ...]] = {}
    of_all: tuple[str, ...] = ()


class Surroundings:
    """Adds circumstances to access requests. For one event loop."""

    def __init__(
        self,
        *,
        store: _Rooms,
        clock: Clock,
        tenant: str,
        windows: Mapping[str, TimeWindow] | None = None,
        networks: Networks | None = None,
        tell_blind: bool = False,
    ) -> None:
        """Take the store, and the time windows and networks of the configuration.

        `tell_blind`: where no one looks for anomalies, policies read that of every agent.
        """
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._windows = dict(windows or {})
        self._networks = networks or Networks()
        self._tell_blind = tell_blind
        self._known: _Known | None = None
        self._reading: tuple[int, asyncio.Task[_Known]] | None = None
        self._changes = 0
        self._open: tuple[int, tuple[str, ...]] = (-1, ())

    def changed(self) -> None:
        """Read the store again before the next call: this process has changed something there."""
        self._changes += 1

    async def seen(self, request: AccessRequest, live: LiveTask, origin: str = "") -> AccessRequest:
        """Return the request with its circumstances; `origin` is the place that the call came from."""
        known = self._known
        if (
            known is None
            or known.changes != self._changes
            or not 0 <= self._clock.boot_s() - known.read_s < MAX_AGE_S
        ):
            known = await self._read_once()
        risks = known.risks
        # INVARIANT: a task lies in the scopes of its ancestors, so handing down leaves no risk behind.
        scopes = {*live.scopes, f"person:{request.principal.on_behalf_of}"}
        found = Circumstances(
            windows=self._windows_at(request.now),
            frozen=any(one.since <= request.now < one.until for one in known.freezes),
            network=self._networks.zone_of(origin),
            risk=worst_risk(level for scope in scopes for level in risks.get(scope, ()))
            if risks
            else worst_risk(()),
            findings=(*known.of_all, *known.findings.get(request.agent.name, ())),
            budget=await self._budget(live),
        )
        return msgspec.structs.replace(request, circumstances=found)

    def _windows_at(self, now: datetime) -> tuple[str, ...]:
        """Return the open windows; they change on whole minutes."""
        minute = int(now.timestamp() // 60)
        if self._windows and self._open[0] != minute:
            self._open = (minute, tuple(name for name, one in self._windows.items() if one.open_at(now)))
        return self._open[1]

    async def _budget(self, live: LiveTask) -> BudgetUse:
        """Return what is used and left; the store knows it of ancestors that this process has not bound."""
        if live.task.lineage:
            live.stored = {one: await self._store.usage(self._tenant, one) for one in live.unbound_accounts()}
        return live.budget_use()

    async def _read_once(self) -> _Known:
        """Read the store, once for all calls that wait for the same."""
        if self._reading is None or self._reading[0] != self._changes or self._reading[1].done():
            self._reading = self._changes, asyncio.ensure_future(self._read())
        self._known = await asyncio.shield(self._reading[1])
        return self._known

    async def _read(self) -> _Known:
        changes, read_s = self._changes, self._clock.boot_s()
        freezes = await self._store.values(self._tenant, FREEZE)
        risks = await self._store.values(self._tenant, RISK)
        # What scanners deliver decides nothing: their files name agents as they like.
        findings = await self._store.findings(
            self._tenant, state=FindingState.OPEN, kinds=OBSERVED, limit=MAX_FINDINGS
        )
        blind = self._tell_blind and is_blind(
            await self._store.value(self._tenant, POSITION), self._clock.now()
        )
        return _Known(
            read_s,
            changes,
            tuple(msgspec.convert(one, ChangeFreeze) for one in freezes),
            _by_scope(msgspec.convert(one, ReportedRisk) for one in risks),
            _by_agent(findings),
            (FindingKind.ANOMALIES_UNSEEN.value,) if blind else (),
        )


def _by_scope(risks: Iterable[ReportedRisk]) -> dict[str, list[RiskLevel]]:
    out: dict[str, list[RiskLevel]] = {}
    for one in risks:
        out.setdefault(one.scope, []).append(one.level)
    return out


def _by_agent(findings: Iterable[Finding]) -> dict[str, tuple[str, ...]]:
    out: dict[str, set[str]] = {}
    for one in findings:
        if one.agent:
            out.setdefault(one.agent, set()).add(one.kind.value)
    return {agent: tuple(sorted(kinds)) for agent, kinds in out.items()}
