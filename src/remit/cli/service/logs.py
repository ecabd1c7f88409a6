# SPDX-License-Identifier: Apache-2.0
"""`remit logs`."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from rich.text import Text

from remit.cli.exit_codes import UsageFault
from remit.cli.global_options import current
from remit.cli.instance import log_of, running
from remit.cli.output import terminal
from remit.cli.parser import Switch, verb
from remit.core.errors import NotFound
from remit.core.json_value import Json
from remit.core.safe_text import plain

MOST_LINES = 100_000
#: Seconds between two looks at the file.
PAUSE_S = 0.25

app = verb("logs")


@app.default
def logs(*, follow: Switch = False, lines: int = 50) -> None:
    """Show the log of the service: one line for each call, and the warnings.

    A call's line has the time, outcome, tool, agent, person, task, milliseconds, and for a refusal its rule;
    never the value of an argument. The log is a file of this machine, readable for the user that runs remit
    alone, and it is cut after 60 MiB. What must hold as proof is in the evidence: `remit audit log`. With
    `--json` each line is one JSON object. For example, follow the log while you try a new agent.

    Parameters
    ----------
    follow
        Show further lines as they are written, until you interrupt.
    lines
        Begin with this many of the last lines.
    """
    if not 0 <= lines <= MOST_LINES:
        raise UsageFault(f"`--lines` is not from 0 to {MOST_LINES}", remediation="give a number of lines")
    config = current().config_file
    found = running(config)
    place = Path(found.log) if found is not None and found.log else log_of(config)
    if not place.is_file():
        raise NotFound(f"`{place}` does not exist yet", remediation="start remit with `remit up`")
    for line in _followed(place, lines) if follow else _last(place, lines):
        _show(line)


def _last(place: Path, lines: int) -> Iterator[bytes]:
    """Yield the last lines, also of the file before the last rotation.

    The welcome of the last start comes first while the sign-in code in it is valid: the first calls do not
    push it out.
    """
    kept: deque[bytes] = deque(maxlen=lines)
    welcome: list[bytes] = []
    first, since = b"", 0
    for one in (place.with_name(f"{place.name}.1"), place):
        if not one.is_file():
            continue
        with one.open("rb") as opened:
            for line in opened:
                kept.append(line)
                if line.startswith(b"{"):
                    first, since = first or line, since + 1
                    continue
                if first:
                    welcome, first, since = [], b"", 0
                welcome.append(line)
    if lines and _is_recent(first):
        yield from welcome[: max(0, len(welcome) + since - lines)]
    yield from kept


def _is_recent(line: bytes) -> bool:
    """Return whether a sign-in code that was printed before this line may still be valid."""
    from remit.services.identity.authenticator import CODE_TTL_S

    try:
        at = datetime.fromisoformat(msgspec.json.decode(line)["at"])
        return datetime.now(UTC) - at < timedelta(seconds=CODE_TTL_S)
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return False


def _followed(place: Path, lines: int) -> Iterator[bytes]:
    """Yield the last lines, and then each that is written, through rotations."""
    opened = place.open("rb")
    try:
        opened.seek(0, os.SEEK_END)
        yield from _last(place, lines)
        part = b""
        while True:
            # A line that is still being written is yielded once it is whole.
            part += opened.readline()
            if part.endswith(b"\n"):
                yield part
                part = b""
            elif _replaced(place, opened.fileno()):
                opened.close()
                opened, part = place.open("rb"), b""
            else:
                time.sleep(PAUSE_S)
    finally:
        opened.close()


def _replaced(place: Path, descriptor: int) -> bool:
    try:
        return not os.path.samestat(place.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _show(raw: bytes) -> None:
    line = raw.decode("utf-8", "replace").rstrip("\n")
    try:
        said = msgspec.json.decode(line)
    except msgspec.DecodeError:
        said = None
    if not isinstance(said, dict) or "at" not in said:
        # Output of the process outside its log, such as the welcome of a start in the background.
        said = {"message": line}
    if terminal.is_json():
        terminal.answer_line(said)
    elif "place" in said:
        facts = (said.get(name, "") for name in ("method", "place", "status", "from_address"))
        terminal.copyable(terminal.clock(said["at"]), f"  {plain(' '.join(map(str, facts)))}", style="dim")
    elif "outcome" in said:
        terminal.copyable(_call(said))
    else:
        terminal.copyable(_message(said))


def _call(said: Json) -> Text:
    who = said.get("agent", "")
    if said.get("person"):
        who += f" for {said['person']}"
    told = Text.assemble(
        terminal.clock(said.get("at", "")),
        "  ",
        (f"{plain(said['outcome']):<14} ", terminal.STATES.get(said["outcome"], "red")),
        (f"{plain(said.get('tool', '')):<28} ", "bold"),
        f"{plain(who):<24} ",
        (f"{plain(said.get('task', '')):<20} ", "dim"),
        f"{said.get('ms', 0):>8} ms",
    )
    why = said.get("rule") or said.get("code", "")
    if said.get("observed"):
        return told.append(f"  would be refused: {plain(why)}", "bold yellow")
    return told.append(f"  {plain(why)}", "red" if said["outcome"] != "defer" else "yellow") if why else told


def _message(said: Json) -> Text:
    level = said.get("level", "")
    style = {"warning": "yellow", "error": "red", "critical": "bold red"}.get(level, "")
    told = Text.assemble(terminal.clock(said["at"]), "  ") if "at" in said else Text("")
    if level:
        told.append(f"{level:<14} ", style)
    return told.append(plain(said.get("message", ""), lines=True), style)
