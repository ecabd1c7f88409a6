# SPDX-License-Identifier: Apache-2.0
"""Rows under headings: as a table where it fits, as lines where it does not, and nothing of it is cut off."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from remit.cli.output.tables import WIDE, FittedRows, Trimmed

COLUMNS = ("TASK", "TYPE", "UNTIL", "WHAT")
ROW = ("tsk_lukxqgu76jewlgul", "summarise-contract", "18:21:49  in 30 min", "reads one contract, for lena")


def shown(
    width: int, *rows: tuple[str, ...], columns: tuple[str, ...] = COLUMNS, **options: int
) -> list[str]:
    """Show rows at a width; gives the lines."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    cells = [[Text(cell, no_wrap=cell.endswith("min")) for cell in row] for row in rows]
    console.print(FittedRows(columns, cells, **options))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_rows_that_fit_are_a_table() -> None:
    """Headings stand above the cells, and no line ends with blanks."""
    assert shown(110, ROW, ("tsk_2", "triage", "18:00:00  in 8 min", "")) == [
        "TASK                  TYPE                UNTIL                WHAT",
        "tsk_lukxqgu76jewlgul  summarise-contract  18:21:49  in 30 min  reads one contract, for lena",
        "tsk_2                 triage              18:00:00  in 8 min",
    ]


def test_rows_that_do_not_fit_are_told_as_lines() -> None:
    """Each cell that says something stands behind its heading; the first one begins the row."""
    assert shown(60, ROW, ("tsk_2", "triage", "18:00:00  in 8 min", "")) == [
        "tsk_lukxqgu76jewlgul",
        "  type summarise-contract  until 18:21:49  in 30 min",
        "  what reads one contract, for lena",
        "tsk_2",
        "  type triage  until 18:00:00  in 8 min",
    ]


def test_cells_of_the_head_stand_in_the_first_line_without_their_names() -> None:
    """An event's index, time and kind are known by what they look like."""
    assert shown(60, ROW, head=2) == [
        "tsk_lukxqgu76jewlgul  summarise-contract",
        "  until 18:21:49  in 30 min",
        "  what reads one contract, for lena",
    ]


@pytest.mark.parametrize("width", [24, 40, 60, 80, 100, 120, WIDE])
def test_no_word_is_broken_or_lost_at_any_width(width: int) -> None:
    """Ids are copied, and one that was cut looks like another."""
    said = " ".join(shown(width, ROW, ("tsk_2", "triage", "18:00:00  in 8 min", "")))
    for word in " ".join(ROW).split():
        assert word in said.split()


def test_what_is_longer_than_the_terminal_is_folded_and_not_cut() -> None:
    """A digest is whole again once its lines are put together."""
    digest = "sha256:" + "0123456789abcdef" * 4
    lines = shown(40, ("rule", digest), columns=("RULE", "DIGEST"))
    assert lines[0] == "rule"
    assert digest in "".join(line.strip() for line in lines[1:])


def test_programs_get_a_table_however_wide_it_is() -> None:
    """Where the output is no terminal, every row is one line with the cells in their columns."""
    lines = shown(WIDE, ROW, ("tsk_2", "triage", "18:00:00  in 8 min", "x" * 30))
    assert len(lines) == 3
    assert lines[2].index("triage") == lines[0].index("TYPE")


def test_an_indent_stands_before_every_line() -> None:
    """A list below a heading stands in from it, as a table and as lines."""
    for width in (60, 120):
        assert all(line.startswith("  ") for line in shown(width, ROW, indent=2))


def test_what_is_shown_has_no_blanks_at_the_ends_of_its_lines() -> None:
    """What is copied from a terminal, or written to a file, is what was said."""
    console = Console(file=io.StringIO(), width=20, color_system=None)
    console.print(Trimmed(Text("a word\n\nand   \nthe rest")))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == "a word\n\nand\nthe rest\n"
