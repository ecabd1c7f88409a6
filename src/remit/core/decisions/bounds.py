# SPDX-License-Identifier: Apache-2.0
"""What an answer permits other than the call that was asked, once: more calls like it, or a narrower one.

What counts as a call like the one that was shown is decided in `bounded_approval`, what is narrower in
`narrowing`.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.label import Label


class BoundedOffer(msgspec.Struct, frozen=True, kw_only=True):
    """What one answer to a question may permit beyond the call that is shown.

    `most` is the most calls, the shown one included; `until` the last moment, at most the task's end. `same`
    are the arguments that stay as shown, `texts` those that may hold other texts. `scope` is the digest of
    everything that stays the same. `label`, `content`, `crossed` and `crossings` are what the task and the
    texts carried when the question was asked; later calls may carry no more.
    """

    most: int
    until: datetime
    same: tuple[str, ...]
    texts: tuple[str, ...]
    scope: str
    label: Label
    content: str
    crossed: bool
    crossings: int

    def chosen(self, most: int, until: datetime | None, now: datetime) -> Bounds:
        """Return the bounds that a person chose; raise `Malformed` where they exceed the offer."""
        until = self.until if until is None else until
        if not 2 <= most <= self.most:
            raise Malformed(
                f"an answer to this question permits 2 to {self.most} calls, not {most}",
                code="beyond-offer",
                remediation="choose fewer calls, or approve this call once",
            )
        if not now < until <= self.until:
            raise Malformed(
                "the bounds end before now, or after what this question offers",
                code="beyond-offer",
                remediation=f"choose a time until {self.until.isoformat(timespec='seconds')}",
            )
        return Bounds(most=most, until=until)


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What a person chose: at most so many calls like the one that was shown, until this moment."""

    most: int
    until: datetime


class NarrowerCall(msgspec.Struct, frozen=True, kw_only=True):
    """What an approver has permitted instead of the call that was asked.

    `arguments` are those of the permitted call as a whole, `changed` names the narrowed ones. `expires` is
    the end of the `approval`.
    """

    approval: str
    arguments: dict[str, Json]
    changed: tuple[str, ...]
    expires: datetime
