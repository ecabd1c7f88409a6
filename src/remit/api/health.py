# SPDX-License-Identifier: Apache-2.0
"""Whether remit lives, whether it can decide, and its figures (Prometheus text format 0.0.4)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from remit.api.http_messages import HEADERS, answer
from remit.core.errors import RemitError
from remit.core.scope import EVERYTHING
from remit.services.assembly.services import Services
from remit.services.credentials.lease_records import OpenSink
from remit.services.limits.durations import RecentTimes

#: How long an answer about the store stands, so that asking does not become writing.
PROBE_S = 2.0
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether calls can be decided. An upstream that is away makes its own calls fail, and nothing else.

    `store`: `writable`, or the code of why not; `store-silent` where it has answered no commit for a lease.
    `replica`: `alone`, `leased`, or `fenced` without a lease; then it is not ready. `bundle` is `superseded`
    where another replica has put in force what is not in the files of this one. `replicas` is how many serve
    this store, `late_replicas` how many of them may not act, `differing_bundles` how many decide by another
    bundle than the one in force.
    `everything_locked` and `locks` tell of the kill switch, `open_sinks` of credentials that outlive their
    tasks, `telling_fails` of those who are told of events, or asked, and do not answer: numbers alone, for
    everybody may ask this. `log` says what reading the evidence again after the start has come to: `reading`,
    `holds` or `changed`.
    `fence_ms` and `dead_ms` are the median and the 99th percentile of how long fences lately took to stand,
    by the kind of scope, and credentials to be refused at their sinks, by kind.
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
    telling_fails: int = 0
    log: str = "reading"
    fence_ms: dict[str, tuple[float, ...]] = {}
    dead_ms: dict[str, tuple[float, ...]] = {}


class Health:
    """Asks the parts how they are."""

    def __init__(self, house: Services) -> None:
        """Begin without an answer."""
        self._house = house
        self._asked_s = -PROBE_S
        self._store = ""
        self._probing: asyncio.Task[None] | None = None

    def live(self) -> Response:
        """Say that this process answers."""
        return answer({"status": "live"})

    async def ready(self) -> Response:
        """Return whether calls can be decided: 200 or 503."""
        house = self._house
        store = await self._probe()
        try:
            _ = house.policies.applied
            bundle = "applied"
        except RemitError as error:
            bundle = error.code
        ready = store == "writable" and bundle == "applied" and house.replicas.holds()
        if bundle == "applied" and house.reactions.superseded:
            bundle = "superseded"
        known = sum(house.tools.catalogue(name) is not None for name in house.upstreams)
        # A store that does not answer the probe answers no other question.
        shut = await self._shut() if store == "writable" else []
        roll = house.roster.seen()
        told = Readiness(
            ready=ready,
            store=store,
            replica=house.replicas.state,
            bundle=bundle,
            upstreams_known=known,
            upstreams=len(house.upstreams),
            replicas=len(roll.enforcers) or 1,
            late_replicas=roll.late,
            differing_bundles=roll.differing,
            everything_locked=EVERYTHING in shut,
            locks=len(shut),
            open_sinks=sum(one.alarmed for one in house.leases.open_sinks()),
            telling_fails=self._fails(),
            log=house.log_reading.state,
            fence_ms=house.revocations.times.by_kind(),
            dead_ms=house.leases.times.by_kind(),
        )
        return answer(told, 200 if ready else 503)

    def _fails(self) -> int:
        house = self._house
        return sum(
            len(one.failing) for one in (house.telling, house.notifications, house.polling, house.silence)
        )

    async def _shut(self) -> list[str]:
        try:
            return [one.scope for one in await self._house.locks.by_hand()]
        except RemitError:
            return []  # the store's own state stands beside this

    async def _probe(self) -> str:
        """Write to the store, at most once in `PROBE_S`; a lease is as long as it is given to answer."""
        now_s, lease_s = self._house.clock.boot_s(), self._house.replicas.lease.lease_s
        if self._probing is None and now_s - self._asked_s >= PROBE_S:
            self._asked_s = now_s
            self._probing = asyncio.create_task(self._write())
        if self._probing is not None:
            left_s = self._asked_s + lease_s - now_s
            await asyncio.wait((self._probing,), timeout=max(0.0, left_s))
        return self._store if self._probing is None else "store-silent"

    async def _write(self) -> None:
        try:
            self._store = await self._house.replicas.probe()
        finally:
            self._probing = None

    async def metrics(self) -> Response:
        """Return the figures."""
        house = self._house
        waiting = await house.approvals.waiting()
        live = house.live.all()
        lines = [
            *_family(
                "remit_calls_total",
                "counter",
                "Governed calls since start, by outcome.",
                {f'{{ended="{ended}"}}': count for ended, count in sorted(house.mediator.ends.items())},
            ),
            *_family("remit_tasks_bound", "gauge", "Tasks held in memory.", {"": len(live)}),
            *_family(
                "remit_calls_in_hand",
                "gauge",
                "Calls in progress.",
                {"": sum(len(one.in_hand) for one in live)},
            ),
            *_family(
                "remit_calls_deferred",
                "gauge",
                "Calls that continue at their upstreams after their answer.",
                {"": len(house.deferrals)},
            ),
            *_family(
                "remit_log_events", "gauge", "Events in the evidence log.", {"": await house.evidence.size()}
            ),
            *_family(
                "remit_approvals_pending",
                "gauge",
                "Approvals that wait for an approver.",
                {"": waiting},
            ),
            *_family(
                "remit_leases",
                "gauge",
                "Credentials of upstreams: held by tasks, and still open after an end.",
                {f'{{state="{state}"}}': count for state, count in house.leases.counts().items()},
            ),
            *self._alarms(Counter(one.partition(":")[0] for one in await self._shut())),
            *_times(
                "remit_fence_ms", "Milliseconds until a fence was in place.", "scope", house.revocations.times
            ),
            *_times("remit_lease_dead_ms", "Milliseconds until a sink refused.", "kind", house.leases.times),
            *await _replicas(house),
            *_family("remit_tools", "gauge", "Registered tools.", {"": len(house.tools.all())}),
        ]
        return Response("\n".join(lines) + "\n", media_type=METRICS_TYPE, headers=HEADERS)

    def _alarms(self, locks: Counter[str]) -> list[str]:
        """Return what somebody should look at: open sinks, whom remit cannot tell, locks."""
        house = self._house
        sinks = [one for one in house.leases.open_sinks() if one.alarmed]
        return [
            *_family(
                "remit_sinks_open",
                "gauge",
                "Credentials that stayed open after an end, by the kind of their source.",
                {f'{{kind="{kind}"}}': count for kind, count in sorted(_kinds(sinks).items())},
            ),
            *_family(
                "remit_sinks_open_oldest_seconds",
                "gauge",
                "Age of the oldest of these, in seconds.",
                {"": max((one.age_s for one in sinks), default=0.0)},
            ),
            *_family(
                "remit_telling_fails",
                "gauge",
                "Notification targets and transmitters that do not answer.",
                {"": self._fails()},
            ),
            *_family(
                "remit_signals_total",
                "counter",
                "Security event tokens since start, by outcome.",
                {f'{{became="{became}"}}': count for became, count in sorted(house.signals.counts.items())},
            ),
            *_family(
                "remit_locks",
                "gauge",
                "Locks set by people, by kind.",
                {f'{{kind="{kind}"}}': count for kind, count in sorted(locks.items())},
            ),
        ]


def _kinds(sinks: list[OpenSink]) -> Counter[str]:
    return Counter(one.kind for one in sinks)


async def _replicas(house: Services) -> list[str]:
    """Return the figures of a replica; none where one process serves alone."""
    if not house.replicas.several:
        return []
    standing = house.replicas.standing()
    roll = house.roster.seen()
    owned = len(house.ownership) - house.remains.tends  # the chores are owned as a task is
    ages = {
        f'{{replica="{one.replica.id}"}}': round(one.silent_s, 3)
        for one in standing
        if one.silent_s is not None
    }
    return [
        *_family("remit_replicas", "gauge", "Replicas of this store.", {"": len(standing)}),
        *_family("remit_replica_lapses_total", "counter", "Expired leases.", {"": house.replicas.lapses}),
        *_family("remit_replicas_late", "gauge", "Replicas whose lease has expired.", {"": roll.late}),
        *_family(
            "remit_replicas_differing",
            "gauge",
            "Replicas that decide by a bundle that is not in force.",
            {"": roll.differing},
        ),
        *_family("remit_replica_silent_seconds", "gauge", "Seconds since a replica renewed its lease.", ages),
        *_family("remit_tasks_owned", "gauge", "Tasks that this replica owns.", {"": owned}),
        *_family(
            "remit_requests_passed_on_total",
            "counter",
            "Requests since start that were forwarded between replicas.",
            {f'{{which="{which}"}}': count for which, count in sorted(house.passing.counts.items())},
        ),
        *_times(
            "remit_fence_acknowledged_ms",
            "Milliseconds until other replicas were fenced.",
            "what",
            house.replicas.times,
        ),
    ]


def _times(name: str, told: str, label: str, times: RecentTimes) -> list[str]:
    """Return a summary: quantiles of the last ones, and the count since start."""
    values: dict[str, float] = {
        f'{{{label}="{kind}",quantile="{quantile}"}}': round(ms, 3)
        for (kind, quantile), ms in sorted(times.quantiles().items())
    }
    counts = {f'_count{{{label}="{kind}"}}': count for kind, count in sorted(times.counts.items())}
    return _family(name, "summary", told, values | counts) if values else []


def _family(name: str, kind: str, told: str, values: Mapping[str, float]) -> list[str]:
    return [
        f"# HELP {name} {told}",
        f"# TYPE {name} {kind}",
        *(f"{name}{label} {value}" for label, value in values.items()),
    ]
