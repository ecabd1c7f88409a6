# SPDX-License-Identifier: Apache-2.0
"""Liveness, readiness and metrics of remit (Prometheus text format 0.0.4)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from starlette.responses import Response

from remit.api.http_messages import HEADERS, answer
from remit.api.metrics import call_metrics, family
from remit.api.worker_metrics import with_workers
from remit.core.errors import RemitError
from remit.core.scope import EVERYTHING
from remit.ports.runtime import Clock
from remit.ports.upstream import Upstream
from remit.services.credentials.assembly import CredentialServices
from remit.services.credentials.lease_records import OpenSink
from remit.services.decisions.assembly import DecisionServices
from remit.services.endings.assembly import EndingServices
from remit.services.evidence.assembly import EvidenceServices
from remit.services.inspection.assembly import InspectionServices
from remit.services.limits.durations import RecentTimes
from remit.services.mediation.assembly import MediationServices
from remit.services.policy.bundle import Policies
from remit.services.replicas.assembly import ReplicaServices
from remit.services.signals.assembly import SignalServices
from remit.services.tasks.assembly import TaskServices
from remit.services.tools.assembly import ToolServices

#: Seconds for which the result of a probe of the store is reused, so that health checks cause few writes.
PROBE_S = 2.0
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRooms:
    """What is asked."""

    upstreams: Mapping[str, Upstream]
    clock: Clock
    policies: Policies
    tools: ToolServices
    credentials: CredentialServices
    evidence: EvidenceServices
    replicas: ReplicaServices
    tasks: TaskServices
    decisions: DecisionServices
    endings: EndingServices
    mediation: MediationServices
    inspection: InspectionServices
    signals: SignalServices


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether calls can be decided. An unreachable upstream fails only its own calls.

    `store`: `writable`, or the code of the fault; `store-silent` if it has answered no commit for the length
    of a lease. `replica`: `alone`, `leased`, or `fenced` without a lease; a fenced replica is not ready.
    `bundle` is `superseded` if another replica has applied a bundle that differs from this replica's files.
    `replicas` is the number of replicas of this store, `late_replicas` the number of those that may not act,
    `differing_bundles` the number of those that decide by another bundle than the one in force.
    `everything_locked` and `locks` report the kill switch, `open_sinks` credentials that outlive their tasks,
    `signals_failing` receivers and sources of events that do not answer. These are numbers only, because any
    caller may read them. `log` is the state of reading the evidence log after the start: `reading`, `holds`
    or `changed`. `fence_ms` and `dead_ms` are the median and the 99th percentile of recent times: `fence_ms`
    until a fence is in place, by the kind of scope; `dead_ms` until sinks refuse a credential, by its kind.
    """

    ready: bool
    store: str
    replica: str
    bundle: str
    upstreams_known: int
    upstreams: int
    replicas: int = 1
    late_replicas: int = 0
    differing_bundles: int = 0
    everything_locked: bool = False
    locks: int = 0
    open_sinks: int = 0
    signals_failing: int = 0
    log: str = "reading"
    fence_ms: dict[str, tuple[float, ...]] = {}
    dead_ms: dict[str, tuple[float, ...]] = {}


