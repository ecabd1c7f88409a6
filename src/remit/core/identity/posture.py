# SPDX-License-Identifier: Apache-2.0
"""Posture: what an identity token states about its agent's device or build, for policies to read.

The configuration lists the claims, each with the name and the type under which policies read it. No other
claim of a token reaches a policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from remit.core.identity.workload import claim
from remit.core.json_value import Json

PostureType = Literal["string", "integer", "boolean"]
#: A longer text is no fact about a device, and would make every token of remit long.
MAX_CHARACTERS: Final = 200
_LONG: Final = 2**53


class PostureClaim(msgspec.Struct, frozen=True):
    """A claim that is let in: its name or RFC 6901 pointer, and its type."""

    claim: str
    type: PostureType = "string"


def stated(wanted: Mapping[str, PostureClaim], claims: Mapping[str, Json]) -> dict[str, Json]:
    """Return the wanted claims that a token states; a value of another type counts as not stated."""
    found = {name: claim(claims, one.claim) for name, one in wanted.items()}
    return {name: value for name, value in found.items() if _fits(value, wanted[name].type)}


def _fits(value: Json, kind: PostureType) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, int):
        return kind == "integer" and abs(value) <= _LONG
    return kind == "string" and isinstance(value, str) and len(value) <= MAX_CHARACTERS
