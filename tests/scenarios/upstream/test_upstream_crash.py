# SPDX-License-Identifier: Apache-2.0
"""Threat: an upstream ends, hangs or misbehaves at the worst moment, or remit itself is killed.

No call may hang or be sent twice, no caller may be told that an unknown outcome was none, and no process may
outlive remit.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.runtime.system import SystemEntropy
from remit.adapters.upstream.bounds import BufferBound
from remit.adapters.upstream.mcp.http import McpHttp
from remit.adapters.upstream.mcp.stdio import McpStdio
from remit.core.errors import Busy, UpstreamFault, UpstreamUnreachable
from remit.ports.upstream import Call
from tests.servers.scripted_mcp import scripted_http
from tests.worlds.upstream_subjects import call, nothing

ROOT = Path(__file__).parents[3]
SCRIPTED = str(ROOT / "tests/servers/scripted_mcp.py")
FAST = {"restart_base_s": 0.05, "restart_max_s": 0.1}

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG and /proc")


class Witness:
    """What was told of an upstream."""

    def __init__(self) -> None:
        self.states: list[bool] = []
        self.changes = 0

    def on_state(self, name: str, up: bool, why: str) -> None:
        """Keep a change of state."""
        self.states.append(up)

    def on_change(self) -> None:
        """Count a change of lists."""
        self.changes += 1


@asynccontextmanager
async def process(
    witness: Witness, *options: str, era: str = "modern", **settings: Any
) -> AsyncIterator[McpStdio]:
    """A scripted server as a supervised process, stopped when the block ends."""
    upstream = McpStdio(
        "scripted",
        [sys.executable, SCRIPTED, era, *options],
        entropy=SystemEntropy(),
        bound=BufferBound(64 * 1024 * 1024),
        on_state=witness.on_state,
        grace_s=0.5,
        **{**FAST, **settings},
    )
    try:
        yield upstream
    finally:
        await upstream.stop()


async def until(true: Callable[[], Any]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(120):
        while not true():  # noqa: ASYNC110 - what is waited for is a plain value
            await asyncio.sleep(0.01)


async def test_the_last_words_of_a_program_that_does_not_start_are_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The program's own output explains why it ended, and the operator reads that without asking for more."""
    words = "import sys; sys.exit('there is no module of that name')"
    upstream = McpStdio(
        "broken",
        [sys.executable, "-c", words],
        entropy=SystemEntropy(),
        bound=BufferBound(1024),
        on_state=Witness().on_state,
        restart_base_s=0.05,
    )
    try:
        with pytest.raises(UpstreamUnreachable, match="ended with status 1"):
            await upstream.start(on_change=nothing, on_notification=nothing)
    finally:
        await upstream.stop()
    assert "upstream broken, last output: there is no module of that name" in caplog.text


def tool(name: str, **arguments: Any) -> Call:
    """A call of a tool."""
    return Call(method="tools/call", params={"name": name, "arguments": arguments}, task="t1")


