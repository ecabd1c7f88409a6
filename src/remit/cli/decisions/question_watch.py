# SPDX-License-Identifier: Apache-2.0
"""`remit approvals --watch`: each question as a card, answered in the terminal where it is shown.

INVARIANT: an answer counts for the card that stands on the screen, and for nothing else. It is bound to the
digest of that call. What was typed before the card appeared, or within a second of it, answers nothing; so
neither a double key nor a question that takes the place of another one is answered unread.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import msgspec
from rich.text import Text

from remit.cli.decisions.narrowing_options import narrower_values
from remit.cli.decisions.question_screen import progress, show
from remit.cli.decisions.question_text import alike_line
from remit.cli.exit_codes import UsageFault
from remit.cli.output import terminal
from remit.cli.parser import seconds
from remit.cli.rest_client import Client
from remit.core.errors import RemitError
from remit.core.json_value import Json

#: Seconds after a card appears in which no answer to it counts.
UNREAD_S: Final = 1.0


class TypedAnswer(NamedTuple):
    """What a person typed: `approve`, `deny` or `skip`, and the members of the answer."""

    act: str
    body: dict[str, Json] = {}


def watch(client: Client) -> None:
    """Show each approval that is new or changed; on a terminal, ask for an answer to each open one."""
    if terminal.is_json() or not (sys.stdin.isatty() and sys.stdout.isatty()):
        terminal.remark("watching for approvals; stop with Ctrl-C")
        for one in _arriving(client):
            _print(one)
        return
    terminal.remark("questions appear here; answer them, or stop with Ctrl-C")
    _Desk(client).run()


def typed(line: str, one: Json) -> TypedAnswer:
    """Read an answer to a question; raise `UsageFault` for one that cannot be read.

    `y`, `n`, `narrow NAME=VALUE...` and `times N`, each with a reason behind it; `within 5m` after `times N`.
    """
    word, _, rest = line.strip().partition(" ")
    match word.lower():
        case "y" | "yes":
            return TypedAnswer("approve", {"comment": rest.strip()})
        case "n" | "no":
            return TypedAnswer("deny", {"comment": rest.strip()})
        case "narrow" if one["narrowable"]:
            return TypedAnswer("approve", _narrowed(rest.split(), one))
        case "times" if one["offer"]:
            return TypedAnswer("approve", _bounded(rest.split(), one))
        case "skip":
            return TypedAnswer("skip")
    raise UsageFault("this is no answer", remediation=f"type {_ways(one)}")


def _narrowed(words: list[str], one: Json) -> dict[str, Json]:
    values = [word for word in words if word.partition("=")[0] in one["narrowable"] and "=" in word]
    if not values or words[: len(values)] != values:
        name = next(iter(one["narrowable"]))
        raise UsageFault(
            "the narrower values come first", remediation=f"type such as `narrow {name}=VALUE reason`"
        )
    return {"narrow": narrower_values(one, values), "comment": " ".join(words[len(values) :])}


def _bounded(words: list[str], one: Json) -> dict[str, Json]:
    most = int(words[0]) if words and words[0].isdecimal() and len(words[0]) < 6 else 0
    if not 1 < most <= one["offer"]["most"]:
        raise UsageFault(
            f"this question offers 2 to {one['offer']['most']} calls", remediation="type such as `times 2`"
        )
    del words[0]
    body: dict[str, Json] = {"most": most}
    if len(words) > 1 and words[0] == "within":
        body["until"] = (datetime.now(UTC) + timedelta(seconds=seconds(words[1]))).isoformat()
        del words[:2]
    return {**body, "comment": " ".join(words)}


def _ways(one: Json) -> str:
    """Return the answers that a question takes, for people."""
    ways = ["`y` (once)", "`n`"]
    if one["narrowable"]:
        name = next(iter(one["narrowable"]))
        ways.append(f"`narrow {name}=...`")
    if one["offer"]:
        ways.append(f"`times {one['offer']['most']}`")
    return f"{', '.join(ways)}, with a reason behind it; `skip` or `quit`"


class _Desk:
    """The terminal of one approver: questions and typed lines arrive in one queue, one card is shown."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._arrived: queue.SimpleQueue[tuple[float, Json | str | RemitError | None]] = queue.SimpleQueue()
        self._waiting: dict[str, Json] = {}
        self._shown: Json = None
        self._shown_s = 0.0

    def run(self) -> None:
        """Serve until the person quits; raise what ends the stream."""
        for feed in (self._feed_questions, self._feed_lines):
            threading.Thread(target=feed, daemon=True).start()
        while True:
            at_s, item = self._arrived.get()
            if item is None:
                return
            if isinstance(item, RemitError):
                raise item
            if isinstance(item, str):
                if item.strip().lower() == "quit":
                    return
                if self._shown is not None and item.strip():
                    self._typed(item, at_s)
            else:
                self._changed(item)
            if self._shown is None and self._waiting:
                self._show_next()

    def _feed_questions(self) -> None:
        try:
            for one in _arriving(self._client):
                self._arrived.put((time.monotonic(), one))
            self._arrived.put((time.monotonic(), None))  # the session has ended
        except RemitError as fault:
            self._arrived.put((time.monotonic(), fault))

    def _feed_lines(self) -> None:
        for line in sys.stdin:
            self._arrived.put((time.monotonic(), line))
        self._arrived.put((time.monotonic(), None))

    def _changed(self, one: Json) -> None:
        """Take note of a question, or of the end of one."""
        if one["state"] == "pending":
            if self._shown is None or self._shown["id"] != one["id"]:
                self._waiting[one["id"]] = one
            return
        self._waiting.pop(one["id"], None)
        if self._shown is not None and self._shown["id"] == one["id"]:
            terminal.say("")
            terminal.say("meanwhile: ", *_ended(one))
            self._shown = None

    def _show_next(self) -> None:
        one = self._shown = self._waiting.pop(next(iter(self._waiting)))
        terminal.say("")
        person = f" for {one['requested_for']}" if one["requested_for"] else ""
        more = f"  ({len(self._waiting)} more wait)" if self._waiting else ""
        asks = Text.assemble(terminal.text(f"{one['agent']} asks to call {one['tool']}{person}.", "bold"))
        terminal.say(asks, terminal.text(more, "dim"))
        show([one])
        if one["offer"]:
            # No one needs this figure to answer.
            with contextlib.suppress(RemitError):
                terminal.say(alike_line(self._client.get("approvals", one["id"], "alike")), style="dim")
        self._prompt()
        self._shown_s = time.monotonic()
        _forget_typed()

    def _prompt(self) -> None:
        terminal.say(f"Answer with {_ways(self._shown)}:", style="yellow")

    def _typed(self, line: str, at_s: float) -> None:
        """Handle a line that is typed below a card."""
        one = self._shown
        if at_s - self._shown_s < UNREAD_S:
            terminal.remark("that came before the question could be read: nothing was answered")
            return
        try:
            answer = typed(line, one)
        except UsageFault as fault:
            terminal.remark(f"{fault.message}; {fault.remediation}", style="red")
            return
        try:
            if answer.act in ("approve", "deny"):
                done = self._client.post(
                    "approvals", one["id"], approve=answer.act == "approve", call=one["call"], **answer.body
                )
                terminal.say(*_ended(done))
        except RemitError as fault:
            way = f"; {fault.remediation}" if fault.remediation else ""
            terminal.remark(f"{fault.message}{way}", style="red")
            if self._client.get("approvals", one["id"])["state"] == "pending":
                return
        self._shown = None


