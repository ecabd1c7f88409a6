# SPDX-License-Identifier: Apache-2.0
"""Opening tasks: an agent, a reviewed task type, and an intent that somebody who may say so has stated."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from remit.core.constraint import Verdict, load
from remit.core.errors import Forbidden, Malformed, NotFound
from remit.core.event import Event, EventKind
from remit.core.identity import Agent, Memberships, Person, Role
from remit.core.ids import ID_BYTES, make_id
from remit.core.revocation import ScopeKind, scope, scopes_of
from remit.core.task import Intent, Task, TaskState, TaskType, Turn, check_parameters, deadline_for
from remit.core.tool import RESERVED_OPERATIONS
from remit.ports.runtime import Clock, Entropy
from remit.ports.store import Change, CheckUnlocked, PutTask, Store, Unit, UseAgent
from remit.services.authenticate import Authenticator
from remit.services.live import Live
from remit.services.policies import Policies

Json = Any

MAX_GOAL_CHARS = 8_000


class Opening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked for when a task is opened.

    `plan` lists the tools that the work will need: the task is narrowed to them. `lease_s` above 0 makes the
    task end unless it is renewed in time, `idle_s` when it was not used for that many seconds.
    """

    agent: str
    task_type: str
    goal: str = ""
    params: dict[str, Json] = {}
    on_behalf_of: str = ""
    plan: tuple[str, ...] | None = None
    lease_s: int = 0
    idle_s: int = 0


