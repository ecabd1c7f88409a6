# SPDX-License-Identifier: Apache-2.0
"""Who must answer a question, what each of several people has answered, and who stands in for another.

Each rule that asks may demand a number of different people, and a group that they belong to. Every such
demand must be met; a person who belongs to several of the groups counts for each of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

#: Most people that one rule may demand.
MAX_APPROVERS: Final = 10


class ApproverDemand(msgspec.Struct, frozen=True, order=True):
    """So many different approvers must say yes, of this group; empty: of any."""

    group: str = ""
    count: int = 1

    def admits(self, groups: Collection[str], escalated: Collection[str] = ()) -> bool:
        """Return whether a person with these groups counts; `escalated` groups count in place of `group`."""
        return not self.group or self.group in groups or any(one in groups for one in escalated)

    @property
    def words(self) -> str:
        """The demand as text."""
        people = "1 approver" if self.count == 1 else f"{self.count} approvers"
        return f"{people} of group `{self.group}`" if self.group else people


ANYONE: Final = (ApproverDemand(),)
"""The demand of a rule that names none: one approver."""


def joined(demands: Iterable[ApproverDemand]) -> tuple[ApproverDemand, ...]:
    """Return the demands of several rules as one list, without those that others imply; empty: `ANYONE`."""
    most: dict[str, int] = {}
    for one in demands:
        most[one.group] = max(one.count, most.get(one.group, 0))
    least = max((count for group, count in most.items() if group), default=1)
    if most.get("", 0) <= least:
        most.pop("", None)
    return tuple(sorted(ApproverDemand(group, count) for group, count in most.items()))


def needed(demands: Sequence[ApproverDemand]) -> int:
    """Return how many people are needed where each belongs to one group."""
    grouped = sum(one.count for one in demands if one.group)
    return max(1, grouped, *(one.count for one in demands))


def missing(
    demands: Sequence[ApproverDemand], given: Sequence[Collection[str]], escalated: Collection[str] = ()
) -> tuple[ApproverDemand, ...]:
    """Return what the answers of people leave open; `given` has the groups of each of them."""
    left = (
        ApproverDemand(one.group, one.count - sum(one.admits(groups, escalated) for groups in given))
        for one in demands or ANYONE
    )
    return tuple(one for one in left if one.count > 0)


def in_words(demands: Sequence[ApproverDemand], escalated: Collection[str] = ()) -> str:
    """Return demands as text."""
    said = " and ".join(one.words for one in demands or ANYONE)
    if escalated and any(one.group for one in demands):
        said += f", or of {' or '.join(f'`{one}`' for one in escalated)}"
    return said


class GivenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A yes, of which several may be needed.

    `instead_of` is the absent approver in whose place the person `by` has answered. `hands` are all people
    who may be behind the answer: they are kept, because the session that shows it may be gone at the next
    answer. `until` is the end that the person chose, if any.
    """

    by: str
    at: datetime
    instead_of: str = ""
    hands: tuple[str, ...] = ()
    comment: str = ""
    until: datetime | None = None

    @property
    def authority(self) -> str:
        """The person whose role and groups count."""
        return self.instead_of or self.by

    @property
    def people(self) -> frozenset[str]:
        """The people who have answered with this; each counts once."""
        return frozenset({self.by, self.authority})

    def same_hand(self, other: GivenAnswer, *, strict: bool) -> bool:
        """Return whether one person may be behind two answers.

        A person who made a sign-in code for the other one may be. `strict`: so may one who made codes for
        both of them.
        """
        if strict:
            return not self.people.union(self.hands).isdisjoint(other.people.union(other.hands))
        return not (
            self.people.isdisjoint(other.people)
            and self.people.isdisjoint(other.hands)
            and other.people.isdisjoint(self.hands)
        )


class Absence(msgspec.Struct, frozen=True, kw_only=True):
    """A span of time in which another approver may answer in a person's place.

    `coded_by` are the makers of sign-in codes from which the session that said so may result.
    """

    person: str
    substitute: str
    begins: datetime
    ends: datetime
    coded_by: tuple[str, ...] = ()

    def covers(self, now: datetime) -> bool:
        """Return whether it holds at `now`."""
        return self.begins <= now < self.ends
