# SPDX-License-Identifier: Apache-2.0
"""Who waits for another's payload: small calls, and ends, beside one connection that reads or writes records.

    python -m bench --only stalls

remit runs as it does, with evidence on the disk. One connection makes small calls of one task, another ends
tasks, both at a pace that leaves remit idle in between; a third works on payloads of a third task. All rounds
are made in turns, alone and beside each payload, so that a machine that becomes slower does so for all.
"""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import orjson
import uvloop

from bench.calls import META, wire_headers
from bench.figure import Figure
from bench.governed_bundle import AGENT, TASK_TYPE, UPSTREAM, write_bundle
from bench.load import percentile
from bench.measure import Cpus, layout, running_upstream
from bench.record_upstream import mails
from bench.serve_ends import Opened
from bench.target import Child, confined, free_port

Json = Any

MB: Final = 1_000_000
SMALL: Final = "stalls: small calls {beside}, {share}"
ENDED: Final = "stalls: an end {beside}, {share}"
ALONE: Final = "alone"
READING: Final = "beside 1 MB records"
READING_MUCH: Final = "beside 10 MB records"
WRITING: Final = "beside 1 MB arguments"
#: Between two small calls, and between two ends, in seconds.
PAUSE_S: Final = 0.01
END_PAUSE_S: Final = 0.1
_TOOLS: Final = """\
# SPDX-License-Identifier: Apache-2.0
upstream: echo
tools:
  echo:
    effect: none
    audience: internal
    labels: {class: internal, trust: trusted}
    arguments:
      text: {role: content}
  read:
    effect: none
    audience: internal
    labels: {class: internal, trust: untrusted}
    arguments:
      size: {role: amount}
  write:
    effect: none
    audience: internal
    labels: {class: internal, trust: trusted}
    arguments:
      mails: {role: content}
"""
_TASK: Final = f"""\
# SPDX-License-Identifier: Apache-2.0
task: {TASK_TYPE}
purpose: Read, write and give back
run_by: [{AGENT}]
requested_by: [group:staff]
deadline: 24h
budgets: {{calls: 100000000}}
grants:
  - {{tool: echo/echo, other_arguments: true}}
  - {{tool: echo/read, other_arguments: true}}
  - {{tool: echo/write, other_arguments: true}}
"""


class Effort(msgspec.Struct, frozen=True):
    """How much to do: rounds of each kind, each of so many seconds."""

    rounds: int
    round_s: float


FULL: Final = Effort(rounds=5, round_s=6.0)
QUICK: Final = Effort(rounds=2, round_s=3.0)


class Took(msgspec.Struct):
    """What was measured beside one kind of payload: nanoseconds of small calls and of ends, and payloads."""

    small_ns: list[int] = []
    end_ns: list[int] = []
    payloads: int = 0