class Tasks:
    """Opens tasks, extends their intent, and issues their tokens."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        entropy: Entropy,
        policies: Policies,
        authenticator: Authenticator,
        live: Live,
        members: Memberships,
        tenant: str,
    ) -> None:
        """Take the parts."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._policies = policies
        self._authenticator = authenticator
        self._live = live
        self._members = members
        self._tenant = tenant

    async def open(
        self, opening: Opening, *, person: Person | None = None, agent: Agent | None = None
    ) -> Task:
        """Open a task at the word of a signed-in person, or of the agent itself where the type permits that.

        Raises `NotFound`, `Forbidden`, `Malformed`, or `Fenced` where a scope is locked; a refusal is
        recorded.
        """
        try:
            task, unit = await self._prepare(opening, person, agent)
        except (Forbidden, Malformed, NotFound) as error:
            facts = {"agent": opening.agent[:80], "task_type": opening.task_type[:80], "code": error.code}
            await self._store.commit(
                Unit(
                    events=(
                        Event(
                            kind=EventKind.TASK_REFUSED,
                            at=self._clock.now(),
                            tenant=self._tenant,
                            subject=person.name if person else opening.agent[:80],
                            facts=facts,
                            sealed={"reason": error.message},
                        ),
                    )
                )
            )
            raise
        await self._store.commit(unit)
        return task

    async def _prepare(
        self, opening: Opening, person: Person | None, caller: Agent | None
    ) -> tuple[Task, Unit]:
        applied = self._policies.applied
        task_type = applied.bundle.task_types.get(opening.task_type)
        if task_type is None:
            known = ", ".join(sorted(applied.bundle.task_types)) or "none"
            raise NotFound(f"there is no task type `{opening.task_type[:80]}`", way_out=f"there are: {known}")
        agent = await self._agent(opening.agent)
        if caller is not None and caller.name != agent.name:
            raise Forbidden("an agent opens tasks for itself alone")
        _may_run(task_type, agent)
        stated_by = _may_state(task_type, person, caller)
        behalf = _behalf(task_type, opening, person)
        params = check_parameters(task_type, opening.params)
        for name, value in params.items():
            _check_parameter(task_type, name, value)
        if len(opening.goal) > MAX_GOAL_CHARS:
            raise Malformed(f"the intent has more than {MAX_GOAL_CHARS} characters", way_out="say it shorter")
        grants = tuple(grant.instantiate(params) for grant in task_type.grants)
        plan = _narrowed(opening.plan, task_type)
        if plan is not None:
            grants = tuple(
                grant
                for grant in grants
                if grant.tool in plan or grant.tool.partition("/")[2] in RESERVED_OPERATIONS
            )
        now = self._clock.now()
        task = Task(
            tenant=self._tenant,
            id=make_id("tsk", self._entropy.bytes(ID_BYTES)),
            type=task_type.name,
            agent=agent.name,
            owner=agent.owner,
            on_behalf_of=behalf,
            initiative=agent.initiative,
            environment=agent.environment,
            intent=Intent(
                goal=opening.goal or task_type.purpose, params=params, stated_by=stated_by, stated_at=now
            ),
            grants=grants,
            budgets=task_type.budgets,
            label=task_type.label,
            plan=plan,
            opened=now,
            deadline=deadline_for(task_type, now),
            lease_s=max(0, min(opening.lease_s, 3600)),
            idle_s=max(0, min(opening.idle_s, 24 * 3600)),
            bundle=applied.digest,
        )
        return self._with_epochs(task, agent, task_type)

    def _with_epochs(self, task: Task, agent: Agent, task_type: TaskType) -> tuple[Task, Unit]:
        """Remember the epochs as of now; the unit refuses if a scope is locked.

        INVARIANT: every scope that a call of this task can lie in is remembered, its tools and upstreams
        included, so that a fence raised before the task was opened does not count against it, and one raised
        after does. Other tasks are none of these: their fences are not carried along, for they only grow.
        """
        current = self._store.epochs(self._tenant)
        others = scope(ScopeKind.TASK, "")
        scopes = {*scopes_of(task), *(name for name in current if not name.startswith(others))}
        epochs = {name: current[name] for name in scopes if current.get(name)}
        task = msgspec.structs.replace(task, epochs=epochs)
        upstreams = {grant.tool.partition("/")[0] for grant in task.grants}
        locks = (*scopes_of(task), *(scope(ScopeKind.UPSTREAM, name) for name in sorted(upstreams)))
        changes: tuple[Change, ...] = (
            CheckUnlocked(locks),
            UseAgent(self._tenant, agent.name),
            PutTask(task),
        )
        event = Event(
            kind=EventKind.TASK_OPENED,
            at=task.opened,
            tenant=self._tenant,
            task=task.id,
            agent=agent.name,
            subject=task.on_behalf_of or agent.name,
            facts={
                "task_type": task_type.name,
                "authority": task.authority_hash,
                "tools": sorted({grant.tool for grant in task.grants}),
                "deadline": task.deadline.isoformat(),
                "bundle": task.bundle,
                "lease_s": task.lease_s,
            },
            sealed={
                "goal": task.intent.goal,
                "params": task.intent.params,
                "stated_by": task.intent.stated_by,
                "on_behalf_of": task.on_behalf_of,
            },
        )
        return task, Unit(changes, (event,))

    async def turn(self, task_id: str, text: str, person: Person) -> Task:
        """Add a later utterance of the very person who stated the intent."""
        live = await self._live.load(task_id)
        now = self._clock.now()
        self._live.check(live, now)
        if live.task.intent.stated_by != person.name:
            raise Forbidden("only who stated the intent may add to it")
        if len(text) > MAX_GOAL_CHARS:
            raise Malformed(f"a turn has at most {MAX_GOAL_CHARS} characters", way_out="say it shorter")
        intent = msgspec.structs.replace(live.task.intent, turns=(*live.task.intent.turns, Turn(text, now)))
        task = msgspec.structs.replace(live.task, intent=intent, label=live.label)
        event = Event(
            kind=EventKind.TASK_TURN,
            at=now,
            tenant=self._tenant,
            task=task.id,
            agent=task.agent,
            subject=person.name,
            sealed={"text": text},
        )
        await self._store.commit(Unit((PutTask(task, expected=TaskState.ACTIVE),), (event,)))
        self._live.replace(task)
        return task

    async def token(self, task_id: str) -> tuple[str, int]:
        """Issue an access token for a task that is active; gives it with its expiry (seconds since the
        epoch).
        """
        live = await self._live.load(task_id)
        self._live.check(live, self._clock.now())
        token, claims = await self._authenticator.token(
            live.agent,
            task=task_id,
            on_behalf_of=live.task.on_behalf_of,
            authority_hash=live.authority_hash,
            deadline=live.task.deadline,
        )
        await self._store.commit(Unit(events=(self._authenticator.token_event(claims),)))
        return token, claims.expires

    async def renew(self, task_id: str) -> datetime:
        """Renew the lease of a task; gives when the task ends unless it is renewed, by the time of day, for
        show.
        """
        live = await self._live.load(task_id)
        now = self._clock.now()
        self._live.check(live, now)
        live.renew(self._clock.boot_s())
        if not live.task.lease_s:
            return live.task.deadline
        return min(live.task.deadline, now + timedelta(seconds=live.task.lease_s))

    async def get(self, task_id: str) -> Task:
        """Give a task as it stands now; raises `NotFound`."""
        task = await self._store.task(self._tenant, task_id)
        if task is None:
            raise NotFound(f"there is no task `{task_id[:80]}`", way_out="see `remit task list`")
        live = self._live.get(task_id)
        return msgspec.structs.replace(task, label=live.label) if live is not None else task

    async def _agent(self, name: str) -> Agent:
        agent = await self._store.agent(self._tenant, name)
        if agent is None:
            raise NotFound(
                f"there is no agent `{name[:80]}`", way_out="register it with `remit agent register`"
            )
        if not agent.usable:
            raise Forbidden(f"agent `{agent.name}` is {agent.state.value}", way_out="ask its owner")
        return self._members.of_agent(agent)


