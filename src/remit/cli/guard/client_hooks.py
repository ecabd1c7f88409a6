# SPDX-License-Identifier: Apache-2.0
"""The hooks of each client, in the form in which its settings hold them.

Hooks by HTTP carry the secret in a header. Hooks by a command start the hook's program, which finds the
secret in a file. A shell above the program turns every end that is no answer into a refusal: clients go on
after a program that is missing, crashes or is killed.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from remit.cli.guard.hook_program import DEADLINE_S, ENDINGS
from remit.core.coding.calls import COPILOT, CURSOR, GEMINI
from remit.core.hooks import claude_code
from remit.core.hooks.event import HookKind
from remit.core.hooks.forms import FORMS
from remit.core.json_value import Json

SECRET_HEADER: Final = "X-Remit-Guard"
#: Seconds that a client waits for an answer by HTTP, and for a command: longer than the command itself waits.
HTTP_S: Final = 30
COMMAND_S: Final = 60
#: Seconds that a client waits for remit to start.
START_S: Final = 60
#: The event before a session's first prompt, in each client's words.
SESSION_STARTS: Final = {COPILOT: "sessionStart", CURSOR: "sessionStart"}
SESSION_START: Final = "SessionStart"
#: What files of a client hold beside the hooks, and what an administrator's do.
_ROOTS: Final[Mapping[str, Mapping[str, Json]]] = {COPILOT: {"version": 1}, CURSOR: {"version": 1}}
_MANAGED_ROOTS: Final[Mapping[str, Mapping[str, Json]]] = {GEMINI: {"hooksConfig": {"enabled": True}}}
_REFUSED: Final = "remit gave no answer, so nothing is permitted"


class HookConnection(msgspec.Struct, frozen=True, kw_only=True):
    """How hooks reach remit. `place` is the file that holds `url` and `secret` for hooks by a command.

    `words` start the hook's program, `http_s` is how long the client waits for an answer by HTTP,
    `deadline_s` how long the program does. `wait_s` is how much longer both wait where a person is asked
    about a call.
    """

    url: str
    secret: str
    place: str = ""
    words: tuple[str, ...] = ()
    http_s: int = HTTP_S
    deadline_s: float = DEADLINE_S
    wait_s: int = 0

    def written(self) -> bytes:
        """Return the content of the file."""
        told = {"url": self.url, "secret": self.secret, "deadline_s": self.deadline_s}
        return json.dumps(told).encode("utf-8") + b"\n"


def hooks_of(client: str, connection: HookConnection, start: Sequence[str] = ()) -> dict[str, Json]:
    """Return a client's hooks by event. `start` is the command that starts remit; empty: a person does."""
    at_once = msgspec.structs.replace(connection, wait_s=0)
    made = {
        name: _hook(client, name, connection if kind is HookKind.CALL else at_once)
        for name, kind in FORMS[client].kinds.items()
    }
    if start:
        said = shlex.join(start)
        made[SESSION_STARTS.get(client, SESSION_START)] = _command(client, said, START_S, closed=False)
    return made


def root_of(client: str, *, managed: bool) -> Mapping[str, Json]:
    """Return what a client's file must hold beside the hooks."""
    return {**_ROOTS.get(client, {}), **(_MANAGED_ROOTS.get(client, {}) if managed else {})}


def _hook(client: str, event: str, connection: HookConnection) -> Json:
    if not FORMS[client].by_command:
        return _by_http(event, connection)
    # The program and the client's patience with it stand in one entry, so that the program ends first.
    wait = [str(connection.wait_s)] if connection.wait_s else []
    said = shlex.join([*connection.words, event, connection.place, *wait])
    ends = event in ENDINGS
    # An interpreter without its program exits with 2, which after a turn is the order to go on for ever.
    otherwise = "exit 0" if ends else f"{{ echo {shlex.quote(_REFUSED)} >&2; exit 2; }}"
    guarded = shlex.join(["sh", "-c", f"{said} || {otherwise}"])
    return _command(client, guarded, COMMAND_S + connection.wait_s, closed=not ends)


def _by_http(event: str, connection: HookConnection) -> Json:
    """Return a hook in the form of Claude Code."""
    hook: dict[str, Json] = {
        "type": "http",
        # The event in the address makes each inserted text another one, so that each can be taken out.
        "url": f"{connection.url}?{event}",
        "headers": {SECRET_HEADER: connection.secret},
        "timeout": connection.http_s + connection.wait_s,
    }
    if event in claude_code.BLOCKING:
        # INVARIANT: a hook that fails lets nothing happen.
        hook["onFailure"] = "block"
    return {"hooks": [hook]}


def _command(client: str, said: str, timeout_s: int, *, closed: bool) -> Json:
    """Return a hook that starts a command; `closed`: what it cannot decide does not happen."""
    if client == COPILOT:
        return {"type": "command", "bash": said, "timeoutSec": timeout_s}
    if client == CURSOR:
        return {"command": said, "timeout": timeout_s, "failClosed": closed}
    hook: dict[str, Json] = {"type": "command", "command": said, "timeout": timeout_s}
    if client == GEMINI:
        hook |= {"name": "remit", "timeout": timeout_s * 1000}
    return {"hooks": [hook]}


def program_words(interpreter: str, program: Path) -> tuple[str, ...]:
    """Return the words that start the hook's program: without the paths and settings of its user."""
    return interpreter, "-I", "-S", str(program)
