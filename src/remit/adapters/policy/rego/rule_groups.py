# SPDX-License-Identifier: Apache-2.0
"""Divides rules into groups, so that an evaluation asks only those that can match a call of its tool.

A compiled program looks at every rule of a set. So each group of rules with the same scope becomes a separate
set, and the program gets one answer for each combination of groups that a tool can need. The answer about all
groups stays: whatever no other answer covers exactly is asked of it.

Rego's two sets are unions of single rules, so the results of groups are joined. That does not hold where
something reads the sets themselves: such policies stay whole. A group reads either steady facts only
(`adapters.policy.steady_facts`) or others, too, so that the result of the steady ones can be kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from remit.adapters.policy.rego.rules import DECIDING, PACKAGE, RegoRule, ids_of
from remit.adapters.policy.rego.syntax import Definition, Definitions
from remit.adapters.policy.steady_facts import STEADY
from remit.core.tools.tool import Tool
from remit.ports.policy import PolicySource

#: The decision that remit asks for; `opa build` and a policy server know it by its path.
DECISION_PACKAGE: Final = "remit_decision"
DECISION: Final = f"{DECISION_PACKAGE}/answer"
WHOLE_MODULE: Final = f"""\
# Made by `remit policy build`: what remit asks for.
package {DECISION_PACKAGE}

