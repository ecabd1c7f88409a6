# SPDX-License-Identifier: Apache-2.0
"""`remit run`."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter

from remit.cli.exit_codes import UsageFault
from remit.cli.global_options import current
from remit.cli.parser import verb
from remit.cli.tasks.agent_task import (
    WantedTask,
    WorkOptions,
    agent_session,
    authority_lines,
    child_environment,
    complete,
    open_task,
    opened_line,
    remark,
    usage_environment,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from remit.relay.child_process import SignalRelay
    from remit_sdk.session import AgentSession, TaskSession

app = verb("run")

Apart = Literal["required", "where-possible", "off"]
CANNOT_START: Final = 127


@app.default
def run(
    *command: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)],
    agent: str,
    task: str,
    work: WorkOptions | None = None,
    lease: int | None = None,
    manifest: str = "",
    apart: Apart = "where-possible",
) -> int:
    """Run a program inside one task: `remit run --agent A --task T -- CMD`.

    The program gets `REMIT_MCP_URL`, the address of a relay on this machine for it and its children alone,
    `REMIT_HTTP_URL` for HTTP APIs (each below it, under the name of its upstream), and no secret. An
    OpenTelemetry SDK in the program reports its model calls there (`REMIT_USAGE_URL`), unless its exporter
    is configured already. When the program exits, however it exits, the task is completed and fenced; its
    exit code is passed on. If remit itself is killed, the task ends when its lease expires. For example,
    start a coding agent this way in CI: when the job ends, so does every permission that the agent had.

    Parameters
    ----------
    agent
        The agent that works; its key is `.remit/agents/AGENT.key.json` unless `--key` names another.
    task
        The task type.
    lease
        End the task after this many seconds without a renewal (default: `limits.task_lease_s`).
    manifest
        The digest of model, prompt, tools and code, from `remit agent manifest --only-show`; it is
        compared with the registered one.
    apart
        Whether the program is prevented from inspecting other processes of this user, remit's among them:
        `required` (else it does not start), `where-possible` or `off` (it may gain rights by `setuid`).
    """
    import asyncio

    if not command:
        raise UsageFault("no program is given", remediation="write `remit run --agent A --task T -- CMD...`")
    if shutil.which(command[0]) is None:
        # Before a task is opened for it.
        raise UsageFault(
            f"`{command[0]}` cannot be started: the program does not exist",
            remediation="check the command after `--`",
        )
    if lease is None:
        lease = _usual_lease_s()
    if not 1 <= lease <= 3600:
        raise UsageFault("`--lease` is out of bounds", remediation="give 1 to 3600 seconds")
    wanted = (work or WorkOptions()).wanted(agent, task, lease, manifest)
    return asyncio.run(_governed(wanted, command, _confinement(apart)))


def _confinement(apart: Apart) -> Callable[[], None]:
    """Return the function that runs in the program's process before it starts.

    Raises `UsageFault` if the program must not start.
    """
    from remit.compose.programs import enter_domain, hide_this_process, keeps_apart

    # This process holds the key, the tokens and a person's session.
    hide_this_process()
    if apart == "off":
        return lambda: None
    if not keeps_apart():
        if apart == "required":
            raise UsageFault(
                "this machine cannot isolate programs of one user: it has no Landlock",
                remediation="use Linux 5.13 or newer, another user for the agent, or `--apart off`",
            )
        remark("this machine cannot keep the program from reading other processes of this user")
        return lambda: None

    def confine() -> None:
        if not enter_domain() and apart == "required":
            os.write(2, b"this program cannot be kept apart: no further Landlock domain\n")
            os._exit(CANNOT_START)

    return confine


def _usual_lease_s() -> int:
    """Return the configured lease, if there is a configuration beside the address."""
    asked = current()
    return int(asked.load_config().limits.task_lease_s) if asked.config_file.is_file() else 15


async def _governed(wanted: WantedTask, command: tuple[str, ...], confine: Callable[[], None]) -> int:
    from remit.relay.child_process import SignalRelay

    with SignalRelay() as signals:
        async with agent_session(wanted) as agent:
            task = await open_task(agent, wanted)
            remark(opened_line(task))
            for line in authority_lines(task):
                remark(line)
            try:
                return await _beside_relay(agent, task, command, signals, confine, wait_s=wanted.wait_s)
            finally:
                await complete(task)


async def _beside_relay(
    agent: AgentSession,
    task: TaskSession,
    command: tuple[str, ...],
    signals: SignalRelay,
    confine: Callable[[], None],
    *,
    wait_s: int,
) -> int:
    import asyncio

    from remit.relay import process_tree
    from remit.relay.child_process import run_child
    from remit.relay.relay import Relay
    from remit_sdk.gateway_client import GatewayClient

    if signals.pending:  # a signal arrived while the task was being opened
        return 128 + signals.pending[0]
    if not process_tree.CAN_TELL:
        remark("this system does not report the user of a connection: only the relay's address protects it")
    client = GatewayClient(agent.gateway, task, agent.prover, wait_s=wait_s)
    relay = Relay(client, only_descendants=True, notice=remark)
    env = child_environment() | {"REMIT_MCP_URL": await relay.start(), "REMIT_HTTP_URL": relay.api_url}
    env |= usage_environment(env, relay.usage_url, remark)
    keeping = asyncio.create_task(_keep(task))
    try:
        return await run_child(command, env, signals, confine)
    finally:
        keeping.cancel()
        await relay.close()


async def _keep(task: TaskSession) -> None:
    refusal = await task.keep()
    remark(f"task {task.id} has ended before the command: {refusal.message}")
