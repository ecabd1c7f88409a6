# SPDX-License-Identifier: Apache-2.0
"""Reading values of documents that may hold anything: what has another type counts as absent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from remit.core.discovery.declared import PermissionExport, PermissionSource
from remit.core.discovery.discovered import FilePlace
from remit.core.json_value import Json
from remit.core.safe_text import plain

#: Longest name or text that is taken from a document.
MOST_TEXT: Final = 500
#: Most members that are read of one list.
MOST_MEMBERS: Final = 50_000
#: Words of names that say which environment a thing belongs to.
_PRODUCTION: Final = frozenset({"prod", "production", "prd", "live"})
_DEVELOPMENT: Final = frozenset(
    {"dev", "develop", "development", "test", "testing", "staging", "sandbox", "qa"}
)


def current(exports: Iterable[PermissionExport], provider: PermissionSource) -> list[PermissionExport]:
    """Return the exports of a provider by place, without those of a history, which hold no more."""
    return sorted((e for e in exports if e.provider is provider and not e.place.commit), key=_place)


def _place(export: PermissionExport) -> FilePlace:
    return export.place


def mapping(value: Json, *names: str) -> dict[str, Json]:
    """Return the object at a path of names, empty where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def members(value: Json, *names: str) -> list[Json]:
    """Return the list at a path of names, at most `MOST_MEMBERS` of it."""
    if names:
        value = mapping(value, *names[:-1]).get(names[-1])
    return value[:MOST_MEMBERS] if isinstance(value, list) else []


def objects(value: Json, *names: str) -> Iterator[dict[str, Json]]:
    """Yield the objects of the list at a path of names."""
    yield from (member for member in members(value, *names) if isinstance(member, dict))


def text(value: Json, *names: str) -> str:
    """Return the text at a path of names, cut at `MOST_TEXT`; empty where there is none."""
    if names:
        value = mapping(value, *names[:-1]).get(names[-1])
    return value[:MOST_TEXT] if isinstance(value, str) else ""


def texts(value: Json, *names: str) -> tuple[str, ...]:
    """Return the texts of the list at a path of names."""
    return tuple(member[:MOST_TEXT] for member in members(value, *names) if isinstance(member, str))


def quoted(name: str) -> str:
    """Return a name of a document as a finding shows it: in backticks, without what people do not see."""
    return f"`{plain(name).replace('`', chr(39))}`"


def environment_of(*names: str) -> str:
    """Return `production`, `development` or nothing, as the words of names say; nothing if they say both."""
    words = {word for name in names for word in re.split(r"[^a-z]+", name.lower())}
    production, development = bool(words & _PRODUCTION), bool(words & _DEVELOPMENT)
    if production == development or words & {"non", "not", "nonprod", "pre", "preprod"}:
        return "development" if development else ""
    return "production" if production else "development"
