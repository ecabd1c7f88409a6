# SPDX-License-Identifier: Apache-2.0
"""What is known of an argument's value: its provenance, where it was met, and how the intent leads there."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator

import msgspec

from remit.core.json_value import Json
from remit.core.label import Trust

MAX_MET = 8
"""Places that are kept of one value: the first ones, and always one that is untrusted."""
MAX_NAMED = 120
"""Characters of a field's or an argument's name that a sentence holds."""


class Provenance(enum.StrEnum):
    """Where a value came from, best first. Of several the worst counts."""

    INTENT = "intent"
    TRUSTED = "trusted"
    UNKNOWN = "unknown"
    UNTRUSTED = "untrusted"


_RANK = {one: place for place, one in enumerate(Provenance)}


class Reach(enum.IntEnum):
    """How the intent leads to a record, or a value in it: not at all; it is mentioned in the text of a source
    that the intent points to; it is a field there; it stands in what the intent names.
    """

    NONE = 0
    MENTIONED = 1
    POINTED = 2
    NAMED = 3


# Names of their own: each look at a class of constants costs the interpreter a search.
_INTENT, _TRUSTED, _NAMED = Provenance.INTENT, Provenance.TRUSTED, Reach.NAMED


class Encounter(msgspec.Struct, frozen=True):
    """A place where a value was met: the `call`th call of the task, its tool, and the field of its result.

    `decision` is the id of that call's decision, under which the evidence has it.
    """

    call: int
    decision: str
    tool: str
    field: str
    trust: Trust

    def __str__(self) -> str:
        """Say it as refusals do."""
        where = f", field `{bare(self.field)}`" if self.field else ""
        return f"the result of call {self.call}, `{self.tool}`{where}, {self.trust.value}"


def bare(name: str) -> str:
    """Return a name that somebody else chose so that a sentence can hold it, in its line and its quotes."""
    short = name if len(name) <= MAX_NAMED else name[: MAX_NAMED - 1] + "…"
    return "".join(letter if letter.isprintable() and letter != "`" else "?" for letter in short)


class Stated(msgspec.Struct, frozen=True):
    """Where the intent states a value: in which typed parameter, or (empty) in the person's words; for an
    address also as which piece of them.
    """

    parameter: str = ""
    words: str = ""


class Justification(msgspec.Struct, frozen=True):
    """What is known of an argument's value.

    `stated` is where the intent states it, if it does. `origins` are the results that held it. `reach` says
    how the intent leads to the best of them. `source` is the call whose result the intent points to and which
    holds the value (0: none), `candidates` how many values like it stand there. `spent` says that the intent
    states it, but it was used for something else before, and untrusted data holds it too. `closed` says that
    it stands among records of which the intent picks others, `near` that the intent itself names the source,
    and not a text that it points to, `mentioned` that words of untrusted text hold it. `elsewhere` says that
    the intent states it, and may have stated it for something else than what it is used for. `differs` says
    of an amount that the intent states another one.
    """

    provenance: Provenance
    stated: Stated | None = None
    origins: tuple[Encounter, ...] = ()
    reach: Reach = Reach.NONE
    source: int = 0
    candidates: int = 0
    spent: bool = False
    closed: bool = False
    near: bool = False
    mentioned: bool = False
    elsewhere: bool = False
    differs: bool = False

    @property
    def crossed(self) -> bool:
        """Whether untrusted data holds what the intent states."""
        return (
            self.stated is not None
            and self.origins != ()
            and any(one.trust is Trust.UNTRUSTED for one in self.origins)
        )

    @property
    def reached(self) -> bool:
        """Whether it is of the intent, or the one trusted value to which the intent leads."""
        return (self.provenance is _INTENT and not self.spent and not self.elsewhere) or (
            self.provenance is _TRUSTED and self.reach is _NAMED
        )

    @property
    def justified(self) -> bool:
        """Whether it is of the intent, and for what it was stated for, or of a trusted source."""
        return not self.spent and self.provenance in (_INTENT, _TRUSTED)

    @property
    def pointed(self) -> bool:
        """Whether it stands in a source that the intent points to."""
        return self.source > 0

    def join(self, other: Justification) -> Justification:
        """Return what holds of both values together: the worse of each."""
        mine, theirs = (
            (_RANK[self.provenance], not self.reached),
            (_RANK[other.provenance], not other.reached),
        )
        worse = self if mine >= theirs else other
        better = other if worse is self else self
        return Justification(
            worse.provenance,
            worse.stated,
            tuple(dict.fromkeys((*worse.origins, *better.origins)))[:MAX_MET],
            worse.reach,
            # A value of the intent needs no source; of two that do, both must have the same.
            worse.source if better.reached or better.source == worse.source else 0,
            max(self.candidates, other.candidates),
            self.spent or other.spent,
            self.closed or other.closed,
            worse.near and (better.near or better.reached),
            self.mentioned or other.mentioned,
            self.elsewhere or other.elsewhere,
            self.differs or other.differs,
        )


NOTHING = Justification(Provenance.UNKNOWN)


def worst(judged: Iterable[Justification]) -> Provenance | None:
    """Return the worst provenance among some; none where there are none."""
    return max([one.provenance for one in judged], key=_RANK.__getitem__, default=None)


def leaves(value: Json) -> Iterator[str]:
    """Yield the texts and numbers that an argument holds; also keys that are values rather than names.

    It is for finding. What decides about a value asks for `core.flow.argument_values.values_of`.
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, below in value.items():
            if not key.isidentifier():
                yield key
            yield from leaves(below)
    elif isinstance(value, list):
        for below in value:
            yield from leaves(below)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
