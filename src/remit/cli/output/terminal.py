# SPDX-License-Identifier: Apache-2.0
"""Output to programs as exact JSON, and to people as calm tables and small pictures."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from remit.cli.global_options import current
from remit.cli.output.tables import WIDE, FittedRows, Trimmed
from remit.core.json_value import Json
from remit.core.safe_text import escaped, plain

if TYPE_CHECKING:
    from rich.tree import Tree


#: Enough characters of a digest to recognise it; `--json` and `remit policy show` print all of it.
SHORT_DIGEST = 23

STATES = {
    "active": "green",
    "approved": "green",
    "consumed": "dim",
    "completed": "dim",
    "pinned": "green",
    "permit": "green",
    "ok": "green",
    "registered": "cyan",
    "pending": "yellow",
    "defer": "yellow",
    "changed": "yellow",
    "suspended": "yellow",
    "observe": "bold yellow",
    "denied": "red",
    "narrowed": "yellow",
    "deny": "red",
    "revoked": "red",
    "gone": "red",
    "expired": "dim",
    "retired": "dim",
}


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else WIDE
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


def out() -> Console:
    """Return the console of answers."""
    return _console(stderr=False)


def err() -> Console:
    """Return the console of remarks."""
    return _console(stderr=True)


def is_json() -> bool:
    """Return whether the answer is for a program."""
    return current().json


def json_text(value: Json) -> str:
    """Return JSON for programs in which no character of others reaches a terminal raw."""
    return escaped(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()) + "\n"


def answer(value: Json) -> None:
    """Write JSON, and nothing else, to standard output, which may be a terminal."""
    sys.stdout.write(json_text(value))
    sys.stdout.flush()


def answer_line(value: Json) -> None:
    """Write JSON on one line: an answer that comes in parts is one such line for each."""
    sys.stdout.write(escaped(compact(value)) + "\n")
    sys.stdout.flush()


def say(*parts: str | Text, style: str = "") -> None:
    """Write a line for people. A wrapped line continues below its first word."""
    line = Text.assemble(*[part if isinstance(part, Text) else plain(part) for part in parts])
    indent = len(line.plain) - len(line.plain.lstrip(" "))
    out().print(Trimmed(Padding(line[indent:], (0, 0, 0, indent))), style=style)


def copyable(*parts: str | Text, style: str = "") -> None:
    """Write a line that people copy, such as a command: it is never wrapped, however narrow the terminal."""
    line = Text.assemble(*[part if isinstance(part, Text) else plain(part) for part in parts])
    out().print(line, style=style, soft_wrap=True)


def remark(text: str, style: str = "dim") -> None:
    """Write a remark to standard error, beside the answer."""
    err().print(Text(plain(text)), style=style)


def picture(value: RenderableType) -> None:
    """Show a table, tree or panel."""
    out().print(Trimmed(value))


def text(value: object, style: str = "") -> Text:
    """Return a value as text that is safe to show."""
    return Text(plain(value), style=style)


def page(kind: str, name: str) -> str:
    """Return the address of a thing's page in the console, such as a task's."""
    return f"{current().base_url()}/console/{kind}/{quote(name, safe='')}"


def linked(kind: str, name: str) -> Text:
    """Return a name that leads to its page in the console, where the terminal can follow links."""
    return Text(plain(name), style=Style(bold=True, link=page(kind, name)))


def state(word: str) -> Text:
    """Return a state in its colour."""
    return Text(plain(word), style=STATES.get(word, ""))


def counted(count: int, what: str) -> str:
    """Return a number with its noun; the noun takes an `s` unless the number is one."""
    return f"{count} {what}" + ("" if count == 1 else "s")


def moment(value: str | datetime | None, now: datetime | None = None) -> Text:
    """Return a time in two forms: local time, and relative to now."""
    if not value:
        return Text("")
    when = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    now = now or datetime.now(UTC)
    local = when.astimezone()
    same_day = local.date() == now.astimezone().date()
    clock = local.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M")
    told = Text.assemble(clock, (f"  {span((when - now).total_seconds())}", "dim"))
    told.no_wrap = True
    return told


def clock(value: str) -> Text:
    """Return a time in lines that follow each other: local, to the second; empty if it is none."""
    try:
        return Text(f"{datetime.fromisoformat(value).astimezone():%m-%d %H:%M:%S}", "dim")
    except (TypeError, ValueError):
        return Text("")


def span(seconds: float) -> str:
    """Return a time span in everyday words: `in 4 min`, `3 h ago`."""
    size = abs(seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if size >= 2 * length or (unit == "min" and size >= length):
            told = f"{round(size / length)} {unit}"
            break
    else:
        told = f"{int(size)} s"
    return f"in {told}" if seconds >= 0 else f"{told} ago"


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    empty: str,
    whole: int = 1,
    head: int = 1,
    indent: int = 0,
) -> None:
    """Show rows under headings; the first `whole` columns are never broken.

    Without room for a table, show each row as lines that begin with its first `head` cells.
    """
    made = [[cell if isinstance(cell, Text) else text(cell) for cell in row] for row in rows]
    if made:
        out().print(FittedRows(columns, made, whole=whole, head=head, indent=indent))
    else:
        say(" " * indent + empty, style="dim")


def facts(pairs: Iterable[tuple[str, object]], *, lines: bool = False) -> Table:
    """Return names and values as two aligned columns; empty values are left out.

    With `lines`, texts that were already made safe keep their line breaks.
    """
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        if value is None or value == "" or (isinstance(value, Text) and not value.plain):
            continue
        shown = value if isinstance(value, Text | Table) else Text(plain(value, lines=lines))
        made.add_row(plain(name), shown)
    return made


def tree(title: Text | str) -> Tree:
    """Return an empty tree with a title."""
    from rich.tree import Tree

    return Tree(title if isinstance(title, Text) else text(title), guide_style="dim")


def compact(value: Json) -> str:
    """Return a JSON value on one line, in its own characters."""
    return msgspec.json.encode(value).decode()


def label(value: Json) -> str:
    """Return a label in readable form."""
    words = [str(value.get("data_class") or value.get("class") or "")]
    words += [str(one) for one in value.get("categories") or ()]
    trust = value.get("trust")
    words += [str(trust)] if trust else ["untrusted"] if value.get("untrusted") else []
    return ", ".join(word for word in words if word)