class Health:
    """Checks the health of the services."""

    def __init__(self, rooms: HealthRooms) -> None:
        """Begin without a probe result."""
        self._rooms = rooms
        self._asked_s = -PROBE_S
        self._store = ""
        self._probing: asyncio.Task[None] | None = None

    def live(self) -> Response:
        """Report that this process answers."""
        return answer({"status": "live"})

    async def ready(self) -> Response:
        """Return whether calls can be decided: status 200 or 503."""
        rooms = self._rooms
        store = await self._probe()
        try:
            _ = rooms.policies.applied
            bundle = "applied"
        except RemitError as error:
            bundle = error.code
        ready = store == "writable" and bundle == "applied" and rooms.replicas.membership.holds()
        if bundle == "applied" and rooms.endings.reactions.superseded:
            bundle = "superseded"
        known = sum(rooms.tools.registry.catalogue(name) is not None for name in rooms.upstreams)
        # A store that does not answer the probe would answer no other query.
        shut = await self._shut() if store == "writable" else []
        roll = rooms.inspection.roster.seen()
        told = Readiness(
            ready=ready,
            store=store,
            replica=rooms.replicas.membership.state,
            bundle=bundle,
            upstreams_known=known,
            upstreams=len(rooms.upstreams),
            replicas=len(roll.enforcers) or 1,
            late_replicas=roll.late,
            differing_bundles=roll.differing,
            everything_locked=EVERYTHING in shut,
            locks=len(shut),
            open_sinks=sum(one.alarmed for one in rooms.credentials.leases.open_sinks()),
            signals_failing=self._fails(),
            log=rooms.evidence.log_reading.state,
            fence_ms=rooms.endings.revocations.times.by_kind(),
            dead_ms=rooms.credentials.leases.times.by_kind(),
        )
        return answer(told, 200 if ready else 503)

    def _fails(self) -> int:
        rooms = self._rooms
        return sum(
            len(one.failing)
            for one in (
                rooms.signals.transmitter,
                rooms.signals.notifications,
                rooms.signals.polling,
                rooms.signals.silence,
            )
        )

    async def _shut(self) -> list[str]:
        try:
            return [one.scope for one in await self._rooms.endings.locks.by_hand()]
        except RemitError:
            return []  # the answer reports the store's state separately

    async def _probe(self) -> str:
        """Write to the store, at most once in `PROBE_S`; wait for its answer for the length of a lease."""
        now_s, lease_s = self._rooms.clock.boot_s(), self._rooms.replicas.membership.lease.lease_s
        if self._probing is None and now_s - self._asked_s >= PROBE_S:
            self._asked_s = now_s
            self._probing = asyncio.create_task(self._write())
        if self._probing is not None:
            left_s = self._asked_s + lease_s - now_s
            await asyncio.wait((self._probing,), timeout=max(0.0, left_s))
        return self._store if self._probing is None else "store-silent"

    async def _write(self) -> None:
        try:
            self._store = await self._rooms.replicas.membership.probe()
        finally:
            self._probing = None

    async def metrics(self, *, alone: bool = True) -> Response:
        """Return the metrics, unless `alone` with those of the other workers of this machine."""
        rooms = self._rooms
        waiting = await rooms.decisions.approvals.waiting()
        live = rooms.tasks.live.all()
        lines = [
            *call_metrics(rooms.mediation.mediator.figures),
            *family("remit_tasks_bound", "gauge", "Tasks held in memory.", {"": len(live)}),
            *family(
                "remit_calls_in_hand",
                "gauge",
                "Calls in progress.",
                {"": sum(len(one.in_hand) for one in live)},
            ),
            *family(
                "remit_calls_deferred",
                "gauge",
                "Calls that continue at their upstreams after their answer.",
                {"": len(rooms.mediation.deferrals)},
            ),
            *family(
                "remit_log_events",
                "gauge",
                "Events in the evidence log.",
                {"": await rooms.evidence.log.size()},
            ),
            *family(
                "remit_approvals_pending", "gauge", "Approvals that wait for an approver.", {"": waiting}
            ),
            *family(
                "remit_leases",
                "gauge",
                "Credentials of upstreams: held by tasks, and still open after an end.",
                {f'{{state="{state}"}}': count for state, count in rooms.credentials.leases.counts().items()},
            ),
            *self._alarms(Counter(one.partition(":")[0] for one in await self._shut())),
            *_times(
                "remit_fence_ms",
                "Milliseconds until a fence was in place.",
                "scope",
                rooms.endings.revocations.times,
            ),
            *_times(
                "remit_lease_dead_ms",
                "Milliseconds until a sink refused.",
                "kind",
                rooms.credentials.leases.times,
            ),
            *await _replicas(rooms),
            *family("remit_tools", "gauge", "Registered tools.", {"": len(rooms.tools.registry.all())}),
        ]
        text = "\n".join(lines) + "\n"
        text = text if alone else await with_workers(rooms.replicas.passing, text)
        return Response(text, media_type=METRICS_TYPE, headers=HEADERS)

    def _alarms(self, locks: Counter[str]) -> list[str]:
        """Return metrics for alarms: open sinks, failing receivers and sources of events, locks."""
        rooms = self._rooms
        sinks = [one for one in rooms.credentials.leases.open_sinks() if one.alarmed]
        return [
            *family(
                "remit_sinks_open",
                "gauge",
                "Credentials that stayed open after an end, by the kind of their source.",
                {f'{{kind="{kind}"}}': count for kind, count in sorted(_kinds(sinks).items())},
            ),
            *family(
                "remit_sinks_open_oldest_seconds",
                "gauge",
                "Age of the oldest of these, in seconds.",
                {"": max((one.age_s for one in sinks), default=0.0)},
            ),
            *family(
                "remit_signals_failing",
                "gauge",
                "Notification targets and transmitters that do not answer.",
                {"": self._fails()},
            ),
            *_export_lags(rooms),
            *family(
                "remit_signals_total",
                "counter",
                "Security event tokens since start, by outcome.",
                {
                    f'{{became="{became}"}}': count
                    for became, count in sorted(rooms.signals.heard.counts.items())
                },
            ),
            *family(
                "remit_locks",
                "gauge",
                "Locks set by people, by kind.",
                {f'{{kind="{kind}"}}': count for kind, count in sorted(locks.items())},
            ),
        ]


