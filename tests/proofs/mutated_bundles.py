# SPDX-License-Identifier: Apache-2.0
"""Mutated bundles: the rules of the small world with one or two changes, as people make them by mistake."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

import msgspec

from remit.ports.policy import PolicySource

_CALL = 'action in Action::"call"'
_EXPORT = 'action == Action::"desk/export"'
_NOTE = 'action == Action::"desk/note"'


class Rule(msgspec.Struct, frozen=True):
    """One rule in parts, so that a mutation is a change of a part."""

    name: str
    effect: str
    action: str
    conditions: tuple[str, ...] = ()
    principal: str = "principal"
    asks: bool = False
    owes: str = ""

    def meets(self, tool: str) -> bool:
        """Return whether the rule's scope can match calls of a tool."""
        return self.action == _CALL or f'"{tool}"' in self.action

    @property
    def text(self) -> str:
        """The rule in Cedar."""
        asks = '@otherwise("approval")\n' if self.asks else ""
        conditions = "".join(f"\nwhen {{ {one} }}" for one in self.conditions)
        head = f"{self.effect} ({self.principal}, {self.action}, resource)"
        return f'@id("{self.name}")\n{asks}{self.owes}{head}{conditions};'


Bundle = tuple[Rule, ...]

BASE: Bundle = (
    Rule("base/all", "permit", _CALL),
    Rule("desk/finance", "forbid", _EXPORT, ('!(principal in Group::"finance")', 'context.effect != "none"')),
    Rule("desk/limit", "forbid", _EXPORT, ("context.args has amount && context.args.amount > 1000",)),
    Rule("desk/ask", "forbid", _EXPORT, ("context.args has amount && context.args.amount > 100",), asks=True),
    Rule("data/cleared", "forbid", _CALL, ("!context.cleared",)),
    Rule(
        "data/outside", "forbid", _CALL, ("context.label.class_level >= 1", 'context.audience == "external"')
    ),
    Rule(
        "flow/unasked",
        "forbid",
        _CALL,
        ("context.label.untrusted", "!context.flow.asked", "context.tier_level >= 2"),
        asks=True,
    ),
    Rule("note/planned", "forbid", _NOTE, ('context.flow.plan == "unplanned"',)),
    Rule(
        "note/help",
        "forbid",
        _NOTE,
        ('context.task.purpose == "help"', 'context.label.class == "restricted"'),
    ),
    Rule("note/bob", "forbid", _NOTE, ("context.label.untrusted",), principal='principal == Agent::"bob"'),
)

_WORDS = (
    ("public", "internal", "confidential", "restricted"),
    ("none", "reversible", "irreversible"),
    ("planned", "unplanned"),
    ("finance", "ops"),
    ("help", "reporting"),
)
_ATOMS = (
    "context.label.class_level >= 2",
    'context.label.class == "confidential"',
    'context.audience == "external"',
    "context.flow.asked",
    "context.label.untrusted",
    'context.effect == "irreversible"',
    "context.tier_level >= 3",
    'principal in Group::"ops"',
    "context.cleared",
)
#: Conditions that say the same of every possible call, by what belongs together in remit.
_EQUAL = {
    "context.label.class_level >= 1": '!["public"].contains(context.label.class)',
    'context.label.class == "restricted"': "context.task_label.class_level == 3",
    'context.task.purpose == "help"': 'context.task.type == "support"',
    'context.effect != "none"': "context.tier_level >= 2",
    "!context.cleared": "context.label.class_level > context.sink_clearance.class_level",
    'context.audience == "external"': 'context.audiences.contains("external") && !context.flow.to_self',
    "context.label.untrusted": "context.task_label.untrusted == true",
    'context.flow.plan == "unplanned"': '!["planned", "none"].contains(context.flow.plan)',
}

Mutation = Callable[[Rule, random.Random], Sequence[Rule]]


def _with(rule: Rule, at: int, *conditions: str) -> Rule:
    return msgspec.structs.replace(
        rule, conditions=(*rule.conditions[:at], *conditions, *rule.conditions[at + 1 :])
    )


def _dropped(rule: Rule, chance: random.Random) -> Sequence[Rule]:
    return ()


def _with_less(rule: Rule, chance: random.Random) -> Sequence[Rule]:
    return [_with(rule, chance.randrange(len(rule.conditions)))] if rule.conditions else [rule]


def _with_more(rule: Rule, chance: random.Random) -> Sequence[Rule]:
    return [msgspec.structs.replace(rule, conditions=(*rule.conditions, chance.choice(_ATOMS)))]


def _with_another(rule: Rule, chance: random.Random) -> Sequence[Rule]:
    if not rule.conditions:
        return [rule]
    at = chance.randrange(len(rule.conditions))
    return [_with(rule, at, f"({rule.conditions[at]}) || {chance.choice(_ATOMS)}")]


