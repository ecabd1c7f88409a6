# SPDX-License-Identifier: Apache-2.0
"""Checks policies in time that grows with what has changed since a loaded policy was checked."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import msgspec

from remit.adapters.policy.cedar.check import CheckedTexts, CheckInput, checked
from remit.adapters.policy.cedar.checks.known_rules import CheckedRule, KnownRules, WorldViews
from remit.adapters.policy.cedar.rule import CedarRule, RuleText, repeated, rule_texts
from remit.core.label import Label
from remit.core.tools.tool import FieldLabel, Tool
from remit.ports.policy import PolicySource, Problem

Check = Callable[[Sequence[RuleText], Sequence[CedarRule], CheckInput], CheckedTexts]
"""Parses new texts, and checks their rules and others."""


class CheckResult(msgspec.Struct, frozen=True):
    """The rules of some sources, and their problems.

    What holds `checked` lets the next check of the same rules take no time.
    """

    rules: list[CedarRule]
    problems: list[Problem]
    checked: Sequence[CheckedRule] = ()


class IncrementalCheck:
    """Checks the rules of policies that are not known, and those for which the world has changed.

    INVARIANT: the result equals that of a check of all rules.
    """

    def __init__(self, check: Check = checked, known: KnownRules | None = None) -> None:
        """Take what checks single rules, and where known rules are found; several checks may share it."""
        self._check = check
        self._known = known or KnownRules()

    def __call__(self, sources: Sequence[PolicySource], world: CheckInput) -> CheckResult:
        """Return the rules and the problems of these sources."""
        texts, excess = rule_texts(sources)
        if excess:
            return CheckResult([], excess)
        world = _read(world)
        views = WorldViews(world)
        known = [self._known.get(text) for text in texts]
        seen = [None if one is None else one.seen.get(views.of(one.rule)) for one in known]
        fresh = [text for text, one in zip(texts, known, strict=True) if one is None]
        pairs = list(zip(known, seen, strict=True))
        again = [one.rule for one, warnings in pairs if one is not None and warnings is None]
        answer = self._check(fresh, again, world) if fresh or again else CheckedTexts([], [])
        parsed = iter(answer.rules)
        rules = [next(parsed) if one is None else one.rule for one in known]
        sound = [rule for rule in rules if rule is not None]
        twice = list(repeated(sound))
        problems = [*answer.problems, *twice]
        kept: tuple[CheckedRule, ...] = ()
        if all(one.severity != "error" for one in problems):
            kept = self._kept(texts, known, sound, views, problems)
        warned = itertools.chain.from_iterable(one for one in seen if one is not None)
        return CheckResult(sound, _in_order([*answer.problems, *warned, *twice], sources, sound), kept)

    def _kept(
        self,
        texts: Sequence[RuleText],
        known: Sequence[CheckedRule | None],
        rules: Sequence[CedarRule],
        views: WorldViews,
        warnings: Sequence[Problem],
    ) -> tuple[CheckedRule, ...]:
        """Make the rules known, each with its warnings in this world."""
        by_rule: dict[str, list[Problem]] = {}
        for one in warnings:
            by_rule.setdefault(one.rule, []).append(one)
        return tuple(
            self._known.keep(text, one or CheckedRule(rule), views.of(rule), by_rule.get(rule.ref.id, ()))
            for text, one, rule in zip(texts, known, rules, strict=True)
        )


def _in_order(
    problems: list[Problem], sources: Sequence[PolicySource], rules: Sequence[CedarRule]
) -> list[Problem]:
    """Return problems in the order of their rules, and those of one rule in that of their lines."""
    order = {rule.ref.id: number for number, rule in enumerate(rules)}
    files = {source.file: number for number, source in enumerate(sources)}
    return sorted(problems, key=lambda one: (order.get(one.rule, -1), files.get(one.file, -1), one.line or 0))


def _read(world: CheckInput) -> CheckInput:
    """Return the world with only those parts of tools that a check reads, without labels and descriptions."""
    tools = [
        Tool(
            upstream=tool.upstream,
            name=tool.name,
            effect=tool.effect,
            audience=tool.audience,
            production=tool.production,
            financial=tool.financial,
            arguments={name: msgspec.structs.replace(one, when=()) for name, one in tool.arguments.items()},
            variants=tuple(msgspec.structs.replace(one, arguments={}) for one in tool.variants),
            surface={"inputSchema": tool.input_schema},
            fields=tuple(FieldLabel(one.path, Label()) for one in tool.fields),
        )
        for tool in world.tools
    ]
    return msgspec.structs.replace(world, tools=tools)