def _forget_typed() -> None:
    """Drop what was typed and not read yet, also a line without its end."""
    try:
        import termios
    except ModuleNotFoundError:  # Windows
        return
    with contextlib.suppress(termios.error, ValueError):
        termios.tcflush(sys.stdin, termios.TCIFLUSH)


def _arriving(client: Client) -> Iterator[Json]:
    """Yield each approval that is new or changed, beginning with the open ones."""
    with client.stream("approvals", "watch", endless=True) as response:
        for line in response.iter_lines():
            if line.startswith("data: "):
                yield msgspec.json.decode(line.removeprefix("data: "))


def _ended(one: Json) -> list[str | Text]:
    """Return how a question ended, in words."""
    if one["state"] == "pending":
        return [
            terminal.text(one["id"], "dim"),
            f"  your approval counts: {progress(one)}; the agent still waits",
        ]
    by = f" by {one['decided_by']}" if one["decided_by"] else ""
    by += ", with broken glass" if one["broken_glass"] else ""
    if why := one["overtaken"]:
        by += f", withdrawn: {'' if why == 'agent' else 'other '}{why}"
    often = (
        f", for {one['most']} calls" if one["most"] > 1 else ", once" if one["state"] == "approved" else ""
    )
    return [terminal.text(one["id"], "dim"), "  ", terminal.state(one["state"]), by, often]


def _print(one: Json) -> None:
    """Print an approval that is new or changed, for a program or for a log."""
    if terminal.is_json():
        terminal.answer_line(one)
    elif one["state"] == "pending":
        terminal.say(
            terminal.moment(one["requested"]), "  ", terminal.text(one["id"], "bold"), "  ", one["tool"]
        )
        terminal.say(f"  {one['agent']} for {one['requested_for']}: {'; '.join(one['reasons'])}")
        if one["needed"] > 1 or one["escalated"]:
            also = f", also of group {', '.join(one['escalated'])}" if one["escalated"] else ""
            terminal.say(f"  {progress(one)} approved{also}")
        terminal.copyable(f"  remit approve {one['id']}", style="dim")
    else:
        terminal.say(*_ended(one))
