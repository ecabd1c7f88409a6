# SPDX-License-Identifier: Apache-2.0
"""Finds problems in policies.

Each problem has what the author needs to fix it: file, line, rule, remediation.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

import cedarpy
import msgspec

from remit.adapters.policy.cedar.conditions import Conditions
from remit.adapters.policy.cedar.index import action_closure, names_tools, resource_closure, scope_uids
from remit.adapters.policy.cedar.policy_text import nearest
from remit.adapters.policy.cedar.reads import Uid
from remit.adapters.policy.cedar.rule import ANNOTATIONS, CedarRule, RuleText, Scope, parse_one
from remit.adapters.policy.cedar.rule_reachability import never_applies
from remit.adapters.policy.cedar.schema import GROUPS, forms, groups_of, schema_text
from remit.adapters.policy.cedar.type_text import cedar_type
from remit.adapters.policy.cedar.words import misspelt
from remit.adapters.policy.facts import NO_CLAIMS, NO_HISTORY, NO_RECORD, context_shape
from remit.adapters.policy.obligation_notes import unredactable
from remit.adapters.policy.types import Path, Shape, prune
from remit.core.identity.principals import Agent
from remit.core.label import Classes
from remit.core.policy.vocabulary import Words
from remit.core.tools.tool import Tool
from remit.ports.policy import Problem

_FOR_POLICY = re.compile(r"^for policy `[^`]*`, ")
_ABSENT = re.compile(r"attribute `?([^`]+?)`? in context|optional attribute `([^`]+)`")
_SCHEMA = "see docs/explanation/policy.md, or `remit policy schema` where remit runs"
#: Tools whose actions are type-checked together.
PART = 32
#: Rules that are type-checked together.
AT_ONCE = 500
#: Unknown names for which the nearest known one is searched. After a tool server renames all its tools, every
#: rule has an unknown name.
SUGGESTED = 20
_NO_ACTION = "unable to find an applicable action"


class CheckInput(msgspec.Struct, frozen=True):
    """The names that policies may use. `params` are the intent parameters of all task types, `facts` those of
    records, `words` the words of each fact that has a limited number of them, `groups` the groups that the
    configuration declares, `posture` what is known about agents.

    `agents` may be empty; then names of agents and groups are not checked.
    """

    tools: Sequence[Tool]
    params: Shape
    classes: Classes
    agents: Sequence[Agent] = ()
    facts: Shape = NO_RECORD
    words: dict[str, Words] = {}
    groups: tuple[str, ...] = ()
    history: Shape = NO_HISTORY
    posture: Shape = NO_CLAIMS


class CheckedTexts(msgspec.Struct, frozen=True):
    """The rules of some texts, with None for a text that is no rule, and their problems."""

    rules: list[CedarRule | None]
    problems: list[Problem]


def checked(texts: Sequence[RuleText], again: Sequence[CedarRule], world: CheckInput) -> CheckedTexts:
    """Parse texts, and check their rules and those that were parsed before (`again`)."""
    problems: list[Problem] = []
    rules = [parse_one(text, problems) for text in texts]
    sound = [rule for rule in rules if rule is not None]
    return CheckedTexts(rules, problems + problems_of([*sound, *again], world))


def problems_of(rules: Sequence[CedarRule], world: CheckInput) -> list[Problem]:
    """Return the problems of single `rules` in `world`: errors of names first, then type errors."""
    out = list(_doubled(world.tools))
    if out:
        return out
    shapes, known, conditions = Shapes(world), _Known(world), Conditions(world.words)
    sound: list[CedarRule] = []
    for rule in rules:
        out += _notes(rule)
        found = [*_names(rule, known), *_asked(rule)]
        met = [] if found else shapes.met_by(rule)
        if not found:
            found = [
                *_reads(rule, shapes, met),
                *misspelt(rule, world.words, [tool for tool, _ in met] or world.tools),
            ]
        if not found:  # else the finding says more
            found = list(never_applies(rule, conditions, [tool for tool, _ in met]))
            found += [
                rule.problem(text, at="@redact", severity="warning", remediation=way)
                for text, way in unredactable(rule.obligations, [tool for tool, _ in met])
            ]
        out += found
        if all(problem.severity != "error" for problem in found):
            sound.append(rule)
    facts = (world.params, world.classes, world.facts, world.history, world.posture)
    types = (one for part, tools in shapes.parts(sound) for one in _types(part, schema_text(tools, *facts)))
    return [*out, *dict.fromkeys(types)]


def _doubled(tools: Sequence[Tool]) -> Iterator[Problem]:
    seen: set[str] = set()
    for tool in tools:
        if tool.id in seen:
            yield Problem(
                "error", f"two tools are named `{tool.id}`", remediation="rename one of the upstreams"
            )
        seen.add(tool.id)


class _Known:
    """The names of entities that exist."""

    def __init__(self, world: CheckInput) -> None:
        tools = {tool.id for tool in world.tools}
        #: Names of agents and groups are checked.
        self.agents = bool(world.agents)
        self.names = {
            "Action": {*GROUPS, *tools},
            "Tool": tools,
            "Upstream": {tool.upstream for tool in world.tools},
            "Agent": {agent.name for agent in world.agents},
            "Group": {*world.groups, *(group for agent in world.agents for group in agent.groups)},
        }
        self._suggested = 0

    def nearest(self, kind: str, name: str) -> str:
        """Return the remediation for an unknown name; a search through all names for the first few only."""
        self._suggested += 1
        return nearest(name, self.names[kind]) if self._suggested <= SUGGESTED else _SCHEMA


def _notes(rule: CedarRule) -> Iterator[Problem]:
    for name in rule.policy.get("annotations", ()):
        if name not in ANNOTATIONS:
            remediation = nearest(name, ANNOTATIONS)
            text = f"annotation `@{name}` has no meaning here"
            yield rule.problem(text, severity="warning", remediation=remediation)


def _names(rule: CedarRule, known: _Known) -> Iterator[Problem]:
    """Yield a problem for each entity that a rule names and that does not exist.

    Agents and groups may be created later: they yield a warning, and only where any agent is known.
    """
    for kind, name in sorted(rule.uids):
        if kind not in known.names:
            yield rule.problem(
                f"entity type `{kind}` does not exist", at=kind, remediation=nearest(kind, known.names)
            )
        elif name not in known.names[kind]:
            comes = kind in ("Agent", "Group")
            if comes and not known.agents:
                continue
            yield rule.problem(
                f"{kind.lower()} `{name}` does not exist",
                at=name,
                severity="warning" if comes else "error",
                remediation=known.nearest(kind, name),
            )


def _asked(rule: CedarRule) -> Iterator[Problem]:
    for kind, name in sorted(rule.reads.asked):
        yield rule.problem(
            f'a condition reads `{kind}::"{name}"`, which is not part of the call',
            at=name,
            remediation="read `principal`, `resource` or `context`; a named entity may only be compared",
        )


class Shapes:
    """The context types of all tools, and the tools that a rule can match."""

    def __init__(self, world: CheckInput) -> None:
        known = (world.params, world.facts, world.history, world.posture)
        self.bare = context_shape(Tool(upstream="", name=""), *known)
        self._shapes = [(tool, context_shape(tool, *known)) for tool in world.tools]
        self._numbers = {tool.id: number for number, tool in enumerate(world.tools)}
        self._contexts: list[tuple[Tool, Shape]] = []
        #: The forms of tools by each of their ancestors and those of their actions.
        self._below: dict[Uid, list[int]] = {}
        #: Tools by the groups of their actions, and whether their arguments are known.
        self._sorts: dict[tuple[frozenset[str], bool], list[int]] = {}
        #: Tools by the names of their arguments.
        self._having: dict[str, list[int]] = {}
        for number, (tool, shape) in enumerate(self._shapes):
            for form in forms(tool):
                for uid in action_closure(form)[1] | resource_closure(form)[1]:
                    self._below.setdefault(uid, []).append(len(self._contexts))
                self._contexts.append((form, shape))
            self._sorts.setdefault(self._sort(number), []).append(number)
            for name in shape.fields["args"].fields.keys() | shape.fields["provenance"].fields.keys():
                self._having.setdefault(name, []).append(number)
        self._met: dict[tuple[Scope, Scope], list[tuple[Tool, Shape]]] = {}
        self._apart: dict[frozenset[Path], frozenset[int]] = {}

    def met_by(self, rule: CedarRule) -> list[tuple[Tool, Shape]]:
        """Return the tools in a rule's scope, in each of their forms, with their context types."""
        key = rule.action, rule.resource
        if key not in self._met:
            uids = scope_uids(rule)
            near = range(len(self._contexts)) if uids is None else self._under(uids)
            self._met[key] = [
                (tool, shape)
                for tool, shape in (self._contexts[number] for number in near)
                if rule.action.matches(*action_closure(tool))
                and rule.resource.matches(*resource_closure(tool))
            ]
        return self._met[key]

    def parts(self, rules: Sequence[CedarRule]) -> Iterator[tuple[list[CedarRule], list[Tool]]]:
        """Divide rules, each part with the tools for whose actions Cedar has to type-check it.

        Cedar checks each rule by itself, once for each action, so the findings of the parts are those of the
        whole. With few tools in a part the work grows with rules and tools, and not with their product.
        """
        wide: tuple[list[CedarRule], set[int]] = ([], set())
        part: tuple[list[CedarRule], set[int]] = ([], set())
        apart = [(self.apart(rule), rule) for rule in rules]
        # Rules about the same tools come together, wherever they stand: else a part would hold few of them.
        for numbers, rule in sorted(apart, key=lambda one: min(one[0], default=-1)):
            if len(numbers) <= PART and len(part[1] | numbers) > PART:
                yield part[0], self._tools(part[1])
                part = ([], set())
            held, tools = part if len(numbers) <= PART else wide
            held.append(rule)
            tools |= numbers
        for held, tools in (part, wide):
            if held:
                yield held, self._tools(tools)

    def apart(self, rule: CedarRule) -> frozenset[int]:
        """Return the numbers of tools that stand for all others in the type check of a rule.

        A rule whose scope names actions can fail for no other. Two actions have the same result if the rule
        names neither, they are in the same groups, and their contexts agree in everything that it reads.
        """
        named = frozenset(
            self._numbers[name] for kind, name in rule.uids if kind == "Action" and name in self._numbers
        )
        scope = rule.action.named
        if scope and names_tools(scope):
            return named
        paths = frozenset(path for path in rule.reads.paths if path[:1] in ((), ("args",), ("provenance",)))
        if paths not in self._apart:
            self._apart[paths] = frozenset(self._alike(paths))
        return named | self._apart[paths]

    def _alike(self, paths: frozenset[Path]) -> Iterator[int]:
        """Yield one tool of each group whose contexts agree in what is read of arguments."""
        whole = any(len(path) < 2 for path in paths)
        names = {path[1] for path in paths if len(path) > 1 and path[1] is not None}
        having = {number for name in names for number in self._having.get(name, ())}
        near = set(range(len(self._shapes))) if whole else having
        found: dict[Hashable, int] = {}
        for number in sorted(near):
            tool, shape = self._shapes[number]
            read = cedar_type(prune(shape, paths)) if tool.input_schema else ""
            found.setdefault((self._sort(number), read), number)
        yield from found.values()
        for numbers in self._sorts.values():
            yield from itertools.islice((number for number in numbers if number not in near), 1)

    def _sort(self, number: int) -> tuple[frozenset[str], bool]:
        tool = self._shapes[number][0]
        groups = frozenset(group for form in forms(tool) for group in groups_of(form))
        return groups, bool(tool.input_schema)

    def _under(self, uids: Iterable[Uid]) -> list[int]:
        return sorted({number for uid in uids for number in self._below.get(uid, ())})

    def _tools(self, numbers: Iterable[int]) -> list[Tool]:
        return [self._shapes[number][0] for number in sorted(numbers)]


