# SPDX-License-Identifier: Apache-2.0
"""What is known of an argument's value: its provenance, where it was met, and how the intent leads there."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator

import msgspec

from remit.core.json_value import Json
from remit.core.label import Trust

MAX_MET = 8
"""Places that are kept for one value: the first ones, and always an untrusted one."""
MAX_NAMED = 120
"""Most characters of a field's or an argument's name in a sentence."""


class Provenance(enum.StrEnum):
    """The origin of a value, best first. Of several origins, the worst counts."""

    INTENT = "intent"
    TRUSTED = "trusted"
    UNKNOWN = "unknown"
    UNTRUSTED = "untrusted"


_RANK = {one: place for place, one in enumerate(Provenance)}


class Reach(enum.IntEnum):
    """How the intent leads to a record or to a value in it.

    In ascending order: not at all; the text of a source that the intent points to mentions it; it is a field
    of such a source; it is in a record that the intent names.
    """

    NONE = 0
    MENTIONED = 1
    POINTED = 2
    NAMED = 3


# Module-level names: each attribute lookup on an enum class costs the interpreter a search.
_INTENT, _TRUSTED, _NAMED = Provenance.INTENT, Provenance.TRUSTED, Reach.NAMED


class Encounter(msgspec.Struct, frozen=True):
    """A place where a value was met: the number of the call in the task, its tool, and the field of its
    result.

    `decision` is the id of that call's decision, which identifies the call in the evidence.
    """

    call: int
    decision: str
    tool: str
    field: str
    trust: Trust

    def __str__(self) -> str:
        """Return the wording that refusals use."""
        where = f", field `{bare(self.field)}`" if self.field else ""
        return f"the result of call {self.call}, `{self.tool}`{where}, {self.trust.value}"


def bare(name: str) -> str:
    """Return a name from an outside source in a form that fits on one line and inside quotes of a
    sentence.
    """
    short = name if len(name) <= MAX_NAMED else name[: MAX_NAMED - 1] + "…"
    return "".join(letter if letter.isprintable() and letter != "`" else "?" for letter in short)


class Stated(msgspec.Struct, frozen=True):
    """Where the intent states a value.

    `parameter` is the typed parameter; empty for the person's words. `words` is, for an address, the piece of
    these words.
    """

    parameter: str = ""
    words: str = ""


class Justification(msgspec.Struct, frozen=True):
    """What is known of an argument's value.

    - `stated`: where the intent states the value, if it does.
    - `origins`: the results that held the value.
    - `reach`: how the intent leads to the best of these results.
    - `sources`: the calls whose results the intent points to and which hold the value.
    - `records`: digests of the ids of the records that hold the value there.
    - `candidates`: how many similar values are there.
    - `spent`: the intent states the value, but it was used for something else before, and untrusted data
      holds it too.
    - `closed`: the value is among records of which the intent picks others.
    - `near`: the intent itself names the source, rather than a text that the intent points to.
    - `mentioned`: words of untrusted text hold the value.
    - `elsewhere`: the intent states the value, but possibly for another purpose.
    - `differs` (amounts): the intent states another amount.
    - `clean`: the agent used the value before the task read anything untrusted, and it proves no more than
      itself.
    - `parameter` (personal arguments): a typed parameter leads to the value, rather than words alone.
    - `structured`: the value is a whole field of these sources (a sender, a participant), and no prose.
    - `free`: the value is only in the prose of these sources, and the intent describes no one there.
    - `own`: the value is the person's own account, address or id, and the intent speaks of the person.
    - `among`: the value is one of several items of a list, of which the intent leads to none.
    - `hints`: where only words of titles or names that outsiders write lead to these sources, the numbers
      of these hints.
    """

    provenance: Provenance
    stated: Stated | None = None
    origins: tuple[Encounter, ...] = ()
    reach: Reach = Reach.NONE
    sources: frozenset[int] = frozenset()
    candidates: int = 0
    spent: bool = False
    closed: bool = False
    near: bool = False
    mentioned: bool = False
    elsewhere: bool = False
    differs: bool = False
    clean: bool = False
    parameter: bool = False
    structured: bool = False
    free: bool = False
    records: frozenset[int] = frozenset()
    own: bool = False
    among: bool = False
    hints: frozenset[int] = frozenset()

    @property
    def crossed(self) -> bool:
        """Whether untrusted data holds a value that the intent states."""
        return (
            self.stated is not None
            # Many texts of others hold the person's own address.
            and not self.own
            and self.origins != ()
            and any(one.trust is Trust.UNTRUSTED for one in self.origins)
        )

    @property
    def reached(self) -> bool:
        """Whether the value is from the intent, or is the one trusted value to which the intent leads."""
        return (self.provenance is _INTENT and not self.spent and not self.elsewhere) or (
            self.provenance is _TRUSTED and self.reach is _NAMED
        )

    @property
    def anchors(self) -> bool:
        """Whether the value shows that the call serves the intent.

        It is reached, by more than an earlier use, and is not merely the person's own.
        """
        return self.reached and not self.clean and not self.own

    @property
    def justified(self) -> bool:
        """Whether the value is from the intent and used for its stated purpose, or from a trusted source."""
        return not self.spent and not self.clean and self.provenance in (_INTENT, _TRUSTED)

    @property
    def pointed(self) -> bool:
        """Whether the value is in a source that the intent points to."""
        return bool(self.sources)

    @property
    def hinted(self) -> bool:
        """Whether only a hint leads to a part of the value."""
        return bool(self.hints)

    def join(self, other: Justification) -> Justification:
        """Return what holds of both values together: the worse of each property."""
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
            # A value of the intent needs no source. Two values that need one must have a common source.
            worse.sources if better.reached else worse.sources & better.sources,
            max(self.candidates, other.candidates),
            self.spent or other.spent,
            self.closed or other.closed,
            worse.near and (better.near or better.reached),
            self.mentioned or other.mentioned,
            self.elsewhere or other.elsewhere,
            self.differs or other.differs,
            clean=worse.clean and (better.clean or better.reached),
            structured=worse.structured and (better.structured or better.reached),
            free=self.free or other.free,
            records=worse.records if better.reached else worse.records & better.records,
            own=self.own and other.own,
            among=self.among or other.among,
            hints=self.hints | other.hints,
        )


NOTHING = Justification(Provenance.UNKNOWN)


def worst(judged: Iterable[Justification]) -> Provenance | None:
    """Return the worst provenance of several justifications; None for an empty iterable."""
    return max([one.provenance for one in judged], key=_RANK.__getitem__, default=None)


def leaves(value: Json) -> Iterator[str]:
    """Yield the texts and numbers that an argument holds, and the keys that are values rather than names.

    For searching only. A decision about a value uses `core.flow.arguments.argument_values.values_of`.
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