class Client:
    """One keep-alive connection to remit."""

    def __init__(self, url: str, token: str) -> None:
        """Take where to connect, and the token."""
        self._at = urlsplit(url)
        self._token = token
        self._pipes: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._calls = 0

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        """Return the body of the answer; raises `RuntimeError` for another status than 200."""
        if self._pipes is None or self._pipes[0].at_eof():
            # The first one, or remit has closed the one before, which was idle on an overloaded machine.
            self._pipes = await asyncio.open_connection(self._at.hostname, self._at.port)
        reader, writer = self._pipes
        lines = [f"POST {path} HTTP/1.1", f"host: {self._at.netloc}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines.append(f"authorization: Bearer {self._token}")
        writer.write("\r\n".join((*lines, "", "")).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = int(head.partition(b"content-length:")[2].partition(b"\r")[0])
        answer = await reader.readexactly(size)
        if head.split(b" ", 2)[1] != b"200":
            raise RuntimeError(f"{path}: {head[:15]!r} {answer[:300]!r}")
        return answer

    async def call(self, tool: str, arguments: Json) -> None:
        """Call a tool; raises `RuntimeError` where that does not succeed."""
        self._calls += 1
        params = {"name": tool, "arguments": arguments, "_meta": META}
        body = orjson.dumps({"jsonrpc": "2.0", "id": self._calls, "method": "tools/call", "params": params})
        answer = await self.post(self._at.path, body, wire_headers(tool))
        if b'"remit/failure"' in answer or b'"error":' in answer[:60]:
            raise RuntimeError(f"{tool}: {answer[:300]!r}")

    def close(self) -> None:
        """Close the connection."""
        if self._pipes is not None:
            self._pipes[1].close()


async def small_calls(client: Client, took: Took, until: float) -> None:
    """Make one small call after another, with a pause after each."""
    while time.perf_counter() < until:
        start = time.perf_counter_ns()
        await client.call("echo", {"text": f"call {start:020d} the quick brown fox jumps over the lazy dog"})
        took.small_ns.append(time.perf_counter_ns() - start)
        await asyncio.sleep(PAUSE_S)


async def ends(client: Client, took: Took, until: float, left: list[tuple[str, str]]) -> None:
    """End one task after another, with a pause after each."""
    headers = {"content-type": "application/json"}
    while left and time.perf_counter() < until:
        await asyncio.sleep(END_PAUSE_S)
        body = orjson.dumps({"kind": "task", "name": left.pop()[0], "reason": "bench"})
        start = time.perf_counter_ns()
        await client.post("/api/v1/end", body, headers)
        took.end_ns.append(time.perf_counter_ns() - start)


@asynccontextmanager
async def beside(client: Client, tool: str, arguments: Json, took: Took) -> AsyncIterator[None]:
    """Call a tool again and again for as long as the block runs."""

    async def work() -> None:
        while True:
            await client.call(tool, arguments)
            took.payloads += 1

    working = asyncio.ensure_future(work())
    try:
        # The first one is under way before anything is timed.
        await asyncio.sleep(0.2)
        yield
        if working.done():
            working.result()
    finally:
        working.cancel()
        await asyncio.wait([working])
        client.close()


@asynccontextmanager
async def alone() -> AsyncIterator[None]:
    """Nothing runs beside the block."""
    yield


async def rounds(url: str, opened: Opened, effort: Effort) -> dict[str, Took]:
    """Measure small calls and ends in turns: alone, and beside each payload."""
    (_, small), (_, reader), (_, writer), *left = opened.tasks
    found = {name: Took() for name in (ALONE, READING, READING_MUCH, WRITING)}
    arguments = {"mails": orjson.loads(mails(MB)["content"][0]["text"])}
    kinds: dict[str, Callable[[Took], Any]] = {
        ALONE: lambda took: alone(),
        READING: lambda took: beside(Client(url, reader), "read", {"size": MB}, took),
        READING_MUCH: lambda took: beside(Client(url, reader), "read", {"size": 10 * MB}, took),
        WRITING: lambda took: beside(Client(url, writer), "write", arguments, took),
    }
    caller, ender = Client(url, small), Client(url, opened.session)
    for number in range(effort.rounds + 1):
        for name, kind in kinds.items():
            # The first round is the warm-up.
            took = found[name] if number else Took()
            async with kind(took):
                until = time.perf_counter() + (effort.round_s if number else effort.round_s / 4)
                both: list[Awaitable[None]] = [
                    small_calls(caller, took, until),
                    ends(ender, took, until, left),
                ]
                await asyncio.gather(*both)
    caller.close()
    ender.close()
    return found


@contextmanager
def served(tasks: int, cpus: Cpus, module: str = "bench.serve_ends") -> Iterator[tuple[str, Opened]]:
    """Yield the address of a remit before the server with payloads, and its open tasks."""
    build = Path("build")
    build.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-stalls-", dir=build))
    port, child = free_port(), None
    try:
        with running_upstream(cpus.others, "bench.record_upstream") as server:
            config = write_bundle(folder, server.url, port, "durable")
            (folder / "tools" / "echo.yaml").write_text(_TOOLS, "utf-8")
            (folder / "tasks" / "echo.yaml").write_text(_TASK, "utf-8")
            argv = [sys.executable, "-m", module, str(config), str(tasks)]
            child = Child(argv, cpus.target, speaks=True)
            opened = msgspec.json.decode(child.line(), type=Opened)
            yield f"http://127.0.0.1:{port}/mcp/{UPSTREAM}", opened
    finally:
        if child is not None:
            child.stop()
        shutil.rmtree(folder)


async def _when_ready(url: str, opened: Opened, effort: Effort) -> dict[str, Took]:
    probe = Client(url, opened.session)
    for _ in range(1_000):
        try:
            await probe.post("/api/v1/can", b"{}", {"content-type": "application/json"})
        except OSError:
            await asyncio.sleep(0.02)
        except RuntimeError:
            break
    probe.close()
    return await rounds(url, opened, effort)


def stalls(quick: bool) -> list[Figure]:
    """Small calls and ends, alone and beside payloads."""
    effort, cpus = QUICK if quick else FULL, layout()
    tasks = 3 + int(4 * (effort.rounds + 1) * effort.round_s / END_PAUSE_S)
    with served(tasks, cpus) as (url, opened), confined(cpus.others):
        found = uvloop.run(_when_ready(url, opened, effort))
    figures = []
    for beside_what, took in found.items():
        small, end = sorted(took.small_ns), sorted(took.end_ns)
        how = (
            f"{len(small)} calls, {len(end)} ends, {took.payloads} payloads, "
            f"{effort.rounds} rounds in turns; {cpus.words()}; evidence durable"
        )
        for share, part in (("p50", 0.5), ("p99", 0.99)):
            for name, values in ((SMALL, small), (ENDED, end)):
                value = percentile(values, part) / 1e6
                figures.append(
                    Figure(name=name.format(beside=beside_what, share=share), value=value, unit="ms", how=how)
                )
    return figures


if __name__ == "__main__":
    for one in stalls("--quick" in sys.argv):
        print(f"{one.name:45} {one.value:9.2f} {one.unit}  {one.how}")
