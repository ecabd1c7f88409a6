# SPDX-License-Identifier: Apache-2.0
"""`remit connect`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from remit.cli.exit_codes import UsageFault
from remit.cli.global_options import current
from remit.cli.parser import Switch, verb
from remit.cli.tasks.agent_task import WantedTask, WorkOptions, agent_session, complete, opened_line, remark

if TYPE_CHECKING:
    import asyncio

    from remit.cli.tasks.session_relay import ClientSession
    from remit.cli.tasks.task_renewal import TaskRenewal
    from remit.relay.child_process import SignalRelay
    from remit_sdk.session import AgentSession

app = verb("connect")

#: Longer than the lease of `run`: a client that a person works with may pause for a while.
LEASE_S = 60


@app.default
def connect(
    *,
    agent: str = "",
    task: str = "everyday",
    upstream: str = "",
    work: WorkOptions | None = None,
    http: Switch = False,
    start: Switch = False,
    shims: Annotated[str, Parameter(show=False)] = "",
) -> int:
    """Connect an interactive MCP client, which starts this command and speaks MCP over its standard streams.

    The command opens a task at the start, keeps it alive while the client works, and completes it when the
    client exits. With `--upstream`, all servers that one client process starts share one task and one relay
    process. If the task expired during a pause (a machine's sleep), it opens a new one; a task that was ended
    on purpose stays ended. For example, enter `remit connect` as the server of your editor's agent: its
    tool calls are then decided and recorded, and it holds no credential of an upstream.

    Parameters
    ----------
    agent
        The agent that the client acts as (default: the only one whose key is here).
    task
        The task type.
    upstream
        Connect to this upstream alone, with its tools under their own names.
    http
        Serve a relay over HTTP until interrupted, and print its address, for clients that need a URL.
    start
        Start `remit up` in the background if it is not running; for a gateway on this machine.
    shims
        The listening socket of a client session, from its first shim.
    """
    import asyncio

    from remit.compose.programs import hide_this_process

    # This process holds the key, the tokens and a person's session.
    hide_this_process()
    work = work or WorkOptions()
    with _session(shims) as session:
        wanted = work.wanted(agent or _only_agent(work.key or work.token_file), task, LEASE_S)
        if start:
            from remit.cli.serve.background import ensure_running

            ensure_running(current().config_file, current().base_url())
        return asyncio.run(_connected(wanted, upstream, session, http=http))


@contextmanager
def _session(shims: str) -> Iterator[ClientSession | None]:
    """Yield the client session whose first shim started this process; None without shims."""
    if not shims:
        yield None
        return
    from remit.cli.tasks.session_relay import ClientSession

    with ClientSession(shims) as session:
        yield session


def _only_agent(key: Path | None) -> str:
    if key is not None:
        raise UsageFault("`--key` and `--token-file` need `--agent`", remediation="give `--agent`")
    # Without a configuration, report exactly that.
    current().base_url()
    from remit.config import state_of

    folder = state_of(current().config_file.parent) / "agents"
    names = sorted(path.name.removesuffix(".key.json") for path in folder.glob("*.key.json"))
    if len(names) != 1:
        what = (
            "no agent's key is stored here"
            if not names
            else f"keys of several agents are stored here: {', '.join(names)}"
        )
        remediation = "give `--agent`" if names else "register one with `remit agent register`"
        raise UsageFault(what, remediation=remediation)
    return names[0]


async def _connected(wanted: WantedTask, upstream: str, session: ClientSession | None, *, http: bool) -> int:
    import asyncio

    from remit.cli.tasks.task_renewal import TaskRenewal
    from remit.relay.child_process import SignalRelay

    with SignalRelay() as signals:
        async with agent_session(wanted) as agent:
            tenure = TaskRenewal(agent, wanted)
            task = await tenure.begin()
            if http:
                remark(opened_line(task))
            serving = asyncio.create_task(
                _serve(agent, tenure, upstream, session, http=http, wait_s=wanted.wait_s)
            )
            try:
                return await _until_signal(serving, signals)
            finally:
                await tenure.close()
                await complete(tenure.task)
                if session is not None:
                    session.dismiss()


async def _until_signal(serving: asyncio.Task[None], signals: SignalRelay) -> int:
    import asyncio

    stopped = asyncio.create_task(signals.arrived.wait())
    try:
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not stopped.done():
            await serving  # raises the server's exception
            return 0
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return 128 + signals.pending[0]
    finally:
        stopped.cancel()


async def _serve(
    agent: AgentSession,
    tenure: TaskRenewal,
    upstream: str,
    session: ClientSession | None,
    *,
    http: bool,
    wait_s: int,
) -> None:
    import asyncio
    import sys

    from remit.relay.bridge import Bridge
    from remit.relay.relay import Relay
    from remit.relay.stdio import Lines, LineWriter
    from remit_sdk.gateway_client import GatewayClient

    gateway = GatewayClient(agent.gateway, tenure, agent.prover, wait_s=wait_s)
    if session is not None:
        await session.serve(gateway, remark)
        return
    if not http:
        lines, out = Lines(sys.stdin.fileno()), LineWriter(sys.stdout.fileno())
        await Bridge(gateway, lines, out, upstream=upstream, notice=remark).run()
        return
    # The client is not a child process of ours: every process that learns the address acts as this task.
    relay = Relay(gateway, only_descendants=False, upstream=upstream, notice=remark)
    sys.stdout.write(await relay.start() + "\n")
    sys.stdout.flush()
    remark(f"the client reports its model calls to {relay.usage_url} (OTLP over HTTP, traces)")
    try:
        await asyncio.Event().wait()
    finally:
        await relay.close()
