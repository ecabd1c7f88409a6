# SPDX-License-Identifier: Apache-2.0
"""`remit wrap`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter

from remit.cli.global_options import current
from remit.cli.identity.agent import key_place
from remit.cli.output import terminal
from remit.cli.parser import Several, Switch, verb
from remit.core.json_value import Json

if TYPE_CHECKING:
    from remit.cli.wrap.backup import UndoResult
    from remit.cli.wrap.jsonc import Span
    from remit.cli.wrap.servers import WrappedServer
    from remit.config import Config, UpstreamSection


app = verb("wrap")

#: Clients by the location of their file.
_CLIENTS = {
    "claude_desktop_config.json": "claude-desktop",
    ".cursor": "cursor",
    ".vscode": "vscode",
    ".codeium": "windsurf",
    ".mcp.json": "mcp-client",
    "mcp.json": "mcp-client",
    "settings.json": "vscode",
}
#: A client's own folders; the folder above is the project.
_CLIENT_FOLDERS = (".cursor", ".vscode")


class Plan(NamedTuple):
    """The planned changes to a client's file."""

    file: Path
    content: bytes
    text: str
    place: tuple[str, ...]
    spans: dict[str, Span]
    servers: list[WrappedServer]
    already: list[str]
    skipped: list[str]
    #: Switched off in the client: remit would start servers that are not used.
    off: list[str]


@app.default
def wrap(
    file: Path,
    /,
    *,
    undo: Switch = False,
    dry_run: Switch = False,
    skip: Several = (),
    agent: str = "",
    start: Annotated[bool, Parameter(negative="--no-start")] = True,
) -> None:
    """Put remit in front of a client's MCP servers, in observe mode: nothing is refused yet.

    Each server becomes an upstream of the `remit.yaml` in this folder, which is created if necessary. Secrets
    move into files that only you can read; the client's entries start `remit connect` instead. A backup is
    kept. For example, wrap your editor's configuration, work as usual for a week, and write the first rules
    from the recorded calls.

    Parameters
    ----------
    file
        The client's file, with `mcpServers` (Claude Desktop, Cursor and most others) or `servers` (VS Code).
    undo
        Restore the file.
    dry_run
        Print the changes, and change nothing.
    skip
        A server to leave unchanged; may be given several times.
    agent
        The client's name as an agent (default: from the file).
    start
        Let the client start `remit up` in the background when needed.
    """
    from remit.core.errors import NotFound

    file = Path(file).expanduser().absolute()
    if not file.is_file():
        raise NotFound(f"file `{file}` does not exist", remediation="give the client's configuration file")
    if undo:
        _undo(file, dry_run=dry_run)
        return
    config = current().config_file
    plan = _plan(file, config, skip)
    name = agent or _client(file)
    if plan.servers and not dry_run:
        backup = _carry_out(plan, config, name, start=start)
        _tell(plan, config, name, backup)
    else:
        _tell_nothing_done(plan, config, name)


def _plan(file: Path, config: Path, skip: tuple[str, ...]) -> Plan:
    """Read the client's file and plan each server's change; raises `ConfigInvalid` before any change."""
    from remit.cli.wrap.jsonc import parse
    from remit.cli.wrap.servers import check_variables, is_off, is_ours, servers_of, upstream_name, wrapped
    from remit.config import load_config
    from remit.core.errors import ConfigInvalid

    content = file.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigInvalid("is not UTF-8", file=str(file), remediation="save it as UTF-8") from None
    place, found = servers_of(parse(text, file.name), file.name)
    unknown = sorted(set(skip) - set(found.members))
    if unknown:
        raise ConfigInvalid(
            f"has no server `{unknown[0][:80]}`", file=file.name, remediation="use a server name of that file"
        )
    known = load_config(config) if config.is_file() else None
    plan = Plan(file, content, text, place, found.members, [], [], list(skip), [])
    for name, entry in found.value.items():
        if name in skip:
            continue
        if is_ours(entry):
            plan.already.append(name)
            continue
        if is_off(entry):
            plan.off.append(name)
            continue
        planned = [one.upstream for one in plan.servers]
        server = wrapped(name, entry, upstream_name(name, planned), _home(file))
        if known is not None and server.upstream in known.upstreams:
            if _same(server, known.upstreams[server.upstream]):
                server = server._replace(section={})  # wrapped earlier: its upstream exists
            else:
                taken = [*planned, *known.upstreams]
                server = wrapped(name, entry, upstream_name(name, taken), _home(file))
        check_variables(server, os.environ)
        plan.servers.append(server)
    return plan