def alive(pid: int) -> bool:
    """Whether a process runs: one that is dead but not yet taken in by its parent does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_crash_ends_every_call_in_hand_and_the_process_comes_back(era: str) -> None:
    """The calls may have taken effect, and say so; the next one is served by a new process."""
    witness = Witness()
    async with process(witness, era=era) as upstream:
        await upstream.start(witness.on_change, nothing)
        exchanges = [await upstream.prepare(tool("hang"), {}) for _ in range(5)]
        exchanges.append(await upstream.prepare(tool("crash"), {}))
        unsent = await upstream.prepare(tool("echo"), {})
        for exchange in exchanges:
            exchange.send()
        for exchange in exchanges:
            with pytest.raises(UpstreamUnreachable) as fault:
                await asyncio.wait_for(exchange.receive(), 60)
            assert fault.value.sent
        with pytest.raises(UpstreamUnreachable) as fault:
            unsent.send()
        assert not fault.value.sent
        await until(lambda: witness.states == [False, True])
        assert (await call(upstream, "echo", n=1))["structuredContent"]["arguments"] == {"n": 1}
        assert witness.changes == 1
        assert upstream.counts["restarts"] >= 1


async def test_while_it_is_down_a_call_says_when_it_is_tried_again() -> None:
    """Nothing was sent, and the remediation names the next attempt."""
    witness = Witness()
    async with process(witness, restart_base_s=3000, restart_max_s=3000) as upstream:
        await upstream.start(witness.on_change, nothing)
        with pytest.raises(UpstreamUnreachable):
            await call(upstream, "crash")
        await until(lambda: witness.states == [False])
        await until(lambda: upstream._retry_at is not None)
        with pytest.raises(UpstreamUnreachable) as fault:
            await upstream.prepare(tool("echo"), {})
        assert not fault.value.sent
        assert "restarting in" in fault.value.remediation


async def test_a_server_that_ends_at_the_modern_question_is_not_asked_it_again() -> None:
    """Some old servers end at a request that they do not know: the next process gets the old handshake."""
    witness = Witness()
    async with process(witness, "die-at-discover", era="legacy") as upstream:
        with pytest.raises(UpstreamUnreachable):
            await upstream.start(witness.on_change, nothing)
        await until(lambda: witness.states == [False, True])
        assert (await upstream.catalogue()).protocol == "2025-11-25"


async def test_a_server_that_cannot_start_at_first_is_tried_until_it_can(tmp_path: Path) -> None:
    """`start` tells of the failure; the supervision goes on."""
    witness = Witness()
    async with process(witness, "die-at-start-once", str(tmp_path / "mark")) as upstream:
        with pytest.raises(UpstreamUnreachable) as fault:
            await upstream.start(witness.on_change, nothing)
        assert "not yet" in fault.value.debug
        await until(lambda: witness.states == [False, True])
        await call(upstream, "echo")


async def test_a_program_that_is_not_there_is_named() -> None:
    """The fault names the program, not a broken pipe."""
    upstream = McpStdio("gone", ["no-such-program"], entropy=SystemEntropy(), bound=BufferBound(1))
    with pytest.raises(UpstreamUnreachable, match="no-such-program"):
        await upstream.start(nothing, nothing)
    await upstream.stop()


async def test_a_server_that_floods_its_output_is_started_again() -> None:
    """Lines that are no messages are counted; too many of them end the process."""
    witness = Witness()
    async with process(witness) as upstream:
        await upstream.start(witness.on_change, nothing)
        with pytest.raises(UpstreamUnreachable):
            await call(upstream, "flood")
        await until(lambda: witness.states == [False, True])
        assert upstream.counts["malformed"] > 1000
        await call(upstream, "echo")


async def test_a_server_that_does_not_read_is_sent_no_more() -> None:
    """What it does not read waits within a bound; beyond it a call is refused before it is sent."""
    witness = Witness()
    async with process(witness) as upstream:
        await upstream.start(witness.on_change, nothing)
        exchanges = [await upstream.prepare(tool("deaf"), {})]
        exchanges[0].send()
        for _ in range(12):
            exchanges.append(await upstream.prepare(tool("echo", text="x" * 100_000), {}))
            exchanges[-1].send()
        with pytest.raises(Busy):
            await upstream.prepare(tool("echo"), {})
        for exchange in exchanges:
            exchange.release()


@on_linux
async def test_stop_leaves_nothing_that_the_server_started() -> None:
    """A descendant that left the process group and ignores being asked to end is killed too."""
    witness = Witness()
    async with process(witness) as upstream:
        await upstream.start(witness.on_change, nothing)
        pids = (await call(upstream, "spawn"))["structuredContent"]["pids"]
        assert all(map(alive, pids))
    await until(lambda: not any(map(alive, pids)))


@on_linux
async def test_a_killed_guard_takes_the_server_with_it() -> None:
    """The guard's own end, by whatever signal, does not leave the server behind, and another one starts."""
    witness = Witness()
    async with process(witness) as upstream:
        await upstream.start(witness.on_change, nothing)
        pid, orphan = (await call(upstream, "spawn"))["structuredContent"]["pids"]
        session = upstream._session
        assert session is not None
        assert session.child._popen is not None
        os.kill(session.child._popen.pid, signal.SIGKILL)
        await until(lambda: not alive(pid))
        await until(lambda: witness.states == [False, True])
        await call(upstream, "echo")
        # What the server itself has started is beyond a guard that is dead.
        os.kill(orphan, signal.SIGKILL)


