# SPDX-License-Identifier: Apache-2.0
"""Keeps rules compiled, as Cedar evaluates them: compiled when first needed, shared, and bounded in memory.

A compiled rule needs about six KB. Groups of the same rules are one object, whatever tools and agents they
are for.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from remit.adapters.policy.cedar.flat_arguments import flattened
from remit.adapters.policy.cedar.rule import CedarRule, policy_set

#: Most rules of the groups that stay compiled.
MOST_COMPILED: Final = 16_384


class CompiledSets(msgspec.Struct, frozen=True):
    """A compiled group: all its `policies`, and the `lasting` ones that no human can waive."""

    policies: Any
    lasting: Any


class CompiledGroup:
    """Rules that are evaluated together, by their numbers; with `flat`, they read arguments by flat names."""

    __slots__ = ("__weakref__", "compiled", "flat", "numbers")

    def __init__(self, numbers: tuple[int, ...], flat: bool) -> None:
        """Begin without being compiled."""
        self.numbers = numbers
        self.flat = flat
        self.compiled: CompiledSets | None = None


class CompiledRules:
    """Compiles groups of the rules of one version, and drops what was not used for longest."""

    def __init__(self, rules: Sequence[CedarRule], *, most: int = MOST_COMPILED) -> None:
        """Keep at most so many rules compiled, beside those of the group used last."""
        self._rules = rules
        self._most = most
        self._groups: weakref.WeakValueDictionary[tuple[bool, tuple[int, ...]], CompiledGroup]
        self._groups = weakref.WeakValueDictionary()
        self._used: dict[CompiledGroup, None] = {}
        self.count = 0
        """The rules that are compiled, each as often as it is in a group."""

    def group(self, numbers: tuple[int, ...], flat: bool) -> CompiledGroup:
        """Return the one group of these rules."""
        found = self._groups.get((flat, numbers))
        if found is None:
            found = self._groups[flat, numbers] = CompiledGroup(numbers, flat)
        return found

    def of(self, group: CompiledGroup) -> CompiledSets:
        """Return a group compiled."""
        compiled = group.compiled
        if compiled is not None:
            del self._used[group]
        else:
            compiled = group.compiled = self._compile(group)
            self.count += len(group.numbers)
        self._used[group] = None
        while self.count > self._most and len(self._used) > 1:
            oldest = next(iter(self._used))
            del self._used[oldest]
            oldest.compiled = None
            self.count -= len(oldest.numbers)
        return compiled

    def _compile(self, group: CompiledGroup) -> CompiledSets:
        rules = [self._rules[number] for number in group.numbers]
        texts = {rule.ref.id: _flat(rule) if group.flat else rule.canonical for rule in rules}
        whole = policy_set(texts)
        lasting = {rule.ref.id: texts[rule.ref.id] for rule in rules if not rule.waivable}
        return CompiledSets(whole, whole if len(lasting) == len(rules) else policy_set(lasting))


def _flat(rule: CedarRule) -> bytes:
    policy = flattened(rule.policy)
    assert policy is not None, "only rules that can be flat are in a flat group"
    return msgspec.json.encode(policy)
