# SPDX-License-Identifier: Apache-2.0
"""What a restore lost, and what that excuses for a reader who has seen the log before."""

import msgspec
import pytest

from remit.core.evidence.restore import KnownHead, Loss, compared
from remit.core.evidence.verification import RestoreRead, SeenRoot


def known(size: int, root: str = "aa", note: str = "signed") -> KnownHead:
    """Return a head that is known outside of the backup."""
    return KnownHead(place="there", size=size, root=root, note=note)


@pytest.mark.parametrize(
    ("heads", "loss"),
    [
        ([known(10)], Loss.NONE),
        ([known(7, "bb")], Loss.NONE),
        ([known(11)], Loss.KNOWN),
        ([known(10, "cc")], Loss.KNOWN),
        ([known(10), known(12, note="")], Loss.KNOWN),
        ([known(10, note="")], Loss.UNKNOWN),
        ([], Loss.UNKNOWN),
    ],
)
def test_only_a_signed_head_that_the_backup_contains_shows_that_nothing_is_lost(
    heads: list[KnownHead], loss: Loss
) -> None:
    """A head of another history is a loss, whatever its size; an unsigned one proves nothing."""
    assert compared(heads, {10: "aa", 7: "bb"}, 10)[0] is loss


@pytest.mark.parametrize(
    ("seen", "excused"),
    [
        (SeenRoot(10, b"\x0a"), False),
        (SeenRoot(11, b"\x0b"), True),
        (SeenRoot(20, b"\x14"), True),
        (SeenRoot(20, b"\x15"), False),
        (SeenRoot(21, b"\x16"), False),
    ],
)
def test_a_head_seen_before_is_excused_only_within_what_was_accepted_as_lost(
    seen: SeenRoot, excused: bool
) -> None:
    """Not below the backup, not beyond the lost head, not another one of its size, and never unaccepted."""
    told = RestoreRead(index=10, size=10, loss="known", lost_size=20, lost_root="14", made="")
    assert msgspec.structs.replace(told, accepted=True).explains(seen) is excused
    assert not told.explains(seen)
