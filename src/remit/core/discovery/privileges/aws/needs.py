# SPDX-License-Identifier: Apache-2.0
"""Whether a principal has what a step needs, and the step in words."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Final

import msgspec

from remit.core.discovery.privileges.aws.account import AwsPrincipal, AwsResource
from remit.core.discovery.privileges.aws.conditions import Facts, Truth
from remit.core.discovery.privileges.aws.evaluation import AwsRequest, AwsVerdict, Evaluator, Permit
from remit.core.discovery.privileges.aws.policy import common, glob, placed
from remit.core.discovery.privileges.aws.vocabulary import Need, Technique

#: The uses that meet needs, on what this depends, and the facts that the caller chose.
Met = tuple[list["Use"], list[str], Facts]


class Use(msgspec.Struct, frozen=True):
    """An action of a step, and the statements that permit it."""

    action: str
    permits: tuple[Permit, ...]


class AwsStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step: `who` does what `says`, and is `to` then. `reasons` are what it depends on."""

    technique: str
    who: str
    says: str
    uses: tuple[Use, ...]
    to: AwsPrincipal
    reasons: tuple[str, ...] = ()
    before: tuple[AwsStep, ...] = ()
    """AwsSteps that prepare it."""

    @property
    def sure(self) -> bool:
        """Whether the export holds everything that the step depends on."""
        return not self.reasons and all(each.sure for each in self.before)

    @property
    def sentence(self) -> str:
        """The step as one sentence, with the statements that permit it."""
        permitted: dict[str, list[str]] = {}
        for use in self.uses:
            for permit in use.permits:
                permitted.setdefault(permit.words, []).append(f"`{use.action}`")
        by = "; ".join(f"{words} permits {' and '.join(dict.fromkeys(a))}" for words, a in permitted.items())
        if_ = f", provided that {' and '.join(self.reasons)}" if self.reasons else ""
        return f"{self.who[:1].upper()}{self.who[1:]} {self.says}{if_} ({by})."


#: Most pairs of patterns of which a name is tried that both permit.
MOST_PAIRS: Final = 64


class AwsNeeds:
    """Judges by one evaluator what steps need."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    def possible(self, principal: AwsPrincipal, technique: Technique) -> bool:
        """Return whether some policy speaks for each action that a step needs."""
        return all(
            each.otherwise or any(self._evaluator.mentions(principal, action) for action in each.actions)
            for each in technique.needs
        )

    def met(
        self,
        principal: AwsPrincipal,
        needs: Iterable[Need],
        *,
        target: str = "",
        used: AwsResource | None = None,
        facts: Facts | None = None,
    ) -> Met | None:
        """Return the statements that permit what a step needs, on what it depends, and the chosen facts."""
        needs = tuple(needs)
        found = self._each(principal, needs, target, used, facts or {})
        shared = [
            pattern
            for pattern in {each.resources[0] for each in needs if "?*" in each.resources[0]}
            if sum(each.resources[0] == pattern for each in needs) > 1
        ]
        if found is None or not shared or used is not None:
            return found
        # What is made is what is used afterwards: one name must be permitted for all.
        for name in self._candidates(principal, needs, shared[0]):
            fixed = tuple(
                Need(each.actions, (name, *each.resources[1:]), each.otherwise)
                if each.resources[0] == shared[0]
                else each
                for each in needs
            )
            with_name = self._each(principal, fixed, target, used, facts or {})
            if with_name is not None:
                return with_name
        return None

    def _candidates(self, principal: AwsPrincipal, needs: tuple[Need, ...], pattern: str) -> list[str]:
        """Return names that match a pattern and what permits some action on it."""
        found: dict[str, None] = {}
        patterns: list[set[str]] = []
        for each in needs:
            patterns.append(set())
            for action in each.actions if each.resources[0] == pattern else ():
                resources = self._resources(principal, Need((action,), (pattern,)), "", None)
                request = AwsRequest(principal=principal, action=action, resources=resources)
                names, permitted = self._evaluator.names(request)
                found |= dict.fromkeys(names)
                patterns[-1] |= set(permitted)
        for one, other in itertools.combinations(patterns, 2):
            for left, right in itertools.islice(itertools.product(sorted(one), sorted(other)), MOST_PAIRS):
                name = common(placed(left, principal.account), placed(right, principal.account))
                if name and name.count(":") == pattern.count(":"):
                    found[name] = None
        return list(found)[:MOST_PAIRS]

    def _each(
        self,
        principal: AwsPrincipal,
        needs: tuple[Need, ...],
        target: str,
        used: AwsResource | None,
        facts: Facts,
    ) -> Met | None:
        uses: list[Use] = []
        reasons: list[str] = []
        chosen: Facts = {}
        for each in needs:
            action, verdict = self._best(principal, each, target, used, {**facts, **chosen})
            if verdict.truth is Truth.NO:
                if not each.otherwise:
                    return None
                reasons.append(each.otherwise)
                continue
            uses.append(Use(action, verdict.permits))
            reasons += verdict.reasons
            chosen |= {k: v for k, v in verdict.chosen.items() if k == "iam:permissionsboundary"}
        return uses, list(dict.fromkeys(reasons)), chosen

    def _best(
        self,
        principal: AwsPrincipal,
        wanted: Need,
        target: str,
        used: AwsResource | None,
        facts: Facts,
    ) -> tuple[str, AwsVerdict]:
        best: tuple[str, AwsVerdict] = ("", AwsVerdict(Truth.NO))
        resources = self._resources(principal, wanted, target, used)
        for action in wanted.actions:
            if not self._evaluator.mentions(principal, action):
                continue
            request = AwsRequest(principal=principal, action=action, resources=resources, facts=facts)
            verdict = self._evaluator.may(request)
            if verdict.truth > best[1].truth:
                best = action, verdict
            if best[1].truth is Truth.YES:
                break
        return best

    def _resources(
        self, principal: AwsPrincipal, wanted: Need, target: str, used: AwsResource | None
    ) -> tuple[str, ...]:
        partition = principal.arn.split(":", 2)[1] if principal.arn.startswith("arn:") else "aws"
        found = []
        for each in wanted.resources:
            if each == "{target}":
                found.append(target)
                continue
            pattern = each.replace("{account}", principal.account)
            if partition != "aws":
                pattern = pattern.replace("arn:aws:", f"arn:{partition}:", 1)
            fits = used is not None and glob(pattern.replace("?*", "*")).matches(used.arn)
            found.append(used.arn if fits and used is not None else pattern)
        return tuple(dict.fromkeys(found))


def step_of(
    technique: Technique,
    principal: AwsPrincipal,
    target: str,
    met: Met,
    to: AwsPrincipal,
    reasons: Iterable[str] = (),
    used: str = "",
) -> AwsStep:
    """Return the step of a technique, of which the needs are met."""
    says = technique.says.replace("{target}", f"`{target}`").replace("{used}", used)
    return AwsStep(
        technique=technique.name,
        who=who_is(principal),
        says=says,
        uses=tuple(met[0]),
        to=to,
        reasons=tuple(dict.fromkeys((*met[1], *reasons))),
    )


def who_is(principal: AwsPrincipal) -> str:
    """Return a principal as the subject of a sentence."""
    if principal.hypothetical and principal.kind != "policy":
        return f"the {'new ' if principal.name == 'x' else ''}{principal.kind}"
    owner = "a principal with " if principal.kind == "policy" else ""
    return f"{owner}{principal.words}"
