# SPDX-License-Identifier: Apache-2.0
"""Obligations: what a permit demands beside the call. One that cannot be met refuses the call.

A rule that permits names them, and every permitting rule's obligations count. As text: `redact:PATH`,
`notify:NAME`, `require_reason`, `step_up`, `custom:WORD`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

REDACT: Final = "redact"
NOTIFY: Final = "notify"
REQUIRE_REASON: Final = "require_reason"
STEP_UP: Final = "step_up"
CUSTOM: Final = "custom"
#: The obligations whose text has a value after a colon.
VALUED: Final = (REDACT, NOTIFY, CUSTOM)
PLAIN: Final = (REQUIRE_REASON, STEP_UP)
#: Most characters of the reason that an agent states.
MAX_REASON: Final = 500


class Obligation(msgspec.Struct, frozen=True, order=True):
    """One obligation: its kind, and the field, addressee or word that it is about."""

    kind: str
    value: str = ""

    @property
    def text(self) -> str:
        """The obligation as text."""
        return f"{self.kind}:{self.value}" if self.value else self.kind


def read_obligations(texts: Iterable[str]) -> tuple[Obligation, ...]:
    """Return obligations from their texts."""
    return tuple(Obligation(kind, value) for kind, _, value in (text.partition(":") for text in texts))


def merged(each: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Return the obligations of several rules, each once, in one order."""
    return tuple(sorted({text for texts in each for text in texts}))


def values_of(texts: Iterable[str], kind: str) -> tuple[str, ...]:
    """Return the values of all obligations of a kind."""
    return tuple(one.value for one in read_obligations(texts) if one.kind == kind)
