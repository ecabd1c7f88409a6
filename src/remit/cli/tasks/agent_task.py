# SPDX-License-Identifier: Apache-2.0
"""What `remit run` and `remit connect` share: the agent with its key, its task, and the messages about
both.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

from cyclopts import Parameter

from remit.cli.exit_codes import UsageFault
from remit.cli.global_options import current
from remit.cli.host.server_user import looking
from remit.cli.identity.agent import key_place
from remit.cli.output.sentences import cut_lines
from remit.cli.output.terminal import counted, moment
from remit.cli.parser import Pairs, Several, Switch, pairs, seconds
from remit.cli.session_file import session_for, terminal_key
from remit.core.errors import ConfigInvalid, Unauthenticated
from remit.core.json_value import Json
from remit.core.safe_text import plain

if TYPE_CHECKING:
    from remit_sdk.session import AgentSession, TaskSession


#: The prefix of variables that a child never inherits: remit's own settings, some of them secrets.
OURS = "REMIT_"
#: The prefix of the variables of OTLP exporters (OpenTelemetry's specification of them).
OTLP = "OTEL_EXPORTER_OTLP_"

#: The longest wait of one call for a person.
MAX_WAIT_S: Final = 3600


class WantedTask(NamedTuple):
    """The task to open. With `alone` the agent requests it itself, even if a person is signed in."""

    agent: str
    task: str
    params: Mapping[str, Json]
    on_behalf_of: str = ""
    intent: str = ""
    plan: list[Json] | None = None
    alone: bool = False
    lease_s: int = 15
    key: Path | None = None
    token_file: Path | None = None
    manifest: str = ""
    wait_s: int = 0


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """The options that `remit run` and `remit connect` share.

    Parameters
    ----------
    param
        A parameter of the task as `name=value`; may be given several times.
    for_
        The person that the agent works for.
    intent
        The goal of the task, in words.
    plan
        A tool that the work will need, or several separated by commas, as `upstream/tool`; other tools are
        refused until the plan is extended. `"mail/send to=lena@example.com"` plans exactly that.
    wait
        Let a call that needs a person's approval wait for the answer, for `5m` at most, instead of telling
        the agent to call again.
    key
        The file of the agent's key.
    token_file
        A file with the agent's token from its platform (Kubernetes, a CI job, SPIFFE), instead of a key.
    alone
        Let the agent request the task itself, if the task type permits that, although a person is signed in.
    """

    param: Pairs = ()
    for_: Annotated[str, Parameter(name="--for")] = ""
    intent: str = ""
    plan: Several = ()
    wait: str = ""
    key: Path | None = None
    token_file: Path | None = None
    alone: Switch = False

    def wanted(self, agent: str, task: str, lease_s: int, manifest: str = "") -> WantedTask:
        """Return the task to open."""
        return WantedTask(
            agent=agent,
            task=task,
            params=pairs(self.param, "-p"),
            on_behalf_of=self.for_,
            intent=self.intent,
            plan=planned(self.plan),
            alone=self.alone,
            lease_s=lease_s,
            key=self.key,
            token_file=self.token_file,
            manifest=manifest,
            wait_s=_wait_s(self.wait),
        )


def _wait_s(wait: str) -> int:
    found = seconds(wait) if wait else 0
    if found > MAX_WAIT_S:
        raise UsageFault("`--wait` is out of bounds", remediation="give at most `1h`")
    return found


def agent_session(wanted: WantedTask) -> AgentSession:
    """Return the agent's session at the gateway; raises `KeyUnusable`."""
    from remit_sdk.key import AgentKey
    from remit_sdk.session import AgentSession
    from remit_sdk.workload import TokenFile

    if wanted.token_file is not None and wanted.key is not None:
        raise UsageFault(
            "an agent authenticates with one proof", remediation="give `--key` or `--token-file`"
        )
    proof: AgentKey | TokenFile
    if wanted.token_file is None:
        proof = AgentKey.load(wanted.key or key_place(wanted.agent))
    else:
        proof = TokenFile(wanted.token_file)
        proof.read()  # report an unreadable file before a task is open
    ca_file, base_url = os.environ.get("REMIT_CA_FILE", ""), current().base_url()
    return AgentSession(base_url, wanted.agent, proof, ca_file=ca_file, look=_look(base_url))


def _look(base_url: str) -> Callable[[socket.socket], None]:
    """Return the terminal's check of each connection; a server that fails it is not the gateway."""
    from remit_sdk.errors import GatewayUnreachable

    look = looking(base_url)

    def refuse(connected: socket.socket) -> None:
        try:
            if look is not None:
                look(connected)
        except Unauthenticated as fault:
            raise GatewayUnreachable(fault.message, remediation=fault.remediation) from None

    return refuse


async def open_task(agent: AgentSession, wanted: WantedTask) -> TaskSession:
    """Open the task: requested by the signed-in person, else by the agent if the task type permits it."""
    return await agent.open(
        wanted.task,
        goal=wanted.intent,
        params=wanted.params,
        on_behalf_of=wanted.on_behalf_of,
        plan=wanted.plan,
        lease_s=wanted.lease_s,
        manifest_digest=wanted.manifest,
        **({} if wanted.alone else _person(agent.gateway.base_url)),
    )


