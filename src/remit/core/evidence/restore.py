# SPDX-License-Identifier: Apache-2.0
"""What is known of a log that a backup set back: how much of it is lost, and who accepted that.

The state keeps two small values: `UNSETTLED` from the moment a backup is in place until everything that it
holds has ended, and `LOSS` from then until two administrators have accepted the loss.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Final

import msgspec

#: A restore is not complete: nothing starts on it.
UNSETTLED: Final = "restore.unsettled"
#: A loss that is not accepted yet: everything is locked.
LOSS: Final = "restore.loss"


class Loss(enum.StrEnum):
    """Whether a restore lost events.

    `unknown`: no head was known to compare with, so what followed the backup is not known.
    """

    NONE = "none"
    KNOWN = "known"
    UNKNOWN = "unknown"


class KnownHead(msgspec.Struct, frozen=True, kw_only=True):
    """A head of the log that is known from a place outside of the backup; `note` if it is signed."""

    place: str
    size: int
    root: str
    note: str = ""


class RestoredLog(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore did to the log: `size` and `root` are the backup's, `lost_*` the last known head's.

    `forgotten` are the keys of subjects whose destruction only the replaced log said.
    """

    backup: str
    made: str
    size: int
    root: str
    loss: Loss = Loss.NONE
    lost_size: int = 0
    lost_root: str = ""
    lost_note: str = ""
    forgotten: tuple[str, ...] = ()


def compared(known: Iterable[KnownHead], roots: dict[int, str], size: int) -> tuple[Loss, KnownHead | None]:
    """Return whether a log of `size` events lacks what is known, and the largest head that it lacks.

    `roots` are the log's roots at the sizes of the known heads that it reaches. Only a signed head shows that
    nothing is lost: a store that was set back says so too.
    """
    heads = list(known)
    lacking = [one for one in heads if one.size > size or roots.get(one.size) != one.root]
    if lacking:
        return Loss.KNOWN, max(lacking, key=lambda one: one.size)
    return (Loss.NONE if any(one.note for one in heads) else Loss.UNKNOWN), None
