# SPDX-License-Identifier: Apache-2.0
"""Tasks: opening, showing, extending, renewing and completing them. Tokens for tasks come from
`/oauth/token`.
"""

from __future__ import annotations

from dataclasses import dataclass
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
from remit.core.errors import Forbidden, NotFound
from remit.core.json_value import Json
from remit.core.tasks.plan import MAX_PLAN, PlanWish
from remit.core.tasks.task import Task, TaskState
from remit.services.decisions.assembly import DecisionServices
from remit.services.endings.assembly import EndingServices
from remit.services.findings.assembly import FindingServices
from remit.services.identity.assembly import IdentityServices
from remit.services.identity.permissions import Duty, end_task, may, own_task
from remit.services.policy.bundle import Policies
from remit.services.tasks.assembly import TaskServices
from remit.services.tasks.tasks import Opening
from remit.services.tools.assembly import ToolServices

#: Maximum number of tasks to search for one answer.
MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRooms:
    """The rooms that these endpoints work with."""

    policies: Policies
    findings: FindingServices
    tools: ToolServices
    tasks: TaskServices
    decisions: DecisionServices
    endings: EndingServices
    identity: IdentityServices


class TaskFilter(Body, frozen=True, kw_only=True):
    """Filter for tasks."""

    agent: str = ""
    state: TaskState | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100


class NewMessage(Body, frozen=True, kw_only=True):
    """A further message of the person who stated the intent."""

    text: Annotated[str, msgspec.Meta(min_length=1)]


class Planning(Body, frozen=True, kw_only=True):
    """Additions to a task's plan: tools (`upstream/tool`), or tools with constraints on arguments."""

    add: Annotated[tuple[PlanWish, ...], msgspec.Meta(min_length=1, max_length=MAX_PLAN)]


class PlanAnswer(View, frozen=True, kw_only=True):
    """The outcome of a plan extension: `permit` if the plan now contains all additions, `deny`, or `defer`.

    With `defer`, a human is asked: `approval` is the ID of the approval. Repeat the same request after the
    answer.
    """

    task: TaskView
    outcome: Outcome
    approval: str
    reasons: tuple[dict[str, Json], ...]


class AnswerWait(Body, frozen=True, kw_only=True):
    """How many seconds to wait for an answer; after that time, the question is shown as it stands."""

    wait_s: Annotated[int, msgspec.Meta(ge=0, le=60)] = 0


class QuestionAnswer(View, frozen=True, kw_only=True):
    """What people have answered to a question of the task.

    `state` is that of the approval: after every state but `pending`, the same call gets its answer. `left` is
    the number of calls that the answer permits. `instead` of a narrowed question has the arguments of the
    call that was permitted instead.
    """

    approval: str
    state: str
    expires: Moment
    left: int
    instead: dict[str, Json] | None


class Completing(Body, frozen=True, kw_only=True):
    """The reason for completing a task."""

    reason: str = "completed"


class Renewed(View, frozen=True, kw_only=True):
    """A renewed lease: without a further renewal the task ends at `until`."""

    task: str
    until: Moment


def _told(errand: RestRequest[TaskRooms], task: Task) -> TaskView:
    now, observed = errand.desk.clock.now(), errand.rooms.decisions.authorizer.observed
    bundle = errand.rooms.policies.applied.bundle
    return task_view(task, now, bundle.sentences(task, now=now, observed=observed))


async def task_types(errand: RestRequest[TaskRooms]) -> Items[TaskTypeView]:
    """Return the task types in force."""
    bundle = errand.rooms.policies.applied.bundle
    return Items(tuple(task_type_view(bundle.task_types[name]) for name in sorted(bundle.task_types)))


async def listed(errand: RestRequest[TaskRooms]) -> Items[TaskView]:
    """Return tasks, newest first; without a role, only the caller's tasks."""
    wanted: TaskFilter = errand.query
    person = errand.someone
    sees_all = may(person, Duty.OVERSEE)
    found = await errand.rooms.tasks.tasks.newest(
        agent=wanted.agent, state=wanted.state, limit=wanted.limit if sees_all else MOST
    )
    mine = [task for task in found if sees_all or own_task(task, person)]
    now = errand.desk.clock.now()
    return Items(tuple(task_view(task, now) for task in mine[: wanted.limit]))


