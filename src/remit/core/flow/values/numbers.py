# SPDX-License-Identifier: Apache-2.0
"""Account and telephone numbers in normal form, in any notation.

Texts must be folded (`core.flow.values.normal_text`). For numbers inside a text, every reading is returned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from remit.core.cooperative_steps import STEP, Steps
from remit.core.flow.values.normal_text import classes

MIN_NUMBER = 7
"""Digits of the shortest telephone number."""
MIN_ACCOUNT = 15
MIN_ACCOUNT_DIGITS = 8
"""ISO 13616: the shortest account numbers have 15 characters; all have more digits than this."""

_IBAN = re.compile(r"[a-z]{2}[0-9]{2}(?:[ -]?[a-z0-9]){11,30}(?![a-z0-9])")
_PHONE = re.compile(r"(?:\+|00)?[0-9](?:[ ()./-]{0,2}[0-9]){6,16}")
# Begins with a digit, so that the search skips from digit to digit. Behind a plus sign, a mark may stand
# between blanks (`+49 151 / 2345678`); without one, this would make a number of `1000 - 2000`.
_PHONE_WITHIN = re.compile(
    r"[0-9](?<![a-z0-9][0-9])"
    r"(?:(?<=\+[0-9])(?:[ ()./-]{0,3}[0-9]){6,16}|(?:[ ()./-]{0,2}[0-9]){6,16})(?![a-z0-9])"
)
# Dates, host addresses and amounts.
_NO_PHONE = re.compile(
    r"[12][0-9]{3}[-./][0-9]{2}[-./][0-9]{2}"
    r"|[0-9]{1,2}[-./][0-9]{1,2}[-./][12][0-9]{3}$"
    r"|(?:[0-9]{1,3}\.){3}[0-9]{1,3}$"
    r"|[0-9]{1,12}\.[0-9]{1,6}$"
)
_ROW = b"x" * MIN_NUMBER
_PHONE_MARKS = b" ()./-"
_MOST_DIGITS = 17
#: Maps parentheses to blanks, and leaves other bytes unchanged.
_BETWEEN_DIGITS = bytes(32 if one in b"()" else one for one in range(256))
_OF_PHONES = classes(x="0123456789 ()./-+")


def account_of(text: str) -> str:
    """Return the account number (ISO 13616) that a text is; empty where it is none."""
    if not _IBAN.fullmatch(text):
        return ""
    short = text.replace(" ", "").replace("-", "")
    return short if sum(map(str.isdecimal, short)) >= MIN_ACCOUNT_DIGITS else ""


def accounts_at(text: str) -> Iterator[str]:
    """Yield possible account numbers at the start of a text: no mark shows where the groups end."""
    account = _IBAN.match(text)
    if account is None:
        return
    short, digits = "", 0
    for group in account[0].replace("-", " ").split(" "):
        short += group
        digits += len(group) if group.isdecimal() else sum(map(str.isdecimal, group))
        if len(short) >= MIN_ACCOUNT and digits >= MIN_ACCOUNT_DIGITS:
            yield short


def phone_of(text: str) -> str:
    """Return the telephone number that a text is; empty where it is none."""
    return "" if not _PHONE.fullmatch(text) or _is_no_phone(text) else _marked(text)


def _is_no_phone(text: str) -> bool:
    # Each alternative contains one of these marks.
    return ("-" in text or "." in text or "/" in text) and _NO_PHONE.match(text) is not None


def _marked(text: str) -> str:
    """Return the digits of a number; empty for a bare row of digits, which may number something else."""
    return _of_digits(text, text.encode().translate(None, _PHONE_MARKS).decode())


def _of_digits(text: str, digits: str) -> str:
    """Return the same as `_marked`, for a text with these digits and plus sign."""
    if digits[:2] == "00":
        digits = "+" + digits[2:]
    elif len(digits) == len(text) and digits[0] != "+":
        return ""
    return digits if MIN_NUMBER <= len(digits) - (digits[0] == "+") <= 15 else ""


def phones_in(folded: str, raw: bytes, cut: bytes) -> Steps[list[str]]:
    """Return possible telephone numbers in the runs of digits and separators.

    `raw` is the text with one byte for each character; in `cut`, each digit is a `0`.
    """
    found: list[str] = []
    pause = STEP
    seen: set[str] = set()
    # From the character before the first digit to the last digit.
    base = max(0, cut.find(b"0") - 1)
    rows = raw[base : cut.rfind(b"0") + 1].translate(_OF_PHONES)
    after = rows.find(_ROW)
    while after >= 0:
        if after > pause:
            pause = after + STEP
            yield
        start, end = after, rows.find(b" ", after)
        end = len(rows) if end < 0 else end
        after = rows.find(_ROW, end)
        start, end = base + start, base + end
        # Most rows are dates and counts: so the code first tests the number of digits, then whether the row
        # is new.
        around = folded[max(0, start - 1) : end + 1]
        if cut.count(b"0", start, end) < MIN_NUMBER or around in seen:
            continue
        seen.add(around)
        run = folded[start:end].strip()
        if run.isdecimal() and not run.startswith("00"):
            # A bare row of digits does not show what it numbers.
            continue
        first, last = cut.find(b"0", start, end), cut.rfind(b"0", start, end) + 1
        if "  " not in around and _is_one(
            raw[first:last], folded[first - 1 : first], folded[last : last + 1]
        ):
            _read(folded[first:last], found, plus=folded[first - 1 : first] == "+")
            continue
        text = folded
        if "  " in around:
            text, first = " ".join(folded[max(0, first - 2) : end + 1].split()), 0
        for number in _PHONE_WITHIN.finditer(text, first, end + 1):
            at = number.start()
            if not _is_no_phone(number[0]):
                _read(number[0], found, plus=at > 0 and text[at - 1] == "+")
            if at > first + STEP:
                first = at
                yield
    return found


def international(text: str) -> list[str]:
    """Return the possible telephone numbers in a text that is one, with a plus sign and blanks."""
    found: list[str] = []
    _read(text[1:], found, plus=True)
    return found


def _is_one(row: bytes, before: str, after: str) -> bool:
    """Return whether a run, from its first digit to its last one, is exactly one number.

    INVARIANT: `_PHONE_WITHIN` and `_NO_PHONE` yield the same result; this test is only faster.
    """
    marks = row.translate(None, b"0123456789")
    return (
        MIN_NUMBER <= len(row) - len(marks) <= _MOST_DIGITS
        and not marks.translate(None, b" ()")
        and b"   " not in row.translate(_BETWEEN_DIGITS)
        and not before.isalnum()
        and not after.isalnum()
    )


def _read(text: str, found: list[str], *, plus: bool) -> None:
    """Add the readings of a possible number in a text; `plus` means that a plus sign precedes it."""
    digits = text.encode().translate(None, _PHONE_MARKS).decode()
    if known := _of_digits("+" + text, "+" + digits) if plus else _of_digits(text, digits):
        found.append(known)
    # A number before it, as in "24/7", does not belong to it.
    for _ in range(2):
        before, _, text = text.partition(" ")
        if len(text) < MIN_NUMBER:
            return
        digits = digits[len(before) if before.isdecimal() else sum(map(str.isdecimal, before)) :]
        # The rest has the form of a number if it begins like one and is long enough.
        if text[0].isdecimal() and not _is_no_phone(text) and (known := _of_digits(text, digits)):
            found.append(known)
