# SPDX-License-Identifier: Apache-2.0
"""Simulates how long records wait for the one order of a tenant's log, with 1 to 1,000 replicas.

    python -m bench.growth [TURN_MS] [CALLS_PER_S]

Replicas take turns: while one writes its batch, all others wait, and their batches grow. Each call waits for
one batch, the decision's. A turn takes `TURN_MS`, whatever is in it, which is an assumption; calls arrive at
random, `CALLS_PER_S` at each replica. With several logs each replica writes to one of them.
"""

import heapq
import random
import statistics
import sys
from collections import deque
from typing import Final, NamedTuple

COUNTS: Final = (1, 10, 100, 1_000)
TURN_MS: Final = 1.0
CALLS_PER_S: Final = 20.0
CALLS: Final = 20_000


class Waited(NamedTuple):
    """What calls waited for their records, and the commits of all logs."""

    p50_ms: float
    p99_ms: float
    commits_per_s: float


def waited(replicas: int, logs: int, turn_ms: float, calls_per_s: float, *, calls: int = CALLS) -> Waited:
    """Simulate so many calls in all."""
    drawn = random.Random(replicas * 31 + logs)
    arriving = [(drawn.expovariate(calls_per_s) * 1000, one) for one in range(replicas)]
    heapq.heapify(arriving)
    pending: list[list[float]] = [[] for _ in range(replicas)]
    queues: list[deque[int]] = [deque() for _ in range(logs)]
    free = [0.0] * logs
    took: list[float] = []
    commits, now = 0, 0.0
    for _ in range(calls):
        now, one = heapq.heappop(arriving)
        heapq.heappush(arriving, (now + drawn.expovariate(calls_per_s) * 1000, one))
        log = one % logs
        while queues[log] and free[log] <= now:
            commits += 1
            free[log] += turn_ms
            first = queues[log].popleft()
            took += [free[log] - at for at in pending[first]]
            pending[first].clear()
        if not pending[one]:
            queues[log].append(one)
            free[log] = max(free[log], now)
        pending[one].append(now)
    took.sort()
    return Waited(statistics.median(took), took[len(took) * 99 // 100], commits * 1000 / now)


def main() -> None:
    """Print the table."""
    turn_ms = float(sys.argv[1]) if sys.argv[1:] else TURN_MS
    rate = float(sys.argv[2]) if sys.argv[2:] else CALLS_PER_S
    sys.stdout.write("replicas   logs   calls/s   commits/s   waits p50 ms   p99 ms\n")
    for replicas in COUNTS:
        for logs in sorted({1, max(1, replicas // 10)}):
            calls = max(CALLS, replicas * 100)
            found = waited(replicas, logs, turn_ms, rate, calls=calls)
            sys.stdout.write(
                f"{replicas:8} {logs:6} {replicas * rate:9.0f} {found.commits_per_s:11.0f}"
                f" {found.p50_ms:14.1f} {found.p99_ms:8.1f}\n"
            )


if __name__ == "__main__":
    main()
