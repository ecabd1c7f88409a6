# SPDX-License-Identifier: Apache-2.0
"""`remit wrap`."""

from __future__ import annotations

import os
import re
import shutil
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
    from remit.cli.wrap.client_file import ClientFile
    from remit.cli.wrap.servers import WrappedServer
    from remit.config import Config, UpstreamSection
    from remit.core.errors import ConfigInvalid


app = verb("wrap")

#: Clients by the location of their file.
_CLIENTS = {
    "claude_desktop_config.json": "claude-desktop",
    ".cursor": "cursor",
    ".vscode": "vscode",
    ".codeium": "windsurf",
    ".claude.json": "claude-code",
    ".codex": "codex",
    ".gemini": "gemini",
    ".mcp.json": "mcp-client",
    ".zed": "zed",
    "zed": "zed",
    "mcp.json": "mcp-client",
    "settings.json": "vscode",
}
#: Names that several clients give to their file: its folder tells the client.
_SHARED_NAMES = ("mcp.json", "settings.json")
#: A client's own folders; the folder above is the project.
_CLIENT_FOLDERS = (".codex", ".cursor", ".gemini", ".vscode", ".zed")
#: How a shared file names this command.
_PORTABLE = "remit"


class Plan(NamedTuple):
    """The planned changes to a client's file."""

    file: Path
    content: bytes
    client: ClientFile
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
    project: str = "",
    agent: str = "",
    start: Annotated[bool, Parameter(negative="--no-start")] = True,
    portable: Annotated[bool | None, Parameter(negative="--no-portable")] = None,
) -> None:
    """Put remit in front of a client's MCP servers, in observe mode: nothing is refused yet.

    Each server becomes an upstream of the `remit.yaml` of its project, else of the user's, which is created
    if necessary. Secrets move into files that only you can read; the client's entries start `remit connect`
    instead. A backup is kept. For example, wrap your editor's configuration, work as usual for a week, and
    write the first rules from the recorded calls.

    Parameters
    ----------
    file
        The client's file: Claude Code and Desktop, Cursor, VS Code, Windsurf, Gemini, Zed, Codex, and others
        with `mcpServers`.
    undo
        Restore the file.
    dry_run
        Print the changes, and change nothing.
    skip
        A server to leave unchanged; may be given several times.
    project
        The project folder whose servers to wrap, in a file with several projects (`~/.claude.json`).
    agent
        The client's name as an agent (default: from the file).
    start
        Let the client start `remit up` in the background when needed.
    portable
        Write entries without absolute paths, which can be committed (default: in a project's file, if `remit`
        is installed as a command of its user or machine).
    """
    from remit.core.errors import NotFound

    file = Path(file).expanduser().absolute()
    if not file.is_file():
        raise NotFound(f"file `{file}` does not exist", remediation="give the client's configuration file")
    if undo:
        _undo(file, dry_run=dry_run)
        return
    from remit.cli.wrap.folder import one_at_a_time

    name = agent or _client(file)
    with one_at_a_time():
        config = _config(file)
        plan = _plan(file, config, skip, project)
        if dry_run or not plan.servers:
            _tell_nothing_done(plan, config, name)
            return
        words = _connect_command(file, config, name, start=start, portable=portable)
        backup = _carry_out(plan, config, name, words)
    _tell(plan, config, name, backup, words)


def _config(file: Path) -> Path:
    """Return the configuration to extend: the named one, else that of the file's project, else the user's.

    One of an unrelated folder would get the file's secrets, and the client would start whatever it names.
    """
    from remit.cli.exit_codes import UsageFault
    from remit.config import user_config

    found, usual = current().config_file, user_config()
    if current().config or (found.is_file() and _home(file).is_relative_to(found.parent)):
        return found
    if found.is_file() and found != usual:
        raise UsageFault(
            f"`{found}` is not of the project of `{file}`",
            remediation=f"give `--config .` to extend it nevertheless, or `--config {usual}`",
        )
    return usual