def _check_parameter(task_type: TaskType, name: str, value: Json) -> None:
    written = task_type.parameters[name].constraint
    if written is None:
        return
    constraint = load(written)
    if constraint.judge(value) is not Verdict.YES:
        raise Malformed(f"parameter `{name}` {constraint.describe()}", way_out="give a value that fits")


def _may_run(task_type: TaskType, agent: Agent) -> None:
    wanted = {agent.name, *(f"group:{group}" for group in agent.groups)}
    if not wanted & set(task_type.run_by):
        raise Forbidden(
            f"agent `{agent.name}` may not run `{task_type.name}`",
            way_out=f"it is run by: {', '.join(task_type.run_by)}",
        )


def _may_state(task_type: TaskType, person: Person | None, caller: Agent | None) -> str:
    """Give who states the intent. INVARIANT: a person whom remit authenticated, or an issuer that the type
    permits.
    """
    if person is not None:
        wanted = {person.name, *(f"group:{group}" for group in person.groups)}
        if not wanted & set(task_type.stated_by):
            raise Forbidden(
                f"`{person.name}` may not state the intent of `{task_type.name}`",
                way_out=f"it is stated by: {', '.join(task_type.stated_by)}",
            )
        return person.name
    if caller is not None and f"agent:{caller.name}" in task_type.stated_by:
        return f"agent:{caller.name}"
    raise Forbidden(
        f"the intent of `{task_type.name}` must be stated by a person",
        way_out="let a signed-in person open the task",
    )


def _behalf(task_type: TaskType, opening: Opening, person: Person | None) -> str:
    if person is None:
        if opening.on_behalf_of or task_type.requires_person:
            raise Forbidden(
                "an agent cannot name the person it acts for", way_out="let that person open the task"
            )
        return ""
    wanted = opening.on_behalf_of or (person.name if task_type.requires_person else "")
    if wanted and wanted != person.name and Role.OPERATOR not in person.roles:
        raise Forbidden(
            f"`{person.name}` may not open tasks for `{wanted[:80]}`", way_out="let that person open it"
        )
    return wanted


def _narrowed(plan: tuple[str, ...] | None, task_type: TaskType) -> tuple[str, ...] | None:
    if plan is None:
        return None
    granted = {grant.tool for grant in task_type.grants}
    for tool in plan:
        if tool not in granted:
            raise Forbidden(
                f"the plan names `{tool[:80]}`, which `{task_type.name}` does not grant",
                way_out=f"it grants: {', '.join(sorted(granted)) or 'nothing'}",
            )
    return tuple(plan)
