# SPDX-License-Identifier: Apache-2.0
"""Labels: what is known of data. A label only ever rises within a task.

A label is a point in a product of four parts: data class (a chain), categories (a set), trust (two values)
and the zones the data came through (a set). `join` is the least label that covers both. What is unknown is
the worst.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from remit.core.errors import ConfigInvalid

MAX_CROSSINGS = 3
"""Crossings between trust zones that a chain may make, unless configured."""


class Trust(enum.StrEnum):
    """Whether someone outside could have written the data."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class Audience(msgspec.Struct, frozen=True):
    """Who learns what is sent to a tool: `self`, `internal`, `external`, or a named group (`group:legal`)."""

    name: str

    def __str__(self) -> str:
        """Return the name."""
        return self.name


AUDIENCE_RULE = "use `self`, `internal`, `external` or `group:name`"
_GROUP = re.compile(r"group:[a-z0-9][a-z0-9._-]{0,62}")


def audience_fault(audience: str) -> str:
    """Say what is wrong with an audience's name; empty where nothing is."""
    if audience in ("self", "internal", "external") or _GROUP.fullmatch(audience):
        return ""
    return f"`{audience[:80]}` is not an audience"


class Classes(msgspec.Struct, frozen=True):
    """The data classes of an organisation, lowest first, and what each audience is cleared for.

    `clearance` maps an audience's name to the highest class that it may learn. An audience that is not listed
    is cleared for the lowest class alone. `crossings` gives for trust zones how often a chain may carry data
    out of them into others.
    """

    order: tuple[str, ...] = ("public", "internal", "confidential", "restricted")
    clearance: dict[str, str] = msgspec.field(
        default_factory=lambda: {"self": "restricted", "internal": "confidential", "external": "public"}
    )
    crossings: dict[str, int] = {}

    def rank(self, name: str) -> int:
        """Return the place of a class, 0 for the lowest; an unknown class raises `ConfigInvalid`."""
        try:
            return self.order.index(name)
        except ValueError:
            raise ConfigInvalid(
                f"`{name}` is not a data class", remediation=f"use one of {', '.join(self.order)}"
            ) from None

    @property
    def top(self) -> str:
        """The highest class: what unknown data is taken for."""
        return self.order[-1]

    @property
    def bottom(self) -> str:
        """The lowest class."""
        return self.order[0]

    def max_crossings(self, left: frozenset[str]) -> int:
        """Return how many crossings a chain may make whose data leaves these zones."""
        return min((self.crossings[zone] for zone in left if zone in self.crossings), default=MAX_CROSSINGS)

    def cleared(self, audience: Audience, data_class: str) -> bool:
        """Return whether `audience` may learn data of `data_class`."""
        ceiling = self.clearance.get(audience.name, self.bottom)
        return self.rank(data_class) <= self.rank(ceiling)


class Label(msgspec.Struct, frozen=True):
    """What is known of some data."""

    data_class: str = "public"
    categories: frozenset[str] = frozenset()
    trust: Trust = Trust.TRUSTED
    zones: frozenset[str] = frozenset()

    def join(self, other: Label, classes: Classes) -> Label:
        """Return the least label that covers both; commutative, associative, idempotent."""
        if other is self or other == self:
            return self
        higher = self if classes.rank(self.data_class) >= classes.rank(other.data_class) else other
        return Label(
            data_class=higher.data_class,
            categories=self.categories | other.categories,
            trust=Trust.UNTRUSTED if Trust.UNTRUSTED in (self.trust, other.trust) else Trust.TRUSTED,
            zones=self.zones | other.zones,
        )

    def covers(self, other: Label, classes: Classes) -> bool:
        """Return whether joining `other` would change nothing."""
        return self.join(other, classes) == self

    def says_nothing(self, classes: Classes) -> bool:
        """Return whether there is nothing in it to remember: lowest class, trusted, no category, no zone."""
        return (
            self.data_class == classes.bottom
            and self.trust is Trust.TRUSTED
            and not self.categories
            and not self.zones
        )

    @property
    def facts(self) -> dict[str, Any]:
        """The label as evidence and tokens have it."""
        return {
            "class": self.data_class,
            "trust": self.trust.value,
            "categories": sorted(self.categories),
            "zones": sorted(self.zones),
        }

    def known_to(self, classes: Classes) -> Label:
        """Return the label with a class that is not known here taken for the highest."""
        if self.data_class in classes.order:
            return self
        return msgspec.structs.replace(self, data_class=classes.top)

    def crossings(self, into: frozenset[str] = frozenset()) -> int:
        """Count how often the data has passed from one trust zone into another, a step into the zones `into`
        included: each zone beyond the first counts once.
        """
        zones = self.zones | into if into else self.zones
        return len(zones) - 1 if zones else 0


def worst(classes: Classes) -> Label:
    """Return the label of data that nobody described: the top class, untrusted."""
    return Label(data_class=classes.top, trust=Trust.UNTRUSTED)


def joined(labels: Iterable[Label | None], classes: Classes) -> Label | None:
    """Return the least label that covers all of them; None where there are none."""
    out: Label | None = None
    for one in labels:
        if one is not None:
            out = one if out is None else out.join(one, classes)
    return out


class Lowering(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody who has looked at data says of it, in place of what remit knows.

    `to_class` is its class (empty: as it was), `trusted` that nothing in it speaks to agents in a stranger's
    name, `without` are categories and trust zones that do not count any more. It never raises anything.
    """

    to_class: str = ""
    trusted: bool = False
    without: tuple[str, ...] = ()

    def of(self, label: Label, classes: Classes) -> Label:
        """Return a label as lowered; raises `ConfigInvalid` for a class that there is none of."""
        lower = self.to_class and classes.rank(self.to_class) < classes.rank(label.data_class)
        return Label(
            data_class=self.to_class if lower else label.data_class,
            categories=label.categories - set(self.without),
            trust=Trust.TRUSTED if self.trusted else label.trust,
            zones=label.zones - set(self.without),
        )
