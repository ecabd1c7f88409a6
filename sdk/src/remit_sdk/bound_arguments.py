# SPDX-License-Identifier: Apache-2.0
"""The arguments of a guarded function, by name: what is judged is what the function gets."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

from remit_sdk.refusal import CallRefused

Json = Any


class BoundArguments:
    """The arguments of one call of a function: copies, which no one else can change any more."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Bind the arguments with their defaults; raise `TypeError` as the call would, or `CallRefused`."""
        signature = inspect.signature(function)
        bound = signature.bind(*args, **named)
        bound.apply_defaults()
        kinds = {name: one.kind for name, one in signature.parameters.items()}
        rest = next((name for name, kind in kinds.items() if kind is inspect.Parameter.VAR_KEYWORD), "")
        for name, value in bound.arguments.items():
            if name == rest:
                bound.arguments[name] = {one: _copied(one, given) for one, given in value.items()}
            else:
                bound.arguments[name] = _copied(name, value)
        more = bound.arguments.get(rest, {}) if rest else {}
        named_ones = {name: value for name, value in bound.arguments.items() if name != rest}
        if clash := named_ones.keys() & more.keys():
            raise _unfit(min(clash), "is given twice")
        #: What remit judges.
        self.judged: dict[str, Json] = {**named_ones, **more}
        self.args, self.kwargs = bound.args, bound.kwargs


def _copied(name: str, value: Any) -> Json:
    """Return a value as JSON brings it back; a function never gets another one than was judged."""
    value = list(value) if isinstance(value, tuple) else value
    try:
        copy = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise _unfit(name, "is no plain value") from None
    if copy != value:
        raise _unfit(name, "is no plain value")
    return copy


def _unfit(name: str, why: str) -> CallRefused:
    return CallRefused(
        f"the argument `{name}` {why}",
        code="arguments-form",
        remediation="pass texts, numbers, true, false, none, lists, and dictionaries with texts as keys",
    )
