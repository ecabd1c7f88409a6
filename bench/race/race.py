# SPDX-License-Identifier: Apache-2.0
"""Rounds of the race: what reached the upstream after an end was asked for and after it was acknowledged."""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.race.clients import BYSTANDER, Call, Orders
from bench.race.gateway import PLACE, Gateway, ask

#: Between the first calls and the end, in seconds: any, so that it meets every step.
SOON_S = (0.5, 1.5)


class Effort(msgspec.Struct, frozen=True):
    """How much to do.

    A round is over when nothing has passed for `quiet_s`, or `limit_s` after the acknowledgement.
    """

    rounds: int = 5
    sessions: int = 8
    bystanders: int = 2
    newcomers: int = 2
    quiet_s: float = 5.0
    limit_s: float = 40.0


class Round(msgspec.Struct, kw_only=True, frozen=True):
    """What one round has shown.

    Milliseconds count from the request of the end. Calls are counted at the upstream: `late_in_flight` had
    been sent before the acknowledgement, `late_open` after it in sessions that were open, `late_new` in new
    ones. `in_flight` calls had reached the upstream before the acknowledgement, and were answered after it.
    """

    acknowledged_ms: float
    last_ms: float
    """When the last call reached the upstream; 0 if none did after the request."""
    after_request: int
    late_in_flight: int
    late_open: int
    late_new: int
    in_flight: int
    before: int
    """Calls that passed before the request."""
    attempts: int
    """Calls and sessions that were tried after the acknowledgement."""
    ended: bool
    """Whether calls stopped passing within the limit."""
    bystander: int
    """Calls of the bystander that passed after the acknowledgement."""
    bystander_failed: int

    @property
    def late(self) -> int:
        """Calls that reached the upstream after the acknowledgement."""
        return self.late_in_flight + self.late_open + self.late_new


class Result(msgspec.Struct, kw_only=True):
    """One gateway's rounds, or the fault for which there are none."""

    name: str
    version: str
    means: str
    settings: str
    ends_all: bool
    rounds: list[Round] = []
    fault: str = ""


Arrived = dict[int, int]
"""When each call reached the upstream, by its number."""


