# SPDX-License-Identifier: Apache-2.0
"""Expressions in the Common Expression Language, by Google's own evaluator, within bounds.

An expression comes from an upstream and reads an agent's arguments, so neither may make it costly. CEL always
ends, but not soon. Here its work is known before it runs, as a multiple of the input: the parsed tree is
weighed, and everything whose work grows faster than the input is refused.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional
from msgspec import UNSET, UnsetType

from remit.adapters.expressions.cel_limits import Weight, weighed
from remit.core.errors import Malformed
from remit.core.json_value import Json

MAX_CHARACTERS: Final = 500
#: Lists, maps and values that all expressions of a mapping may give.
MAX_NODES: Final = 10_000
#: Compiled expressions that are kept.
_KEPT: Final = 1024
_PLAIN: Final = (cel.Type.BOOL, cel.Type.INT, cel.Type.UINT, cel.Type.DOUBLE, cel.Type.STRING)


class CelExpressions:
    """The expressions of mappings: implements `Expressions`.

    Source: COAZ framework, "The Expression Contract"; COAZ-MCP, "Expressions and Literals".
    """

    def work(self, expression: str) -> int:
        """Return the work of an expression; raises `Malformed` for one that is invalid or over a bound."""
        return _compiled(expression).weight.work

    def over(self, variables: Mapping[str, Json]) -> Callable[[str], Json | UnsetType]:
        """Return what evaluates expressions over `params` and `token`, which are converted once."""
        return _Evaluation(dict(variables)).value


class _Compiled(NamedTuple):
    """An expression as it is evaluated: one whose value is optional has a program that tells its presence."""

    text: str
    weight: Weight
    program: Any
    present: Any | None


class _Evaluation:
    """Evaluates the expressions of one mapping."""

    def __init__(self, variables: dict[str, Json]) -> None:
        self._given = _env().Activation(variables)
        nodes = list(_nodes(variables))
        self._nodes, self._nulls = len(nodes), any(one is None for one in nodes)
        self._left = MAX_NODES

    def value(self, expression: str) -> Json | UnsetType:
        """Return the value of an expression; raises `Malformed`."""
        compiled = _compiled(expression)
        try:
            if (
                compiled.present is not None
                and not compiled.present.eval(activation=self._given).plain_value()
            ):
                return UNSET
            found = compiled.program.eval(activation=self._given)
            kind = found.type()
            if kind == cel.Type.NULL:
                return None
            if kind not in _PLAIN:
                self._check_nested(compiled, kind)
            return _json(expression, found.plain_value())
        except (RuntimeError, SystemError, TypeError, ValueError, OverflowError):
            raise _fault(expression, "it cannot be evaluated") from None

    def _check_nested(self, compiled: _Compiled, kind: Any) -> None:
        """Raise `Malformed` for a value that the evaluator cannot give to Python.

        It releases a null in a list or map once too often, which ends the process after some thousand of
        them; other kinds fail in the library.
        """
        if not kind.name().startswith(("LIST", "MAP")):
            raise _fault(compiled.text, "it has no value of JSON here")
        self._left -= compiled.weight.size * self._nodes + len(compiled.text)
        if self._nulls or self._left < 0:
            why = "a list or map of its value may hold a null" if self._nulls else "its value is too large"
            raise _fault(compiled.text, why)


@functools.lru_cache(maxsize=_KEPT)
def _compiled(expression: str) -> _Compiled:
    if len(expression) > MAX_CHARACTERS:
        raise _fault(expression[:40], f"it is longer than {MAX_CHARACTERS} characters")
    try:
        made = _env().compile(expression)
        weight = weighed(made.serialize())
        if not weight.optional:
            return _Compiled(expression, weight, made, None)
        # The evaluator gives no optional value to Python.
        value, present = (_env().compile(f"({expression}).{name}()") for name in ("value", "hasValue"))
        return _Compiled(expression, weight._replace(work=2 * weight.work), value, present)
    except ValueError as why:
        raise _fault(expression, str(why)) from None
    except (RuntimeError, TypeError):
        raise _fault(expression, "it cannot be read") from None


def _nodes(value: Json) -> Iterator[Json]:
    yield value
    if isinstance(value, dict | list):
        for below in value.values() if isinstance(value, dict) else value:
            yield from _nodes(below)


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
