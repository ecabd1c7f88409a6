# SPDX-License-Identifier: Apache-2.0
"""`remit doctor --bypass`: what an agent can reach, read and start without remit, tried from its place."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from remit.cli.doctor.check import Check
from remit.cli.doctor.credentials import values_in
from remit.cli.instance import running
from remit.config import Config, state_of
from remit.config.sections.secret_sources import references
from remit.core.errors import ConfigInvalid

PROBE: Final = Path(__file__).with_name("bypass_probe.py")
#: For all targets: each waits a few seconds, sixteen at once.
PROBE_S: Final = 120
MAX_ANSWER: Final = 1024 * 1024
_NETWORK: Final = "let only remit connect there: docs/howto/close-the-ways-around.md"
_USER: Final = "run the agent as another user, or in a container: docs/howto/close-the-ways-around.md"
#: What came of a target -> state, words, remediation.
_SAYS: Final = {
    "answers": ("fail", "stands open: it answers without a credential", _NETWORK),
    "refuses": ("note", "can be reached, and refuses without a credential: a leaked one would do", _NETWORK),
    "connects": ("note", "can be reached: a leaked credential would do", _NETWORK),
    "starts": ("note", "can be started by the agent itself, with no credential of remit's", _USER),
    "reads": ("fail", "can be read", _USER),
    "writes": ("fail", "can be changed", _USER),
}


class _Told(msgspec.Struct, forbid_unknown_fields=True):
    """What a place told; an agent that controls the place can tell anything."""

    user: int | None
    host: Annotated[str, msgspec.Meta(max_length=300)]
    came: list[Annotated[str, msgspec.Meta(max_length=300)]]


def bypass_looks(config: Config, file: Path, place: str = "") -> list[Check]:
    """Try each way around remit from a place, and return what came of it.

    `file` is the configuration's. `place` is a command that runs a program there, such as `sudo -u agent` or
    `kubectl exec -i POD --`; empty is here. Raises `ConfigInvalid` where no Python runs there.
    """
    named = [*_targets(config, file)]
    told = _tried(place, [one for _, one in named])
    checks = [_check(*one, came) for one, came in zip(named, told.came, strict=True)]
    where = f"user {told.user} on {told.host}" + (f", by `{place}`" if place else "")
    note = () if place else ("give the agent's place, such as `--place 'sudo -u agent'`",)
    return [Check("place", "ok" if place else "note", where, *note), *checks]


def _targets(config: Config, file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, section in config.upstreams.items():
        if section.command:
            yield f"upstream {name}", {"kind": "program", "program": section.command[0]}
        else:
            kind = "http" if section.openapi else "mcp"
            yield f"upstream {name}", {"kind": kind, "url": section.url}
        if section.lease is not None:
            for source, given in section.lease.sources.items():
                for url in sorted(_addresses(given)):
                    yield f"source {source} of {name}", {"kind": "port", "url": url}
    for url in sorted(_addresses(config.keys)):
        yield "keys", {"kind": "port", "url": url}
    yield "configuration", {"kind": "file", "path": str(file)}
    yield "state and keys", {"kind": "folder", "path": str(state_of(file.parent))}
    for place, ref in references(config):
        if ref.scheme == "file":
            yield f"secret {place}", {"kind": "secret", "path": ref.name}
    if (found := running(file)) is not None:
        yield "remit's process", {"kind": "process", "pid": found.pid}


def _addresses(section: msgspec.Struct) -> set[str]:
    """Return the addresses in a section, without names, passwords and paths."""
    found = set()
    for name, value in values_in(section):
        if (name == "address" or name.endswith("_url")) and isinstance(value, str) and "://" in value:
            scheme, _, rest = value.partition("://")
            found.add(f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}")
    return found


def _tried(place: str, targets: list[dict[str, Any]]) -> _Told:
    python = ["python3"] if place else [sys.executable]
    # JSON of a JSON text is a literal of Python, too.
    program = f"{PROBE.read_text()}\nmain({json.dumps(json.dumps(targets))})\n"
    try:
        answer, said = _output([*shlex.split(place), *python, "-I", "-"], program.encode())
    except (OSError, ValueError) as fault:
        raise _nothing_tried(place, str(fault)) from None
    with contextlib.suppress(msgspec.MsgspecError):
        told = msgspec.json.decode(answer, type=_Told)
        if len(told.came) == len(targets):
            return told
    raise _nothing_tried(place, said.decode("utf-8", "replace").strip()[-300:] or "no answer")


def _output(command: list[str], program: bytes) -> tuple[bytes, bytes]:
    """Run a command and return what it wrote and complained of; it ends when it takes or writes too much.

    An agent that controls the place can write without an end.
    """
    process = subprocess.Popen(  # noqa: S603 - the operator's own command
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    told = {process.stdout: bytearray(), process.stderr: bytearray()}

    def write() -> None:
        with contextlib.suppress(OSError), process.stdin as given:  # type: ignore[union-attr]
            given.write(program)

    def read(pipe: Any) -> None:
        with contextlib.suppress(OSError, ValueError), pipe:
            while (part := pipe.read1(65_536)) and len(told[pipe]) <= MAX_ANSWER:
                told[pipe] += part
        if len(told[pipe]) > MAX_ANSWER:
            process.kill()

    turns = [threading.Thread(target=write, daemon=True)]
    turns += [threading.Thread(target=read, args=(pipe,), daemon=True) for pipe in told]
    for one in turns:
        one.start()
    try:
        process.wait(PROBE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise ValueError(f"no answer within {PROBE_S} seconds") from None
    for one in turns:
        # What it has started may keep the pipes.
        one.join(1)
    return tuple(bytes(one[: MAX_ANSWER + 1]) for one in told.values())  # type: ignore[return-value]


def _nothing_tried(place: str, why: str) -> ConfigInvalid:
    return ConfigInvalid(
        f"`{place or 'here'}` tried nothing: {why}",
        remediation="give a command that runs `python3` in the agent's place and passes its input on",
    )


def _check(subject: str, target: dict[str, Any], came: str) -> Check:
    what = target.get("url") or target.get("path") or target.get("program") or f"process {target['pid']}"
    state, says, remediation = _SAYS.get(came, ("ok", f"no way: {came}", ""))
    if target["kind"] == "file" and came == "reads":
        # The configuration names secrets and holds none.
        state = "note"
    return Check(subject, state, f"`{what}` {says}", remediation)
