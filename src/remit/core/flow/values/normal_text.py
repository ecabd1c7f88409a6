# SPDX-License-Identifier: Apache-2.0
"""Texts in the form for comparison: without differences of case, width, spacing and invisible characters."""

from __future__ import annotations

import re
import unicodedata

from remit.core.cooperative_steps import SLICE, Steps, finish, slices

# Default-ignorable and bidirectional marks, soft hyphen, joiners, variation selectors, tags: invisible to a
# reader, and dropped by most programs.
_IGNORED = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_ASCII = bytes(range(128))
#: Maps each ASCII byte to its form for comparison: lower case, and one kind of blank.
_SMALL = bytes(32 if chr(at).isspace() else ord(chr(at).lower()) for at in range(128)) + bytes(
    range(128, 256)
)
_LINE = 100
_ROW = 512
_ROWS = re.compile(rf"(?s).{{1,{_ROW}}}(?=\s|$)|.{{1,{_ROW}}}")


def plain(text: str) -> str:
    """Return a text without differences of case, width and spacing, and without invisible characters."""
    if len(text) > _LINE and text.isascii():
        # Most texts have no two consecutive blanks: then splitting into words is unnecessary.
        small = text.encode().translate(_SMALL)
        return small.strip().decode() if b"  " not in small else b" ".join(small.split()).decode()
    return " ".join(folded(text).split())


def folded(text: str) -> str:
    """Return a text with its spacing unchanged, and without differences of case, width and invisible
    characters.
    """
    if text.isascii():
        return text.lower()
    if len(text) > SLICE:
        return finish(folding(text))
    small = _small(_seen(text))
    # Folding can undo the normal form, and compatibility forms can contain ignored characters.
    return _composed(_seen(small))


def folding(text: str) -> Steps[str]:
    """Fold a text as `folded` does, in steps: one letter can become eighteen."""
    if text.isascii():
        return text.lower()
    for change in (_seen, _small, _seen, _composed):
        parts = []
        for part in _ROWS.findall(text) if change in (_small, _composed) else slices(text):
            parts.append(change(part))
            yield
        text = "".join(parts)
    return text


def _seen(text: str) -> str:
    """Return the visible characters of a text."""
    # Only the non-ASCII part is searched: it is short in most texts.
    beyond = text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass")
    return _IGNORED.sub("", text) if _IGNORED.search(beyond) else text


def _small(text: str) -> str:
    return _composed(text).casefold()


def _composed(text: str) -> str:
    """Return a text in NFKC.

    Sorting a row of marks on one letter takes quadratic time, so a long row is cut (Unicode Standard Annex
    15, section 13, gives 30 as the longest row that writing needs).
    """
    if len(text) <= _ROW:
        return unicodedata.normalize("NFKC", text)
    return "".join([unicodedata.normalize("NFKC", part) for part in _ROWS.findall(text)])


def size(text: str, most: int) -> int:
    """Return the approximate length of a text after folding; above `most`, some greater number."""
    if text.isascii():
        return len(text)
    count = 0
    for start in range(0, len(text), _ROW):
        count += len(_composed(text[start : start + _ROW]))
        if count > most:
            break
    return count


def classes(**members: str) -> bytes:
    """Return a table for `bytes.translate` that maps each member to its letter, and all else to a blank.

    The letter of a class is its keyword, without a leading `_`.
    """
    table = bytearray(b" " * 256)
    for letter, chars in members.items():
        for char in chars:
            table[ord(char)] = ord(letter.strip("_"))
    return bytes(table)
