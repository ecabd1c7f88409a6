# SPDX-License-Identifier: Apache-2.0
"""Rules that were checked before, so that a check takes time for what has changed.

A rule is known as long as a loaded policy has it: the memory is shared, and nothing is kept beyond it.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections.abc import Sequence
from typing import Final

import msgspec

from remit.adapters.policy.cedar.check import CheckInput
from remit.adapters.policy.cedar.index import names_tools
from remit.adapters.policy.cedar.rule import CedarRule, RuleText
from remit.core.tools.tool import Tool
from remit.ports.policy import Problem

#: Views of one rule: those of the tenants that have it, and of the world before and after a change.
MAX_VIEWS: Final = 64
_RESOURCE: Final = b'{"Var":"resource"}'
_OF_RESOURCE: Final = "resource."


class CheckedRule(msgspec.Struct, weakref=True, eq=False):
    """A rule without errors, and the warnings of it under each view of the world in which it was checked."""

    rule: CedarRule
    seen: dict[bytes, tuple[Problem, ...]] = {}

    def moved(self, text: RuleText) -> CheckedRule:
        """Return the same rule in another place."""
        rule = self.rule
        if (rule.file, rule.line) == (text.file, text.line):
            return self
        by = text.line - rule.line
        return CheckedRule(
            msgspec.structs.replace(rule, file=text.file, line=text.line),
            {view: tuple(_moved(one, text.file, by) for one in found) for view, found in self.seen.items()},
        )


class KnownRules:
    """Finds checked rules by their text. Safe to use from several threads."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.Lock()
        self._rules: weakref.WeakValueDictionary[tuple[str, str], CheckedRule] = weakref.WeakValueDictionary()

    def get(self, text: RuleText) -> CheckedRule | None:
        """Return the rule of a text, in its place; None if it is not known."""
        with self._lock:
            found = self._rules.get((text.text, "")) or self._rules.get((text.text, text.derived_id))
        return None if found is None else found.moved(text)

    def keep(
        self, text: RuleText, checked: CheckedRule, view: bytes, warnings: Sequence[Problem]
    ) -> CheckedRule:
        """Let a rule be found, with its warnings under a view that is new; return it.

        A rule that states no id is found only where it gets the same id.
        """
        key = text.text, text.derived_id if checked.rule.ref.id == text.derived_id else ""
        with self._lock:
            if view not in checked.seen:
                while len(checked.seen) >= MAX_VIEWS:
                    del checked.seen[next(iter(checked.seen))]
                checked.seen[view] = tuple(warnings)
            self._rules[key] = checked
        return checked


class WorldViews:
    """Digests of everything outside a rule that its check depends on.

    INVARIANT: if two worlds have the same view for a rule, its check has the same result in both. A view that
    takes in too much costs a needless check.
    """

    def __init__(self, world: CheckInput) -> None:
        """Take the world of a check, with nothing that no check reads."""
        common = {fact: one for fact, one in world.words.items() if not fact.startswith(_OF_RESOURCE)}
        facts = (world.params, world.classes, world.facts, world.groups, world.history, world.posture)
        self._common = _digest((facts, common))
        self._resource = [one for fact, one in sorted(world.words.items()) if fact.startswith(_OF_RESOURCE)]
        self._agents = [(agent.name, sorted(agent.groups)) for agent in world.agents]
        self._world = world
        self._tools: dict[str, Tool] = {tool.id: tool for tool in world.tools}
        self._views: dict[tuple[bool, bool, frozenset[str] | None], bytes] = {}
        self._parts: dict[str, bytes] = {}

    def of(self, rule: CedarRule) -> bytes:
        """Return the view for a rule."""
        people = any(kind in ("Agent", "Group") for kind, _ in rule.uids)
        key = people, _RESOURCE in rule.canonical, tools_of(rule)
        found = self._views.get(key)
        if found is None:
            found = self._views[key] = self._view(*key)
        return found

    def _view(self, people: bool, resource: bool, tools: frozenset[str] | None) -> bytes:
        parts = [self._common]
        if people:
            parts.append(self._part("agents", self._agents))
        if resource:
            parts.append(self._part("resource", self._resource))
        if tools is None:
            parts.append(self._part("tools", self._world.tools))
        else:
            parts += [self._part(f"tool {name}", self._tools.get(name)) for name in sorted(tools)]
        return _digest((people, resource, parts))

    def _part(self, name: str, value: object) -> bytes:
        if name not in self._parts:
            self._parts[name] = _digest(value)
        return self._parts[name]


def tools_of(rule: CedarRule) -> frozenset[str] | None:
    """Return the ids of the only tools that the check of a rule looks at; None if it may look at any."""
    action = rule.action.named
    if not action or not names_tools(action) or rule.resource.named is not None:
        return None
    named = {(kind, name) for kind, name in rule.uids if kind not in ("Agent", "Group")}
    return frozenset(name for _, name in named) if names_tools(frozenset(named)) else None


def _digest(value: object) -> bytes:
    return hashlib.sha256(msgspec.msgpack.encode(value, order="deterministic")).digest()


def _moved(problem: Problem, file: str, by: int) -> Problem:
    line = None if problem.line is None else problem.line + by
    return msgspec.structs.replace(problem, file=file, line=line)