def _negated(rule: Rule, chance: random.Random) -> Sequence[Rule]:
    if not rule.conditions:
        return [rule]
    at = chance.randrange(len(rule.conditions))
    return [_with(rule, at, f"!({rule.conditions[at]})")]


def _in_other_words(rule: Rule, chance: random.Random) -> Sequence[Rule]:
    known = [at for at, one in enumerate(rule.conditions) if one in _EQUAL]
    if not known:
        return [rule]
    at = chance.choice(known)
    return [_with(rule, at, _EQUAL[rule.conditions[at]])]


def _with_a_word_swapped(rule: Rule, chance: random.Random) -> Sequence[Rule]:
    found = [
        (at, word, other)
        for at, one in enumerate(rule.conditions)
        for words in _WORDS
        for word in words
        if f'"{word}"' in one
        for other in words
        if other != word
    ]
    if not found:
        return [rule]
    at, word, other = chance.choice(found)
    return [_with(rule, at, rule.conditions[at].replace(f'"{word}"', f'"{other}"'))]


def _with_a_number_moved(rule: Rule, chance: random.Random) -> Sequence[Rule]:
    numbers = [at for at, one in enumerate(rule.conditions) if re.search(r" \d+$", one)]
    if not numbers:
        return [rule]
    at = chance.choice(numbers)
    head, _, number = rule.conditions[at].rpartition(" ")
    return [_with(rule, at, f"{head} {int(number) + chance.choice((-1, 1))}")]


def _with_another_comparison(rule: Rule, chance: random.Random) -> Sequence[Rule]:
    known = [at for at, one in enumerate(rule.conditions) if re.search(r" (>=|>) \d+$", one)]
    if not known:
        return [rule]
    at = chance.choice(known)
    one = rule.conditions[at]
    return [_with(rule, at, one.replace(" >= ", " > ") if " >= " in one else one.replace(" > ", " >= "))]


def _overflowing(rule: Rule, chance: random.Random) -> Sequence[Rule]:
    return [
        msgspec.structs.replace(
            rule,
            conditions=tuple(
                re.sub(r"amount > (\d+)", lambda found: f"amount + 1 > {int(found[1]) + 1}", one)
                for one in rule.conditions
            ),
        )
    ]


def _asking(rule: Rule, chance: random.Random) -> Sequence[Rule]:
    return [msgspec.structs.replace(rule, asks=not rule.asks)] if rule.effect == "forbid" else [rule]


def _elsewhere(rule: Rule, chance: random.Random) -> Sequence[Rule]:
    if "context.args" in "".join(rule.conditions):
        return [rule]
    return [msgspec.structs.replace(rule, action=chance.choice((_CALL, _EXPORT, _NOTE)))]


def _for_others(rule: Rule, chance: random.Random) -> Sequence[Rule]:
    others = ("principal", 'principal == Agent::"bob"', 'principal in Group::"finance"')
    return [msgspec.structs.replace(rule, principal=chance.choice(others))]


def _beside_a_grant(rule: Rule, chance: random.Random) -> Sequence[Rule]:
    grant = Rule(
        f"{rule.name}-grant-{chance.randrange(10**6)}", "permit", rule.action, (chance.choice(_ATOMS),)
    )
    return [rule, grant]


def _renamed(rule: Rule, chance: random.Random) -> Sequence[Rule]:
    return [
        msgspec.structs.replace(
            rule, name=f"{rule.name}-{chance.randrange(10**6)}", conditions=rule.conditions[::-1]
        )
    ]


MUTATIONS: tuple[Mutation, ...] = (
    *(_dropped, _with_less, _with_more, _with_another, _negated, _in_other_words, _in_other_words),
    *(_with_a_word_swapped, _with_a_number_moved, _with_another_comparison, _overflowing, _asking),
    *(_elsewhere, _for_others, _beside_a_grant, _renamed),
)


def mutated(seed: int) -> tuple[Bundle, str]:
    """Return a bundle with one or two mutations, the same for the same seed, and what was done in words."""
    chance = random.Random(seed)
    bundle = BASE
    said: list[str] = []
    while bundle == BASE or (len(said) < 2 and chance.random() < 0.3):
        mutation, rule = chance.choice(MUTATIONS), chance.choice(bundle)
        after = tuple(one for each in bundle for one in (mutation(each, chance) if each is rule else [each]))
        if after != bundle:
            bundle = after
            said.append(f"{rule.name}{mutation.__name__.replace('_', ' ')}")
    return bundle, ", ".join(said)


def sources(bundle: Bundle) -> tuple[PolicySource, ...]:
    """Return a bundle as policy files."""
    return (PolicySource("policies/desk.cedar", "\n".join(rule.text for rule in bundle)),)