def _same(server: WrappedServer, there: UpstreamSection) -> bool:
    command, url = server.section.get("command", ()), server.section.get("url", "")
    return there.command == tuple(command) and there.url == url


def _home(file: Path) -> Path:
    """Return the folder in which a client starts its servers: the project's, or the user's."""
    if file.parent.name in _CLIENT_FOLDERS:
        return file.parent.parent
    return file.parent if file.name == ".mcp.json" else Path.home()


def _client(file: Path) -> str:
    for word in (file.name, file.parent.name):
        if word in _CLIENTS and (word != "mcp.json" or file.parent.name not in _CLIENTS):
            return _CLIENTS[word]
    return re.sub(r"[^a-z0-9-]+", "-", file.stem.lower()).strip("-")[:40] or "mcp-client"


def _carry_out(plan: Plan, config: Path, agent: str, *, start: bool) -> Path:
    """Change remit's folder first and the client's file last: a failure leaves the client unchanged."""
    import asyncio

    from remit.cli.wrap import backup, folder
    from remit.cli.wrap.jsonc import replaced, written_at
    from remit.cli.wrap.servers import rewritten
    from remit.config import load_bundle
    from remit.core.ids import check_name

    check_name(agent, "an agent")
    folder.prepared(config)
    with folder.all_or_nothing([config, config.parent / "tasks" / folder.TASK_FILE]):
        read = folder.add_upstreams(config, plan.servers)
        folder.add_task_type(read, agent)
        load_bundle(read)
        asyncio.run(_enrol(read, agent))
        command = _connect_command(config, agent, start=start)
        changes, entries = [], {}
        for server in plan.servers:
            span = plan.spans[server.name]
            fresh = rewritten(span.value, [*command, "--upstream", server.upstream])
            after = written_at(plan.text, span, fresh)
            changes.append((span, after))
            entries[server.name] = backup.Change(plan.text[span.start : span.end], after)
        content = replaced(plan.text, changes).encode("utf-8")
        kept = backup.back_up(plan.file, plan.content, datetime.now())  # noqa: DTZ005 - a name for people here
        backup.note(
            backup.Manifest(
                file=str(plan.file),
                backup=str(kept),
                sha256_before=backup.digest(plan.content),
                sha256_after=backup.digest(content),
                place=plan.place,
                entries=entries,
                config=str(config),
            )
        )
        backup.replace_file(plan.file, content)
    return kept


async def _enrol(config: Config, agent: str) -> None:
    """Make the client's key if there is none, and register it: here, or at the running remit."""
    from remit.cli.wrap.folder import PURPOSE, register_agent
    from remit.core.errors import StoreUnavailable
    from remit.sdk.key import AgentKey

    place = config.folder / ".remit" / "agents" / key_place(agent).name
    made = not place.exists()
    key = AgentKey.generate() if made else AgentKey.load(place)
    if made:
        key.save(place)
    try:
        try:
            await register_agent(config, agent, key.public_jwk)
        except StoreUnavailable:
            _register_where_it_runs(agent, PURPOSE, key.public_jwk)
    except BaseException:
        if made:
            place.unlink(missing_ok=True)
        raise


def _register_where_it_runs(agent: str, purpose: str, public_jwk: Mapping[str, str]) -> None:
    from remit.cli.rest_client import connect
    from remit.core.errors import Unauthenticated

    try:
        client = connect()
        me = client.get("me")
        if any(one["name"] == agent for one in client.get("agents")["items"]):
            return
        binding = {"type": "key", "jwk": dict(public_jwk)}
        client.post("agents", name=agent, owner=me["name"], purpose=purpose, bindings=[binding])
    except Unauthenticated as fault:
        fault.remediation = "stop `remit up` and wrap again, or sign in first with `remit login`"
        raise


def _connect_command(config: Path, agent: str, *, start: bool) -> list[str]:
    """Return the command line of `remit connect`, by absolute path: the client may have another PATH."""
    script = Path(sys.executable).parent / "remit"
    first = [str(script)] if script.is_file() else [sys.executable, "-m", "remit"]
    words = [*first, "connect", "--config", str(config), "--agent", agent, "--alone"]
    return [*words, "--start"] if start else words


# Output.


