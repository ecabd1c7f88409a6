# SPDX-License-Identifier: Apache-2.0
"""Labels: the known properties of data. Within a task, a label never falls.

A label is a point in a product of four parts: data class (a chain), categories (a set), trust (two values)
and the zones that the data came through (a set). `join` is the least label that covers both. An unknown
property counts as the worst.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from remit.core.errors import ConfigInvalid

MAX_CROSSINGS = 3
"""Default limit on the crossings between trust zones in a chain."""
MAX_ASSUMED = 256
"""Tools that the assumed part of a label distinguishes; beyond that, the whole label counts as known."""


class Trust(enum.StrEnum):
    """Whether an outsider could have written the data."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class Audience(msgspec.Struct, frozen=True):
    """The recipients of data sent to a tool: `self`, `internal`, `external`, or a named group
    (`group:legal`).
    """

    name: str

    def __str__(self) -> str:
        """Return the name."""
        return self.name


AUDIENCE_RULE = "use `self`, `internal`, `external` or `group:name`"
_GROUP = re.compile(r"group:[a-z0-9][a-z0-9._-]{0,62}")


def audience_fault(audience: str) -> str:
    """Return the fault in an audience's name; empty where it is valid."""
    if audience in ("self", "internal", "external") or _GROUP.fullmatch(audience):
        return ""
    return f"`{audience[:80]}` is not an audience"


class Classes(msgspec.Struct, frozen=True):
    """The data classes of an organisation, lowest first, and the clearance of each audience.

    `clearance` maps an audience's name to the highest class that it may learn. An audience that is not listed
    is cleared only for the lowest class. `crossings` maps trust zones to the number of times that a chain may
    carry data out of them into others. `categories` maps an audience's name to the categories that it may
    learn; an audience that is not listed may learn all. `within` maps a group to the audience that it is a
    part of: every member of the group belongs to both. What is not listed for a group is as it is there.
    """

    order: tuple[str, ...] = ("public", "internal", "confidential", "restricted")
    clearance: dict[str, str] = msgspec.field(
        default_factory=lambda: {"self": "restricted", "internal": "confidential", "external": "public"}
    )
    crossings: dict[str, int] = {}
    categories: dict[str, frozenset[str]] = {}
    within: dict[str, str] = {}

    def around(self, audience: str) -> tuple[str, ...]:
        """Return an audience and those that it lies within, the narrowest first."""
        if audience not in self.within:
            return (audience,)
        out = [audience]
        while (outer := self.within.get(out[-1], "")) and outer not in out:
            out.append(outer)
        return tuple(out)

    def ceiling(self, audience: str) -> str:
        """Return the highest class that an audience may learn."""
        found = (self.clearance[one] for one in self.around(audience) if one in self.clearance)
        return next(found, self.bottom)

    def learnable(self, audience: str) -> frozenset[str] | None:
        """Return the categories that an audience may learn; None: all."""
        found = (self.categories[one] for one in self.around(audience) if one in self.categories)
        return next(found, None)

    def rank(self, name: str) -> int:
        """Return the rank of a class, 0 for the lowest; raise `ConfigInvalid` for an unknown class."""
        try:
            return self.order.index(name)
        except ValueError:
            raise ConfigInvalid(
                f"`{name}` is not a data class", remediation=f"use one of {', '.join(self.order)}"
            ) from None

    @property
    def top(self) -> str:
        """The highest class, which is assumed for unknown data."""
        return self.order[-1]

    @property
    def bottom(self) -> str:
        """The lowest class."""
        return self.order[0]

    def max_crossings(self, left: frozenset[str]) -> int:
        """Return the number of crossings permitted to a chain whose data leaves these zones."""
        return min((self.crossings[zone] for zone in left if zone in self.crossings), default=MAX_CROSSINGS)

    def cleared(self, audience: Audience, label: Label) -> bool:
        """Return whether `audience` may learn data of the class and the categories of `label`."""
        known = self.learnable(audience.name)
        if known is not None and not label.categories <= known:
            return False
        return self.rank(label.data_class) <= self.rank(self.ceiling(audience.name))


