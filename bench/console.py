# SPDX-License-Identifier: Apache-2.0
"""The console beside a long log: how long the server works on each page, and what open pages cost.

200 agents have an open task each. The log has 1,000,000 events (a quick run: 100,000) and grows by 100 calls
a second. A page is asked for over a socket and read whole, by a person who oversees all. An open page is a
stream of events that is read; memory and processor time are those of remit's process.

An approval is measured from a call that waits for a person to its answer: apprise notifies the person, who
follows the link and sends the form of the page at once, and the call is made. What the same
call takes without a question is subtracted.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import httpx2
import psutil
from aiohttp import web

from bench.calls import echo_call
from bench.figure import Figure
from bench.governed_bundle import UPSTREAM, write_bundle
from bench.measure import layout, running_upstream
from bench.target import Child, free_port

PAGES: Final = {
    "now": "/console",
    "approvals": "/console/approvals",
    "agents": "/console/agents",
    "agent": "/console/agents/{agent}",
    "task": "/console/tasks/{task}",
    "decision": "/console/decisions/{decision}",
    "evidence": "/console/evidence",
    "evidence of one agent": "/console/evidence?agent={agent}",
    "evidence of rare data": "/console/evidence?category=pii",
    "policies": "/console/policies",
    "paths": "/console/paths",
}
SLOWEST: Final = "console: slowest page"
STREAMS: Final = 200
STREAM_MEMORY: Final = f"console: memory of {STREAMS} open pages"
STREAM_CPU: Final = f"console: share of a core for {STREAMS} open pages"
ROUNDS: Final = 7
ROUND_TRIP: Final = "console: approval, from the call to its answer"
#: Calls that are approved.
APPROVED: Final = 21
LINK: Final = r"(/console/notified/[0-9a-f]+)"
APPROVAL: Final = r"/console/approvals/(apr_[a-z0-9]+)"
SECRET: Final = "BENCH_NOTIFIED"
RULE: Final = """
@id("bench/ask")
@reason("`{tool}` asks a person")
@otherwise("approval")
forbid (principal, action == Action::"echo/echo", resource)
when { context.args has text && context.args.text like "* ask *" };
"""
#: Seconds over which processor time is counted.
COUNTED_S: Final = 10


def console(quick: bool) -> list[Figure]:
    """Measure the console."""
    events, cpus = 100_000 if quick else 1_000_000, layout()
    with (
        tempfile.TemporaryDirectory(prefix="bench-console-", dir="build") as folder,
        running_upstream(cpus.others) as upstream,
    ):
        port = free_port()
        config = write_bundle(Path(folder), upstream.url, port, "buffered")
        hook = free_port()
        _ask(Path(folder), config)
        work = Path(folder) / "tasks" / "echo.yaml"
        work.write_text(work.read_text().replace("run_by: [", "run_by: [group:clerks, "))
        serving = [sys.executable, "-m", "bench.serve_console", str(config), str(events)]
        child = Child(serving, cpus.target, {SECRET: f"json://127.0.0.1:{hook}/"}, speaks=True)
        try:
            told = json.loads(child.line())
            child.wait_until(lambda: _listens(port), limit_s=1_800)
            measured = _measured(f"http://127.0.0.1:{port}", told, psutil.Process(child.pid), events, hook)
            return asyncio.run(measured)
        finally:
            child.stop()


def _listens(port: int) -> bool:
    """Return whether something listens at a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
    except OSError:
        return False
    return True


def _ask(folder: Path, config: Path) -> None:
    """Have calls whose text has the word `ask` wait for a person, who is notified by apprise."""
    (folder / "policies" / "70-ask.cedar").write_text(RULE)
    told = f"{{apprise: 'env:{SECRET}', on: [approval.requested]}}"
    config.write_text(f"{config.read_text()}notify: {{people: {told}}}\n")


async def _measured(
    origin: str, told: dict[str, str], process: psutil.Process, events: int, hook: int
) -> list[Figure]:
    headers = {"Cookie": told["cookie"], "Host": f"localhost:{origin.rpartition(':')[2]}"}
    async with httpx2.AsyncClient(base_url=origin, headers=headers, timeout=120, trust_env=False) as http:
        times = {name: await _page(http, path.format_map(told)) for name, path in PAGES.items()}
    how = f"the median of {ROUNDS} requests, {events:,} events at the start, 200 agents, 100 calls a second"
    found = [
        Figure(name=f"console: page `{name}`", value=1000 * took_s, unit="ms", how=how)
        for name, took_s in times.items()
    ]
    found.append(
        Figure(name=SLOWEST, value=1000 * max(times.values()), unit="ms", how=f"{how}; the slowest page")
    )
    found.append(await _round_trips(origin, told, hook))
    return found + await _streams(origin, headers, process)


