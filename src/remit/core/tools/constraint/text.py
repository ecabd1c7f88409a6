# SPDX-License-Identifier: Apache-2.0
"""Constraints on literal values and strings: `exact`, `one_of`, `pattern`.

A value that fits exactly is permitted. A value that differs only in what an upstream may ignore (case, width,
blanks around it, invisible characters) is undecidable rather than different, so that neither the constraint
nor its negation permits it. Letters of other scripts that merely look similar are different letters: prefer a
list of permitted values over `not`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import re2

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.tools.constraint.base import (
    MAX_TEXT,
    NO,
    UNDECIDABLE,
    YES,
    Constraint,
    Verdict,
    is_number,
    listed,
    plain,
    same,
    shown,
    text,
    type_name,
)

MAX_PATTERN: Final = 1024
"""The longest regular expression, in code points."""
MAX_PROGRAM: Final = 2500
"""The largest program of a pattern, in RE2 instructions; the worst-case time is program times text."""
_PROGRAM_BYTES: Final = 1 << 20

# Letters and marks that are invisible (Unicode's Default_Ignorable_Code_Point beyond category Cf, which
# `str.isprintable` already refuses) and the Braille blank.
_BLANK: Final = re2.compile(
    r"[\x{34F}\x{115F}\x{1160}\x{17B4}\x{17B5}\x{180B}-\x{180F}\x{2800}\x{3164}\x{FE00}-\x{FE0F}\x{FFA0}"
    r"\x{1BCA0}-\x{1BCA3}\x{1D173}-\x{1D17A}\x{E0000}-\x{E0FFF}]"
)


def hidden(value: str) -> str:
    """Describe a hidden character in a string; empty where there is none."""
    if value.isprintable():
        if value.isascii():
            return ""
        if _BLANK.search(value) is not None:
            return "contains an invisible character"
        if not unicodedata.is_normalized("NFKC", value):
            return "is not in Unicode normal form NFKC"
        return ""
    return "contains a control character" if value.isascii() else "contains a control or invisible character"


def folded(value: str) -> str:
    """Return a string without differences in case, width and surrounding blanks."""
    if value.isascii():
        return value.lower().strip()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold()).strip()


def _differs(value: str, expected: Collection[str]) -> Verdict:
    """Distinguish a different string (`NO`) from a look-alike of an expected one (`UNDECIDABLE`).

    The expected strings are given `folded`.
    """
    if len(value) > MAX_TEXT or hidden(value):
        return UNDECIDABLE
    return UNDECIDABLE if folded(value) in expected else NO


def why_text(value: Json) -> str:
    """Explain why a value is not a string that can be read; empty where it is one."""
    if type(value) is not str:
        return f"is of type {type_name(value)}, not string"
    if len(value) > MAX_TEXT:
        return f"is longer than {MAX_TEXT} characters"
    return hidden(value)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Exact(Constraint):
    """The value is this one, type included; `1`, `true` and `"1"` differ, 1 and 1.0 are one JSON number."""

    value: Json
    kind: ClassVar[str] = "exact"

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", plain(self.value))

    def judge(self, value: Json) -> Verdict:
        """Judge by strict equality."""
        if same(value, self.value):
            return YES
        if type(value) is str and type(self.value) is str:
            return _differs(value, (folded(self.value),))
        return NO if is_number(value) and is_number(self.value) else UNDECIDABLE

    def why(self, value: Json) -> str:
        """Name a difference of type or of invisible characters."""
        if type_name(value) != type_name(self.value):
            return f"is of type {type_name(value)}, not {type_name(self.value)}"
        return why_text(value) if type(value) is str else ""

    def argument(self) -> Json:
        """Return the one value."""
        return self.value

    def describe(self) -> str:
        """Name the value."""
        return f"be `{shown(self.value)}`"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OneOf(Constraint):
    """The value is one of these, compared as `exact` does."""

    values: Sequence[Json]
    kind: ClassVar[str] = "one_of"
    _strings: frozenset[str] = field(init=False)
    _folded: frozenset[str] = field(init=False)
    _others: tuple[Json, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.values, list | tuple) or not self.values:
            raise ConfigInvalid("must be a list of at least one value", remediation="write it as `[a, b]`")
        values = tuple(plain(item) for item in self.values)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "_strings", frozenset(item for item in values if type(item) is str))
        # Computed once for all judged values: the list may be long, and so may an array of values.
        object.__setattr__(self, "_folded", frozenset(map(folded, self._strings)))
        object.__setattr__(self, "_others", tuple(item for item in values if type(item) is not str))

    def judge(self, value: Json) -> Verdict:
        """Judge by membership; a type that is absent from the list is undecidable."""
        if type(value) is str:
            if value in self._strings:
                return YES
            return _differs(value, self._folded) if self._strings else UNDECIDABLE
        if any(same(value, item) for item in self._others):
            return YES
        return NO if is_number(value) and any(is_number(item) for item in self._others) else UNDECIDABLE

    def why(self, value: Json) -> str:
        """Name invisible characters."""
        return why_text(value) if type(value) is str else ""

    def argument(self) -> Json:
        """Return the list."""
        return list(self.values)

    def describe(self) -> str:
        """Name the first of the values."""
        return f"be one of {listed(self.values)}"


def compile_pattern(pattern: str) -> Any:
    """Compile a regular expression in RE2's syntax: linear time, no look-around, no back-references.

    Raises `ConfigInvalid` for one that RE2 does not accept or whose program is too large.
    """
    options = re2.Options()
    options.never_capture = True
    options.log_errors = False
    options.max_mem = _PROGRAM_BYTES
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        detail = error.args[0] if error.args else b""
        words = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
        raise ConfigInvalid(
            f"is not a usable pattern: {words}",
            remediation="use RE2 syntax (no look-around, no back-references)",
        ) from None
    if compiled.programsize > MAX_PROGRAM:
        raise ConfigInvalid(
            "is too large a pattern", remediation="use smaller repetitions, or `length` beside a pattern"
        )
    return compiled


# A flag group that names the flag; a false alarm only makes the constraint stricter.
_IGNORES_CASE: Final = re2.compile(r"\(\?[imsU-]*i")
_CROSSES_LINES: Final = re2.compile(r"\(\?[imsU-]*s")
_LINE_BREAKS: Final = str.maketrans("", "", "\t\n\r")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Pattern(Constraint):
    r"""The whole string matches a regular expression (RE2 syntax, linear time), as if between `\A` and `\z`.

    Strings of more than 16,384 characters are undecidable. With the flag `i` only ASCII values are decidable,
    because RE2 treats U+212A as a `k` and U+017F as an `s`. A value that does not match is undecidable, not
    different, if it holds invisible characters (or line breaks where `.` does not match them), so that `not:
    {pattern: ...}` refuses it.
    """

    pattern: str
    kind: ClassVar[str] = "pattern"
    _compiled: Any = field(init=False)
    _ascii: bool = field(init=False)
    _lines: bool = field(init=False)

    def __post_init__(self) -> None:
        if len(text(self.pattern)) > MAX_PATTERN:
            raise ConfigInvalid(
                f"is longer than {MAX_PATTERN} characters", remediation="write several under `any`"
            )
        object.__setattr__(self, "_compiled", compile_pattern(self.pattern))
        object.__setattr__(self, "_ascii", _IGNORES_CASE.search(self.pattern) is not None)
        object.__setattr__(self, "_lines", _CROSSES_LINES.search(self.pattern) is not None)

    def judge(self, value: Json) -> Verdict:
        """Judge by a match of the whole string."""
        if type(value) is not str or len(value) > MAX_TEXT or (self._ascii and not value.isascii()):
            return UNDECIDABLE
        try:
            # Bytes, so that the binding need not map offsets back to code points.
            matched = self._compiled.fullmatch(value.encode()) is not None
        except UnicodeEncodeError:
            return UNDECIDABLE
        if matched:
            return YES
        return UNDECIDABLE if hidden(value.translate(_LINE_BREAKS) if self._lines else value) else NO

    def why(self, value: Json) -> str:
        """Name a wrong type, a length or invisible characters."""
        if type(value) is str and self._ascii and not value.isascii():
            return "contains characters beyond ASCII, which a pattern that ignores case does not decide"
        return why_text(value)

    def argument(self) -> Json:
        """Return the expression."""
        return self.pattern

    def describe(self) -> str:
        """Quote the expression."""
        return f"match `{shown(self.pattern)}` completely"