def _person(base_url: str) -> dict[str, Any]:
    """Return the session of the requesting person with its proof; empty if no person requests the task."""
    from remit_sdk.dpop import DpopProver

    try:
        session = session_for(base_url)
    except Unauthenticated:
        if current().profile:
            raise
        return {}
    prover = DpopProver(terminal_key()) if session.proven_at else None
    return {"person_session": session.secret, "person_prover": prover}


def planned(given: tuple[str, ...]) -> list[Json] | None:
    """Read the values of `--plan`; None if the option was not given.

    Each value is either several tools separated by commas, or one tool with conditions on its arguments
    (`mail/send to=lena@example.com`).
    """
    entries: list[Json] = []
    for one in given:
        try:
            words = shlex.split(one)
        except ValueError:
            raise UsageFault(f"`{one[:80]}` has an open quote", remediation="close it") from None
        if len(words) > 1 and "=" in words[1]:
            exact = pairs(tuple(words[1:]), "--plan 'upstream/tool")
            entries.append({"tool": words[0], "arguments": {name: {"exact": exact[name]} for name in exact}})
        else:
            entries += [part for part in re.split(r"[,\s]+", one) if part]
    return entries or None


def child_environment() -> dict[str, str]:
    """Return the child's environment: ours, without remit's settings and the upstreams' credentials."""
    hidden = _credentials()
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(OURS) and name not in hidden
    }


def usage_environment(has: Mapping[str, str], url: str, notice: Callable[[str], None]) -> dict[str, str]:
    """Return the variables by which a program finds where its model calls are reported.

    Only traces are configured: the program's metrics and logs go where they would go without remit. An
    exporter that is configured already is left alone, and people read how to report.
    """
    given = {"REMIT_USAGE_URL": url}
    taken = [f"{OTLP}{name}" for name in ("TRACES_ENDPOINT", "ENDPOINT") if has.get(f"{OTLP}{name}")]
    if not taken:
        ours = {"TRACES_ENDPOINT": url, "TRACES_PROTOCOL": "http/protobuf", "TRACES_COMPRESSION": "none"}
        return given | {f"{OTLP}{name}": value for name, value in ours.items()}
    notice(
        f"`{taken[0]}` is set, so the program's traces go there; for model calls to count, "
        "it must send them to $REMIT_USAGE_URL, too (OTLP, http/protobuf or http/json)"
    )
    return given


def _credentials() -> set[str]:
    """Return the variables that the configuration here names as secrets of upstreams."""
    try:
        config = current().load_config()
    except ConfigInvalid:
        return set()
    return {
        ref.name
        for upstream in config.upstreams.values()
        for ref in (*upstream.env.values(), *upstream.headers.values())
        if ref.scheme == "env"
    }


def remark(line: str) -> None:
    """Write one line to standard error, beside the child's own output."""
    sys.stderr.write(f"remit: {plain(line)}\n")
    sys.stderr.flush()


def opened_line(task: TaskSession) -> str:
    """Return the message that a task is open."""
    facts = task.facts
    whom = f" for {facts['on_behalf_of']}" if facts.get("on_behalf_of") else ""
    what = f"task {task.id} is open: `{facts.get('type')}` by {facts.get('agent')}{whom}"
    return f"{what}, deadline {moment(str(facts.get('deadline') or '')).plain}"


def authority_lines(task: TaskSession) -> list[str]:
    """Return the tools that a task may use, and each that a bound took from it."""
    granted = dict.fromkeys(str(one["tool"]) for one in task.facts.get("grants") or ())
    tools = ", ".join(granted) or "no tool"
    return [f"it may use {tools}; `remit can {task.id}` says how", *cut_lines(task.facts.get("sentences"))]


def closure_line(task: TaskSession, closure: Json) -> str:
    """Return the message that a task has ended: how fast the end took effect, and what is still open."""
    found = closure if isinstance(closure, dict) else {}
    closings = found.get("closings") or ()
    unsure = len(found.get("indeterminate") or ())
    reason = str(found.get("reason") or "")
    how = reason if reason == "completed" else f"ended ({reason})" if reason else "ended"
    parts = [f"task {task.id} {how}"]
    if isinstance(found.get("fence_ms"), int | float):
        parts.append(f"fenced after {found['fence_ms']:.1f} ms")
    parts.append(f"{counted(len(closings), 'permission')} checked")
    parts.append("nothing left open" if found.get("closed") else "something is still open: see `remit end`")
    if unsure:
        parts.append(f"{counted(unsure, 'call')} with an unknown outcome")
    return ", ".join(parts)


async def complete(task: TaskSession) -> None:
    """End a task and report the result; if that fails, its lease ends it."""
    from remit_sdk.errors import GatewayRefused, GatewayUnreachable
    from remit_sdk.session import ENDED

    try:
        remark(closure_line(task, await task.complete()))
    except GatewayRefused as refused:
        if refused.code in ENDED:
            remark(f"task {task.id} had ended already: {refused.message}")
        else:
            remark(f"task {task.id} could not be completed: {refused}")
    except GatewayUnreachable as fault:
        remark(
            f"task {task.id} could not be completed: {fault.message}; "
            f"its lease ends it within {task.lease_s} s"
        )
