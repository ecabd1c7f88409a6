# SPDX-License-Identifier: Apache-2.0
"""Searches: which subjects, resources or actions would be permitted right now.

Each candidate is decided as `AuthzenEvaluations.would` decides it. So a search never shows what an evaluation
would refuse. A search records and spends nothing. Candidates that cannot be listed are not found (a grant
over a pattern has no finite list of resources); such an omission permits nothing that an evaluation would
refuse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from remit.core.errors import (
    BudgetExhausted,
    Busy,
    Fenced,
    Forbidden,
    KeyUnavailable,
    NotFound,
    PolicyUnavailable,
    RemitError,
    StoreUnavailable,
    Unauthenticated,
)
from remit.core.identity.principals import Principal
from remit.core.tasks.grant import Grant
from remit.core.tasks.task import Task
from remit.services.authzen.enforcement_points import AskedSubject, EnforcementPoint, SubjectKind
from remit.services.authzen.evaluation import AuthzenEvaluations, EvaluationQuestion

#: Active tasks that one search examines, newest first.
LOOKED_THROUGH = 2_000
#: Candidates that one search decides; the next page continues after them.
DECIDED = 200
#: Faults that are no answer about a candidate: they make the whole search fail.
_OURS = (StoreUnavailable, PolicyUnavailable, KeyUnavailable, Busy)


class FoundPage(msgspec.Struct, frozen=True):
    """A page of results; `next` is the name after which the next page begins, empty at the end."""

    names: tuple[str, ...]
    next: str = ""


class Searches:
    """Finds what would be permitted. For one event loop."""

    def __init__(self, answers: AuthzenEvaluations) -> None:
        """Take the service that decides."""
        self._answers = answers

    async def page(
        self, names: Sequence[str], ask: Callable[[str], EvaluationQuestion], after: str, limit: int
    ) -> FoundPage:
        """Return, in order, the names after `after` for which the answer would be a permit."""
        found: list[str] = []
        rest = sorted({name for name in names if name > after})
        for count, name in enumerate(rest, 1):
            if await self._would(ask, name):
                found.append(name)
            if count < len(rest) and (len(found) >= limit or count >= DECIDED):
                return FoundPage(tuple(found), name)
        return FoundPage(tuple(found))

    async def _would(self, ask: Callable[[str], EvaluationQuestion], name: str) -> bool:
        try:
            return (await self._answers.would(ask(name))).proceeds
        except _OURS:
            raise
        except (Unauthenticated, NotFound, Forbidden, Fenced, BudgetExhausted):
            return False

    async def subjects(self, point: EnforcementPoint, kind: SubjectKind, now: datetime) -> list[str]:
        """Return the subjects of a kind that a question can name.

        These are the active tasks, or the agents or people with exactly one active task.
        """
        tasks = await self._answers.subjects.active(point, now, LOOKED_THROUGH)
        if kind is SubjectKind.TASK:
            return [task.id for task in tasks]
        of = Counter(task.agent if kind is SubjectKind.AGENT else task.on_behalf_of for task in tasks)
        return [name for name, count in of.items() if name and count == 1]

    async def task(
        self, point: EnforcementPoint, caller: Principal, subject: AskedSubject, now: datetime
    ) -> Task | None:
        """Return the task of a subject, or `None` if there is no task to ask about."""
        try:
            claims = await self._answers.subjects.claims(point, caller, subject, now)
            return await self._answers.subjects.bound(claims)
        except _OURS:
            raise
        except RemitError:
            return None


def listed_values(task: Task, tool: str, argument: str) -> list[str]:
    """Return the values of an argument that a task's grants of a tool list individually."""
    return [value for grant in task.grants_for(tool) for value in _listed(grant, argument)]


def _listed(grant: Grant, argument: str) -> list[str]:
    # Every layer must permit, so the values that one layer lists bound the result.
    for layer in grant.layers:
        written = layer.arguments.get(argument)
        if isinstance(written, dict):
            values = [written["exact"]] if "exact" in written else written.get("one_of")
            if isinstance(values, list):
                return [value for value in values if isinstance(value, str)]
    return []