async def opened(errand: RestRequest[TaskRooms]) -> TaskView:
    """Open a task."""
    wanted: Opening = errand.body
    task = await errand.rooms.tasks.tasks.open(wanted, person=errand.person, agent=errand.agent)
    if wanted.manifest_digest:
        # A person who opens the task for the agent passes on the agent's manifest digest.
        agent = errand.agent or await errand.rooms.identity.directory.agent(task.agent)
        errand.rooms.findings.sightings.manifest(agent, wanted.manifest_digest)
    return _told(errand, task)


async def shown(errand: RestRequest[TaskRooms]) -> TaskView:
    """Return one task."""
    return _told(errand, await errand.task())


async def add_message(errand: RestRequest[TaskRooms]) -> TaskView:
    """Extend a task's intent by a user message."""
    task = await errand.task()
    said: NewMessage = errand.body
    extended = await errand.rooms.tasks.tasks.add_message(task.id, said.text, errand.someone)
    return _told(errand, extended)


async def planned(errand: RestRequest[TaskRooms]) -> PlanAnswer:
    """Request an extension of a task's plan."""
    task = await errand.task()
    if not errand.owns(task):
        raise Forbidden(
            "only the task's person and its agent may extend the plan",
            code="role",
            remediation="sign in as the person who requested the task",
        )
    wish: Planning = errand.body
    done = await errand.rooms.decisions.plans.extend(task.id, wish.add, by=errand.by, claims=errand.claims)
    decision = done.decision
    if done.holds:
        # The plan determines the tools that a client sees, so the client is notified to list them again.
        for upstream in sorted({one.tool.partition("/")[0] for one in done.task.plan or ()}):
            errand.rooms.tools.announcements.changed(upstream, frozenset(("tools",)))
    return PlanAnswer(
        task=_told(errand, done.task),
        outcome=decision.outcome if decision else Outcome.PERMIT,
        approval=decision.approval if decision and decision.outcome is Outcome.DEFER else "",
        reasons=tuple(msgspec.to_builtins(one) for one in decision.reasons) if decision else (),
    )


async def answer(errand: RestRequest[TaskRooms]) -> QuestionAnswer:
    """Return what people have answered to a question of the task."""
    task, wanted = await errand.task(), errand.query
    approvals = errand.rooms.decisions.approvals
    found = await approvals.get(errand.place["approval"])
    if found.task != task.id:
        raise NotFound(f"approval `{found.id}` does not exist", remediation="use the id that the call got")
    found = await approvals.settled(found.id, wanted.wait_s) or found
    given = await approvals.find(found.instead) if found.instead else None
    return QuestionAnswer(
        approval=found.id,
        state=found.state.value,
        expires=found.expires,
        left=found.left,
        instead=given.arguments if given is not None and given.left else None,
    )


async def renew(errand: RestRequest[TaskRooms]) -> Renewed:
    """Renew a task's lease."""
    task = await errand.task()
    return Renewed(task=task.id, until=await errand.rooms.tasks.tasks.renew(task.id))


async def complete(errand: RestRequest[TaskRooms]) -> ClosureView:
    """End a task as completed; a repeated request returns the same closure."""
    task = await errand.task()
    if errand.person is not None:
        end_task(task, errand.person)
    done: Completing = errand.body
    closure = await errand.rooms.endings.revocations.end_task(
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
        path="/api/v1/tasks/{task}/messages",
        summary="Add a later message of the person who requested the task",
        serve=add_message,
        people=Duty.OWN,
        takes=NewMessage,
        gives=TaskView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/tasks/{task}/plan",
        summary="Extend the plan of a task: by reads and by what the person asked for, or by approval",
        serve=planned,
        people=Duty.OWN,
        agents=True,
        tasks=True,
        takes=Planning,
        gives=PlanAnswer,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/tasks/{task}/approvals/{approval}",
        summary="Wait for the answer to a question of a task, and show it",
        serve=answer,
        people=Duty.OWN,
        agents=True,
        tasks=True,
        asks=AnswerWait,
        gives=QuestionAnswer,
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
