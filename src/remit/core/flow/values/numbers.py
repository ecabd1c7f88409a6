# SPDX-License-Identifier: Apache-2.0
"""Account and telephone numbers in their normal form, however they are written.

Texts are folded ones (`core.flow.values.normal_text`). Of those that stand within a text, every reading is
given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from remit.core.cooperative_steps import STEP, Steps
from remit.core.flow.values.normal_text import classes

MIN_NUMBER = 7
"""Characters of the shortest telephone number, all of them digits."""
MIN_ACCOUNT = 15
MIN_ACCOUNT_DIGITS = 8
"""ISO 13616: the shortest account numbers have 15 characters; none has so few digits."""

_IBAN = re.compile(r"[a-z]{2}[0-9]{2}(?:[ -]?[a-z0-9]){11,30}(?![a-z0-9])")
_PHONE = re.compile(r"(?:\+|00)?[0-9](?:[ ()./-]{0,2}[0-9]){6,16}")
# Starts with a digit, so that the search goes from digit to digit.
_PHONE_WITHIN = re.compile(r"[0-9](?<![a-z0-9][0-9])(?:[ ()./-]{0,2}[0-9]){6,16}(?![a-z0-9])")
# Dates, addresses of hosts and amounts.
_NO_PHONE = re.compile(
    r"[12][0-9]{3}[-./][0-9]{2}[-./][0-9]{2}"
    r"|[0-9]{1,2}[-./][0-9]{1,2}[-./][12][0-9]{3}$"
    r"|(?:[0-9]{1,3}\.){3}[0-9]{1,3}$"
    r"|[0-9]{1,12}\.[0-9]{1,6}$"
)
_ROW = b"x" * MIN_NUMBER
_PHONE_MARKS = b" ()./-"
_MOST_DIGITS = 17
#: Parentheses are blanks, and the rest itself.
_BETWEEN_DIGITS = bytes(32 if one in b"()" else one for one in range(256))
_OF_PHONES = classes(x="0123456789 ()./-+")


def account_of(text: str) -> str:
    """Return the account number (ISO 13616) that a text is; empty where it is none."""
    if not _IBAN.fullmatch(text):
        return ""
    short = text.replace(" ", "").replace("-", "")
    return short if sum(map(str.isdecimal, short)) >= MIN_ACCOUNT_DIGITS else ""


def accounts_at(text: str) -> Iterator[str]:
    """Yield what may be an account number at the start of a text: where its groups end, no mark says."""
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
    # Each of them has one of these marks.
    return ("-" in text or "." in text or "/" in text) and _NO_PHONE.match(text) is not None


def _marked(text: str) -> str:
    """Return the digits of a number. A bare row of them is a number of something else just as well."""
    return _of_digits(text, text.encode().translate(None, _PHONE_MARKS).decode())


def _of_digits(text: str, digits: str) -> str:
    """Return what `_marked` gives of a text that has these digits, and the plus sign."""
    if digits[:2] == "00":
        digits = "+" + digits[2:]
    elif len(digits) == len(text) and digits[0] != "+":
        return ""
    return digits if MIN_NUMBER <= len(digits) - (digits[0] == "+") <= 15 else ""


def phones_in(folded: str, raw: bytes, cut: bytes) -> Steps[list[str]]:
    """Return what may be telephone numbers, in the runs of digits and of what stands between digits. `raw` is
    the text with a byte for each character, and in `cut` each digit is a `0`.
    """
    found: list[str] = []
    pause = STEP
    seen: set[str] = set()
    # From the first digit, with what stands before it, to the last one.
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
        # As most rows are dates and counts: first whether there are digits enough, then whether it is new.
        around = folded[max(0, start - 1) : end + 1]
        if cut.count(b"0", start, end) < MIN_NUMBER or around in seen:
            continue
        seen.add(around)
        run = folded[start:end].strip()
        if run.isdecimal() and not run.startswith("00"):
            # A row of digits says nothing of what it numbers.
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


def _is_one(row: bytes, before: str, after: str) -> bool:
    """Whether what stands from the first digit of a run to its last one is found as one number, and is one.

    INVARIANT: so `_PHONE_WITHIN` and `_NO_PHONE` would say, too; this only says it faster.
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
    """Add the readings of what may be a number in a text; `plus` where this mark stands before it."""
    digits = text.encode().translate(None, _PHONE_MARKS).decode()
    if known := _of_digits("+" + text, "+" + digits) if plus else _of_digits(text, digits):
        found.append(known)
    # A number before it, as in "24/7", is not a part of it.
    for _ in range(2):
        before, _, text = text.partition(" ")
        if len(text) < MIN_NUMBER:
            return
        digits = digits[len(before) if before.isdecimal() else sum(map(str.isdecimal, before)) :]
        # What is left has the form of a number, if it begins like one and is long enough.
        if text[0].isdecimal() and not _is_no_phone(text) and (known := _of_digits(text, digits)):
            found.append(known)
