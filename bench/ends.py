# SPDX-License-Identifier: Apache-2.0
"""What an end is worth: how fast it returns under load, and whether anything passes after it.

remit is measured as it runs, with its endpoints. Thirty-two connections hammer it with the token of one task
after another, and somewhere in the middle each task is ended. A call counts as permitted after the commit if

1. it was sent after the commit, and permitted, or
2. its answer was released after the end had returned, or
3. the upstream, which is an oracle with a clock, saw it after the commit and the closure does not list it as
   indeterminate, or
4. the evidence has a permit of the task behind its fence.

Connections of a bystander's task call all the while; whatever is refused to them, the fence refused wrongly.
"""

import http.client
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from bench.figure import Figure
from bench.governed_bundle import UPSTREAM, write_bundle
from bench.hammer import Fenced, Orders, Round, Tally
from bench.load import percentile
from bench.measure import Cpus, layout, running_upstream
from bench.serve_ends import Committed, Opened
from bench.target import Child, EchoServer, confined, free_port

Json = Any

CONNECTIONS = 32
LOADED = 16
"""Connections beside which ends are timed: as many as saturate one process, in every other figure too."""
BYSTANDERS = 8
#: Between an attempt's first call and the end of its task, in seconds: any, so that it meets every step.
SOON_S = (0.02, 0.3)

END_P50 = "end: one node under load, p50"
END_P99 = "end: one node under load, p99"
PASSED = "end: calls permitted after the commit"
ATTEMPTS = "end: attempts after the commit"
WRONGLY = "end: ordinary calls wrongly refused, of 10,000"


class Effort(msgspec.Struct, frozen=True):
    """How much to do: rounds of so many attempts each, and ends that are timed."""

    rounds: int
    attempts: int
    ends: int


FULL = Effort(rounds=40, attempts=26_000, ends=500)
QUICK = Effort(rounds=4, attempts=4_000, ends=60)


class Seen(msgspec.Struct, kw_only=True):
    """What all rounds together have shown."""

    behind: int = 0
    permitted: int = 0
    passed: list[str] = []
    indeterminate: int = 0
    bystander: int = 0
    bystander_refused: int = 0
    bystander_codes: Counter[str] = msgspec.field(default_factory=Counter)
    faults: list[str] = []
    end_ms: list[float] = []


class Site:
    """A remit that runs, with tasks to end."""

    def __init__(self, url: str, child: Child, opened: Opened, oracle: EchoServer) -> None:
        """Take where it is."""
        self.url = url
        self.child = child
        self.opened = opened
        self._oracle = oracle
        at = urlsplit(url)
        self.endpoint = http.client.HTTPConnection(at.hostname or "127.0.0.1", at.port, timeout=60)
        self._headers = {
            "authorization": f"Bearer {opened.session}",
            "content-type": "application/json",
        }

    def ask(self, method: str, path: str, body: Json = None) -> Json:
        """Ask the management interface; raises `RuntimeError` for anything but an answer."""
        sent = None if body is None else json.dumps(body)
        # A connection that was idle for a whole round may have been closed meanwhile: each has its own.
        self.endpoint.close()
        self.endpoint.request(method, f"/api/v1/{path}", sent, self._headers)
        answer = self.endpoint.getresponse()
        told = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {told[:200]!r}")
        return json.loads(told)

    def end(self, task: str) -> tuple[Json, Fenced, float]:
        """End a task; gives the closure, when it was committed, and how long the caller waited (ms)."""
        asked = time.monotonic_ns()
        closure = self.ask("POST", "end", {"kind": "task", "name": task, "reason": "bench"})
        returned = time.monotonic_ns()
        committed = msgspec.json.decode(self.child.line(), type=Committed)
        if committed.scope != f"task:{task}":
            raise RuntimeError(f"the fence of `{committed.scope}` was committed, not of `{task}`")
        return closure, Fenced(committed.at_ns, returned), (returned - asked) / 1e6

    def arrived(self) -> list[tuple[int, int]]:
        """Return which calls reached the upstream since the last time, and when."""
        at = urlsplit(self._oracle.url)
        asked = http.client.HTTPConnection(at.hostname or "127.0.0.1", at.port, timeout=60)
        asked.request("GET", "/")
        found = json.loads(asked.getresponse().read())
        asked.close()
        return [(number, at_ns) for number, at_ns in found]

    def decisions(self, task: str) -> tuple[dict[str, int], list[str]]:
        """Return, from the evidence, the number of each call that was permitted, by its decision; and the
        permits behind the fence.
        """
        numbers: dict[str, int] = {}
        behind: list[str] = []
        fence, start = None, 0
        while True:
            asked = urlencode({"task": task, "start": start, "limit": 1000})
            page = self.ask("GET", f"events?{asked}")
            for event in page["items"]:
                # The fence and the end of its task are one commit.
                if event["kind"] == "task.ended":
                    fence = event["index"]
                if event["kind"] != "decision.made" or event["facts"]["outcome"] != "permit":
                    continue
                numbers[event["call"]] = int(event["values"]["arguments"]["text"][5:13])
                if fence is not None:
                    behind.append(event["call"])
            if page["next"] is None:
                return numbers, behind
            start = page["next"]


