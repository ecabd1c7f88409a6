# SPDX-License-Identifier: Apache-2.0
"""Escalation paths: chains of steps to administrator rights, or to what only others may read.

A breadth-first search from each principal over its steps and those of the principals that it becomes: first
over steps that are sure, then over all. Bounded in depth and in the number of steps that are looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from remit.core.discovery.privileges.aws.account import UNNAMED, AwsExport, AwsPrincipal
from remit.core.discovery.privileges.aws.evaluation import Evaluator
from remit.core.discovery.privileges.aws.needs import AwsStep
from remit.core.discovery.privileges.aws.reach import AwsReach
from remit.core.discovery.privileges.aws.steps import AwsSteps

#: Bounds of one search: steps of a path, principals, and steps that are looked at.
MOST_STEPS: Final = 6
MOST_VISITED: Final = 2_000
MOST_LOOKED_AT: Final = 100_000
#: Most targets with secrets that are reported of one principal.
MOST_TARGETS: Final = 3


class AwsPath(msgspec.Struct, frozen=True, kw_only=True):
    """AwsSteps from a principal to a target. `administrator` says that the target can do everything.

    `also` are the techniques of other first steps that lead to administrator rights, too.
    """

    principal: AwsPrincipal
    steps: tuple[AwsStep, ...]
    administrator: bool
    also: tuple[str, ...] = ()

    @property
    def target(self) -> AwsPrincipal:
        """Where the path ends."""
        return self.steps[-1].to

    @property
    def sure(self) -> bool:
        """Whether the export holds everything that the path depends on."""
        return all(each.sure for each in self.steps)

    def sentences(self) -> tuple[str, ...]:
        """Return each step as a sentence, in order."""
        return tuple(one.sentence for each in self.steps for one in (*each.before, each))


class PathSearch:
    """Finds the paths of principals in one export. A search that met its bounds is not `complete`."""

    def __init__(self, export: AwsExport, evaluator: Evaluator, reach: AwsReach) -> None:
        self._export = export
        self._reach = reach
        self._steps = AwsSteps(export, evaluator, reach.administrator)
        self._hopeless: dict[bool, set[tuple[str, frozenset[str]]]] = {True: set(), False: set()}
        self._lead: dict[tuple[str, frozenset[str]], bool] = {}
        self.complete = True

    def all(self) -> Iterator[AwsPath]:
        """Yield the paths of each principal that is no administrator."""
        for principal in self._export.principals.values():
            if principal.linked or principal.name == UNNAMED or self._reach.administrator(principal):
                continue
            yield from self.of(principal)

    def of(self, principal: AwsPrincipal) -> list[AwsPath]:
        """Return the shortest path of a principal to administrator rights, or its paths to secrets."""
        first = self._steps.of(principal)
        if not first:
            return []
        for sure in (True, False):
            path = self._shortest(principal, sure=sure)
            if path is not None:
                also = {each.technique for each in first if self._leads(each)}
                return [
                    AwsPath(
                        principal=principal,
                        steps=path,
                        administrator=True,
                        also=tuple(sorted(also - {path[0].technique})),
                    )
                ]
        return self._to_secrets(principal)

    def _leads(self, step: AwsStep) -> bool:
        """Return whether a step leads to administrator rights."""
        found = self._lead.get(step.to.key)
        if found is None:
            found = self._reach.administrator(step.to) or self._shortest(step.to, sure=False) is not None
            self._lead[step.to.key] = found
        return found

    def _walk(
        self,
        principal: AwsPrincipal,
        *,
        sure: bool,
        without: AbstractSet[tuple[str, frozenset[str]]] = frozenset(),
        most: int = MOST_LOOKED_AT,
    ) -> Generator[tuple[AwsPrincipal, tuple[AwsStep, ...]], None, bool]:
        """Yield principals that one can become, the nearest first, with the steps to each.

        Returns whether it came to its end within its bounds. It does not enter principals in `without`.
        """
        seen = {principal.key}
        waiting: deque[tuple[AwsPrincipal, tuple[AwsStep, ...]]] = deque([(principal, ())])
        complete = True
        while waiting:
            at, path = waiting.popleft()
            if len(path) >= MOST_STEPS or most <= 0:
                complete = False
                self.complete = self.complete and all(each.to.key in seen for each in self._steps.of(at))
                continue
            for step in self._steps.of(at):
                most -= 1
                key = step.to.key
                if (sure and not step.sure) or key in seen or key in without:
                    continue
                if len(seen) > MOST_VISITED:
                    self.complete = False
                    return False
                seen.add(key)
                yield step.to, (*path, step)
                waiting.append((step.to, (*path, step)))
        return complete

    def _shortest(self, principal: AwsPrincipal, *, sure: bool) -> tuple[AwsStep, ...] | None:
        """Return the fewest steps to administrator rights; principals without any are remembered."""
        hopeless = self._hopeless[sure]
        if principal.key in hopeless:
            return None
        changes = self._steps.changes_others(principal)
        walk = self._walk(principal, sure=sure, without=frozenset() if changes else hopeless)
        visited = [principal.key]
        while True:
            try:
                at, path = next(walk)
            except StopIteration as end:
                if end.value:
                    hopeless.update(visited)
                return None
            if self._reach.administrator(at):
                return path
            visited.append(at.key)
            for step in self._steps.prepared(principal, path[-1]) if changes and len(path) > 1 else ():
                if self._reach.administrator(step.to) and (step.sure or not sure):
                    return (*path[:-1], step)

    def _to_secrets(self, principal: AwsPrincipal) -> list[AwsPath]:
        """Return paths to secrets and to production, other than by roles that one is meant to assume."""
        own = {each.words for each in self._reach.of(principal)}
        found: list[AwsPath] = []
        for at, path in self._walk(principal, sure=False, most=MOST_LOOKED_AT // 50):
            if len(found) >= MOST_TARGETS:
                break
            if all(each.technique == "assume-role" for each in path) or at.arn == principal.arn:
                continue
            reached = [each for each in self._reach.of(at) if each.secret and each.words not in own]
            crosses = self._reach.production(at) and not self._reach.production(principal)
            if reached or crosses:
                found.append(AwsPath(principal=principal, steps=path, administrator=False))
        return found
