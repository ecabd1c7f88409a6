# SPDX-License-Identifier: Apache-2.0
"""Kinds of work in one history: tasks that use the same tools, for goals in similar words.

Tasks begin alone, and the two most similar groups are joined as long as they are similar enough. Then what
is too small to be a kind joins the group that it resembles most. Everything is in a fixed order, so that the
same history always gives the same kinds, and each kind says what makes it one.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec

from remit.core.tools.suggestions.call_observations import ObservedCall

#: Tasks below which a group is no kind of work, and the share of all tasks below which it is none.
MIN_TASKS: Final = 3
MIN_SHARE: Final = 0.02
MAX_KINDS: Final = 6
#: Sets of tools that are compared with each other; rarer ones only join the group that they resemble most.
MAX_SETS: Final = 150
#: Groups that are less similar than this are different work.
SIMILAR: Final = 0.4
#: The share of the similarity that the tools decide; the words of the goals decide the rest.
_TOOLS: Final = 0.75
_WORD: Final = re.compile(r"[^\W\d_]{4,}")
_MAX_SHOWN: Final = 4


class KindOfWork(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks of one kind: their ids, the tools of most of them, and the words of many of their goals.

    `name` comes from the tool that marks the kind most, never from a person's words.
    """

    name: str
    tasks: frozenset[str]
    tools: tuple[str, ...]
    words: tuple[str, ...] = ()


class _Group:
    """Tasks that are alike so far."""

    def __init__(self, tools: frozenset[str], tasks: Sequence[str], words: Counter[str]) -> None:
        self.tasks = list(tasks)
        self.tools = Counter(dict.fromkeys(tools, len(tasks)))
        self.words = words

    def join(self, other: _Group) -> None:
        """Take in the tasks of another group."""
        self.tasks += other.tasks
        self.tools += other.tools
        self.words += other.words

    def like(self, other: _Group) -> float:
        """Return how similar two groups are, from 0 to 1."""
        tools = _overlap(self.tools, len(self.tasks), other.tools, len(other.tasks))
        if not self.words or not other.words:
            return tools
        words = _overlap(self.words, len(self.tasks), other.words, len(other.tasks))
        return _TOOLS * tools + (1 - _TOOLS) * words


def kinds_of_work(calls: Iterable[ObservedCall], weights: Collection[str] = ()) -> list[KindOfWork]:
    """Return the kinds of work in these calls, those with most tasks first.

    `weights` are tools with an effect: they mark a kind more than what only reads.
    """
    tools: dict[str, set[str]] = defaultdict(set)
    said: dict[str, str] = {}
    for one in calls:
        tools[one.task].add(one.tool)
        said[one.task] = one.words
    if not tools:
        return []
    groups = _joined(_begun(tools, said))
    groups = _without_small(groups, max(MIN_TASKS, len(tools) * MIN_SHARE))
    groups.sort(key=lambda one: (-len(one.tasks), min(one.tasks)))
    return _named(groups, weights)


def _begun(tools: dict[str, set[str]], said: dict[str, str]) -> list[_Group]:
    """Return a group for each set of tools."""
    words = {task: {one.lower() for one in _WORD.findall(text)} for task, text in said.items()}
    common = Counter(word for some in words.values() for word in some)
    # A word of most goals says nothing of a kind.
    told = {task: [one for one in some if common[one] * 2 <= len(tools)] for task, some in words.items()}
    sets: dict[frozenset[str], list[str]] = defaultdict(list)
    for task, used in tools.items():
        sets[frozenset(used)].append(task)
    ordered = sorted(sets.items(), key=lambda one: (-len(one[1]), sorted(one[0])))
    return [
        _Group(used, sorted(tasks), Counter(word for task in tasks for word in told[task]))
        for used, tasks in ordered
    ]


def _joined(groups: list[_Group]) -> list[_Group]:
    found, late = groups[:MAX_SETS], groups[MAX_SETS:]
    while len(found) > 1:
        pairs = ((a, b) for a in range(len(found)) for b in range(a + 1, len(found)))
        like, a, b = max(
            ((found[a].like(found[b]), a, b) for a, b in pairs), key=lambda one: (one[0], -one[1], -one[2])
        )
        if like < SIMILAR:
            break
        found[a].join(found.pop(b))
    for one in late:
        _nearest(one, found).join(one)
    return found


def _without_small(groups: list[_Group], least: float) -> list[_Group]:
    """Join the smallest group to the one that it resembles most, until none is too small and few are left."""
    while len(groups) > 1:
        small = min(groups, key=lambda one: (len(one.tasks), min(one.tasks)))
        if len(small.tasks) >= least and len(groups) <= MAX_KINDS:
            break
        groups.remove(small)
        _nearest(small, groups).join(small)
    return groups


def _nearest(one: _Group, groups: Sequence[_Group]) -> _Group:
    return max(groups, key=lambda other: (one.like(other), len(other.tasks)))


def _overlap(one: Counter[str], ones: int, other: Counter[str], others: int) -> float:
    """Return the overlap of what is in the tasks of two groups, by the share of the tasks that have it."""
    keys = one.keys() | other.keys()
    both = sum(min(one[key] / ones, other[key] / others) for key in keys)
    either = sum(max(one[key] / ones, other[key] / others) for key in keys)
    return both / either if either else 0.0


def _named(groups: Sequence[_Group], weights: Collection[str]) -> list[KindOfWork]:
    everywhere = Counter[str]()
    for one in groups:
        everywhere.update(one.tools.keys())
    found: list[KindOfWork] = []
    taken: set[str] = set()
    for group in groups:
        size = len(group.tasks)
        ranked = sorted(group.tools, key=lambda tool: (-_mark(tool, group, everywhere, weights), tool))
        name = next((slug for tool in ranked if (slug := _slug(tool)) not in taken), f"work-{len(found) + 1}")
        taken.add(name)
        words = [
            word
            for word, count in sorted(group.words.items(), key=lambda one: (-one[1], one[0]))
            if count * 4 >= size and count > 1
        ]
        found.append(
            KindOfWork(
                name=name,
                tasks=frozenset(group.tasks),
                tools=tuple(tool for tool in ranked if group.tools[tool] * 2 >= size),
                words=tuple(words[:_MAX_SHOWN]),
            )
        )
    return found


def _mark(tool: str, group: _Group, everywhere: Counter[str], weights: Collection[str]) -> float:
    """Return how much a tool marks a kind: by its share of the tasks, its rarity elsewhere, its effect."""
    return group.tools[tool] / len(group.tasks) / everywhere[tool] * (2 if tool in weights else 1)


def _slug(tool: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", tool.lower()).strip("-")[:60] or "work"