@contextmanager
def site(tasks: int, cpus: Cpus) -> Iterator[Site]:
    """A remit before an oracle, for as long as the block runs."""
    build = Path("build")
    build.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-ends-", dir=build))
    port, child = free_port(), None
    try:
        with running_upstream(cpus.others, "bench.oracle") as oracle:
            config = write_bundle(folder, oracle.url, port, "durable")
            argv = [sys.executable, "-m", "bench.serve_ends", str(config), str(tasks)]
            child = Child(argv, cpus.target, speaks=True)
            opened = msgspec.json.decode(child.line(), type=Opened)
            url = f"http://127.0.0.1:{port}/mcp/{UPSTREAM}"
            made = Site(url, child, opened, oracle)
            child.wait_until(lambda: _answers(made))
            yield made
    finally:
        if child is not None:
            child.stop()
        shutil.rmtree(folder)


def _answers(made: Site) -> bool:
    try:
        made.ask("GET", "events/head")
    except OSError:
        made.endpoint.close()
        return False
    return True


@contextmanager
def hammering(orders: Orders, cpu: int | None) -> Iterator["subprocess.Popen[bytes]"]:
    """The hammer, for as long as the block runs."""
    with confined(cpu):
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.hammer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    try:
        _tell(process, orders)
        yield process
    finally:
        process.kill()
        process.communicate()


def _tell(process: "subprocess.Popen[bytes]", what: msgspec.Struct) -> None:
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(what) + b"\n")
    process.stdin.flush()


def _hear(process: "subprocess.Popen[bytes]") -> bytes:
    assert process.stdout is not None
    if line := process.stdout.readline():
        return line.strip()
    raise RuntimeError("the hammer ended before its work was done")


def _round(made: Site, process: "subprocess.Popen[bytes]", wanted: Round, task: str, seen: Seen) -> None:
    """Hammer one task, end it somewhere in between, and hold what happened against what may."""
    made.arrived()
    _tell(process, wanted)
    _hear(process)
    time.sleep(random.uniform(*SOON_S))
    closure, fenced, _ = made.end(task)
    _tell(process, fenced)
    tally = msgspec.json.decode(_hear(process), type=Tally)
    numbers, behind = made.decisions(task)
    listed = {numbers.get(one["decision"], -1) for one in closure["indeterminate"]}
    first = wanted.number * 100_000
    late = [
        number
        for number, at_ns in made.arrived()
        if first <= number < first + 100_000 and at_ns > fenced.committed_ns and number not in listed
    ]
    seen.passed += [f"sent late: {one}" for one in tally.late]
    seen.passed += [f"released late: {one}" for one in tally.released]
    seen.passed += [f"arrived late, not listed: {one}" for one in late]
    seen.passed += [f"permit behind the fence: {one}" for one in behind]
    seen.behind += tally.behind
    seen.permitted += tally.permitted
    seen.indeterminate += len(closure["indeterminate"])
    seen.bystander += tally.bystander_permitted + tally.bystander_refused
    seen.bystander_refused += tally.bystander_refused
    seen.bystander_codes.update(tally.bystander_codes)
    seen.faults += [f"{count} times {why}" for why, count in tally.faults.items()]


def _timed(made: Site, process: "subprocess.Popen[bytes]", task: tuple[str, str], ends: list[str]) -> Seen:
    """End one task after another while all connections make governed calls for a task that lives on."""
    seen = Seen()
    _tell(process, Round(999, task[1], 10**9))
    _hear(process)
    time.sleep(0.5)
    for one in ends:
        seen.end_ms.append(made.end(one)[2])
        time.sleep(0.02)
    return seen


def ends(quick: bool) -> list[Figure]:
    """Rounds of attempts across an end, then ends that are timed."""
    effort, cpus = QUICK if quick else FULL, layout()
    seen = Seen()
    with site(effort.rounds + effort.ends + 2, cpus) as made:
        bystander, lasting, *rest = made.opened.tasks
        orders = Orders(made.url, "echo", CONNECTIONS, bystander[1], BYSTANDERS)
        with hammering(orders, cpus.others) as process:
            for number in range(1, effort.rounds + 1):
                task, token = rest.pop()
                _round(made, process, Round(number, token, effort.attempts), task, seen)
        alone = msgspec.structs.replace(orders, connections=LOADED, bystanders=0)
        with hammering(alone, cpus.others) as process:
            timed = _timed(made, process, lasting, [task for task, _ in rest])
    for fault in (*seen.faults[:5], *seen.passed[:5]):
        sys.stderr.write(f"ends: {fault}\n")
    took = sorted(round(one * 1e6) for one in timed.end_ms)
    how = (
        f"{len(took)} tasks ended one after another by the REST interface while {LOADED} connections "
        f"make governed calls, as the caller saw it; {cpus.words()}; evidence durable"
    )
    tried = (
        f"{seen.behind} attempts after the commits of {effort.rounds} ends, over {CONNECTIONS} connections; "
        f"{seen.permitted} passed before, {seen.indeterminate} were listed as indeterminate; held against "
        "the answers, the upstream's clock and the evidence"
    )
    why = ", ".join(f"{count} times {code}" for code, count in sorted(seen.bystander_codes.items()))
    beside = (
        f"{seen.bystander} calls of a task that lives on, beside {effort.rounds} ends under load; "
        f"refused: {why or 'none'}"
    )
    share = 10_000 * seen.bystander_refused / seen.bystander if seen.bystander else 0.0
    return [
        Figure(name=END_P50, value=percentile(took, 0.5) / 1e6, unit="ms", how=how),
        Figure(name=END_P99, value=percentile(took, 0.99) / 1e6, unit="ms", how=how),
        Figure(name=PASSED, value=float(len(seen.passed)), unit="calls", how=tried),
        Figure(name=ATTEMPTS, value=float(seen.behind), unit="calls", how=tried),
        Figure(name=WRONGLY, value=share, unit="calls", how=beside),
    ]
