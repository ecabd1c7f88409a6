# SPDX-License-Identifier: Apache-2.0
"""Expressions in the Common Expression Language, by Google's own evaluator, within bounds.

An expression comes from an upstream and reads an agent's arguments, so neither may make it costly. CEL always
ends, but a macro over a list in another one does not end soon, and one that builds a list can build a large
one: an expression here has one macro at most, builds no list from one, and calls named functions alone.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, Final

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional
from msgspec import UNSET, UnsetType

from remit.core.errors import Malformed
from remit.core.json_value import Json

MAX_CHARACTERS: Final = 500
#: Functions that an expression may call; they take time in proportion to their input.
_FUNCTIONS: Final = frozenset(
    (
        "bool", "contains", "double", "endsWith", "has", "hasValue", "int", "matches", "none", "of", "or",
        "orValue", "size", "startsWith", "string",
    )
)  # fmt: skip
_MACROS: Final = frozenset(("all", "exists", "exists_one"))
_CALLED: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*\(")
#: Compiled expressions that are kept.
_KEPT: Final = 1024
_OPTIONAL: Final = re.compile(r"\.\?|\[\?|optional")


def value_of(expression: str, variables: Mapping[str, Json]) -> Json | UnsetType:
    """Return the value of an expression over `params` and `token`; `UNSET` for an absent optional value.

    Raises `Malformed` for an expression that is over a bound, invalid, or has no value.
    Source: COAZ framework, "The Expression Contract"; COAZ-MCP, "Expressions and Literals".
    """
    try:
        found = _compiled(expression).eval(data=dict(variables))
        if found.type() == cel.Type.ERROR:
            raise _fault(expression, "it has no value here")
        value = found.plain_value()
    except (RuntimeError, TypeError, ValueError, OverflowError):
        raise _fault(expression, "it cannot be evaluated") from None
    if not _OPTIONAL.search(expression):
        return _json(expression, value)
    if isinstance(value, list) and len(value) <= 1:
        return _json(expression, value[0]) if value else UNSET
    raise _fault(expression, "it has no value here")


@functools.lru_cache(maxsize=_KEPT)
def _compiled(expression: str) -> Any:
    if len(expression) > MAX_CHARACTERS:
        raise _fault(expression[:40], f"it is longer than {MAX_CHARACTERS} characters")
    called = _CALLED.findall(expression)
    if strange := set(called) - _FUNCTIONS - _MACROS:
        raise _fault(expression, f"it calls `{min(strange)}`")
    if sum(one in _MACROS for one in called) > 1:
        raise _fault(expression, "it has more than one macro")
    if not _OPTIONAL.search(expression):
        return _env().compile(expression)
    # An optional value is a list of none or one: the evaluator gives no optional value to Python.
    try:
        return _env().compile(f"[?({expression})]")
    except RuntimeError:
        return _env().compile(f"[({expression})]")


@functools.cache
def _env() -> Any:
    dynamic = cel.Type.DYN
    return cel.NewEnv(
        variables={"params": dynamic, "token": dynamic}, extensions=[ext_optional.ExtOptional()]
    )


def _json(expression: str, value: Any) -> Json:
    """Return a value that JSON has; times, bytes and types are none."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_json(expression, one) for one in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _json(expression, one) for key, one in value.items()}
    raise _fault(expression, "its value is not one of JSON")


def _fault(expression: str, why: str) -> Malformed:
    return Malformed(
        f"expression `{expression[:80]}`: {why}",
        code="mapping",
        remediation="correct the arguments, or have the tool's `x-authzen-mapping` corrected",
    )
