# SPDX-License-Identifier: Apache-2.0
"""Evaluates the rules of one place in two parts.

One part reads facts that differ with each call; the steady part does not.

For a set of rules, Cedar returns the forbids that match, or else the permits that match. Both depend on
single rules, so a set may be evaluated in parts and the results joined: the answer equals that of the whole
set.

A part with many rules is divided further. Rules that a string in the call rules out are not evaluated
(`guards`). Rules about every call of every agent are one compiled group, not one for each tool.

The result of the steady part depends only on the place and on the bytes of its context. It is cached under
exactly these, so that a call that changes none of them needs no new evaluation. A changed fact changes the
bytes. Rules that read arguments or the time are evaluated on each call.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import cedarpy
import msgspec

from remit.adapters.policy.cache import RecentAnswers
from remit.adapters.policy.cedar.flat_arguments import with_flat
from remit.adapters.policy.cedar.guards import GuardIndex
from remit.adapters.policy.cedar.rule import CedarRule
from remit.adapters.policy.cedar.rule_cache import CompiledGroup, CompiledRules
from remit.adapters.policy.facts import Facts, written
from remit.adapters.policy.steady_facts import STEADY, alike
from remit.adapters.policy.types import Kind, Shape
from remit.core.decisions.access_request import AccessRequest
from remit.core.json_value import Json

_ERRED = re.compile(r"error while evaluating policy `([^`]*)`: (.*)", re.DOTALL)
#: Cached results of the steady part for one place: about one for each label and task type.
KEPT = 64
#: Rules of a part that are worth an index: fewer cost less than a second evaluation.
INDEXED_FROM: Final = 32
#: Rules about every call that are worth a separate group, which all tools and agents share.
SHARED_FROM: Final = 128
#: Most rules that are chosen for one call; where more may hold, all are evaluated.
MOST_CHOSEN: Final = 16


def steady(rule: CedarRule) -> bool:
    """Return whether a rule reads only steady facts; a read that is not understood counts as not steady."""
    return all(path and path[0] in STEADY for path in rule.reads.paths)


def extension(kind: Kind, text: str) -> Json:
    """Write a value of one of Cedar's extension types."""
    return {"__extn": {"fn": kind.value, "arg": text}}


class Found(msgspec.Struct, frozen=True):
    """The result of a set of rules: the ids of the matching forbids, or else of the matching permits."""

    forbids: frozenset[str] = frozenset()
    permits: frozenset[str] = frozenset()
    errors: tuple[str, ...] = ()

    def join(self, other: Found) -> Found:
        """Return the joint result of both sets."""
        return Found(
            self.forbids | other.forbids, self.permits | other.permits, (*self.errors, *other.errors)
        )


class Part(msgspec.Struct, frozen=True):
    """Rules with the facts that they read; with `flat` they read arguments by their flat names.

    `groups` are evaluated on each call. `index` finds those of the `guarded` rules that can hold for a call.
    """

    rules: tuple[CedarRule, ...]
    shape: Shape
    schema: Any
    permits: frozenset[str]
    flat: bool
    groups: tuple[CompiledGroup, ...]
    guarded: CompiledGroup
    index: GuardIndex | None

    def chosen(self, context: dict[str, Json], rules: CompiledRules) -> tuple[CompiledGroup, ...]:
        """Return the groups to evaluate for a call with this context."""
        matching = () if self.index is None else self.index.matching(context)
        if not matching:
            return self.groups
        # A set of its own for each choice costs its compiling: so only for few rules.
        few = len(matching) <= MOST_CHOSEN
        return (*self.groups, rules.group(matching, self.flat) if few else self.guarded)


class Asked(msgspec.Struct, frozen=True):
    """A request as Cedar gets it, and the groups of rules to evaluate."""

    call: dict[str, Json]
    groups: tuple[CompiledGroup, ...]


class Last(msgspec.Struct, frozen=True):
    """The result for one request, reusable for a like request without writing its context."""

    request: AccessRequest
    found: Found
    asked: Asked


class Kept:
    """The cached results of the steady part of a place."""

    __slots__ = ("by_context", "last")

    def __init__(self) -> None:
        """Begin empty."""
        self.by_context: RecentAnswers[bytes, Found] = RecentAnswers(KEPT)
        self.last: Last | None = None


class Stand(msgspec.Struct, frozen=True):
    """A part in a place, with the entities of one agent and one tool."""

    part: Part
    rules: CompiledRules
    head: dict[str, Json]
    entities: Any
    #: `None` if each call is evaluated.
    kept: Kept | None

    def ask(self, facts: Facts, request: AccessRequest) -> tuple[Found, Asked]:
        """Return the rules' result for a request, and the Cedar request; raise `TypeMismatch`."""
        kept = self.kept
        last = None if kept is None else kept.last
        if last is not None and alike(last.request, request, self.part.shape.fields):
            return last.found, last.asked
        values = facts.context(self.part.shape, request, extension)
        groups = self.part.chosen(values, self.rules)
        context = written(with_flat(values) if self.part.flat else values)
        asked = Asked({**self.head, "context": context.decode()}, groups)
        if kept is None:
            return self.evaluate(asked), asked
        found = kept.by_context.get(context)
        if found is None:
            found = self.evaluate(asked)
            if found.errors:
                return found, asked
            kept.by_context.put(context, found)
        kept.last = Last(request, found, asked)
        return found, asked

    def evaluate(self, asked: Asked, *, lasting: bool = False) -> Found:
        """Return the result of the groups; with `lasting`, without the rules that a human may waive.

        (Cedar names permits only if nothing forbids.)
        """
        found = Found()
        for group in asked.groups:
            compiled = self.rules.of(group)
            policies = compiled.lasting if lasting else compiled.policies
            found = found.join(self._evaluated(asked.call, policies))
        return found

    def _evaluated(self, call: dict[str, Json], policies: Any) -> Found:
        result = cedarpy.is_authorized(call, policies, self.entities, self.part.schema)
        errors = tuple(_erred(text) for text in result.diagnostics.errors)
        if result.decision is cedarpy.Decision.NoDecision and not errors:
            errors = ("the policy engine gave no answer",)
        names = frozenset(result.diagnostics.reasons)
        return Found(names - self.part.permits, names & self.part.permits, errors)


def readers(rules: Iterable[CedarRule], path: str) -> str:
    """Return the ids of the rules that read a fact."""
    names = tuple(path.split("."))
    found = [
        rule.ref.id
        for rule in rules
        if any(read[: len(names)] == names[: len(read)] for read in rule.reads.paths)
    ]
    return ", ".join(f"`{name}`" for name in found) or "of this bundle"


def _erred(text: str) -> str:
    """Describe an error by its rule.

    Cedar's own text may quote values of the call, so none of it is passed on.
    """
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
