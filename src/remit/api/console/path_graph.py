# SPDX-License-Identifier: Apache-2.0
"""Paths drawn on the server: sources at the left, task types in the middle, what they reach at the right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from markupsafe import Markup

from remit.core.policy.reach import PathKind
from remit.core.safe_text import plain

#: Boxes of one column.
MOST: Final = 14
_WIDTH: Final = 760
_BOX: Final = 196
_ROW: Final = 34
_TOP: Final = 26
_COLUMNS: Final = (0, (_WIDTH - _BOX) // 2, _WIDTH - _BOX)
_RANK: Final = {"open": 0, "asked": 1, "refused": 2}


class PathRow(msgspec.Struct, frozen=True, kw_only=True):
    """Paths that differ only in their source. `cut_by` are the rules that refuse or ask; `via` the route."""

    kind: PathKind
    look: str
    sources: tuple[str, ...]
    private: str
    via: tuple[str, ...]
    task: str
    agents: tuple[str, ...]
    tool: str
    effect: str
    audience: str
    cut_by: tuple[str, ...]


def path_graph(rows: Sequence[PathRow]) -> Markup:
    """Return the graph of the first paths; open ones are drawn last, over the others."""
    columns: tuple[dict[str, int], ...] = ({}, {}, {})
    lines: dict[tuple[int, str, str], PathRow] = {}
    for one in rows:
        sources = [*one.sources[:3], *([one.private] if one.private else [])]
        reached = one.tool
        _place(columns[1], [one.task])
        _place(columns[2], [reached])
        _place(columns[0], sources)
        for source in sources:
            _draw(lines, (0, source, one.task), one)
        _draw(lines, (1, one.task, reached), one)
    drawn = [
        _line(number, columns[number][start], columns[number + 1][end], row)
        for (number, start, end), row in sorted(lines.items(), key=lambda item: -_RANK[item[1].look])
        if start in columns[number] and end in columns[number + 1]
    ]
    boxes = [
        _box(_COLUMNS[number], row, name)
        for number, column in enumerate(columns)
        for name, row in column.items()
    ]
    heads = [
        Markup('<text class="head" x="{}" y="12">{}</text>').format(at, word)
        for at, word in zip(_COLUMNS, ("Data from", "Task types", "Can reach"), strict=True)
    ]
    height = _TOP + max((len(one) for one in columns), default=0) * _ROW
    opened = sum(row.look == "open" for row in lines.values())
    return Markup(
        '<svg class="paths" viewBox="-1 0 {} {}" role="img" '
        'aria-label="Paths of data, {} lines open; the table below lists them">{}</svg>'
    ).format(_WIDTH + 2, height, opened, Markup("").join((*heads, *drawn, *boxes)))


def _place(column: dict[str, int], names: Iterable[str]) -> None:
    for name in names:
        if name not in column and len(column) < MOST:
            column[name] = len(column)


def _draw(lines: dict[tuple[int, str, str], PathRow], key: tuple[int, str, str], row: PathRow) -> None:
    if key not in lines or _RANK[row.look] < _RANK[lines[key].look]:
        lines[key] = row


def _line(number: int, start: int, end: int, row: PathRow) -> Markup:
    x1, x2 = _COLUMNS[number] + _BOX, _COLUMNS[number + 1]
    y1, y2 = (_TOP + place * _ROW + 13 for place in (start, end))
    middle = (x1 + x2) / 2
    cut = f": {', '.join(row.cut_by)}" if row.cut_by else ""
    return Markup('<path class="line {}" d="M{} {}C{} {} {} {} {} {}"><title>{}</title></path>').format(
        row.look, x1, y1, middle, y1, middle, y2, x2, y2, plain(f"{row.look}{cut}")[:300]
    )


def _box(x: int, row: int, name: str) -> Markup:
    text = plain(" ".join(name.split()))
    y = _TOP + row * _ROW
    return Markup(
        '<g><title>{}</title><rect class="box" x="{}" y="{}" width="{}" height="26" rx="6"/>'
        '<text x="{}" y="{}">{}</text></g>'
    ).format(text[:300], x, y, _BOX, x + 9, y + 17, text if len(text) <= 29 else f"{text[:28]}…")