answer := {{
	"permit": {{id | some id in data.remit.permit}},
	"forbid": {{id | some id in data.remit.forbid}},
}}
"""
#: Rules of one group. The time to compile a set grows faster than its rules.
MOST_RULES: Final = 250
#: Answers beside the one about all groups. The program looks through them one by one.
MOST_ANSWERS: Final = 8_000
#: Begins the names of the sets that groups become.
PREFIX: Final = "remit_group_"


class RuleGroup(msgspec.Struct, frozen=True):
    """Ids of rules that one set of the program holds; `steady` if they read only steady facts."""

    rules: tuple[str, ...]
    steady: bool = False


class DividedRules(msgspec.Struct, frozen=True):
    """Groups of rules, and for each answer the numbers of the groups that it is about.

    Without groups the program has only the answer about all rules.
    """

    groups: tuple[RuleGroup, ...] = ()
    answers: tuple[tuple[int, ...], ...] = ()

    @property
    def entries(self) -> frozenset[str]:
        """The paths of all answers."""
        return frozenset([DECISION, *(entry(number) for number in range(len(self.answers)))])


WHOLE: Final = DividedRules()


class GroupedPolicies(msgspec.Struct, frozen=True):
    """Policies as `opa` compiles them: their files, the module with the answers, and their names."""

    sources: Sequence[PolicySource]
    module: str = WHOLE_MODULE
    divided: DividedRules = WHOLE


def entry(number: int) -> str:
    """Return the path of an answer."""
    return f"{DECISION_PACKAGE}/part{number}"


def grouped(
    sources: Sequence[PolicySource], rules: Sequence[RegoRule], known: Sequence[Definition]
) -> GroupedPolicies:
    """Return policies in groups, or as they are if they cannot be divided."""
    whole = GroupedPolicies(sources)
    if not _divisible(sources, known):
        return whole
    groups = _groups(rules)
    by_id = {rule.ref.id: rule for rule in rules}
    names = {one: number for number, group in enumerate(groups) for one in group.rules}
    renamed = _renamed(sources, known, names)
    if renamed is None:
        return whole
    divided = DividedRules(
        groups, _answers([[by_id[one] for one in group.rules] for group in groups], groups)
    )
    sets = {
        word: {number for one, number in names.items() if by_id[one].permits == (word == "permit")}
        for word in DECIDING
    }
    return GroupedPolicies(renamed, _module(divided, sets), divided)


def _divisible(sources: Sequence[PolicySource], known: Sequence[Definition]) -> bool:
    """Return whether nothing but the answer reads the sets of rules, and the new names are free."""
    every = Definitions(known)
    sets = {number for number, one in enumerate(known) if one.package == PACKAGE and one.name in DECIDING}
    used = {path for one in known for path in one.uses}
    return (
        not any(number in sets for path in used for number in every.reached(path))
        and not any(one.package[:1] == (DECISION_PACKAGE,) for one in known)
        and not any(PREFIX in source.text for source in sources)
    )


def _groups(rules: Sequence[RegoRule]) -> tuple[RuleGroup, ...]:
    alike: dict[object, list[str]] = {}
    for rule in rules:
        alike.setdefault((rule.tools, rule.upstreams, _steady(rule)), []).append(rule.ref.id)
    return tuple(
        RuleGroup(tuple(ids[start : start + MOST_RULES]), key[-1])  # type: ignore[index]
        for key, ids in alike.items()
        for start in range(0, len(ids), MOST_RULES)
    )


def _steady(rule: RegoRule) -> bool:
    """Return whether a rule reads only steady facts; a read that is not understood counts as not steady."""
    return all(
        path[:1] in (("principal",), ("action",), ("resource",))
        or (path[:1] == ("context",) and path[1:2] and path[1] in STEADY)
        for path, _, _ in rule.reads
    )


def _answers(
    members: Sequence[Sequence[RegoRule]], groups: Sequence[RuleGroup]
) -> tuple[tuple[int, ...], ...]:
    """Return the combinations of groups that the tools which rules name, and all others, can need."""
    scopes = {(rule.tools, rule.upstreams) for rules in members for rule in rules}
    upstreams = {name for _, names in scopes for name in names or ()}
    tools = [Tool(upstream=name, name="") for name in sorted(upstreams)]
    for name in sorted({name for names, _ in scopes for name in names or ()}):
        upstream, _, rest = name.partition("/")
        tools.append(Tool(upstream=upstream, name=rest))
    index = GroupIndex(members)
    found: dict[tuple[int, ...], None] = {}
    for tool in [Tool(upstream="", name=""), *tools]:
        for one in halves(index.of(tool), groups):
            found[one] = None
    return tuple(found)[:MOST_ANSWERS]


def halves(wanted: Iterable[int], groups: Sequence[RuleGroup]) -> list[tuple[int, ...]]:
    """Return the steady ones and the others of some groups; no empty half."""
    both: tuple[list[int], list[int]] = ([], [])
    for number in wanted if groups else ():
        both[not groups[number].steady].append(number)
    return [tuple(half) for half in both if half]


class GroupIndex:
    """Finds the groups that have a rule about a tool."""

    def __init__(self, members: Sequence[Sequence[RegoRule]]) -> None:
        """Take the rules of each group."""
        self._members = members
        self._open: list[int] = []
        self._by_tool: dict[str, list[int]] = {}
        self._by_upstream: dict[str, list[int]] = {}
        for number, rules in enumerate(members):
            for scope in {(rule.tools, rule.upstreams) for rule in rules}:
                tools, upstreams = scope
                if tools is not None:
                    for name in tools:
                        self._by_tool.setdefault(name, []).append(number)
                elif upstreams is not None:
                    for name in upstreams:
                        self._by_upstream.setdefault(name, []).append(number)
                else:
                    self._open.append(number)

    def of(self, tool: Tool) -> list[int]:
        """Return the numbers of the groups, in their order."""
        near = {*self._open, *self._by_tool.get(tool.id, ()), *self._by_upstream.get(tool.upstream, ())}
        return sorted(number for number in near if any(rule.concerns(tool) for rule in self._members[number]))


def _renamed(
    sources: Sequence[PolicySource], known: Sequence[Definition], names: Mapping[str, int]
) -> list[PolicySource] | None:
    """Return the files with the set of its group as the head of each rule; `None` if a head is not found."""
    lines = {source.file: source.text.split("\n") for source in sources}
    # From behind, so that a place on a line stays what it is.
    for number, rule_id in sorted(ids_of(known).items(), key=lambda one: _place(known[one[0]]), reverse=True):
        one = known[number]
        if one.text.startswith("{"):
            continue  # a further body behind a head
        line = lines[one.file][one.line - 1]
        before, after = line[: one.column - 1], line[one.column - 1 :]
        if not before.isascii() or not after.startswith(one.name):
            return None
        lines[one.file][one.line - 1] = f"{before}{PREFIX}{names[rule_id]}_{after}"
    return [PolicySource(source.file, "\n".join(lines[source.file])) for source in sources]


def _place(one: Definition) -> tuple[str, int, int]:
    return one.file, one.line, one.column


def _module(divided: DividedRules, sets: Mapping[str, set[int]]) -> str:
    parts = {"answer": tuple(range(len(divided.groups)))}
    parts |= {entry(number).rpartition("/")[2]: one for number, one in enumerate(divided.answers)}
    lines = ["# Made by `remit policy build`: what remit asks for.", f"package {DECISION_PACKAGE}"]
    for name, groups in parts.items():
        members = (
            f'"{word}": {_union(word, [one for one in groups if one in sets[word]])}' for word in DECIDING
        )
        lines.append(f"{name} := {{{', '.join(members)}}}")
    return "\n\n".join(lines) + "\n"


def _union(word: str, groups: Sequence[int]) -> str:
    names = [f"data.remit.{PREFIX}{number}_{word}" for number in groups]
    if len(names) < 2:
        return names[0] if names else "set()"
    return f"{{id | some ids in [{', '.join(names)}]; some id in ids}}"
