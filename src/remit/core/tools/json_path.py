# SPDX-License-Identifier: Apache-2.0
"""Places inside of JSON values: `messages[].body`, as tool descriptions write them.

A path names the keys of objects, with a dot between them; `[]` stands for every place of a list. It begins
with a key, or with `[]` where the value itself is a list.
"""

from __future__ import annotations

from typing import Any, Final

from remit.core.errors import Malformed
from remit.core.json_value import Json

EACH: Final = "[]"
"""The step to every place of a list."""
MAX_STEPS: Final = 16
_MAX_KEY: Final = 80
_NOTHING: Final = object()


def steps(path: str) -> tuple[str, ...]:
    """Return the steps of a path: keys, and `[]`. What is no path raises `Malformed` with the remediation."""
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
    """Return the steps of a key that may be a path; one that is none is a name, and one step."""
    if "." not in key and "[" not in key:
        return (key,)
    try:
        return steps(key)
    except Malformed:
        return (key,)


def take(value: Json, path: tuple[str, ...]) -> tuple[list[Json], Json]:
    """Return what stands at a path, and what is left of the value without it (`None` where nothing is).

    Where the value has another form than the path says (a single one in place of a list, a text in place of
    an object), what stands there counts as what stands at the path: a tool may well accept it so.
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