def _reads(rule: CedarRule, shapes: Shapes, met: Sequence[tuple[Tool, Shape]]) -> Iterator[Problem]:
    """Yield a problem for each fact that a rule reads and that no call in its scope has.

    Otherwise `has` would hide a misspelt fact. `met` are the tools in its scope.
    """
    if not met and (rule.action.uids or rule.resource.uids):
        yield rule.problem(
            "no registered tool is in the scope of this rule",
            severity="warning",
            remediation="compare its action with its resource",
        )
    for path in sorted(rule.reads.paths, key=str):
        if path[:1] not in (("args",), ("provenance",)) or len(path) < 2:
            if not shapes.bare.has(path):
                yield _unknown(rule, path, [shapes.bare])
            continue
        if any(shape.has(path) for _, shape in met):
            continue
        known = [shape for tool, shape in met if tool.input_schema]
        if known:
            yield _unknown(rule, path, known)
        elif met:
            yield rule.problem(
                f"whether `{met[0][0].id}` has an argument `{path[1]}` is not known yet",
                at=path[1] or "",
                severity="warning",
                remediation="connect its upstream and check again; until then its calls are refused",
            )


def _unknown(rule: CedarRule, path: Path, shapes: Sequence[Shape]) -> Problem:
    """Report where `path` leaves the known facts, and what the alternatives are."""
    names = [name for name in path if name is not None]
    level = list(shapes)
    for depth, name in enumerate(names):
        below = [shape.fields[name] for shape in level if name in shape.fields]
        if not below:
            hidden = [shape.hidden[name] for shape in level if name in shape.hidden]
            place = ".".join(("context", *names[: depth + 1]))
            if hidden:
                return rule.problem(
                    f"policies cannot read `{place}`: it is {hidden[0]}",
                    at=name,
                    remediation="use `context.arg_names.contains(...)` to check whether it is given",
                )
            what = (
                f"no tool in its scope has an argument `{name}`"
                if names[0] in ("args", "provenance") and depth == 1
                else f"`{place}` does not exist"
            )
            return rule.problem(
                what, at=name, remediation=nearest(name, (field for shape in level for field in shape.fields))
            )
        level = below
    return rule.problem(f"`context.{'.'.join(names)}` does not exist", remediation=_SCHEMA)


