# SPDX-License-Identifier: Apache-2.0
"""Parsing of constraints from the written form, which is a mapping of one key, the kind, in every file and
record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.tools.constraint.address import EmailDomain, UrlHost
from remit.core.tools.constraint.base import MAX_DEPTH, Constraint, keys_of, text
from remit.core.tools.constraint.composed import (
    AllOf,
    AnyOf,
    Anything,
    Not,
    NotUnderstood,
    OptionalArgument,
)
from remit.core.tools.constraint.path import Glob, PathUnder
from remit.core.tools.constraint.prefix import Prefix
from remit.core.tools.constraint.structure import Each, Fields, Length, Range
from remit.core.tools.constraint.text import Exact, OneOf, Pattern

MAX_PARTS: Final = 200
"""Most parts of one constraint."""


def _anything(argument: Json) -> Constraint:
    keys_of(argument, ())
    return Anything()


SIMPLE: Final[dict[str, Callable[[Json], Constraint]]] = {
    "exact": Exact,
    "one_of": OneOf,
    "prefix": Prefix,
    "path_under": PathUnder,
    "glob": Glob,
    "pattern": Pattern,
    "range": Range,
    "length": Length,
    "email_domain": EmailDomain,
    "url_host": UrlHost.read,
    "anything": _anything,
}
COMPOSED: Final = ("each", "fields", "all", "any", "not", "optional")
KINDS: Final = (*SIMPLE, *COMPOSED)


def load(spec: Json, key: str = "") -> Constraint:
    """Parse a constraint that a person wrote; raise `ConfigInvalid` with the key for an unknown one."""
    return _Reading(strict=True).read(spec, key, top=True)


def decode(spec: Json) -> Constraint:
    """Parse a constraint from a token or the store; an unknown one becomes `NotUnderstood`."""
    return _Reading(strict=False).read(spec, "", top=True)


class _Reading:
    """The parser of one constraint, with its running counts."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self.parts = 0

    def read(self, spec: Json, key: str, *, top: bool = False, depth: int = 0) -> Constraint:
        """Parse one constraint; `top` is true where an argument or field may be absent."""
        try:
            return self._read(spec, key, top, depth)
        except ConfigInvalid as fault:
            if not self.strict:
                return NotUnderstood(spec)
            if fault.key:
                raise
            if isinstance(spec, dict) and len(spec) == 1:
                key = f"{key}.{next(iter(spec))}" if key else str(next(iter(spec)))
            raise ConfigInvalid(fault.message, key=key, remediation=fault.remediation) from None

    def _read(self, spec: Json, key: str, top: bool, depth: int) -> Constraint:
        self.parts += 1
        if depth > MAX_DEPTH or self.parts > MAX_PARTS:
            raise ConfigInvalid(
                "is too large", remediation=f"nest at most {MAX_DEPTH} deep, {MAX_PARTS} in all"
            )
        if not isinstance(spec, dict) or len(spec) != 1:
            raise ConfigInvalid(
                "is not a constraint", remediation="write a mapping of one key, such as `exact: value`"
            )
        ((kind, argument),) = spec.items()
        key = f"{key}.{kind}" if key else str(kind)
        if kind in SIMPLE:
            return SIMPLE[kind](argument)
        if kind == "optional" and not top:
            raise ConfigInvalid(
                "`optional` has no meaning here", remediation="put it directly under an argument or field"
            )
        if kind in ("not", "each", "optional"):
            before = self.parts
            part = self.read(argument, key, depth=depth + 1)
            if kind == "each":
                return Each(part, self.parts - before)
            return Not(part) if kind == "not" else OptionalArgument(part)
        if kind in ("all", "any"):
            if not isinstance(argument, list | tuple):
                raise ConfigInvalid(
                    f"`{kind}` must be a list of constraints", remediation="write one per line, with `-`"
                )
            parts = tuple(self.read(part, f"{key}[{i}]", depth=depth + 1) for i, part in enumerate(argument))
            return AllOf(parts) if kind == "all" else AnyOf(parts)
        if kind == "fields":
            if not isinstance(argument, dict):
                raise ConfigInvalid(
                    "`fields` must be a mapping", remediation="give each field its constraint"
                )
            return Fields(
                {text(n): self.read(c, f"{key}.{n}", top=True, depth=depth + 1) for n, c in argument.items()}
            )
        raise ConfigInvalid(f"unknown constraint `{kind}`", remediation=f"known are: {', '.join(KINDS)}")


__all__ = ["COMPOSED", "KINDS", "MAX_PARTS", "SIMPLE", "decode", "load"]
