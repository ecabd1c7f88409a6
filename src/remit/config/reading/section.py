# SPDX-License-Identifier: Apache-2.0
"""The elements of every section of the configuration: names, sizes, durations."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from remit.config.reading.units import DURATION_PATTERN, MONEY_PATTERN, SIZE_PATTERN

KIB: Final = 1024
MIB: Final = 1024 * KIB

Size = Annotated[int, Meta(extra={"quantity": "size", "pattern": SIZE_PATTERN})]
Seconds = Annotated[int, Meta(extra={"quantity": "duration", "pattern": DURATION_PATTERN})]
#: In whole millionths.
Money = Annotated[int, Meta(extra={"quantity": "money", "pattern": MONEY_PATTERN})]
NAME_RULE: Final = "use 1 to 63 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit"
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", extra={"rule": NAME_RULE})]
# Without `__`, and without a `_` at its end, so that `upstream__tool` is unambiguous.
UpstreamName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9](?:[a-z0-9.-]|_(?!_)(?!$)){0,62}$",
        extra={
            "rule": f"{NAME_RULE}; no `__`, and no `_` at the end, because tools are named `upstream__tool`"
        },
    ),
]
Text = Annotated[str, Meta(min_length=1)]

INTERNAL: Final = Meta(extra={"internal": True})


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the configuration; an unknown key is an error that names it."""
