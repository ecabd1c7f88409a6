# SPDX-License-Identifier: Apache-2.0
"""How texts name withheld fields, and repeat withheld values.

Both are found in each spelling that a reader sees through: case, width, invisible characters, HTML
references, percent signs, and Unicode escapes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator
from urllib.parse import unquote

from remit.core.flow.values.normal_text import folded

#: A value shorter than this is found as a word only.
_ALONE = 5
_MAX_GROUPED = 64
#: A value of letters and digits that people write in groups: a card, an account, a telephone number.
_GROUPED = re.compile(r"[+(]?[0-9A-Za-z]+(?:[ ().,/_'+\u2019-]{1,2}[0-9A-Za-z]+)*[)]?")
_BETWEEN = r"[\s().,/_'+\u2019-]{0,2}"
_DECIMAL = re.compile(r"[+-]?(?P<whole>[0-9]+)(?:\.(?P<part>[0-9]*))?")
_ESCAPE = re.compile(r"\\{1,8}u([0-9a-fA-F]{4})")


def spells(text: str, pattern: re.Pattern[str]) -> bool:
    """Return whether a text matches in one of its readings."""
    return any(map(pattern.search, _readings(text)))


def _readings(text: str) -> Iterator[str]:
    yield text
    if not text.isascii():
        yield folded(text)
    if "&" in text or "%" in text or "\\u" in text:
        yield folded(unquote(html.unescape(_ESCAPE.sub(lambda one: chr(int(one[1], 16)), text))))


def naming(names: Collection[str], *, prose: bool = False) -> re.Pattern[str] | None:
    """Return the expression that finds names as a structure inside a text writes them; in `prose`, as words.

    A structure writes a name in quotation marks, as a tag, before a sign of assignment, or as a cell of a
    table.
    """
    if not names:
        return None
    words = "|".join("[ _-]?".join(map(re.escape, name)) for name in sorted(names))
    if prose:
        return re.compile(rf"(?i:(?<![^\W_])(?:{words})(?![^\W_]))")
    quote = r"[\"'`\\]{1,8}"
    return re.compile(
        rf"(?i:{quote}(?:{words}){quote}|</?(?:\w{{1,80}}:)?(?:{words})[\s>/]"
        rf"|(?<![^\W_])(?:{words})(?![^\W_])[\])}}>*`\"'\\]{{0,8}}\s{{0,8}}(?:[:=|\t]|->)"
        rf"|(?:^|[,;\t])[ ]{{0,8}}(?:{words})[ ]{{0,8}}(?:[;\t]|,[^\n]{{0,200}}\n|\n))",
        re.MULTILINE,
    )


def repeating(values: Collection[str]) -> re.Pattern[str] | None:
    """Return the expression that finds values, also in groups of digits and letters."""
    if not values:
        return None
    parts = [_form(one) for one in sorted(values, key=len, reverse=True)]
    return re.compile("|".join(parts), re.IGNORECASE)


def _form(value: str) -> str:
    number = _DECIMAL.fullmatch(value)
    if number is not None:
        rest = (number["part"] or "").rstrip("0")
        after = rf"[.,]{rest}" if rest else ""
        whole = number["whole"]
        if len(whole) >= _ALONE:
            return _BETWEEN.join(whole) + after
        return rf"(?<![0-9]){whole}{after}(?![0-9])"
    signs = re.sub(r"[^0-9A-Za-z]", "", value)
    if _ALONE < len(signs) <= _MAX_GROUPED and _GROUPED.fullmatch(value):
        return _BETWEEN.join(signs)
    if len(value) < _ALONE:
        return rf"(?<!\w){re.escape(value)}(?!\w)"
    return r"\s*".join(map(re.escape, value.split()))