def _types(rules: Sequence[CedarRule], schema: str) -> Iterator[Problem]:
    """Yield the findings of Cedar's own strict validation."""
    if not rules:
        return
    try:
        compiled = cedarpy.Schema.from_str(schema)
    except ValueError:
        yield Problem("error", "the policies do not fit the schema", remediation=_SCHEMA)
        return
    # Cedar holds all rules of one text at once, and each needs several KB.
    for start in range(0, len(rules), AT_ONCE):
        yield from _types_of(rules[start : start + AT_ONCE], compiled)


def _types_of(rules: Sequence[CedarRule], schema: Any) -> Iterator[Problem]:
    # Cedar numbers the policies of one text in order: `policy0` is the first rule.
    result = cedarpy.validate_policies("\n".join(rule.text for rule in rules), schema)
    if not result.validation_passed and not result.errors:
        yield Problem("error", "the policies do not fit the schema", remediation=_SCHEMA)
    said: set[tuple[str, str]] = set()
    for fault in result.errors:
        text = _FOR_POLICY.sub("", fault.error)
        if text.startswith(_NO_ACTION):
            continue  # an action group without tools so far; unknown names were reported above
        number = fault.policy_id.removeprefix("policy")
        if not number.isdigit() or int(number) >= len(rules):
            yield Problem("error", text, remediation=_SCHEMA)
            continue
        absent = _ABSENT.search(text)
        name = next((group for group in absent.groups() if group), "") if absent else ""
        if name and (number, name) in said:
            continue  # Cedar repeats it for each further tool
        said.add((number, name))
        yield rules[int(number)].problem(
            text,
            at=name.rpartition(".")[2],
            remediation=f"check `context{_has(name)}` first, or narrow the rule's action"
            if name
            else _SCHEMA,
        )


def _has(name: str) -> str:
    before, _, last = name.rpartition(".")
    return f".{before} has {last}" if before else f" has {last}"


def validate_alone(rules: Sequence[CedarRule], schema: str) -> tuple[str, ...]:
    """Return the ids of the rules that do not fit the schema of one tool.

    The tool did not exist when the rules were checked.
    """
    return tuple(sorted({problem.rule or "*" for problem in _types(rules, schema)}))