def _plan(file: Path, config: Path, skip: tuple[str, ...], project: str) -> Plan:
    """Read the client's file and plan each server's change; raises `ConfigInvalid` before any change."""
    from remit.cli.wrap.client_file import read
    from remit.cli.wrap.folder import named_secrets
    from remit.cli.wrap.placeholders import Values
    from remit.cli.wrap.servers import upstream_name, wrapped
    from remit.config import load_config
    from remit.core.coding.client_servers import is_off, is_ours
    from remit.core.errors import ConfigInvalid

    content = file.read_bytes()
    client = read(content, file, project)
    unknown = sorted(set(skip) - set(client.entries))
    if unknown:
        raise ConfigInvalid(
            f"has no server `{unknown[0][:80]}`", file=file.name, remediation="use a server name of that file"
        )
    known = load_config(config).upstreams if config.is_file() else {}
    home = Path(project).expanduser().absolute() if project else _home(file)
    values = Values(os.environ, home if project or home != Path.home() else None)
    plan = Plan(file, content, client, [], [], list(skip), [])
    problems: list[ConfigInvalid] = _unwritable(file, config)
    for name, entry in client.entries.items():
        if name in skip or is_ours(entry) or is_off(entry):
            if name not in skip:
                (plan.already if is_ours(entry) else plan.off).append(name)
            continue
        taken = [one.upstream for one in plan.servers]
        while True:
            wanted = upstream_name(name, taken)
            server, faults = wrapped(name, entry, wanted, home, values, named_secrets(config))
            if wanted not in known:
                break
            if not faults and _same(server, known[wanted], config):
                server = server._replace(section={})  # wrapped earlier: its upstream exists
                break
            taken.append(wanted)
        plan.servers.append(server)
        problems += faults
    _raise(problems)
    return plan


def _raise(problems: list[ConfigInvalid]) -> None:
    """Report all problems, each with its remediation; the last one ends the command."""
    from remit.cli.exit_codes import told

    for one in problems[:-1]:
        told(one, 2)
    if problems:
        problems[-1].remediation += "; nothing was changed"
        raise problems[-1]


def _unwritable(file: Path, config: Path) -> list[ConfigInvalid]:
    """Return the folders that this command could not write into."""
    from remit.core.errors import ConfigInvalid

    folders = [file.resolve().parent, *([config.parent] if config.parent.is_dir() else [])]
    return [
        ConfigInvalid(
            "is not writable", file=str(folder), remediation="give yourself the right to write there"
        )
        for folder in folders
        if not os.access(folder, os.W_OK)
    ]


def _same(server: WrappedServer, there: UpstreamSection, config: Path) -> bool:
    """Return whether an upstream is this server: another project's may only look alike."""
    from remit.cli.wrap.folder import secrets_of
    from remit.config.reading.secret_reference import read_secret

    section = server.section
    if there.command != tuple(section.get("command", ())) or there.url != section.get("url", ""):
        return False
    if there.command and there.cwd != section.get("cwd"):
        return False
    for kind in ("env", "headers", "arguments"):
        written = section.get(kind, {})
        wanted = {key: read_secret(one, name=key, folder=config.parent) for key, one in written.items()}
        if wanted != getattr(there, kind):
            return False
    folder = secrets_of(config)
    return all(
        (folder / name).is_file() and (folder / name).read_text("utf-8").rstrip("\n") == value
        for name, value in server.secrets.items()
    )


def _home(file: Path) -> Path:
    """Return the folder in which a client starts its servers: the project's, or the user's."""
    if file.parent.name in _CLIENT_FOLDERS:
        return file.parent.parent
    return file.parent if file.name == ".mcp.json" else Path.home()


def _client(file: Path) -> str:
    for word in (file.name, file.parent.name):
        if word in _CLIENTS and (word not in _SHARED_NAMES or file.parent.name not in _CLIENTS):
            return _CLIENTS[word]
    return re.sub(r"[^a-z0-9-]+", "-", file.stem.lower()).strip("-")[:40] or "mcp-client"


