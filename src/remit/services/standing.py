# SPDX-License-Identifier: Apache-2.0
"""Whether an open task still stands under a bundle: its type, who may run and state it, its grants, its
ceilings.

What a bundle gives no more, an open task does not keep: one whose type is gone ends, a grant that its type
would not give today is withdrawn, budgets and deadline become the smaller ones. What a bundle gives in
addition, an open task does not get: it was opened for what it was opened for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import msgspec

from remit.core.bundle import Bundle
from remit.core.errors import Forbidden, Malformed
from remit.core.grant import Grant
from remit.core.identity import Agent
from remit.core.task import NO_PERSON, Budgets, Task, TaskType
from remit.services.opening import filled, granted, may_run


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a task under a bundle: it ends (`ends` says why), holds less, or goes on as it is."""

    task: Task
    ends: str = ""
    lost: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()
    budgets: Budgets = Budgets()
    deadline: datetime

    @property
    def changes(self) -> bool:
        """Whether it does not go on as it is."""
        task = self.task
        return bool(self.ends or self.lost) or (self.budgets, self.deadline) != (task.budgets, task.deadline)


def standing(task: Task, bundle: Bundle, agent: Agent | None, groups: Collection[str]) -> Judged:
    """Judge a task that was not handed down. `groups` are those of the person who stated its intent."""
    task_type = bundle.task_types.get(task.type)
    fault = _fault(task, task_type, agent, groups)
    if fault or task_type is None:
        return Judged(task=task, ends=fault, deadline=task.deadline)
    kept = _kept(task, task_type)
    lost = tuple(sorted({one.tool for one in task.grants if one not in kept}))
    ends = "its task type grants nothing of what it holds any more" if task.grants and not kept else ""
    return Judged(
        task=task,
        ends=ends,
        lost=lost,
        grants=kept,
        budgets=task.budgets.narrow(task_type.budgets),
        deadline=min(task.deadline, task.opened + timedelta(seconds=task_type.deadline_s)),
    )


def below(task: Task, above: Mapping[str, Judged]) -> Judged:
    """Judge a task that was handed down, by what becomes of those above it: it loses what they lose."""
    ancestors = [above[name] for name in task.ancestors if name in above]
    ends = next((f"the task above it ends: {one.ends}" for one in ancestors if one.ends), "")
    gone = {tool for one in ancestors for tool in one.lost}
    kept = tuple(one for one in task.grants if one.tool not in gone)
    if task.grants and not kept:
        ends = ends or "the task above it holds nothing of what it was given any more"
    return Judged(
        task=task,
        ends=ends,
        lost=tuple(sorted({one.tool for one in task.grants if one not in kept})),
        grants=kept,
        budgets=task.budgets,
        deadline=min([task.deadline, *(one.deadline for one in ancestors)]),
    )


def _fault(task: Task, task_type: TaskType | None, agent: Agent | None, groups: Collection[str]) -> str:
    if task_type is None:
        return f"there is no task type `{task.type}` any more"
    if agent is None:
        return "its agent is not registered any more"
    try:
        may_run(task_type, agent)
    except Forbidden as fault:
        return fault.message
    stated = task.intent.stated_by
    words = {stated} if stated.startswith(NO_PERSON) else {stated, *(f"group:{one}" for one in groups)}
    if not words & set(task_type.stated_by):
        return f"`{stated}` may not state the intent of `{task.type}` any more"
    return ""


def _kept(task: Task, task_type: TaskType) -> tuple[Grant, ...]:
    """Give the grants that the type would give today, or narrower ones than it would give."""
    try:
        today = granted(task_type, filled(task_type, task.intent.params))
    except Malformed:
        if not task.delegation:
            # Its parameters do not fit the type any more: nothing of it would be granted today.
            return ()
        # What an agent chose under a delegation is not kept with the task: its tools alone can be compared.
        tools = {one.tool for one in task_type.grants}
        return tuple(one for one in task.grants if one.tool in tools)
    return tuple(one for one in task.grants if any(_within(one, new) for new in today))


def _within(held: Grant, today: Grant) -> bool:
    """Whether a grant permits nothing that today's would not: their conjunction is the grant itself."""
    if held.tool != today.tool:
        return False
    return held == today or today.attenuate(held).simplified() == held.simplified()
