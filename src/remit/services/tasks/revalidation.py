# SPDX-License-Identifier: Apache-2.0
"""Revalidation of an open task under a bundle: its type, agent, speaker, grants and ceilings.

An open task does not keep what a bundle no longer grants. A task whose type is gone ends. A grant that its
type would make narrower today is narrowed if it can be determined which of the two is narrower (`Grant.met`).
It is withdrawn if that cannot be determined, or if no similar grant remains. Budgets and deadline become the
smaller ones. An open task does not get what a bundle grants in addition: its authority was fixed when it was
opened.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from remit.core.errors import Forbidden, Malformed
from remit.core.identity.principals import NO_PERSON, Agent
from remit.core.policy.bundle import Bundle
from remit.core.tasks.ceiling import AuthorityCut
from remit.core.tasks.delegated_task import account_of
from remit.core.tasks.grant import Grant
from remit.core.tasks.task import Budgets, Task, TaskType
from remit.services.tasks.opening_rules import filled, granted, may_run


class RevalidationHold:
    """The grants that a task keeps, with the accounts of what was used up and the ancestors' ceilings."""

    def __init__(self, task: Task) -> None:
        """Begin without grants; `task` is where the grants come from."""
        self._task = task
        self.grants: list[Grant] = []
        self.counted_as: dict[str, str] = {}
        self.drawn_from: dict[str, tuple[str, ...]] = {}
        self.lost: set[str] = set()
        self.narrowed: set[str] = set()

    def keep(self, grant: Grant, instead: Iterable[Grant]) -> None:
        """Keep `instead` in place of a grant of the task: the grant itself, narrower ones, or none."""
        kept = False
        origin = self._task.counted_as.get(grant.digest, grant.digest)
        for one in instead:
            if self.counted_as.get(one.digest, origin) != origin or (one in self.grants and one != grant):
                # Two grants became one: their uses can no longer be distinguished.
                continue
            kept = True
            if one in self.grants:
                continue
            self.grants.append(one)
            if one != grant:
                self.narrowed.add(grant.tool)
            if one.digest != origin:
                self.counted_as[one.digest] = origin
            if grant.digest in self._task.drawn_from:
                self.drawn_from[one.digest] = self._task.drawn_from[grant.digest]
        if not kept:
            self.lost.add(grant.tool)


