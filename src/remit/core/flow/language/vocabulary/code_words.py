# SPDX-License-Identifier: Apache-2.0
"""One-time codes in a text: which of its words are codes, and which codes a text holds in any spelling.

A code is a short word with digits (`408153`, `55-2081`, `930 466`, `QX7-41Z9`) near a word such as `code` or
`PIN`.
Its normal form has neither case nor separators.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from remit.core.flow.values.normal_text import folded

MAX_CODE = 12
"""Most letters and digits of a code."""
MIN_DIGITS, MIN_MIXED = 4, 6
"""Least digits of a code of digits; least letters and digits of another code, of which half are digits."""
MAX_MIXED = 64
"""Longest word inside of which a code of letters and digits is looked for."""
MAX_GROUPS = 4
"""Most groups of digits in which a code is written."""
NEAR = 12
"""Most words between a code and the word for it."""
MAX_MESSAGE = 16_384
"""Most characters of a message's text in which codes are looked for."""
_NAMES = re.compile(r"[^\W\d_]*(?:code|kode|codigo|código|codice|kennzahl)s?|pin|m?tan|otp")
_NO_NAMES = frozenset(
    ["postcode", "postcodes", "zipcode", "zipcodes", "barcode", "barcodes", "encode", "decode"]
)
#: Words whose number is no code: `order 51990`.
_NUMBERED = frozenset(
    [
        "order",
        "invoice",
        "ticket",
        "case",
        "customer",
        "account",
        "ending",
        "no",
        "nr",
        "number",
        "ref",
        "reference",
        "bestellung",
        "rechnung",
        "kunde",
        "nummer",
        "commande",
        "facture",
        "pedido",
        "factura",
        "eur",
        "usd",
        "gbp",
        "chf",
        "€",
        "$",
        "£",
    ]
)
_CODE = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_DATE = re.compile(r"(?:19|20)[0-9]{2}(?:-?[0-9]{2}){0,2}|[0-9]{1,2}-[0-9]{1,2}-(?:19|20)[0-9]{2}")
_EDGES = ".,;!?()[]<>{}\"'*#`\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"
_ALONE = re.compile(r"[^\W_]+(?:[ -][^\W_]+)*")
_PARTS = re.compile(r"[^\W_]+")
_DIGITS = re.compile(r"[0-9]+")


def names_code(word: str) -> bool:
    """Return whether a folded word denotes a code."""
    return _NAMES.fullmatch(word) is not None and word not in _NO_NAMES


def code_of(text: str) -> str:
    """Return the normal form of a text that is written like one code; empty for any other text."""
    if len(text) > 4 * MAX_CODE or not _ALONE.fullmatch(bare := folded(text).strip()):
        return ""
    found = "".join(_PARTS.findall(bare))
    return found if len(found) <= MAX_CODE and any(map(str.isdigit, found)) else ""


def only_code(text: str) -> str:
    """Return the normal form of a text that consists of one possible code; empty for any other text."""
    found = code_of(text)
    return found if found and next(_possible(folded(text).split()), ("", 0))[0] == found else ""


def codes_in(text: str) -> set[str]:
    """Return the normal forms of the codes that a message tells."""
    words = folded(text[:MAX_MESSAGE].replace(":", ": ").replace("=", "= ")).split()
    named = [at for at, word in enumerate(words) if names_code(word.strip(_EDGES + ":="))]
    if not named:
        return set()
    return {found for found, at in _possible(words) if any(abs(at - one) <= NEAR for one in named)}


def _possible(words: list[str]) -> Iterator[tuple[str, int]]:
    """Yield the normal form of each word that may be a code, with its place; groups of digits, too."""
    bare = ["" if one.endswith(":") else one.strip(_EDGES) for one in words]
    for at, word in enumerate(bare):
        if at and words[at - 1].strip(_EDGES + ":.") in _NUMBERED:
            continue
        if _CODE.fullmatch(word) and not _DATE.fullmatch(word) and _is_long(found := word.replace("-", "")):
            yield found, at
    for at in range(len(bare)):
        # `930 466`
        joined = ""
        for one in bare[at : at + MAX_GROUPS]:
            if not one.isdecimal() or len(joined := joined + one) > MAX_CODE:
                break
            if len(joined) > len(one) and len(joined) >= MIN_MIXED:
                yield joined, at


def _is_long(found: str) -> bool:
    digits = sum(map(str.isdecimal, found))
    if len(found) > MAX_CODE:
        return False
    return (
        digits >= MIN_DIGITS if digits == len(found) else len(found) >= MIN_MIXED and 2 * digits >= len(found)
    )


def in_digits(text: str) -> str:
    """Return a text with the digits of other scripts as plain digits."""
    if text.isascii():
        return text
    return "".join(
        str(digit) if (digit := unicodedata.decimal(one, None)) is not None else one for one in text
    )


def spellings_in(text: str) -> Iterator[str]:
    """Yield the normal form of everything in a folded text that can be a code, in one word or in several.

    Also yields the digits inside longer words, and parts of long numbers.
    """
    parts = _PARTS.findall(text)
    for at, part in enumerate(parts):
        joined = ""
        for other in parts[at : at + MAX_CODE]:
            joined += other
            if len(joined) > MAX_CODE:
                break
            if len(joined) >= MIN_DIGITS and _DIGITS.search(joined):
                yield joined
        if part.isdecimal() and len(part) <= MIN_DIGITS:
            continue
        if MAX_CODE < len(part) <= MAX_MIXED or (not part.isdecimal() and MIN_MIXED < len(part) <= MAX_CODE):
            for length in range(MIN_MIXED, MAX_CODE + 1):
                for start in range(len(part) - length + 1):
                    yield part[start : start + length]
        for run in _DIGITS.findall(part):
            if len(run) >= MIN_DIGITS:
                yield run[: MAX_CODE + 1]
            for length in range(MIN_MIXED, min(len(run), MAX_CODE + 1)):
                for start in range(len(run) - length + 1):
                    yield run[start : start + length]
