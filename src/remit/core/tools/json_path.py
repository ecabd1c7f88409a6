# SPDX-License-Identifier: Apache-2.0
"""Places inside JSON values: `messages[].body`, as written in tool descriptions.

A path names the keys of objects, separated by dots; `[]` means every place of a list. A path begins with a
key, or with `[]` where the value itself is a list.
"""

from __future__ import annotations

from typing import Any, Final

from remit.core.errors import Malformed
from remit.core.json_value import Json

EACH: Final = "[]"
"""The step to every element of a list."""
MAX_STEPS: Final = 16
_MAX_KEY: Final = 80
_NOTHING: Final = object()


def steps(path: str) -> tuple[str, ...]:
    """Return the steps of a path: keys, and `[]`. Raise `Malformed` with the remediation for an invalid
    path.
    """
    found: list[str] = []
    for place, piece in enumerate(path.split(".")):
        key, opened, places = piece.partition("[")
        if not key and not (place == 0 and opened):
            raise Malformed("has an empty step", remediation="write it as `messages[].body`")
        if key in ("*", "$"):
            raise Malformed(
                f"`{key}` is not a step", remediation="use keys, and `[]` for the elements of a list"
            )
        if len(key) > _MAX_KEY or "]" in key:
            raise Malformed("has a step that is not a key", remediation="write it as `messages[].body`")
        found += [key] if key else []
        brackets = opened + places
        if brackets != EACH * (len(brackets) // 2):
            raise Malformed(
                "selects single elements of a list", remediation="write `[]`, which selects every element"
            )
        found += [EACH] * (len(brackets) // 2)
    if len(found) > MAX_STEPS:
        raise Malformed("is too deep", remediation=f"write at most {MAX_STEPS} steps")
    return tuple(found)


def path_of(key: str) -> tuple[str, ...]:
    """Return the steps of a key that may be a path; an invalid path is a plain name, and one step."""
    if "." not in key and "[" not in key:
        return (key,)
    try:
        return steps(key)
    except Malformed:
        return (key,)


def take(value: Json, path: tuple[str, ...]) -> tuple[list[Json], Json]:
    """Return the values at a path, and the value without them (`None` where nothing is left).

    Where the value does not have the form that the path expects (a single value in place of a list, a text in
    place of an object), the value there counts as the value at the path, because a tool may accept it.
    """
    found, left = _take(value, path)
    return found, None if left is _NOTHING else left


def _take(value: Json, path: tuple[str, ...]) -> tuple[list[Json], Any]:
    if not path:
        return [value], _NOTHING
    if path[0] == EACH:
        found: list[Json] = []
        rest: list[Json] = []
        for one in value if isinstance(value, list) else [value]:
            some, left = _take(one, path[1:])
            found += some
            if left is not _NOTHING:
                rest.append(left)
        return found, rest or _NOTHING
    if isinstance(value, list):
        return _take(value, (EACH, *path))
    if value is None:
        return [], _NOTHING
    if not isinstance(value, dict):
        return [value], _NOTHING
    if path[0] not in value:
        return [], value
    found, left = _take(value[path[0]], path[1:])
    rest_of = {key: below for key, below in value.items() if key != path[0]}
    if left is not _NOTHING:
        rest_of[path[0]] = left
    return found, rest_of or _NOTHING
