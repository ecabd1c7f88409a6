# SPDX-License-Identifier: Apache-2.0
"""`--narrow NAME=VALUE`: what a person writes, as the values of a narrower call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from remit.cli.exit_codes import UsageFault
from remit.core.json_value import Json
from remit.core.safe_text import plain


def narrower_values(question: Json, given: Sequence[str]) -> dict[str, Json]:
    """Return the narrower value of each argument that a person changes; raise `UsageFault`.

    Of a list, a person names the elements that stay. An element that is an object is named by one of the
    texts in it, or as JSON.
    """
    named: dict[str, list[str]] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals:
            raise UsageFault(
                f"`{plain(one)}` has no value",
                remediation="write `--narrow NAME=VALUE`, such as `amount=500`",
            )
        named.setdefault(name, []).append(value)
    return {name: _value(question, name, values) for name, values in named.items()}


def _value(question: Json, name: str, values: list[str]) -> Json:
    how = question["narrowable"].get(name)
    if how is None:
        known = ", ".join(f"`{plain(one)}`" for one in question["narrowable"])
        other = f"narrow {known}" if known else "approve it as it is"
        raise UsageFault(
            f"this question does not let `{plain(name)}` be narrowed",
            remediation=f"{other}, or refuse it with `remit deny`",
        )
    if how == "fewer":
        return _staying(name, question["arguments"][name], values)
    if len(values) > 1:
        raise UsageFault(f"`{plain(name)}` has one value", remediation="write `--narrow` for it once")
    return values[0] if how == "below" else _number(name, values[0])


def _number(name: str, value: str) -> Json:
    try:
        found = msgspec.json.decode(value)
    except msgspec.DecodeError:
        found = None
    if type(found) not in (int, float):
        raise UsageFault(f"`{plain(name)}` is a number", remediation=f"write `--narrow {plain(name)}=500`")
    return found


def _staying(name: str, asked: list[Json], values: Iterable[str]) -> list[Json]:
    wanted = list(values)
    unknown = [value for value in wanted if not any(_names(value, one) for one in asked)]
    if unknown:
        raise UsageFault(
            f"`{plain(unknown[0])}` is not an element of `{plain(name)}`",
            remediation="name elements that the question shows",
        )
    return [one for one in asked if any(_names(value, one) for value in wanted)]


def _names(value: str, element: Json) -> bool:
    if isinstance(element, dict) and value in element.values():
        return True
    if value == element:
        return True
    try:
        return not isinstance(element, str) and bool(msgspec.json.decode(value) == element)
    except msgspec.DecodeError:
        return False
