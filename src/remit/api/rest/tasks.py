# SPDX-License-Identifier: Apache-2.0
"""Tasks: opening, showing, extending, renewing and completing them. Their tokens come from `/oauth/token`."""

from __future__ import annotations

from typing import Annotated

import msgspec

from remit.api.rest.representations import (
    ClosureView,
    Moment,
    TaskTypeView,
    TaskView,
    View,
    closure_view,
    task_type_view,
    task_view,
)
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.decisions.decision import Outcome
from remit.core.errors import Forbidden
from remit.core.json_value import Json
from remit.core.tasks.plan import MAX_PLAN, PlanWish
from remit.core.tasks.task import TaskState
from remit.services.identity.permissions import Duty, end_task, may, own_task
from remit.services.tasks.tasks import Opening

#: Tasks looked through for one answer.
MOST = 10_000


class TaskFilter(Body, frozen=True, kw_only=True):
    """Which tasks to list."""

    agent: str = ""
    state: TaskState | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100


class UserMessage(Body, frozen=True, kw_only=True):
    """What the person who stated the intent adds to it."""

    text: Annotated[str, msgspec.Meta(min_length=1)]


class Planning(Body, frozen=True, kw_only=True):
    """What a task will need besides: tools (`upstream/tool`), or tools with constraints on arguments."""

    add: Annotated[tuple[PlanWish, ...], msgspec.Meta(min_length=1, max_length=MAX_PLAN)]


class PlanAnswer(View, frozen=True, kw_only=True):
    """Whether the plan grew: `permit` where the task's plan now holds it all, `deny`, or `defer` while a
    human is asked; then `approval` names the question, and the same request asks again once it is answered.
    """

    task: TaskView
    outcome: Outcome
    approval: str
    reasons: tuple[dict[str, Json], ...]


class Completing(Body, frozen=True, kw_only=True):
    """Why a task is done."""

    reason: str = "completed"


class Renewed(View, frozen=True, kw_only=True):
    """A renewed lease: without a further renewal the task ends at `until`."""

    task: str
    until: Moment


async def task_types(errand: RestRequest) -> Items[TaskTypeView]:
    """Return the task types in force."""
    bundle = errand.house.policies.applied.bundle
    return Items(tuple(task_type_view(bundle.task_types[name]) for name in sorted(bundle.task_types)))


async def listed(errand: RestRequest) -> Items[TaskView]:
    """Return tasks, newest first: with a role all, else one's own."""
    wanted: TaskFilter = errand.query
    person = errand.someone
    sees_all = may(person, Duty.OVERSEE)
    found = await errand.house.tasks.newest(
        agent=wanted.agent, state=wanted.state, limit=wanted.limit if sees_all else MOST
    )
    mine = [task for task in found if sees_all or own_task(task, person)]
    now = errand.house.clock.now()
    return Items(tuple(task_view(task, now) for task in mine[: wanted.limit]))


async def opened(errand: RestRequest) -> TaskView:
    """Open a task."""
    wanted: Opening = errand.body
    task = await errand.house.tasks.open(wanted, person=errand.person, agent=errand.agent)
    if wanted.manifest_digest:
        # Whoever opens it for the agent passes on what that says of itself.
        agent = errand.agent or await errand.house.directory.agent(task.agent)
        errand.house.sightings.manifest(agent, wanted.manifest_digest)
    return task_view(task, errand.house.clock.now())


async def shown(errand: RestRequest) -> TaskView:
    """Return one task."""
    return task_view(await errand.task(), errand.house.clock.now())


async def turn(errand: RestRequest) -> TaskView:
    """Extend a task's intent."""
    task = await errand.task()
    said: UserMessage = errand.body
    extended = await errand.house.tasks.turn(task.id, said.text, errand.someone)
    return task_view(extended, errand.house.clock.now())


async def planned(errand: RestRequest) -> PlanAnswer:
    """Ask for a longer plan."""
    task = await errand.task()
    if not errand.owns(task):
        raise Forbidden(
            "only the task's person and its agent may extend the plan",
            code="role",
            remediation="sign in as the person who requested the task",
        )
    wish: Planning = errand.body
    done = await errand.house.plans.extend(task.id, wish.add, by=errand.by, claims=errand.claims)
    decision = done.decision
    if done.holds:
        # What a client lists is what is planned: it is told to look again.
        for upstream in sorted({one.tool.partition("/")[0] for one in done.task.plan or ()}):
            errand.house.announcements.changed(upstream, frozenset(("tools",)))
    return PlanAnswer(
        task=task_view(done.task, errand.house.clock.now()),
        outcome=decision.outcome if decision else Outcome.PERMIT,
        approval=decision.approval if decision and decision.outcome is Outcome.DEFER else "",
        reasons=tuple(msgspec.to_builtins(one) for one in decision.reasons) if decision else (),
    )


async def renew(errand: RestRequest) -> Renewed:
    """Renew a task's lease."""
    task = await errand.task()
    return Renewed(task=task.id, until=await errand.house.tasks.renew(task.id))


async def complete(errand: RestRequest) -> ClosureView:
    """End a task as completed; ending it again gives the same closure."""
    task = await errand.task()
    if errand.person is not None:
        end_task(task, errand.person)
    done: Completing = errand.body
    closure = await errand.house.revocations.end_task(
        task.id, reason=done.reason, by=errand.by, state=TaskState.COMPLETED
    )
    return closure_view(closure)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/task-types",
        summary="List the task types in force",
        serve=task_types,
        people=Duty.OWN,
        agents=True,
        gives=Items[TaskTypeView],
    ),
    Endpoint(
        method="GET",
        path="/api/v1/tasks",
        summary="List tasks, newest first; without a role, one's own",
        serve=listed,
        people=Duty.OWN,
        asks=TaskFilter,
        gives=Items[TaskView],
    ),
    Endpoint(
        method="POST",
        path="/api/v1/tasks",
        summary="Open a task, as a person or agent that its type permits to request it",
        serve=opened,
        people=Duty.OWN,
        agents=True,
        takes=Opening,
        gives=TaskView,
        status=201,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/tasks/{task}",
        summary="Show a task",
        serve=shown,
        people=Duty.OWN,
        agents=True,
        tasks=True,
        gives=TaskView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/tasks/{task}/turn",
        summary="Add a later message of the person who requested the task",
        serve=turn,
        people=Duty.OWN,
        takes=UserMessage,
        gives=TaskView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/tasks/{task}/plan",
        summary="Extend the plan of a task: directly until it has read untrusted data, then by approval",
        serve=planned,
        people=Duty.OWN,
        agents=True,
        tasks=True,
        takes=Planning,
        gives=PlanAnswer,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/tasks/{task}/renew",
        summary="Renew the lease of a task",
        serve=renew,
        agents=True,
        tasks=True,
        gives=Renewed,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/tasks/{task}/complete",
        summary="End a task as completed, and fence it",
        serve=complete,
        people=Duty.OWN,
        agents=True,
        tasks=True,
        takes=Completing,
        gives=ClosureView,
    ),
)
