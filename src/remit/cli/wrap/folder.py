# SPDX-License-Identifier: Apache-2.0
"""The changes of `wrap` to remit's folder: upstreams, secrets, the client's agent and its task type."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from remit.cli.private_files import hold
from remit.cli.wrap.backup import replace_file, write_private
from remit.cli.wrap.servers import WrappedServer
from remit.config import Config, load_bundle, load_config, state_of
from remit.config.scaffold import keep_from_git, scaffold
from remit.config.sections.listen import ListenSection
from remit.core.errors import ConfigInvalid, Conflict
from remit.core.json_value import Json
from remit.core.safe_text import escaped
from remit.core.user_folders import state_folder

TASK_TYPE: Final = "everyday"
PURPOSE: Final = "an AI client on this machine"
TASK_FILE: Final = f"{TASK_TYPE}.yaml"
_MARK: Final = "# Written by `remit wrap`."
_UPSTREAMS: Final = re.compile(r"^upstreams:[ \t]*(?:#[^\n]*)?\n", re.MULTILINE)
_NEXT: Final = re.compile(r"^([ \t]+)[^ \t#\n]", re.MULTILINE)


def prepared(config: Path) -> bool:
    """Make the folder of `config` a remit folder, as `remit init` does; return whether it is new.

    The person who sets it up is alone, so that person answers questions, too. If the usual port is in use,
    write another one that is free now.
    """
    if config.is_file():
        return False
    config.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    scaffold(config.parent, sample=False)
    usual = ListenSection()
    port = _free_port(usual.host, usual.port)
    with config.open("a", encoding="utf-8") as opened:
        opened.write("\npeople: {first_approves: true} # one person sets the rules and answers questions\n")
        if port != usual.port:
            opened.write(f"\nlisten: {{port: {port}}} # {usual.port} was taken\n")
    return True


def _free_port(host: str, wanted: int) -> int:
    for port in (wanted, 0):
        try:
            with socket.create_server((host, port)) as taken:
                return int(taken.getsockname()[1])
        except OSError:
            continue
    return wanted


def secrets_of(config: Path) -> Path:
    """Return the folder of the secrets that wrapping moves."""
    return state_of(config.parent) / "secrets"


def named_secrets(config: Path) -> str:
    """Return that folder as `remit.yaml` names it: relative to the file where it is below it."""
    folder = secrets_of(config)
    below = folder.is_relative_to(config.parent)
    return (folder.relative_to(config.parent) if below else folder).as_posix()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other command of this user wraps a client."""
    folder = Path(state_folder(os.environ, os.path.expanduser("~")))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / "wrap.lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        hold(lock)
        yield
    finally:
        os.close(lock)


def add_upstreams(config: Path, servers: Sequence[WrappedServer]) -> Config:
    """Write secrets and upstreams; return the configuration read afterwards, or raise `ConfigInvalid`."""
    folder = secrets_of(config)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for private in (folder, folder.parent):
        private.chmod(0o700)
    keep_from_git(folder.parent)
    for server in servers:
        for file, value in server.secrets.items():
            write_private(folder / file, value.encode() + b"\n")
    fresh = [server for server in servers if server.section]
    if fresh:
        text = with_upstreams(config.read_text(encoding="utf-8"), fresh, config.name)
        replace_file(config, text.encode("utf-8"))
    return load_config(config)


def with_upstreams(text: str, servers: Sequence[WrappedServer], file: str) -> str:
    """Return the text of a configuration with more upstreams, in front of the existing ones."""

    def lines(margin: str) -> list[str]:
        return [line for server in servers for line in _block(server, margin)]

    return with_lines(text, lines, file)


def with_lines(text: str, lines: Callable[[str], list[str]], file: str) -> str:
    """Return a configuration with lines below `upstreams:`, which `lines` makes for a margin."""
    found = _UPSTREAMS.search(text)
    if found is None:
        raise ConfigInvalid(
            "has no block `upstreams:`", file=file, remediation="write `upstreams:` on its own line"
        )
    following = _NEXT.match(text, _first_entry(text, found.end()))
    more = lines(following[1] if following else "  ")
    return text[: found.end()] + "".join(f"{line}\n" for line in more) + text[found.end() :]


