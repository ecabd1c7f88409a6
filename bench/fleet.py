# SPDX-License-Identifier: Apache-2.0
"""Replicas on one PostgreSQL: how fast an end is that others acknowledge, and what more of them bring."""

import itertools
import time

from bench.figure import Figure
from bench.load import percentile
from bench.measure import carried_out, layout, running_upstream
from bench.replicas import Replicas

THREE_P99 = "replicas: end on 3, p99"
ROLLED_BACK = "replicas: rollback in force on 3, slowest"
PAUSED_OVER = "replicas: end with one of 3 paused, longest above the lease"
EACH = "replicas: calls with {count}, a task each"
ONE_TASK = "replicas: calls with {count}, one task that the others pass on"
LEASE_MS = 1_000
CONCURRENCY = 16
PATIENCE_S = 60.0


def _ends(fleet: Replicas, numbers: list[int], count: int) -> list[float]:
    """End tasks, each opened at one replica and ended at the next; gives what the callers waited."""
    took = []
    places = itertools.cycle(numbers)
    for _ in range(count):
        opened, ended = next(places), next(places)
        took.append(fleet.end(ended, fleet.open(opened)).took_ms)
        time.sleep(0.005)
    return sorted(took)


def _rollbacks(fleet: Replicas, count: int) -> list[float]:
    """Apply a rule and take it back at another replica; gives seconds until each has taken it back."""
    took = []
    rule = '@id("bench/later") forbid (principal, action, resource) when {{ context.crossings > {} }};\n'
    for number in range(count):
        (fleet.bundle / "policies" / "70-later.cedar").write_text(rule.format(1_000 + number), "utf-8")
        before = fleet.ask(1, "GET", "/api/v1/policies")["digest"]
        fleet.ask(0, "POST", "/api/v1/policies/apply", {"reason": "a rule that breaks work"})
        _until(fleet, before, same=False)
        began = time.perf_counter()
        fleet.ask(1, "POST", "/api/v1/policies/rollback", {"reason": "it breaks work"})
        _until(fleet, before, same=True)
        took.append(time.perf_counter() - began)
    return took


def _until(fleet: Replicas, digest: str, *, same: bool) -> None:
    """Wait until the bundle in force at each replica has, or has not, a digest."""
    until = time.monotonic() + PATIENCE_S
    while any(
        (fleet.ask(one, "GET", "/api/v1/policies")["digest"] == digest) is not same for one in range(3)
    ):
        if time.monotonic() > until:
            raise RuntimeError("a bundle does not come into force at every replica")
        time.sleep(0.002)


def fleet(quick: bool) -> list[Figure]:
    """Ends on three, with one paused, and calls with one, two and four."""
    found: list[Figure] = []
    ends, paused, calls = (20, 2, 1_000) if quick else (300, 20, 20_000)
    with running_upstream(None) as upstream:
        with Replicas(3, upstream.url, lease_ms=LEASE_MS) as three:
            took = _ends(three, [0, 1, 2], ends)
            how = f"{ends} tasks, opened at one replica and ended at another, as the caller saw it"
            for word, share in (("p50", 0.5), ("p99", 0.99)):
                value = percentile([round(ms * 1e6) for ms in took], share) / 1e6
                found.append(Figure(name=f"replicas: end on 3, {word}", value=value, unit="ms", how=how))
            rollbacks = _rollbacks(three, 2 if quick else 10)
            how = f"{len(rollbacks)} rollbacks, asked for at another replica than the one that applied"
            found.append(Figure(name=ROLLED_BACK, value=max(rollbacks), unit="s", how=how))
            longest = 0.0
            for _ in range(paused):
                task = three.open(0)
                three.pause(2)
                try:
                    longest = max(longest, three.end(1, task).took_ms)
                finally:
                    three.go_on(2)
                # It has to take its lease again before it can be waited for again.
                time.sleep(2.5 * LEASE_MS / 1000)
            how = f"{paused} ends, each with one replica stopped just before; lease {LEASE_MS} ms"
            found.append(Figure(name=PAUSED_OVER, value=longest - LEASE_MS, unit="ms", how=how))
        alone = 0.0
        for count in (1, 2, 4):
            with Replicas(count, upstream.url) as some:
                for further, name in ((0, EACH), (None, ONE_TASK))[:count]:
                    plans = some.plans(
                        calls // count, CONCURRENCY // count, further=further, cpu=layout().others
                    )
                    tallies = carried_out(*plans)
                    rate = sum(one.calls_per_s for one in tallies)
                    alone = alone or rate
                    how = (
                        f"{sum(one.calls for one in tallies)} governed calls over {CONCURRENCY} connections; "
                        "2 CPUs for all, PostgreSQL, upstream and client too"
                    )
                    found.append(
                        Figure(
                            name=name.format(count=count),
                            value=rate,
                            unit="calls/s",
                            yardstick=EACH.format(count=1) if count > 1 else None,
                            ratio=rate / alone if count > 1 else None,
                            how=how,
                        )
                    )
    return found
