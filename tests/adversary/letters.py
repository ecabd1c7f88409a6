# SPDX-License-Identifier: Apache-2.0
"""Classes of characters that a comparison may take for one another: found by asking remit's own normal form,
and what Unicode says of each character. No list of tricks: what a new version overlooks, the search
overlooks too.
"""

from __future__ import annotations

import functools
import unicodedata
from collections import defaultdict

from remit.core.spelling import folded

_LAST = 0x1FFFF


@functools.cache
def alike() -> dict[str, tuple[str, ...]]:
    """Give, for each short text, the characters that are folded to it, and those that Unicode says are it."""
    found: dict[str, list[str]] = defaultdict(list)
    for code in range(0x80, _LAST):
        if 0xD800 <= code < 0xE000 or not (letter := chr(code)).isprintable():
            continue
        for same in {folded(letter), unicodedata.normalize("NFKC", letter), letter.casefold()}:
            if same != letter and 0 < len(same) <= 3:
                found[same].append(letter)
    return {same: tuple(letters) for same, letters in found.items()}


@functools.cache
def unseen() -> tuple[str, ...]:
    """Give the characters that are folded away, and those that show nothing."""
    out = []
    for code in range(0x7F, _LAST):
        if 0xD800 <= code < 0xE000:
            continue
        letter = chr(code)
        if unicodedata.category(letter) in ("Cf", "Cc", "Zs") or not folded(letter):
            out.append(letter)
    return tuple(out)


def looks(text: str) -> list[tuple[int, int, str]]:
    """Give what may stand in place of a part of a text: where, how long, and what."""
    table = alike()
    out: list[tuple[int, int, str]] = []
    for at in range(len(text)):
        for length in (1, 2, 3):
            part = text[at : at + length]
            if len(part) == length and part in table:
                out.append((at, length, part))
    return out
