# SPDX-License-Identifier: Apache-2.0
"""Rows under headings: a table if it fits, else each row as a few lines of names and values."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

#: Without a screen, lines are not broken at its edge: programs cut columns, and ids stay whole.
WIDE = 200
#: Blanks between columns, and between the pairs of a row that is shown as lines.
_BETWEEN = 2
#: A table may need this many times the available width: its longest cells then take two or three lines.
_MOST = 1.5


class Trimmed:
    """Something to show, without blanks at line ends: copied text then equals the original."""

    def __init__(self, inner: RenderableType) -> None:
        """Keep the inner renderable."""
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render it line by line."""
        for line in console.render_lines(self._inner, options, pad=False):
            while line and not line[-1].text.strip():
                line.pop()
            if line:
                text, style, control = line[-1]
                line[-1] = Segment(text.rstrip(), style, control)
            yield from line
            yield Segment.line()


class FittedRows:
    """Rows under headings. The first `whole` columns are never broken, nor is a word of another column."""

    def __init__(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[Text]],
        *,
        whole: int = 1,
        head: int = 1,
        indent: int = 0,
    ) -> None:
        """Keep the rows. Begin a row shown as lines with `head` cells without names; indent by `indent`
        blanks.
        """
        self._columns, self._rows, self._whole = columns, rows, whole
        self._head, self._indent = head, indent

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the table, or the lines."""
        room = options.max_width - self._indent
        if options.max_width >= WIDE or self._fits(room):
            yield Trimmed(self._table(room))
        else:
            yield from self._lines(console, options.max_width)

    def _fits(self, width: int) -> bool:
        """Return whether every word has room, and no row becomes a tall column of single words."""
        gaps = _BETWEEN * (len(self._columns) - 1)
        natural = sum(self._natural(number) for number in range(len(self._columns)))
        least = sum(self._least(number) for number in range(len(self._columns)))
        return least + gaps <= width and natural + gaps <= _MOST * width

    def _cells(self, number: int) -> list[Text]:
        return [row[number] for row in self._rows]

    def _natural(self, number: int) -> int:
        return max(cell_len(self._columns[number]), *(cell.cell_len for cell in self._cells(number)))

    def _least(self, number: int) -> int:
        """Return the width that a column needs: of its longest cell if that stays whole, else of its longest
        word.
        """
        if number < self._whole:
            return self._natural(number)
        heading = max(map(cell_len, self._columns[number].split()), default=0)
        return max(heading, *(_least(cell) for cell in self._cells(number)))

    def _table(self, width: int) -> Table:
        made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, _BETWEEN, 0, 0))
        for number, (column, room) in enumerate(zip(self._columns, self._widths(width), strict=True)):
            before = self._indent if number == 0 else 0
            made.add_column(" " * before + column, overflow="fold", width=before + room)
        for first, *others in self._rows:
            made.add_row(Text.assemble(" " * self._indent, first), *others)
        return made

    def _widths(self, width: int) -> list[int]:
        """Give each column the width that it needs, and share the rest, first with the least demanding
        columns.
        """
        numbers = range(len(self._columns))
        given = [self._least(number) for number in numbers]
        wanted = sorted((self._natural(number) - given[number], number) for number in numbers)
        left = max(width - sum(given) - _BETWEEN * (len(given) - 1), 0)
        for place, (more, number) in enumerate(wanted):
            share = min(more, left // (len(wanted) - place))
            given[number] += share
            left -= share
        return given

    def _lines(self, console: Console, width: int) -> RenderResult:
        """Show each row: its first cell, and below it the others by name."""
        for row in self._rows:
            first = [cell.copy() for cell in row[: self._head] if cell.plain]
            for cell in first[:1]:
                cell.stylize("bold")
            yield from _told(console, first, width, self._indent)
            pairs = [
                Text.assemble((name.lower(), "dim"), " ", cell)
                for name, cell in zip(self._columns[self._head :], row[self._head :], strict=True)
                if cell.plain
            ]
            yield from _told(console, pairs, width, self._indent + 2)


def _least(cell: Text) -> int:
    return cell.cell_len if cell.no_wrap else max(map(cell_len, cell.plain.split()), default=0)


def _told(console: Console, parts: Sequence[Text], width: int, indent: int) -> RenderResult:
    """Join parts on a line; start a new line when the next part does not fit; wrap a long one."""
    room = max(width - indent, 20)
    line = Text()
    for part in [*parts, None]:
        if line and (part is None or line.cell_len + _BETWEEN + part.cell_len > room):
            for number, one in enumerate(line.wrap(console, room - 2 if line.cell_len > room else room)):
                one.rstrip()
                yield Text(" " * (indent + (2 if number else 0))).append_text(one)
            line = Text()
        if part is not None:
            line = Text.assemble(line, " " * _BETWEEN, part) if line else part.copy()
            line.no_wrap = None