class Label(msgspec.Struct, frozen=True):
    """The known properties of some data.

    `assumed` is the part that rests on tools without a description; None where there is none. The four
    properties include it.
    """

    data_class: str = "public"
    categories: frozenset[str] = frozenset()
    trust: Trust = Trust.TRUSTED
    zones: frozenset[str] = frozenset()
    assumed: Assumed | None = None

    def join(self, other: Label, classes: Classes) -> Label:
        """Return the least label that covers both; commutative, associative, idempotent."""
        if other is self or other == self:
            return self
        higher = self if classes.rank(self.data_class) >= classes.rank(other.data_class) else other
        whole = Label(
            data_class=higher.data_class,
            categories=self.categories | other.categories,
            trust=Trust.UNTRUSTED if Trust.UNTRUSTED in (self.trust, other.trust) else Trust.TRUSTED,
            zones=self.zones | other.zones,
        )
        if self.assumed is None and other.assumed is None:
            return whole
        tools = self.assumed_tools | other.assumed_tools
        return whole.assuming(self.firm.join(other.firm, classes), tools)

    @property
    def firm(self) -> Label:
        """The label without what is assumed of tools that have no description."""
        return self if self.assumed is None else self.assumed.firm

    @property
    def assumed_tools(self) -> frozenset[str]:
        """The keys of the tools of which something is assumed (`core.tools.assumed_labels`)."""
        return frozenset() if self.assumed is None else self.assumed.tools

    def assuming(self, firm: Label, tools: frozenset[str]) -> Label:
        """Return these properties, of which only `firm` is known without an assumption about `tools`.

        INVARIANT: where something is left out or too long, the whole label counts as known.
        """
        own = self if self.assumed is None else self.known
        if firm == own or not tools or len(tools) > MAX_ASSUMED:
            return own
        return msgspec.structs.replace(own, assumed=Assumed(firm, tools))

    @property
    def known(self) -> Label:
        """The same properties with nothing assumed: only a person can lower them."""
        return self if self.assumed is None else msgspec.structs.replace(self, assumed=None)

    def trusted(self) -> Label:
        """Return the label of data that no outsider wrote, in its assumed part too."""
        trusted = msgspec.structs.replace(self.known, trust=Trust.TRUSTED)
        return trusted.assuming(msgspec.structs.replace(self.firm, trust=Trust.TRUSTED), self.assumed_tools)

    def covers(self, other: Label, classes: Classes) -> bool:
        """Return whether joining `other` would change nothing."""
        return self.join(other, classes) == self

    def says_nothing(self, classes: Classes) -> bool:
        """Return whether the label is minimal: lowest class, trusted, no category, no zone."""
        return (
            self.data_class == classes.bottom
            and self.trust is Trust.TRUSTED
            and not self.categories
            and not self.zones
        )

    @property
    def facts(self) -> dict[str, Any]:
        """The label in the form of evidence and tokens."""
        return {
            "class": self.data_class,
            "trust": self.trust.value,
            "categories": sorted(self.categories),
            "zones": sorted(self.zones),
        }

    def known_to(self, classes: Classes) -> Label:
        """Return the label with an unknown class replaced by the highest."""
        if self.data_class in classes.order and self.firm.data_class in classes.order:
            return self
        if self.data_class in classes.order:
            return self.known
        return msgspec.structs.replace(self, data_class=classes.top, assumed=None)

    def crossings(self, into: frozenset[str] = frozenset()) -> int:
        """Count the data's passages between trust zones, including a step into the zones `into`.

        Each zone beyond the first counts once.
        """
        zones = self.zones | into if into else self.zones
        return len(zones) - 1 if zones else 0


class Assumed(msgspec.Struct, frozen=True):
    """The part of a label that is assumed, because `tools` had no description when they were called.

    `firm` is the label that remains without them: what described tools and other sources gave.
    """

    firm: Label
    tools: frozenset[str]


class Unseen(msgspec.Struct, frozen=True):
    """The data that tasks of a type never see: classes above `above`, and these categories."""

    above: str = ""
    categories: frozenset[str] = frozenset()

    def covers(self, label: Label, classes: Classes) -> bool:
        """Return whether data with this label is never seen."""
        higher = bool(self.above) and classes.rank(label.data_class) > classes.rank(self.above)
        return higher or not self.categories.isdisjoint(label.categories)


def worst(classes: Classes) -> Label:
    """Return the label of data without a description: the top class, untrusted."""
    return Label(data_class=classes.top, trust=Trust.UNTRUSTED)


def joined(labels: Iterable[Label | None], classes: Classes) -> Label | None:
    """Return the least label that covers all of them; None for an empty input."""
    out: Label | None = None
    for one in labels:
        if one is not None:
            out = one if out is None else out.join(one, classes)
    return out


class Lowering(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's assessment of data after examining it, in place of what remit knows.

    `to_class` is the data's class (empty: unchanged). `trusted` states that the data holds no instructions to
    agents from outsiders. `without` are categories and trust zones that no longer count. A lowering never
    raises a label.
    """

    to_class: str = ""
    trusted: bool = False
    without: tuple[str, ...] = ()

    def of(self, label: Label, classes: Classes) -> Label:
        """Return a label as lowered; raise `ConfigInvalid` for a class that does not exist."""
        lower = self.to_class and classes.rank(self.to_class) < classes.rank(label.data_class)
        return Label(
            data_class=self.to_class if lower else label.data_class,
            categories=label.categories - set(self.without),
            trust=Trust.TRUSTED if self.trusted else label.trust,
            zones=label.zones - set(self.without),
        )
