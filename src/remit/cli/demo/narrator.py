# SPDX-License-Identifier: Apache-2.0
"""Tells the story on a terminal, and records whether every step ended as expected."""

from __future__ import annotations

import os

from rich.console import Console
from rich.markup import escape
from rich.rule import Rule
from rich.text import Text

#: Wider lines are harder to read.
_WIDEST = 110
_OUTPUT_INDENT = 4


def stage_console() -> Console:
    """Return the console of the story: as wide as the terminal, up to a width that reads well."""
    made = Console(highlight=False, emoji=False)
    known = made.is_terminal or "COLUMNS" in os.environ
    made.width = min(made.width, _WIDEST) if known else _WIDEST
    return made


class Narrator:
    """Chapters, lines, and claims that are compared with what happened."""

    def __init__(self, console: Console) -> None:
        """Start a new story."""
        self._console = console
        self.claims = 0
        self.broken: list[str] = []

    @property
    def environment(self) -> dict[str, str]:
        """The environment of commands: their output fits this console and uses its colours."""
        colour = {"FORCE_COLOR": "1"} if self._console.color_system else {}
        return {"COLUMNS": str(self._console.width - _OUTPUT_INDENT), **colour}

    def title(self, text: str, below: str) -> None:
        """Open the story."""
        self._console.print()
        self._console.print(Text(text, style="bold"))
        self._set(below, 0, "dim")
        self._console.print()

    def chapter(self, number: int, title: str) -> None:
        """Open a chapter."""
        self._console.print()
        self._console.print(Rule(f"[bold]{number}[/] {escape(title)}", align="left", style="dim"))

    def say(self, text: str) -> None:
        """Announce what happens next."""
        self._set(text, 2)

    def quote(self, text: str, by: str = "") -> None:
        """Show the words of a person or a program."""
        line = Text(f"{by}: " if by else "", style="bold")
        line.append(text, style="italic")
        self._set(line, 6)

    def claim(self, holds: bool, text: str, why: str = "") -> bool:
        """State what is expected, and mark whether it is true."""
        self.claims += 1
        mark, style = ("✓", "green") if holds else ("✗", "bold red")
        line = Text.assemble((mark, style), (f" {text}", "" if holds else "bold red"))
        self._set(line, 2, hang=2)
        if why:
            self._set(why, 6, "dim")
        if not holds:
            self.broken.append(text)
        return holds

    def command(self, line: str) -> None:
        """Show a command line as a person would type it."""
        self._set(Text(f"$ {line}", style="cyan"), 2, hang=4)

    def output(self, text: str) -> None:
        """Show a command's output."""
        for line in Text.from_ansi(text.rstrip()).split("\n", allow_blank=True):
            begins = len(line.plain) - len(line.plain.lstrip())
            self._set(line[begins:], _OUTPUT_INDENT + begins, hang=2)

    def _set(self, text: Text | str, indent: int, style: str = "", *, hang: int = 0) -> None:
        """Print a text `indent` columns from the left, with every line after the first `hang` columns
        further.
        """
        line = text if isinstance(text, Text) else Text(text, style=style)
        room = self._console.width - indent
        if line.cell_len > room:
            room -= hang
        for number, one in enumerate(line.wrap(self._console, room)):
            one.rstrip()
            before = indent + (hang if number else 0) if one else 0
            self._console.print(Text(" " * before).append_text(one), soft_wrap=True)

    def end(self, seconds: float) -> int:
        """Close the story; return the exit code."""
        self._console.print()
        if self.broken:
            self._console.print(
                Text(f"{len(self.broken)} of {self.claims} claims did not hold:", style="bold red")
            )
            for text in self.broken:
                self._console.print(Text(f"  ✗ {text}", style="red"))
            return 1
        self._console.print(
            Text(f"All {self.claims} claims held, in {seconds:.1f} s.", style="bold green"),
        )
        return 0