REMIT = f"""
import asyncio, json, sys
sys.path[:0] = {[str(ROOT / "src"), str(ROOT)]!r}
from remit.adapters.runtime.system import SystemEntropy
from remit.adapters.upstream.bounds import BufferBound
from remit.adapters.upstream.mcp.stdio import McpStdio
from tests.worlds.upstream_subjects import call, nothing

async def main():
    upstream = McpStdio(
        "s", [sys.executable, {SCRIPTED!r}, "modern"], entropy=SystemEntropy(), bound=BufferBound(1 << 20)
    )
    await upstream.start(nothing, nothing)
    print(json.dumps((await call(upstream, "spawn"))["structuredContent"]["pids"]), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@on_linux
async def test_a_killed_remit_leaves_no_process_behind() -> None:
    """`kill -9` of remit ends the server and whatever it started, however that was started."""
    remit = await asyncio.create_subprocess_exec(
        sys.executable, "-c", REMIT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert remit.stdout is not None
    pids = json.loads(await asyncio.wait_for(remit.stdout.readline(), 120))
    assert all(map(alive, pids))
    remit.kill()
    await remit.communicate()
    await until(lambda: not any(map(alive, pids)))


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_connection_cut_in_the_middle_of_an_answer_is_an_unknown_outcome(era: str) -> None:
    """The call may have taken effect; it is not sent again."""
    async with scripted_http(era) as server:
        upstream = McpHttp("s", server.url, entropy=SystemEntropy(), bound=BufferBound(1 << 20))
        await upstream.start(nothing, nothing)
        try:
            with pytest.raises(UpstreamUnreachable) as fault:
                await call(upstream, "crash")
            assert fault.value.sent
            crashes = [m for m in server.server.seen if m.get("params", {}).get("name") == "crash"]
            assert len(crashes) == 1
            await call(upstream, "echo")
        finally:
            await upstream.stop()


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_server_that_goes_away_and_comes_back_is_noticed(era: str) -> None:
    """Its loss and return are reported, and calls are served again by the server that answers at the
    address.
    """
    witness = Witness()
    async with scripted_http(era) as server:
        port = int(server.url.split(":")[2].split("/")[0])
        upstream = McpHttp(
            "s",
            server.url,
            entropy=SystemEntropy(),
            bound=BufferBound(1 << 20),
            retry_base_s=0.05,
            retry_max_s=0.1,
            on_state=witness.on_state,
        )
        await upstream.start(witness.on_change, nothing)
        await call(upstream, "echo")
    try:
        with pytest.raises(UpstreamUnreachable) as fault:
            await upstream.prepare(tool("echo"), {})
        assert not fault.value.sent
        await until(lambda: witness.states == [False])
        async with scripted_http(era, port):
            await until(lambda: witness.states == [False, True])
            if era == "legacy":
                # The new server does not know the task's session: this call ends, the next opens another.
                with pytest.raises(UpstreamFault) as lost:
                    await call(upstream, "echo")
                assert (lost.value.code, lost.value.sent) == ("upstream-session-lost", True)
            await call(upstream, "echo")
            await upstream.stop()
    finally:
        await upstream.stop()
