# SPDX-License-Identifier: Apache-2.0
"""Texts as they are compared: without what case, width, spacing and invisible characters make different."""

from __future__ import annotations

import re
import unicodedata

from remit.core.cooperative_steps import SLICE, Steps, finish, slices

# Default-ignorable and bidirectional marks, soft hyphen, joiners, variation selectors, tags: nothing that a
# reader sees, and nothing that most programs keep.
_IGNORED = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_ASCII = bytes(range(128))
#: Each byte of ASCII as it is compared: small letters, and one kind of blank.
_SMALL = bytes(32 if chr(at).isspace() else ord(chr(at).lower()) for at in range(128)) + bytes(
    range(128, 256)
)
_LINE = 100
_ROW = 512
_ROWS = re.compile(rf"(?s).{{1,{_ROW}}}(?=\s|$)|.{{1,{_ROW}}}")


def plain(text: str) -> str:
    """Return what is left of a text when case, width, spacing and what nobody sees are overlooked."""
    if len(text) > _LINE and text.isascii():
        # Most texts have no two blanks in a row: then no words need to be taken apart and put together.
        small = text.encode().translate(_SMALL)
        return small.strip().decode() if b"  " not in small else b" ".join(small.split()).decode()
    return " ".join(folded(text).split())


def folded(text: str) -> str:
    """Return a text with its spacing as it is, and everything else overlooked."""
    if text.isascii():
        return text.lower()
    if len(text) > SLICE:
        return finish(folding(text))
    small = _small(_seen(text))
    # Folding can undo the normal form, and compatibility forms can hold what is ignored.
    return _composed(_seen(small))


def folding(text: str) -> Steps[str]:
    """Fold a text in steps, as `folded` does at once: one letter can become eighteen."""
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
    """Return what can be seen of a text."""
    # What is searched is what is left of it without ASCII: most texts have little beyond that.
    beyond = text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass")
    return _IGNORED.sub("", text) if _IGNORED.search(beyond) else text


def _small(text: str) -> str:
    return _composed(text).casefold()


def _composed(text: str) -> str:
    """Return a text in NFKC. A row of marks on one letter is sorted in quadratic time, so it is cut somewhere
    (Unicode Standard Annex 15, section 13, has 30 as the longest that writing needs).
    """
    if len(text) <= _ROW:
        return unicodedata.normalize("NFKC", text)
    return "".join([unicodedata.normalize("NFKC", part) for part in _ROWS.findall(text)])


def size(text: str, most: int) -> int:
    """Return about how many characters a text has once it is folded; of one that has more than `most`,
    more.
    """
    if text.isascii():
        return len(text)
    count = 0
    for start in range(0, len(text), _ROW):
        count += len(_composed(text[start : start + _ROW]))
        if count > most:
            break
    return count


def classes(**members: str) -> bytes:
    """Return a table for `bytes.translate` that puts a letter (or what follows `_`) in place of each of its
    members, and a blank in place of the rest.
    """
    table = bytearray(b" " * 256)
    for letter, chars in members.items():
        for char in chars:
            table[ord(char)] = ord(letter.strip("_"))
    return bytes(table)
