# SPDX-License-Identifier: Apache-2.0
"""The base of all argument constraints: a pure judgement of one JSON value, with three answers.

Only `YES` permits. `NO` means that the constraint understood the value, and the value does not fit.
`UNDECIDABLE` means that the constraint does not apply to this value: wrong type, not in normal form, a
look-alike, a kind that this version does not know. `not` turns `NO` into `YES` and keeps `UNDECIDABLE`, so
that no value passes a negation without having been understood.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from remit.core.canonical import MAX_SAFE_INTEGER, encode
from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json

MAX_DEPTH: Final = 32
"""Deepest nesting of constraints and of the JSON values inside them."""
MAX_TEXT: Final = 16_384
"""Longest string, in code points, that is matched or read for look-alikes; longer ones are undecidable."""
_SHOWN: Final = 80


class Verdict(enum.Enum):
    """A constraint's answer for a value."""

    YES = "yes"
    NO = "no"
    UNDECIDABLE = "undecidable"


YES = Verdict.YES
NO = Verdict.NO
UNDECIDABLE = Verdict.UNDECIDABLE


def conjunction(verdicts: Iterable[Verdict]) -> Verdict:
    """Join verdicts that must all be `YES`: `UNDECIDABLE` outweighs `NO`, which outweighs `YES`."""
    worst = YES
    for verdict in verdicts:
        if verdict is UNDECIDABLE:
            return UNDECIDABLE
        if verdict is NO:
            worst = NO
    return worst


class Constraint:
    """One condition on one argument of a call.

    INVARIANT: `judge` is total and pure: it never raises for a JSON value, and takes time linear in its size.
    Two constraints are equal when their canonical JSON is (RFC 8785), so `exact: 1` is not `exact: true`.
    """

    __slots__ = ()
    kind: ClassVar[str]
    may_be_absent: ClassVar[bool] = False

    def judge(self, value: Json) -> Verdict:
        """Judge a value that is present."""
        raise NotImplementedError

    def argument(self) -> Json:
        """Return the content of the written form, under the kind."""
        raise NotImplementedError

    def describe(self) -> str:
        """Return the words that follow "must", such as "be under `contracts/`"."""
        raise NotImplementedError

    def why(self, value: Json) -> str:
        """Explain why the value is not permitted, without repeating it; empty where `describe` suffices."""
        return ""

    def spec(self) -> dict[str, Json]:
        """Return the written form: a mapping of one key, as in a task file."""
        return {self.kind: self.argument()}

    def canonical(self) -> bytes:
        """Return the RFC 8785 bytes of the written form, the basis of equality, hashing and digests."""
        return encode(self.spec())

    def __eq__(self, other: object) -> bool:
        return self.canonical() == other.canonical() if isinstance(other, Constraint) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.canonical())

    def __repr__(self) -> str:
        return f"<{shown(self.spec())}>"


def type_name(value: Json) -> str:
    """Return JSON's own name for a value's type."""
    if value is None:
        return "null"
    if type(value) is bool:
        return "boolean"
    if type(value) in (int, float):
        return "number"
    if type(value) is str:
        return "string"
    if type(value) is list:
        return "array"
    return "object" if type(value) is dict else "not a JSON type"


def is_number(value: Json) -> bool:
    """Return whether the value is a finite JSON number; a boolean is not one."""
    return type(value) is int or (type(value) is float and math.isfinite(value))


def same(a: Json, b: Json) -> bool:
    """Return whether two JSON values are equal: types count, but 1 and 1.0 are the same number.

    The comparison descends no deeper than `b`, which is a constraint's own value and therefore shallow.
    """
    if type(b) is str or type(b) is bool:
        return type(a) is type(b) and bool(a == b)
    if is_number(b):
        return is_number(a) and bool(a == b)
    if type(b) is list:
        return type(a) is list and len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if type(b) is dict:
        return type(a) is dict and a.keys() == b.keys() and all(same(a[key], b[key]) for key in b)
    return a is None and b is None


def plain(value: Json, depth: int = 0) -> Json:
    """Return a copy of a JSON value with one form per number; raise `ConfigInvalid` for a value outside
    I-JSON.
    """
    if depth > MAX_DEPTH:
        raise ConfigInvalid("is nested too deeply", remediation=f"nest at most {MAX_DEPTH} levels")
    if value is None or type(value) is bool:
        return value
    if type(value) is str:
        return text(value)
    if type(value) is float and math.isfinite(value) and value.is_integer():
        value = int(value)
    if type(value) is int:
        if abs(value) > MAX_SAFE_INTEGER:
            raise ConfigInvalid("contains a number beyond 2^53 - 1", remediation="write it as a string")
        return value
    if type(value) is float and math.isfinite(value):
        return value
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {text(key): plain(item, depth + 1) for key, item in value.items()}
    raise ConfigInvalid(
        f"contains a value of type `{type(value).__name__}`", remediation="quote it to make it a string"
    )


def text(value: Json) -> str:
    """Return a well-formed string; raise `ConfigInvalid` for anything else."""
    if not isinstance(value, str):
        raise ConfigInvalid(f"must be a string, not {type_name(value)}", remediation="quote it")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigInvalid("contains a lone surrogate", remediation="write valid Unicode") from None
    return str(value)


def texts(value: Json) -> tuple[str, ...]:
    """Return a non-empty list of strings, sorted, each once; raise `ConfigInvalid` for anything else."""
    if not isinstance(value, list | tuple) or not value:
        raise ConfigInvalid("must be a list of at least one string", remediation="write it as `[a, b]`")
    return tuple(sorted({text(item) for item in value}))


def keys_of(value: Json, allowed: tuple[str, ...]) -> dict[str, Json]:
    """Return a mapping that has only the `allowed` keys; raise `ConfigInvalid` for anything else."""
    if not isinstance(value, dict):
        raise ConfigInvalid("must be a mapping", remediation=f"its keys: {', '.join(allowed) or 'none'}")
    for key in value:
        if key not in allowed:
            raise ConfigInvalid(
                f"unknown key `{key}`", remediation=f"known are: {', '.join(allowed) or 'none'}"
            )
    return value


def shown(value: Json) -> str:
    """Return a constraint's own value as short text for people."""
    raw = value if isinstance(value, str) else encode(value).decode()
    raw = "".join(ch if ch.isprintable() else "\N{REPLACEMENT CHARACTER}" for ch in raw[: _SHOWN + 1])
    return raw if len(raw) <= _SHOWN else raw[: _SHOWN - 3] + "..."


def listed(values: Sequence[Json]) -> str:
    """Return several values as short text: the first few, and their number."""
    first = ", ".join(f"`{shown(value)}`" for value in values[:6])
    return first if len(values) <= 6 else f"{first} and {len(values) - 6} more"