async def _round_trips(origin: str, told: dict[str, str], hook: int) -> Figure:
    """Have calls approved by a person who clicks as soon as the page is there."""
    host = f"localhost:{origin.rpartition(':')[2]}"
    name, _, secret = told["approver"].partition("=")
    person = httpx2.AsyncClient(
        base_url=origin,
        headers={"Host": host, "Origin": f"http://{host}"},
        cookies={name: secret},
        trust_env=False,
    )
    clicked: set[asyncio.Task[None]] = set()

    async def click(link: str) -> None:
        page = (await person.get(link, follow_redirects=True)).text
        address = f"/console/approvals/{_found(APPROVAL, page)}"
        fields = {name: _found(rf'name="{name}" value="([^"]+)"', page) for name in ("csrf", "call")}
        answer = await person.post(address, data={**fields, "answer": "once"})
        if answer.status_code != 303:
            raise RuntimeError(f"{address}: {answer.status_code} {answer.text[:300]}")

    async def notified(request: web.Request) -> web.Response:
        clicking = asyncio.create_task(click(_found(LINK, (await request.json())["message"])))
        clicked.add(clicking)
        return web.Response(status=204)

    receiver = web.Application()
    receiver.router.add_post("/", notified)
    runner = web.AppRunner(receiver)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", hook).start()
    async with httpx2.AsyncClient(base_url=origin, timeout=60, trust_env=False) as agent, person:
        plain = [await _call(agent, told["token"], number, "plain") for number in range(APPROVED)]
        asked = [await _call(agent, told["token"], number, "ask") for number in range(APPROVED)]
        await asyncio.gather(*clicked)
    await runner.cleanup()
    took_s = statistics.median(asked) - statistics.median(plain)
    how = f"the median of {APPROVED} calls that wait, less that of {APPROVED} calls without a question"
    return Figure(name=ROUND_TRIP, value=1000 * took_s, unit="ms", how=how)


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"no `{pattern}` in: {text[:500]}")
    return found[1]


async def _call(agent: httpx2.AsyncClient, token: str, number: int, word: str) -> float:
    """Make one call, which waits for its answer; return how long it took, in seconds."""
    call = echo_call(number, f"http://bench/mcp/{UPSTREAM}", "echo", {"authorization": f"Bearer {token}"})
    text = f"call {number:08d} {word} a person"
    began = time.perf_counter()
    answer = await agent.post(
        call.path, content=call.body.replace(call.text, text), headers={**call.headers, "Remit-Wait": "30"}
    )
    took_s = time.perf_counter() - began
    if answer.status_code != 200 or text not in answer.text:
        raise RuntimeError(f"{text}: {answer.status_code} {answer.text[:500]}")
    return took_s


async def _page(http: httpx2.AsyncClient, path: str) -> float:
    """Return how long a page takes, in seconds, once the server has answered it before."""
    took = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        answer = await http.get(path)
        took.append(time.perf_counter() - began)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:200]}")
    return statistics.median(took[1:])


async def _streams(origin: str, headers: dict[str, str], process: psutil.Process) -> list[Figure]:
    """Open many pages' streams, and return what they cost."""
    limits = httpx2.Limits(max_connections=STREAMS + 10)
    heard = 0

    async def read(http: httpx2.AsyncClient) -> None:
        nonlocal heard
        async with http.stream("GET", "/console/live") as answer:
            async for chunk in answer.aiter_bytes():
                heard += chunk.count(b"event:")

    alone_cpu, alone_bytes = await _counted(process)
    async with httpx2.AsyncClient(
        base_url=origin, headers=headers, timeout=None, limits=limits, trust_env=False
    ) as http:
        reading = [asyncio.create_task(read(http)) for _ in range(STREAMS)]
        await asyncio.sleep(COUNTED_S / 2)
        cpu, size = await _counted(process)
        faults = [one.exception() for one in reading if one.done()]
        for one in reading:
            one.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
    if faults or heard < STREAMS:
        raise RuntimeError(f"{len(faults)} of {STREAMS} streams ended: {faults[:1]}")
    how = f"{STREAMS} streams are read while the log grows by 100 calls a second, against none"
    return [
        Figure(name=STREAM_MEMORY, value=(size - alone_bytes) / 1e6, unit="MB", how=how),
        Figure(name=STREAM_CPU, value=100 * (cpu - alone_cpu), unit="%", how=f"{how}; over {COUNTED_S} s"),
    ]


async def _counted(process: psutil.Process) -> tuple[float, int]:
    """Return the share of a core that a process takes, and its memory in bytes."""
    before = process.cpu_times()
    began = time.perf_counter()
    await asyncio.sleep(COUNTED_S)
    after = process.cpu_times()
    took_s = (after.user + after.system) - (before.user + before.system)
    return took_s / (time.perf_counter() - began), process.memory_info().rss
