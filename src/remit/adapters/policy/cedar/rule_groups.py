# SPDX-License-Identifier: Apache-2.0
"""Rules of one place, evaluated together: those that read what each call brings again, and those that do not.

Cedar gives of a set which forbids hold, or else which permits hold. Both are facts of single rules, so a set
may be evaluated in parts and the parts' findings joined: the answer is the one that the whole set gives.

What rules of the steady part find is a function of the place and of the bytes of their context, and nothing
else. It is kept under exactly these, so that a call which changes none of them does not have the same
sentence worked out again. A fact that changes changes the bytes. Rules that read arguments or the time are
evaluated on each call.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

import cedarpy
import msgspec

from remit.adapters.policy.cedar.facts import Facts, provenance_of
from remit.adapters.policy.cedar.index import RecentAnswers
from remit.adapters.policy.cedar.rule import CedarRule
from remit.adapters.policy.cedar.types import Shape
from remit.core.decisions.access_request import AccessRequest
from remit.core.json_value import Json

_ERRED = re.compile(r"error while evaluating policy `([^`]*)`: (.*)", re.DOTALL)
#: What a call does not bring again: attributes of the context that the task, its label and the tool decide,
#: and the few words about its flow that are the same for most calls of a tool.
STEADY = frozenset(
    {
        "tier",
        "tier_level",
        "effect",
        "audience",
        "cleared",
        "assurance",
        "assurance_level",
        "label",
        "task_label",
        "sink_clearance",
        "crossings",
        "max_crossings",
        "flow",
        "destination_trust",
        "provenance",
        "task",
    }
)
#: Findings of the steady part that are kept for one place: one for each label and task type, about.
KEPT = 64


def steady(rule: CedarRule) -> bool:
    """Whether a rule reads nothing that each call brings again; what is not understood counts as such."""
    return all(path and path[0] in STEADY for path in rule.reads.paths)


class Found(msgspec.Struct, frozen=True):
    """What the rules of a set say: the names of those forbids that hold, or else of those permits that do."""

    forbids: frozenset[str] = frozenset()
    permits: frozenset[str] = frozenset()
    errors: tuple[str, ...] = ()

    def join(self, other: Found) -> Found:
        """Return what both sets say together."""
        return Found(
            self.forbids | other.forbids, self.permits | other.permits, (*self.errors, *other.errors)
        )


class Part(msgspec.Struct, frozen=True):
    """Some rules with what they read, compiled. `lasting` are those that no human can waive; with `flat` they
    read arguments by their flat names.
    """

    rules: tuple[CedarRule, ...]
    shape: Shape
    schema: Any
    policies: Any
    lasting: Any
    permits: frozenset[str]
    flat: bool


class Last(msgspec.Struct, frozen=True):
    """What was found for one request, to be found for the next without writing its context."""

    request: AccessRequest
    found: Found
    asked: dict[str, Json]

    def like(self, other: AccessRequest, read: Collection[str]) -> bool:
        """Whether another request in this place has the same steady facts; `read` names those that are read.

        INVARIANT: compared is all that a request holds, except what `STEADY` leaves out (arguments, time) and
        what the place has compared already (agent, tool with effect and audience).
        """
        mine = self.request
        return (
            mine.task is other.task
            and mine.label is other.label
            and mine.cleared is other.cleared
            and mine.tier is other.tier
            and mine.principal == other.principal
            and mine.crossings == other.crossings
            and mine.max_crossings == other.max_crossings
            and mine.flow.facts == other.flow.facts
            and ("provenance" not in read or provenance_of(mine) == provenance_of(other))
        )


class Kept:
    """What the steady part of a place has found so far."""

    __slots__ = ("by_context", "last")

    def __init__(self) -> None:
        """Begin with nothing."""
        self.by_context: RecentAnswers[bytes, Found] = RecentAnswers(KEPT)
        self.last: Last | None = None


class Stand(msgspec.Struct, frozen=True):
    """A part in a place: with the entities of one agent and one tool."""

    part: Part
    head: dict[str, Json]
    entities: Any
    #: `None` where each call is evaluated again.
    kept: Kept | None

    def ask(self, facts: Facts, request: AccessRequest) -> tuple[Found, dict[str, Json]]:
        """Return what the rules say of a request, and the request as Cedar was asked it; raises `Misfit`."""
        kept = self.kept
        if kept is not None and kept.last is not None and kept.last.like(request, self.part.shape.fields):
            return kept.last.found, kept.last.asked
        context = facts.context(self.part.shape, request, flat=self.part.flat)
        asked = {**self.head, "context": context.decode()}
        if kept is None:
            return self._evaluate(asked, self.part.policies), asked
        found = kept.by_context.get(context)
        if found is None:
            found = self._evaluate(asked, self.part.policies)
            if found.errors:
                return found, asked
            kept.by_context.put(context, found)
        kept.last = Last(request, found, asked)
        return found, asked

    def permits(self, asked: dict[str, Json]) -> Found:
        """Ask again without what a human may waive: Cedar names permits only where nothing forbids."""
        return self._evaluate(asked, self.part.lasting)

    def _evaluate(self, asked: dict[str, Json], policies: Any) -> Found:
        result = cedarpy.is_authorized(asked, policies, self.entities, self.part.schema)
        errors = tuple(_erred(text) for text in result.diagnostics.errors)
        if result.decision is cedarpy.Decision.NoDecision and not errors:
            errors = ("the policy engine gave no answer",)
        names = frozenset(result.diagnostics.reasons)
        return Found(names - self.part.permits, names & self.part.permits, errors)


def readers(rules: Iterable[CedarRule], path: str) -> str:
    """Name the rules that read a fact."""
    names = tuple(path.split("."))
    found = [
        rule.ref.id
        for rule in rules
        if any(read[: len(names)] == names[: len(read)] for read in rule.reads.paths)
    ]
    return ", ".join(f"`{name}`" for name in found) or "of this bundle"


def _erred(text: str) -> str:
    """Say which rule erred. Cedar's own text may quote values of the call, so none of it is passed on."""
    found = _ERRED.match(text)
    if found is None:
        return "the call does not fit the policy schema"
    detail = found.group(2)
    why = (
        "a number overflowed"
        if "overflow" in detail
        else "an attribute is missing"
        if "does not have the attribute" in detail
        else "its condition failed"
    )
    return f"rule `{found.group(1)}` could not be evaluated: {why}"
