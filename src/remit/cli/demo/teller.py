# SPDX-License-Identifier: Apache-2.0
"""Tells the story on a terminal, and remembers whether every step ended as it should."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text
from rich.tree import Tree


class Teller:
    """Chapters, lines, and claims that are held against what happened."""

    def __init__(self, console: Console) -> None:
        """Begin with nothing told."""
        self._console = console
        self.claims = 0
        self.broken: list[str] = []

    def title(self, text: str, below: str) -> None:
        """Open the story."""
        self._console.print()
        self._console.print(Text(text, style="bold"))
        self._console.print(Padding(Text(below, style="dim"), (0, 0, 1, 0)))

    def chapter(self, number: int, title: str) -> None:
        """Open a chapter."""
        self._console.print()
        self._console.print(Rule(f"[bold]{number}[/] {escape(title)}", align="left", style="dim"))

    def say(self, text: str) -> None:
        """Tell what happens next."""
        self._console.print(Padding(Text(text), (0, 0, 0, 2)))

    def quote(self, text: str, by: str = "") -> None:
        """Show what somebody or something said."""
        line = Text(f"{by}: " if by else "", style="bold")
        line.append(text, style="italic")
        self._console.print(Padding(line, (0, 0, 0, 6)))

    def claim(self, holds: bool, text: str, why: str = "") -> bool:
        """State what should be so, and mark whether it is."""
        self.claims += 1
        mark, style = ("✓", "green") if holds else ("✗", "bold red")
        line = Text("  ")
        line.append(mark, style=style)
        line.append(f" {text}", style="" if holds else "bold red")
        self._console.print(line)
        if why:
            self._console.print(Padding(Text(why, style="dim"), (0, 0, 0, 6)))
        if not holds:
            self.broken.append(text)
        return holds

    def tree(self, tree: Tree) -> None:
        """Draw a tree."""
        self._console.print(Padding(tree, (0, 0, 0, 4)))

    def table(self, table: Table) -> None:
        """Draw a table."""
        self._console.print(Padding(table, (0, 0, 0, 4)))

    def command(self, line: str) -> None:
        """Show a command as a person would type it."""
        self._console.print(Padding(Text(f"$ {line}", style="cyan"), (0, 0, 0, 2)))

    def output(self, text: str) -> None:
        """Show what a command printed."""
        self._console.print(Padding(Text.from_ansi(text.rstrip()), (0, 0, 0, 4)))

    def end(self, seconds: float) -> int:
        """Close the story; gives the exit code."""
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