class Upstream:
    """The tool server, which notes when each call reached it."""

    def __init__(self) -> None:
        """Start it."""
        self._process = subprocess.Popen([sys.executable, "-m", "bench.oracle"], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        port = self._process.stdout.readline().decode().strip()
        self.url = f"http://127.0.0.1:{port}/mcp"

    def arrived(self) -> Arrived:
        """Return what reached it since the last time.

        Raises:
            OSError: if it is down.
        """
        return {number: at_ns for number, at_ns in ask("GET", self.url)}  # noqa: C416 - pairs of lists

    def stop(self) -> None:
        """Stop it."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def hammering(orders: Orders) -> Iterator["subprocess.Popen[bytes]"]:
    """The clients of one round, calling.

    Raises:
        RuntimeError: if no call passes in some session within a minute.
    """
    argv = [sys.executable, "-m", "bench.race.clients"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        tell(process, msgspec.json.encode(orders))
        if (line := hear(process)) != b"ready":
            raise RuntimeError(f"before any end, calls do not pass: {line.decode()}")
        yield process
    finally:
        process.kill()
        process.communicate()


def tell(process: "subprocess.Popen[bytes]", line: bytes) -> None:
    """Write a line to the clients."""
    assert process.stdin is not None
    process.stdin.write(line + b"\n")
    process.stdin.flush()


def hear(process: "subprocess.Popen[bytes]") -> bytes:
    """Read a line of the clients; raises `RuntimeError` if they have ended instead."""
    assert process.stdout is not None
    if line := process.stdout.readline():
        return line.strip()
    raise RuntimeError("the clients ended before their work was done")


def run_round(gateway: Gateway, upstream: Upstream, effort: Effort) -> Round:
    """Admit an agent and a bystander, hammer, end the agent's access, and see what passes.

    Raises:
        RuntimeError: if the round says nothing: calls do not pass before the end, the end is not
            acknowledged, or the bystander's calls do not pass after it.
        OSError: if the upstream is down.
    """
    agent, bystander = gateway.admit(), gateway.admit()
    orders = Orders(agent, bystander, effort.sessions, effort.bystanders, effort.newcomers)
    upstream.arrived()
    with hammering(orders) as process:
        time.sleep(random.uniform(*SOON_S))
        asked = time.monotonic_ns()
        gateway.end(agent)
        acknowledged = time.monotonic_ns()
        tell(process, b"ended")
        arrived, ended = watch(upstream, acknowledged, effort)
        tell(process, b"stop")
        calls = msgspec.json.decode(hear(process), type=list[Call])
        arrived.update(upstream.arrived())
    found = judged(calls, arrived, asked, acknowledged, ended=ended)
    if not gateway.ends_all and not found.bystander:
        raise RuntimeError("after the end, no call of the bystander passes: gateway or upstream is down")
    return found


def watch(upstream: Upstream, acknowledged: int, effort: Effort) -> tuple[Arrived, bool]:
    """Wait until no call of the agent has arrived for long enough; return what arrived, and whether so."""
    arrived: Arrived = {}
    while True:
        time.sleep(0.1)
        arrived.update(upstream.arrived())
        last = max((at for number, at in arrived.items() if number < BYSTANDER), default=acknowledged)
        now = time.monotonic_ns()
        if now - max(last, acknowledged) > effort.quiet_s * 1e9:
            return arrived, True
        if now - acknowledged > effort.limit_s * 1e9:
            return arrived, False


def judged(calls: list[Call], arrived: Arrived, asked: int, acknowledged: int, *, ended: bool) -> Round:
    """Hold what the clients were told against what reached the upstream, and when."""
    mine = {number: at for number, at in arrived.items() if number < BYSTANDER}
    known = {call.number: call for call in calls if call.number}
    late = [number for number, at in mine.items() if at > acknowledged]
    sent_late = [n for n in late if n in known and known[n].sent_ns > acknowledged]
    new = [n for n in sent_late if known[n].kind == "new"]
    answered = [n for n, at in mine.items() if at <= acknowledged and n in known]
    aside = [call for call in calls if call.kind == "bystander" and call.sent_ns > acknowledged]
    last = max(mine.values(), default=0)
    return Round(
        acknowledged_ms=round((acknowledged - asked) / 1e6, 2),
        last_ms=round(max(0, last - asked) / 1e6, 2),
        after_request=sum(at > asked for at in mine.values()),
        late_in_flight=len(late) - len(sent_late),
        late_open=len(sent_late) - len(new),
        late_new=len(new),
        in_flight=sum(known[n].answered_ns > acknowledged and not known[n].why for n in answered),
        before=sum(at <= asked for at in mine.values()),
        attempts=sum(call.sent_ns > acknowledged for call in calls if call.kind in ("open", "new")),
        ended=ended,
        bystander=sum(call.number in arrived and not call.why for call in aside),
        bystander_failed=sum(bool(call.why) for call in aside),
    )


def race(gateway: Gateway, effort: Effort) -> Result:
    """Run all rounds against one gateway; a fault is part of the result, never a round without calls."""
    means, settings = gateway.means, gateway.settings
    result = Result(name=gateway.name, version="", means=means, settings=settings, ends_all=gateway.ends_all)
    PLACE.mkdir(parents=True, exist_ok=True)
    upstream = Upstream()
    try:
        result.version = gateway.version()
        for number in range(effort.rounds):
            # A gateway that ends everyone is started again for each round.
            if number == 0 or gateway.ends_all:
                gateway.stop()
                gateway.start(upstream.url, Path(tempfile.mkdtemp(prefix="state-", dir=PLACE)).absolute())
            result.rounds.append(run_round(gateway, upstream, effort))
    except (RuntimeError, OSError, subprocess.SubprocessError) as e:
        result.rounds.clear()
        result.fault = f"{type(e).__name__}: {e}"
    finally:
        gateway.stop()
        upstream.stop()
    return result