class RevalidatedTask(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome for a task under a bundle: it ends (`ends` states why), holds less, or continues unchanged.

    `lost` are the tools of grants that are withdrawn, `narrowed` those of grants that are narrowed.
    `cuts` are the tools that ceilings take.
    """

    task: Task
    ends: str = ""
    lost: tuple[str, ...] = ()
    narrowed: tuple[str, ...] = ()
    held: RevalidationHold
    budgets: Budgets = Budgets()
    deadline: datetime
    cuts: tuple[AuthorityCut, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether the task changes or ends."""
        task = self.task
        smaller = (self.budgets, self.deadline) != (task.budgets, task.deadline)
        return bool(self.ends or self.lost or self.narrowed) or smaller

    def on(self, task: Task) -> Task:
        """Return the task with the changes applied."""
        return msgspec.structs.replace(
            task,
            grants=tuple(self.held.grants),
            counted_as=self.held.counted_as,
            drawn_from=self.held.drawn_from,
            budgets=self.budgets,
            deadline=self.deadline,
            narrowings=task.narrowings + 1,
            cuts=tuple(dict.fromkeys((*task.cuts, *self.cuts))),
        )


def standing(task: Task, bundle: Bundle, agent: Agent | None, groups: Collection[str]) -> RevalidatedTask:
    """Judge a root task. `groups` are those of the person who stated its intent."""
    task_type = bundle.task_types.get(task.type)
    fault = _fault(task, task_type, agent, groups)
    if fault or task_type is None:
        return RevalidatedTask(task=task, ends=fault, held=RevalidationHold(task), deadline=task.deadline)
    cuts = bundle.bounded(task)
    held = _held(task, task_type, {cut.tool for cut in cuts})
    ends = "its task type no longer grants any of its tools" if task.grants and not held.grants else ""
    if ends and cuts:
        ends = f"the ceiling of {cuts[0].bound.value} `{cuts[0].name}` leaves it no tools"
    return RevalidatedTask(
        task=task,
        ends=ends,
        lost=tuple(sorted(held.lost)),
        narrowed=tuple(sorted(held.narrowed)),
        held=held,
        budgets=task.budgets.narrow(task_type.budgets),
        deadline=min(task.deadline, task.opened + timedelta(seconds=task_type.deadline_s)),
        cuts=cuts,
    )


def below(task: Task, above: Mapping[str, RevalidatedTask], bundle: Bundle) -> RevalidatedTask:
    """Judge a delegated task by the outcomes of its ancestors, and by its own ceilings.

    It loses what they lose, and what is narrowed there is narrowed here.
    """
    cuts = bundle.bounded(task)
    taken = {cut.tool for cut in cuts}
    ancestors = [above[name] for name in task.ancestors if name in above]
    ends = next((f"the parent task ends: {one.ends}" for one in ancestors if one.ends), "")
    held = RevalidationHold(task)
    for grant in task.grants:
        left = None if grant.tool in taken else _below(task, grant, ancestors)
        held.keep(grant, () if left is None else (left,))
    if task.grants and not held.grants:
        gone = "a ceiling leaves it no tools" if cuts else "the parent task no longer has any of its grants"
        ends = ends or gone
    return RevalidatedTask(
        task=task,
        ends=ends,
        lost=tuple(sorted(held.lost)),
        narrowed=tuple(sorted(held.narrowed)),
        held=held,
        budgets=task.budgets,
        deadline=min([task.deadline, *(one.deadline for one in ancestors)]),
        cuts=cuts,
    )


def _fault(task: Task, task_type: TaskType | None, agent: Agent | None, groups: Collection[str]) -> str:
    if task_type is None:
        return f"task type `{task.type}` no longer exists"
    if agent is None:
        return "its agent is no longer registered"
    try:
        may_run(task_type, agent)
    except Forbidden as fault:
        return fault.message
    stated = task.intent.requested_by
    words = {stated} if stated.startswith(NO_PERSON) else {stated, *(f"group:{one}" for one in groups)}
    if not words & set(task_type.requested_by):
        return f"`{stated}` may no longer request `{task.type}`"
    return ""


def _held(task: Task, task_type: TaskType, taken: Collection[str]) -> RevalidationHold:
    """Return the grants that the type would give today, or narrower grants; none of the `taken` tools."""
    held = RevalidationHold(task)
    try:
        today = granted(task_type, filled(task_type, task.intent.params))
    except Malformed:
        # The task's parameters no longer fit the type: nothing of it would be granted today. Choices of an
        # agent under a delegation are not kept with the task: only its tools can be compared.
        tools = {one.tool for one in task_type.grants} if task.delegation else set()
        for one in task.grants:
            held.keep(one, (one,) if one.tool in tools and one.tool not in taken else ())
        return held
    for one in task.grants:
        if one.tool in taken:
            held.keep(one, ())
            continue
        same = any(_within(one, new) for new in today)
        held.keep(one, (one,) if same else [both for new in today if (both := one.met(new)) is not None])
    return held


def _below(task: Task, grant: Grant, ancestors: Iterable[RevalidatedTask]) -> Grant | None:
    """Return what is left of a delegated grant; `None` where that cannot be determined."""
    accounts = task.drawn_from.get(grant.digest, ())
    left = grant
    for one in ancestors:
        if grant.tool in one.lost:
            return None
        if grant.tool not in one.narrowed:
            continue
        above = one.on(one.task)
        partners = [has for has in above.grants if account_of(above, has) in accounts]
        if len(partners) != 1:
            return None
        met = left if _within(left, partners[0]) else left.met(partners[0])
        if met is None:
            return None
        left = met
    return left


def _within(held: Grant, today: Grant) -> bool:
    """Return whether a grant permits no more than today's: their conjunction is the grant itself."""
    if held.tool != today.tool:
        return False
    return held == today or today.attenuate(held).simplified() == held.simplified()
