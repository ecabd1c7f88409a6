# SPDX-License-Identifier: Apache-2.0
"""Obligations in the annotations of rules, which are the same in every policy language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from remit.core.decisions.obligations import (
    CUSTOM,
    NOTIFY,
    REDACT,
    REQUIRE_REASON,
    STEP_UP,
    values_of,
)
from remit.core.json_value import Json
from remit.core.tools.tool import Tool

#: The annotations that name obligations; `obligation` is one that only another enforcement point knows.
OBLIGATIONS: Final = (REDACT, NOTIFY, REQUIRE_REASON, STEP_UP, "obligation")
MAX_OBLIGATIONS: Final = 32
_FLAGS: Final = (REQUIRE_REASON, STEP_UP)
_ON: Final = (None, "", "true", True)
_KINDS: Final = {"obligation": CUSTOM}
_VALUE: Final = {
    REDACT: re.compile(r"[^\s,:][^,:\x00-\x1f]{0,199}\Z"),
    NOTIFY: re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z"),
    "obligation": re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z"),
}
_SAYS: Final = {
    REDACT: "fields of the tool's results, separated by commas",
    NOTIFY: "addressees under `notify` in remit.yaml, separated by commas",
    "obligation": "words of a-z, 0-9, `.`, `_` and `-`, separated by commas",
}


def obligations_in(notes: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the obligations that the annotations of a sound rule name, in one order."""
    out = {name for name in _FLAGS if name in notes}
    for name in _VALUE:
        if name in notes:
            out |= {f"{_KINDS.get(name, name)}:{value}" for value in _values(notes[name])}
    return tuple(sorted(out))


def obligation_fault(notes: Mapping[str, Json], *, permits: bool) -> tuple[str, str] | None:
    """Return what is wrong with the obligations of a rule, with its remediation."""
    for name in OBLIGATIONS:
        if name not in notes:
            continue
        if not permits:
            return f"`{name}` belongs to a rule that permits", "put it above a permit"
        value = notes[name]
        if name in _FLAGS:
            if value not in _ON:
                return f"`{name}` has no value", "write it without one"
            continue
        values = _values(value)
        if not 0 < len(values) <= MAX_OBLIGATIONS or not all(_VALUE[name].match(one) for one in values):
            return f"`{name}` does not name {_SAYS[name]}", f"name {_SAYS[name]}"
    return None


def unredactable(obligations: Iterable[str], tools: Sequence[Tool]) -> Iterator[tuple[str, str]]:
    """Yield a warning, with its remediation, for each redacted field that some tools do not describe."""
    for path in values_of(obligations, REDACT):
        lacking = sorted({tool.id for tool in tools if not any(one.path == path for one in tool.fields)})
        if lacking:
            more = f" and {len(lacking) - 1} more tools" if len(lacking) > 1 else ""
            yield (
                f"calls of `{lacking[0]}`{more} are refused: no field `{path}` is described there",
                "describe the field in the tool's file, or permit fewer tools by this rule",
            )


def _values(note: Json) -> list[str]:
    return [one.strip() for one in note.split(",")] if isinstance(note, str) else []
