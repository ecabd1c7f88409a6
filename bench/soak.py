# SPDX-License-Identifier: Apache-2.0
"""Whether remit's memory and descriptors stay flat while tasks come and go: `python -m bench --only soak`.

`REMIT_BENCH_SECONDS` says for how long; an hour is 3600.
"""

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import httpx2
import psutil

from bench.figure import Figure
from remit_sdk.auth import TaskAuth
from remit_sdk.key import AgentKey
from remit_sdk.session import AgentSession
from tests.gateways.billing_house import furnished_for_billing

GROWTH: Final = "soak: growth of memory from the second fifth to the last"
_DESCRIPTORS: Final = "soak: growth of open descriptors from the second fifth to the last"
_SECONDS: Final = "REMIT_BENCH_SECONDS"
#: Programs at once, pairs of calls of each task, and seconds between two pairs. To remit these are one agent,
#: which opens at most sixty tasks in a minute.
_AGENTS, _CALLS, _PAUSE_S = 3, 45, 0.1
_MIB: Final = 1024 * 1024
_META: Final = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
}
_HEADERS: Final = {
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "read_note",
    "Accept": "application/json, text/event-stream",
}


def soak(quick: bool) -> list[Figure]:
    """Open tasks, call a tool and a function of the agent in each, end them, and watch the process."""
    seconds = float(os.environ.get(_SECONDS) or (20 if quick else 300))
    with tempfile.TemporaryDirectory() as folder, furnished_for_billing(Path(folder) / "house") as remit:
        assert remit.process is not None
        process = psutil.Process(remit.process.pid)
        key = AgentKey.load(remit.folder / ".remit" / "agents" / "note-bot.key.json")
        samples, tasks = asyncio.run(_lived(remit.url, key, process, seconds))
    fifth = len(samples) // 5
    early, late = samples[fifth : 2 * fifth], samples[-fifth:]
    how = (
        f"a real `remit up` (SQLite, MCP server over stdio) for {seconds:.0f} s: {_AGENTS} agents opened and "
        f"ended {tasks} tasks with {2 * _CALLS} calls each; medians of {fifth} samples; resident memory at "
        f"the end {late[-1][0] / _MIB:.0f} MiB"
    )
    memory = [statistics.median(one[0] for one in some) for some in (early, late)]
    descriptors = [statistics.median(one[1] for one in some) for some in (early, late)]
    return [
        Figure(name=GROWTH, value=(memory[1] - memory[0]) / _MIB, unit="MiB", how=how),
        Figure(name=_DESCRIPTORS, value=descriptors[1] - descriptors[0], unit="", how=how),
    ]


async def _lived(
    url: str, key: AgentKey, process: psutil.Process, seconds: float
) -> tuple[list[tuple[int, int]], int]:
    """Return samples of memory and descriptors over the time, and how many tasks there were."""
    until = time.monotonic() + seconds
    samples: list[tuple[int, int]] = []

    async def sample() -> int:
        while time.monotonic() < until:
            samples.append((process.memory_info().rss, process.num_fds()))
            await asyncio.sleep(seconds / 100)
        return 0

    tasks = await asyncio.gather(sample(), *(_agent(url, key, until) for _ in range(_AGENTS)))
    return samples, sum(tasks)


async def _agent(url: str, key: AgentKey, until: float) -> int:
    """Live task after task; return how many."""
    tasks = 0
    while time.monotonic() < until:
        async with AgentSession(url, "note-bot", key) as agent:
            task = await agent.open("settle-complaint", params={"customer": "C-1"}, lease_s=60)
            async with httpx2.AsyncClient(
                auth=TaskAuth(task, agent.prover, upstream="notes"), timeout=120
            ) as http:
                for number in range(_CALLS):
                    params = {"name": "read_note", "arguments": {"name": "shopping"}, "_meta": _META}
                    body: Any = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
                    answer = await http.post(f"{url}/mcp/notes", json=body, headers=_HEADERS)
                    assert "result" in answer.json(), answer.text
                    path = f"/api/v1/tasks/{task.id}/calls"
                    asked = {"tool": "billing/customer", "arguments": {"customer": "C-1"}}
                    permit = await task.ask("POST", path, body=asked)
                    told = {"outcome": "ok", "content": {"name": "Ada", "iban": "DE89370400440532013000"}}
                    await task.ask("POST", f"{path}/{permit['call']}/result", body=told)
                    await asyncio.sleep(_PAUSE_S)
            await task.complete()
        tasks += 1
    return tasks