def _first_entry(text: str, at: int) -> int:
    """Skip comments and empty lines."""
    while at < len(text):
        line = text[at : text.find("\n", at) + 1 or len(text)]
        if line.strip() and not line.lstrip().startswith("#"):
            return at
        at += len(line)
    return at


def _block(server: WrappedServer, margin: str) -> list[str]:
    """Write one upstream: JSON values are YAML values."""
    out = [f"{margin}{server.upstream}: # wrapped"]
    for key, value in server.section.items():
        if isinstance(value, dict):
            out.append(f"{margin * 2}{key}:")
            out += [f"{margin * 3}{_json(name)}: {_json(one)}" for name, one in value.items()]
        elif key == "mode":
            out.append(f"{margin * 2}mode: observe # decides and records, refuses nothing; then: enforce")
        else:
            out.append(f"{margin * 2}{key}: {_json(value)}")
    return out


def _json(value: Json) -> str:
    return escaped(json.dumps(value, ensure_ascii=False), yaml=True)


def add_task_type(config: Config, agent: str) -> None:
    """Let `agent` run `everyday`; leave a task type of that name that a person wrote."""
    path = config.at(config.tasks) / TASK_FILE
    agents = {agent}
    if path.exists():
        text = path.read_text(encoding="utf-8")
        if _MARK not in text:
            raise ConfigInvalid(
                f"task type `{TASK_TYPE}` exists already",
                file=str(path),
                remediation=f"rename it, or let `{agent}` run and request it",
            )
        known = load_bundle(config).task_types.get(TASK_TYPE)
        agents |= set(known.run_by) if known else set()
    path.parent.mkdir(parents=True, exist_ok=True)
    content = _everyday(sorted(agents)).encode("utf-8")
    if path.exists():
        replace_file(path, content)
    else:
        path.write_bytes(content)


def _everyday(agents: list[str]) -> str:
    return f"""# SPDX-License-Identifier: Apache-2.0
{_MARK} The clients that it wrapped open their tasks as this type.
#
# A client on your own machine states its own intent, and it could do whatever you can (isolation: none).
# What this gives is a record of every call, and a place for rules. It grants nothing: in observe mode
# nothing is refused; before you change an upstream to `enforce`, say here what may be called (`remit suggest`
# drafts it). remit does not hear what a person tells the client: what only words would permit is asked about.
task: {TASK_TYPE}
purpose: What a person does with an AI client day by day
run_by: {_json(agents)}
requested_by: {_json([f"agent:{name}" for name in agents])}
requires_person: false
without_words: ask
deadline: 24h
grants: []
"""


async def register_agent(config: Config, agent: str, public_jwk: dict[str, str]) -> None:
    """Register the client's agent in the store of a remit that does not run.

    Raises `StoreUnavailable` if remit runs: then only a signed-in person can do it. Raises `Conflict` if the
    name is taken with another key.
    """
    from remit.compose import open_records
    from remit.core.identity.workload import KeyBinding
    from remit.services.identity.directory import NewAgent, NewPerson

    async with open_records(config) as services:
        known = await services.identity.directory.find_agent(agent)
        if known is None:
            owner = getpass.getuser()
            if await services.identity.directory.find_person(owner) is None:
                # The person who wraps a client on their own machine answers for it.
                await services.identity.directory.add_person(NewPerson(name=owner), by=f"os:{owner}")
            binding = KeyBinding(public_jwk)
            new = NewAgent(name=agent, owner=owner, purpose=PURPOSE, bindings=(binding,))
            await services.identity.directory.register(new, by=f"os:{owner}")
        elif public_jwk not in known.keys:
            raise Conflict(
                f"agent `{agent}` exists with another key",
                remediation="choose another name with `--agent`",
            )


@contextmanager
def all_or_nothing(paths: Sequence[Path]) -> Iterator[None]:
    """Restore files if the block fails; delete those that did not exist before."""
    before = {path: path.read_bytes() if path.exists() else None for path in paths}
    try:
        yield
    except BaseException:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            elif path.read_bytes() != content:
                replace_file(path, content)
        raise