def _carry_out(plan: Plan, config: Path, agent: str, words: list[str]) -> Path:
    """Change remit's folder first and the client's file last: a failure leaves the client unchanged."""
    import asyncio

    from remit.cli.wrap import backup, folder
    from remit.cli.wrap.servers import rewritten
    from remit.config import load_bundle
    from remit.core.errors import Conflict
    from remit.core.ids import check_name

    check_name(agent, "an agent")
    folder.prepared(config)
    with folder.all_or_nothing([config, config.parent / "tasks" / folder.TASK_FILE]):
        read = folder.add_upstreams(config, plan.servers)
        folder.add_task_type(read, agent)
        load_bundle(read)
        asyncio.run(_enrol(read, agent))
        env = {} if words[0] == _PORTABLE else _folders_of_user()
        fresh = {
            one.name: rewritten(plan.client.entries[one.name], [*words, "--upstream", one.upstream], env)
            for one in plan.servers
        }
        text, entries = plan.client.changed(fresh)
        content = text.encode("utf-8")
        if plan.file.read_bytes() != plan.content:
            raise Conflict(
                f"`{plan.file}` was changed by another program meanwhile",
                remediation="close the client, and wrap again",
            )
        kept = backup.back_up(plan.file, plan.content, datetime.now())  # noqa: DTZ005 - a name for people
        backup.note(
            backup.Manifest(
                file=str(plan.file.resolve()),
                backup=str(kept),
                sha256_before=backup.digest(plan.content),
                sha256_after=backup.digest(content),
                place=plan.client.place,
                entries=entries,
                config=str(config),
            )
        )
        backup.replace_file(plan.file, content)
    return kept


def _folders_of_user() -> dict[str, str]:
    """Return the variables that move remit's folders: clients may start their servers without them."""
    return {name: os.environ[name] for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME") if os.environ.get(name)}


def _is_installed() -> bool:
    """Return whether clients find this command by name: not only in an environment that a shell activated."""
    found = shutil.which(_PORTABLE)
    return found is not None and Path(found).parent != Path(sys.executable).parent


async def _enrol(config: Config, agent: str) -> None:
    """Make the client's key if there is none, and register it: here, or at the running remit."""
    from remit.cli.wrap.folder import PURPOSE, register_agent
    from remit.config import state_of
    from remit.core.errors import StoreUnavailable
    from remit_sdk.key import AgentKey

    place = state_of(config.folder) / "agents" / key_place(agent).name
    made = not place.exists()
    key = AgentKey.generate() if made else AgentKey.load(place)
    if made:
        key.save(place)
    try:
        try:
            await register_agent(config, agent, key.public_jwk)
        except StoreUnavailable:
            if made:  # a key is kept only with its registration
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


def _connect_command(
    file: Path, config: Path, agent: str, *, start: bool, portable: bool | None
) -> list[str]:
    """Return the command line of `remit connect`: by names where the file is shared, else by paths.

    A client of a person's own file may have another PATH than this command.
    """
    words = ["connect", "--config", str(config), "--agent", agent, "--alone"]
    words += ["--start"] if start else []
    if portable or (portable is None and _home(file) != Path.home() and _is_installed()):
        if config.parent == _home(file) != Path.home():
            words[2] = "."
        elif config.is_relative_to(Path.home()):
            words[2] = f"~/{config.relative_to(Path.home()).as_posix()}"
        return [_PORTABLE, *words]
    script = Path(sys.executable).parent / _PORTABLE
    # -P: the folder in which a client starts it must not be searched for modules.
    return [*([str(script)] if script.is_file() else [sys.executable, "-P", "-m", "remit"]), *words]


# Output.


def _tell(plan: Plan, config: Path, agent: str, backup: Path, words: list[str]) -> None:
    from rich.panel import Panel

    from remit.cli.instance import log_of
    from remit.cli.wrap.folder import secrets_of

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
        rows.insert(2, ("secrets", f"{secrets} moved to {secrets_of(config)}"))
    if fixed := [f"{one.name} ({', '.join(one.fixed)})" for one in plan.servers if one.fixed]:
        rows.append(("fixed as of now", "; ".join(fixed)))
    if _home(plan.file) != Path.home():
        shared = "has no absolute path: you may commit it" if words[0] == _PORTABLE else ""
        rows.append(
            ("the file", shared or "names paths of this machine; to share it, wrap with `--portable`")
        )
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
    terminal.say(f"The first start shows how to sign in. If the client started remit, see {log_of(config)}.")


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
            {
                "name": one.name,
                "upstream": one.upstream,
                "secrets": sorted(one.secrets),
                "fixed": list(one.fixed),
            }
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
