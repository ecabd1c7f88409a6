# SPDX-License-Identifier: Apache-2.0
"""Quotations: words of others that a person repeats.

A name in quotation marks is a name. A quoted sentence, a line marked as quoted, or a block of text set apart
is usually written by others: an address in it is not where the person wants something to go.

INVARIANT: a quotation mark without a closing mark costs no more than any other character. The next closing
mark of a kind is searched once for all opening marks before it.
"""

from __future__ import annotations

import re

import msgspec

from remit.core.cooperative_steps import Ahead

MIN_WORDS = 4
"""Fewest words of a quotation that is more than a name."""


class _Kind(msgspec.Struct, frozen=True):
    """A kind of quotation: its closing mark, and its greatest length in characters.

    `in_line`: the quotation must end on its line. `any_first`: the first character is content even where it
    looks like a closing mark.
    """

    closing: re.Pattern[str]
    most: int
    in_line: bool = False
    any_first: bool = False


_KINDS = {
    "```": _Kind(re.compile("```"), 8_000, any_first=True),
    '"': _Kind(re.compile('"'), 4_000),
    "\u201c": _Kind(re.compile("\u201d"), 4_000),
    "\u201e": _Kind(re.compile("[\u201c\u201d]"), 4_000),
    "\u00ab": _Kind(re.compile("\u00bb"), 4_000),
    "'": _Kind(re.compile("['\u2019](?!\\w)"), 300, in_line=True, any_first=True),
}
_KINDS["\u2018"] = _KINDS["'"]
_OPENING = re.compile("```|[\"\u201c\u201e\u00ab]|(?<!\\w)['\u2018]|^[ \\t]*>", re.MULTILINE)


def unquoted(text: str) -> str:
    """Return a text without its long quotations."""
    return divided(text)[0]


def divided(text: str) -> tuple[str, list[str]]:
    """Return a text without its long quotations, and its long quotations in quotation marks."""
    closings = {mark: Ahead(kind.closing, text) for mark, kind in _KINDS.items()}
    lines = Ahead(re.compile("\n"), text)
    out: list[str] = []
    quoted: list[str] = []
    done, opening = 0, _OPENING.search(text)
    while opening is not None:
        start, inside = opening.span()
        kind = _KINDS.get(opening[0])
        if kind is None:
            # A line that is marked as quoted.
            end, size = lines.after(inside)[0], 0
        else:
            closing, end = closings[opening[0]].after(inside + kind.any_first)
            size = closing - inside
            if not 0 < size <= kind.most or (kind.in_line and lines.after(inside)[0] < closing):
                opening = _OPENING.search(text, start + 1)
                continue
        if kind is None or len(text[start:end].split()) >= MIN_WORDS:
            out += (text[done:start], " . ")
            if kind is not None:
                quoted.append(text[inside : inside + size])
            done = end
        opening = _OPENING.search(text, end)
    return "".join((*out, text[done:])), quoted