def _kinds(sinks: list[OpenSink]) -> Counter[str]:
    return Counter(one.kind for one in sinks)


def _export_lags(rooms: HealthRooms) -> list[str]:
    """Return how far the sinks of exports are behind; an empty list if there are none."""
    lags = sorted(rooms.evidence.exports.lags.items())
    now = rooms.clock.now()
    ages = {name: (now - one.since).total_seconds() if one.since else 0.0 for name, one in lags}
    return [
        *family(
            "remit_export_behind_events",
            "gauge",
            "Events that the sinks of exports have not taken, by sink.",
            {f'{{export="{name}"}}': one.events for name, one in lags},
        ),
        *family(
            "remit_export_behind_seconds",
            "gauge",
            "Age of the oldest of these, in seconds.",
            {f'{{export="{name}"}}': max(0.0, age) for name, age in ages.items()},
        ),
    ]


async def _replicas(rooms: HealthRooms) -> list[str]:
    """Return the metrics of a replica; an empty list if one process serves alone."""
    if not rooms.replicas.membership.several:
        return []
    standing = rooms.replicas.membership.standing()
    roll = rooms.inspection.roster.seen()
    owned = len(rooms.replicas.ownership) - rooms.endings.remains.tends  # the chores are owned as a task is
    ages = {
        f'{{replica="{one.replica.id}"}}': round(one.silent_s, 3)
        for one in standing
        if one.silent_s is not None
    }
    return [
        *family("remit_replicas", "gauge", "Replicas of this store.", {"": len(standing)}),
        *family(
            "remit_replica_lapses_total", "counter", "Expired leases.", {"": rooms.replicas.membership.lapses}
        ),
        *family("remit_replicas_late", "gauge", "Replicas whose lease has expired.", {"": roll.late}),
        *family(
            "remit_replicas_differing",
            "gauge",
            "Replicas that decide by a policy bundle that is not in force.",
            {"": roll.differing},
        ),
        *family("remit_replica_silent_seconds", "gauge", "Seconds since a replica renewed its lease.", ages),
        *family("remit_tasks_owned", "gauge", "Tasks that this replica owns.", {"": owned}),
        *family(
            "remit_requests_passed_on_total",
            "counter",
            "Requests since start that were forwarded between replicas.",
            {f'{{which="{which}"}}': count for which, count in sorted(rooms.replicas.passing.counts.items())},
        ),
        *family(
            "remit_connections_handed_over_total",
            "counter",
            "Connections since start that workers of one machine have handed to each other.",
            {
                f'{{which="{which}"}}': count
                for which, count in sorted(rooms.replicas.passing.transfers.items())
            },
        ),
        *_times(
            "remit_fence_acknowledged_ms", "Until others stood too.", "what", rooms.replicas.membership.times
        ),
    ]


def _times(name: str, told: str, label: str, times: RecentTimes) -> list[str]:
    """Return a summary: quantiles of recent times, and the count since start."""
    values: dict[str, float] = {
        f'{{{label}="{kind}",quantile="{quantile}"}}': round(ms, 3)
        for (kind, quantile), ms in sorted(times.quantiles().items())
    }
    counts = {f'_count{{{label}="{kind}"}}': count for kind, count in sorted(times.counts.items())}
    return family(name, "summary", told, values | counts) if values else []
