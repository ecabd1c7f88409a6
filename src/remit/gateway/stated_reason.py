# SPDX-License-Identifier: Apache-2.0
"""The reason that an agent states for a call: it is recorded, shown to approvers, and never sent on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from remit.core.decisions.obligations import MAX_REASON
from remit.core.errors import Malformed
from remit.core.json_value import Json

ARGUMENT: Final = "remit:reason"
HEADER: Final = "remit-reason"


def without_reason(arguments: dict[str, Json]) -> tuple[dict[str, Json], str]:
    """Return the arguments of a tool without the stated reason, and the reason; raise `Malformed`."""
    if ARGUMENT not in arguments:
        return arguments, ""
    rest = {name: value for name, value in arguments.items() if name != ARGUMENT}
    return rest, _checked(arguments[ARGUMENT], f"the argument `{ARGUMENT}`")


def reason_of(headers: Mapping[str, str]) -> str:
    """Return the reason that a header states; raise `Malformed`."""
    return _checked(headers.get(HEADER, ""), f"the header `{HEADER}`")


def _checked(value: Json, place: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_REASON:
        raise Malformed(
            f"{place} is a text of at most {MAX_REASON} characters",
            code="reason-form",
            remediation="state the reason in a sentence",
        )
    return value.strip()
