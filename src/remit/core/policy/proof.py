# SPDX-License-Identifier: Apache-2.0
"""Proofs about policies: the questions, and the answers that hold for every possible call."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import datetime

import msgspec

from remit.core.json_value import Json


class ProofQuestion(enum.StrEnum):
    """A question about the rules that apply to one tool in one of its forms.

    - `NEVER_ERRS`: a rule never fails. remit refuses where a rule fails, other engines skip the rule.
    - `NO_WIDER`: a change permits nothing by itself that was not so permitted before.
    - `NO_WIDER_AFTER_APPROVAL`: no person can permit what no person could permit before.
    - `BOUNDED`: nothing is permitted, by itself or by a person, that a guardrail refuses.
    - `REACHED_ONLY_BY`: no other agent's call is permitted, by itself or by a person.
    """

    NEVER_ERRS = "never-errs"
    NO_WIDER = "no-wider"
    NO_WIDER_AFTER_APPROVAL = "no-wider-after-approval"
    BOUNDED = "bounded"
    REACHED_ONLY_BY = "reached-only-by"


class ProofVerdict(enum.StrEnum):
    """Whether a statement holds for every possible call. `UNDECIDED` proves nothing."""

    PROVEN = "proven"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


FactPath = tuple[str, ...]
"""The path of a fact, from `context` or `principal`."""


class PossibleCall(msgspec.Struct, frozen=True):
    """A call that a proof found: the agent and its groups, the tool's state, and the context that rules read.

    `read` are the facts that the rules in question read.
    """

    agent: dict[str, Json]
    groups: tuple[str, ...]
    state: str
    context: dict[str, Json]
    read: tuple[FactPath, ...] = ()

    @property
    def facts(self) -> dict[str, Json]:
        """The facts that the rules in question read, by their paths, without those that the call lacks."""
        whole: dict[str, Json] = {"context": self.context, "principal": self.agent}
        found = {".".join(path): _at(whole, path) for path in self.read if len(path) > 1}
        return {path: _plain(value) for path, value in found.items() if value is not None}


class ProofAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one question about the calls of a tool in one form.

    `effect` and `audience` are those of the form. `rule` is the rule in question, where it is about one.
    `before` and `after` are how a rehearsal decides the `example` by the two versions, `rules` those that
    speak after. `why` says why nothing was decided.
    """

    question: ProofQuestion
    tool: str
    effect: str
    audience: str
    verdict: ProofVerdict
    rule: str = ""
    example: PossibleCall | None = None
    before: str = ""
    after: str = ""
    rules: tuple[str, ...] = ()
    why: str = ""


class ProofPrograms(msgspec.Struct, frozen=True):
    """The versions of the programs that a proof rests on: Cedar's symbolic compiler, and the solver."""

    cedar: str
    solver: str


def verdict_of(answers: Iterable[ProofAnswer]) -> ProofVerdict:
    """Return the verdict of several answers together: one that is refuted refutes, one that is open leaves
    it open.
    """
    found = {one.verdict for one in answers}
    if ProofVerdict.REFUTED in found:
        return ProofVerdict.REFUTED
    return ProofVerdict.UNDECIDED if ProofVerdict.UNDECIDED in found else ProofVerdict.PROVEN


def _at(value: Json, path: FactPath) -> Json:
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value


def _plain(value: Json) -> Json:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