def _tell(plan: Plan, config: Path, agent: str, backup: Path) -> None:
    from rich.panel import Panel

    if terminal.is_json():
        terminal.answer(_for_programs(plan, config, agent) | {"backup": str(backup), "changed": True})
        return
    names = ", ".join(server.name for server in plan.servers)
    secrets = sum(len(server.secrets) for server in plan.servers)
    rows: list[tuple[str, object]] = [
        ("servers", f"{names} now run through remit"),
        ("configuration", f"{config}"),
        ("the client as an agent", f"{agent}, task type `everyday`"),
        ("backup", f"{backup} (only you can read it)"),
    ]
    if secrets:
        rows.insert(2, ("secrets", f"{secrets} moved to {config.parent}/.remit/secrets"))
    if plan.skipped:
        rows.insert(1, ("left unchanged", f"{', '.join(plan.skipped)}: remit does not see them"))
    if plan.off:
        rows.insert(1, ("switched off", f"{', '.join(plan.off)}: wrap again after switching them on"))
    title = terminal.text("wrapped ", "bold").append(plan.file.name)
    terminal.picture(
        Panel(terminal.facts(rows), title=title, title_align="left", border_style="dim", expand=False)
    )
    terminal.say(
        "OBSERVE MODE: every call is decided and recorded, and NOTHING IS REFUSED.", style="bold yellow"
    )
    terminal.say(
        "isolation: none. The client runs as your user, and could do everything that you can.", style="yellow"
    )
    terminal.say("")
    terminal.say("Restart the client. Then:", style="bold")
    back = f"remit wrap {plan.file} --undo"
    steps = (
        ("remit up", "or let the client start it when needed"),
        ("remit audit log", "its calls, and those that would have been refused"),
        (back, "to undo"),
    )
    for command, why in steps:
        terminal.copyable(f"  {command:<15}   ", terminal.text(f"# {why}", "dim"))
    terminal.say(
        "The first start shows how to sign in. If the client started remit, see "
        f"{config.parent}/.remit/up.log."
    )


def _tell_nothing_done(plan: Plan, config: Path, agent: str) -> None:
    if terminal.is_json():
        terminal.answer(_for_programs(plan, config, agent) | {"changed": False})
        return
    if not plan.servers:
        what = (
            f"{', '.join(plan.already)} already go through remit" if plan.already else "there are no servers"
        )
        off = f"; {', '.join(plan.off)}: switched off" if plan.off else ""
        terminal.say(f"Nothing to do: {what}{off}.")
        return
    terminal.say(
        f"Would put remit before {len(plan.servers)} of the servers in {plan.file}; nothing was changed:"
    )
    terminal.table(
        ("SERVER", "UPSTREAM", "REACHED BY", "SECRETS TO MOVE"),
        (
            (
                server.name,
                server.upstream,
                " ".join(server.section.get("command", ()))
                or server.section.get("url", "as it is in remit.yaml"),
                ", ".join(server.secrets) or "none",
            )
            for server in plan.servers
        ),
        empty="",
    )
    terminal.say(f"The upstreams would go into {config}, in observe mode.")


def _for_programs(plan: Plan, config: Path, agent: str) -> dict[str, Json]:
    return {
        "file": str(plan.file),
        "config": str(config),
        "agent": agent,
        "task_type": "everyday",
        "mode": "observe",
        "isolation": "none",
        "servers": [
            {"name": one.name, "upstream": one.upstream, "secrets": sorted(one.secrets)}
            for one in plan.servers
        ],
        "already": plan.already,
        "skipped": plan.skipped,
        "off": plan.off,
    }


def _undo(file: Path, *, dry_run: bool) -> None:
    from remit.cli.serve import background
    from remit.cli.wrap.backup import manifests, undo

    configs = {Path(manifest.config) for _, manifest in manifests(file)}
    done = undo(file, dry_run=dry_run)
    stopped = [config for config in sorted(configs) if not dry_run and background.stop(config)]
    if terminal.is_json():
        terminal.answer(
            {
                "file": str(file),
                "whole": done.whole,
                "restored": done.restored,
                "left": done.left,
                "kept": done.kept,
                "changed": not dry_run,
            }
        )
        return
    _tell_undone(file, done, dry_run=dry_run)
    for config in stopped:
        terminal.say(f"Stopped the remit that ran in the background for {config}.")


def _tell_undone(file: Path, done: UndoResult, *, dry_run: bool) -> None:
    would = "Would put" if dry_run else "Put"
    if done.whole:
        terminal.say(f"{would} {file} back, byte for byte. Restart the client.")
    else:
        terminal.say(
            f"{file} was changed since it was wrapped. {would} back only the entries that remit rewrote: "
            f"{', '.join(done.restored) or 'none'}."
        )
        if done.left:
            terminal.say(f"Changed since then, and left unchanged: {', '.join(done.left)}.", style="yellow")
        terminal.say(f"The backups remain: {', '.join(done.kept)}.")
    terminal.say("The recorded evidence and the upstreams in remit.yaml remain.", style="dim")
