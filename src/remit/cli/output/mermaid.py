# SPDX-License-Identifier: Apache-2.0
"""Flowcharts as Mermaid text, which GitHub, VS Code and most wikis draw."""

from __future__ import annotations

import re

from remit.core.safe_text import plain

#: Matches everything except letters, digits, spaces and characters between two words: no label contains
#: markup.
_MARKUP = re.compile(r"(?<=[^\W_])[-._@](?=[^\W_])|(?<=[^\W_])[,:](?= )|[^\W_]|[ →/]|(.)", re.DOTALL)


def _quoted(*lines: str) -> str:
    """Return lines as one quoted label, with other characters written as `#code;`."""
    made = (_MARKUP.sub(lambda one: f"#{ord(one[1])};" if one[1] else one[0], plain(line)) for line in lines)
    return f'"{"<br/>".join(line for line in made if line)}"'


class Flowchart:
    """Boxes and arrows; `direction` is `TD` or `LR`. A box or arrow that is drawn twice appears once."""

    def __init__(self, direction: str) -> None:
        """Start with an empty flowchart."""
        self._direction = direction
        self._boxes: dict[str, str] = {}
        self._arrows: dict[tuple[str, str, str], None] = {}

    def box(self, key: str, *lines: str) -> None:
        """Draw a box with these lines; a key that has a box keeps it."""
        self._boxes.setdefault(key, _quoted(*lines))

    def arrow(self, start: str, end: str, says: str = "") -> None:
        """Draw an arrow between the boxes of two keys."""
        self._arrows[start, end, says] = None

    def __str__(self) -> str:
        """Return the text of the flowchart, with a newline at its end."""
        ids = {key: f"n{number}" for number, key in enumerate(self._boxes)}
        out = [
            f"flowchart {self._direction}",
            *(f"  {ids[key]}[{text}]" for key, text in self._boxes.items()),
        ]
        for start, end, says in self._arrows:
            out.append(f"  {ids[start]} -->{f'|{_quoted(says)}|' if says else ''} {ids[end]}")
        return "\n".join(out) + "\n"
