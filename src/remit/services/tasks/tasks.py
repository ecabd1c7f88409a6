# SPDX-License-Identifier: Apache-2.0
"""Opening of tasks: an agent, a reviewed task type, and an intent stated by a permitted speaker."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from weakref import WeakValueDictionary

import msgspec

from remit.core.errors import Busy, Forbidden, Malformed, NotFound
from remit.core.evidence.event import Event
from remit.core.evidence.events.tasks import TaskMessage, TaskOpened, TaskRefused
from remit.core.evidence.replay_inputs import terms_of
from remit.core.identity.principals import Agent, Memberships, Person
from remit.core.ids import ID_BYTES, make_id
from remit.core.json_value import Json
from remit.core.label import Label
from remit.core.scope import ScopeKind, scope
from remit.core.tasks.delegated_task import BudgetShare, Moment, child_of
from remit.core.tasks.plan import tools_of
from remit.core.tasks.task import Intent, Task, TaskState, TaskType, UserMessage, deadline_for
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import (
    Change,
    CheckFence,
    CheckUnlocked,
    JoinLabels,
    PutTask,
    UseAgent,
    UseDelegation,
    UsePerson,
)
from remit.ports.store.combined import TasksAndSignIn
from remit.ports.store.endings import EndingStore
from remit.ports.store.units import Unit
from remit.services.limits.flood_control import Flood
from remit.services.policy.bundle import Policies
from remit.services.separation.sign_in_methods import code_makers
from remit.services.tasks.live_tasks import LiveTask, LiveTasks
from remit.services.tasks.opening_limits import OpeningBounds, OpeningLimits
from remit.services.tasks.opening_rules import (
    MAX_GOAL_CHARS,
    DelegatedOpening,
    Opening,
    OpeningAuthority,
    OpeningGrant,
    agreed,
    check_words,
    filled,
    granted,
    left_out,
    may_run,
    planned,
    reaching,
    wanted_of_type,
    within_ceilings,
)

__all__ = ["MAX_GOAL_CHARS", "DelegatedOpening", "Opening", "Tasks"]


class _Rooms(EndingStore, TasksAndSignIn, Protocol):
    """The rooms of the store that openings read."""


class Tasks:
    """Opens tasks, extends their intent, and issues their tokens."""

    def __init__(
        self,
        *,
        store: _Rooms,
        clock: Clock,
        entropy: Entropy,
        policies: Policies,
        live: LiveTasks,
        members: Memberships,
        tenant: str,
        bounds: OpeningBounds,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._policies = policies
        self._live = live
        self._members = members
        self._tenant = tenant
        self._words = OpeningAuthority(store=store, members=members, tenant=tenant)
        self._refusals = Flood()
        # A lock exists for as long as a task holds it or waits for it.
        self._changing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._pace = OpeningLimits(store=store, clock=clock, tenant=tenant, bounds=bounds)
        #: The scopes with an epoch that are no tasks, among the first `_looked` ones.
        self._wide: set[str] = set()
        self._looked = 0

    async def open(
        self,
        opening: Opening,
        *,
        person: Person | None = None,
        agent: Agent | None = None,
        issuer: str = "",
        within: Collection[str] | None = None,
        tools: Collection[str] | None = None,
        label: Label | None = None,
    ) -> Task:
        """Open a task on the authority of a signed-in person, or of the agent where the type permits that.

        With `issuer` the person is not signed in: that issuer states that the agent may act for the person,
        which the type must permit. `within` names the upstreams that the task may reach, where those are
        limited, and `tools` the tools. `label` is the label of the assertion that opens the task.

        With both `person` and `agent`, the person is the speaker and the agent has authenticated. An agent
        alone may act for a person only under a delegation record of that person. Raises `NotFound`,
        `Forbidden`, `Malformed`, `Busy` where an agent opens too many tasks by itself, or `Fenced` where a
        scope is locked; a refusal is recorded.
        """
        try:
            task, unit = await self._prepare(opening, person, agent, issuer, within, tools)
            if label is not None:
                task, unit = self._carrying(task, unit, label)
        except (Forbidden, Malformed, NotFound, Busy) as error:
            refused = TaskRefused(
                agent=opening.agent[:80],
                task_type=opening.task_type[:80],
                code=error.code,
                reason=error.message,
            )
            await self._refused(refused, subject=person.name if person else opening.agent[:80])
            raise
        await self._store.commit(unit)
        return task

    def _carrying(self, task: Task, unit: Unit, label: Label) -> tuple[Task, Unit]:
        """Return a task that is to be opened, with a label joined into the task's own."""
        classes = self._policies.applied.bundle.classes
        carrying = msgspec.structs.replace(task, label=task.label.join(label.known_to(classes), classes))
        changes = tuple(PutTask(carrying) if type(one) is PutTask else one for one in unit.changes)
        return carrying, msgspec.structs.replace(unit, changes=changes)

    async def open_child(self, parent_id: str, agent: Agent, handing: DelegatedOpening) -> Task:
        """Delegate a task to another agent, which gets a child task.

        RFC 8693: the child's agent exchanges the parent's token.

        The caller has checked that the parent's agent agrees (its task token is the subject token) and that
        `agent` has authenticated. Raises as `open` does, and `Fenced` where the parent has ended.
        """
        try:
            task, unit = await self._prepare_child(parent_id, agent, handing)
        except (Forbidden, Malformed, NotFound, Busy) as error:
            refused = TaskRefused(
                agent=agent.name,
                task_type=handing.task_type[:80],
                parent=parent_id[:80],
                code=error.code,
                reason=error.message,
            )
            await self._refused(refused, subject=agent.name)
            raise
        await self._store.commit(unit)
        return task

    async def _refused(self, refused: TaskRefused, *, subject: str) -> None:
        """Record a refused request to open a task; a flood of refusals is counted."""
        now = self._clock.now()
        more = self._refusals.further(now)
        if more is None:
            return
        refused.further = more
        event = Event.of(refused, at=now, tenant=self._tenant, subject=subject)
        await self._store.commit(Unit(events=(event,)))

    async def _prepare(
        self,
        opening: Opening,
        person: Person | None,
        caller: Agent | None,
        issuer: str = "",
        within: Collection[str] | None = None,
        tools: Collection[str] | None = None,
    ) -> tuple[Task, Unit]:
        applied = self._policies.applied
        task_type = self._type(opening.task_type)
        agent = await self._agent(opening.agent)
        if caller is not None and caller.name != agent.name:
            raise Forbidden("an agent can open tasks only for itself")
        may_run(task_type, agent)
        check_words(opening.goal, "the intent")
        now = self._clock.now()
        word = await self._words.of(task_type, opening, person, caller, now, issuer)
        params = filled(task_type, agreed(word.record, opening.params) if word.record else opening.params)
        every = granted(task_type, params)
        grants = reaching(within, tools, every)
        chosen = opening.params.keys() - word.record.params.keys() if person is None and word.record else ()
        if caller is not None and (person is None or issuer):
            await self._pace.opens(caller.name)
        task = Task(
            tenant=self._tenant,
            id=make_id("tsk", self._entropy.bytes(ID_BYTES)),
            type=task_type.name,
            agent=agent.name,
            owner=agent.owner,
            on_behalf_of=word.behalf,
            initiative=agent.initiative,
            environment=agent.environment,
            intent=Intent(
                # An agent's text under a record is not the person's: neither goal nor choices.
                goal=(word.record.goal if person is None and word.record else opening.goal)
                or task_type.purpose,
                params={name: value for name, value in params.items() if name not in chosen},
                requested_by=word.requested_by,
                stated_at=now,
            ),
            grants=grants,
            budgets=task_type.budgets,
            label=task_type.label,
            plan=planned(opening.plan, grants),
            delegation=word.record.id if word.record else "",
            delegates=(task_type.delegates,),
            opened=now,
            deadline=_until(task_type, word, now),
            lease_s=max(0, min(opening.lease_s, 3600)),
            idle_s=max(0, opening.idle_s),
            ends_when_spent=task_type.ends_when_spent,
            ends_after=task_type.ends_after,
            runbook=task_type.runbook,
            cuts=left_out(every, grants, agent.name),
            coded_by=await self._coded_by(word.people, word.record.coded_by if word.record else ()),
            bundle=applied.digest,
        )
        task = self._with_epochs(within_ceilings(task, applied.bundle))
        return task, self._unit(task, agent, self._uses(word, now), params)

    def _uses(self, word: OpeningGrant, now: datetime) -> tuple[Change, ...]:
        """Return the checks, in the commit of an opening, that its people and its record still stand."""
        people: tuple[Change, ...] = tuple(UsePerson(self._tenant, name) for name in sorted(word.people))
        return (*people, UseDelegation(self._tenant, word.record.id, now)) if word.record else people

    async def _prepare_child(
        self, parent_id: str, agent: Agent, handing: DelegatedOpening
    ) -> tuple[Task, Unit]:
        live = await self._live.load(parent_id)
        now = self._clock.now()
        self._live.check(live, now)
        heir = await self._agent(agent.name)
        check_words(handing.brief, "the brief")
        applied = self._policies.applied
        own = self._type(handing.task_type) if handing.task_type else None
        label, grants = live.label, handing.grants
        if own is not None:
            may_run(own, heir)
            label = label.join(own.label, applied.bundle.classes)
            grants = wanted_of_type(own, handing)
        parent = live.task
        wanted = BudgetShare(
            grants=grants,
            tools=handing.tools,
            budgets=handing.budgets,
            deadline=handing.deadline,
            lease_s=max(0, min(handing.lease_s, 3600)),
            task_type=own,
        )
        moment = Moment(
            task_id=make_id("tsk", self._entropy.bytes(ID_BYTES)),
            now=now,
            label=label,
            epochs=self._store.epochs(self._tenant),
            bundle=applied.digest,
        )
        child = within_ceilings(child_of(parent, heir, wanted, moment), applied.bundle)
        await self._pace.hands_down(parent.agent, heir.name)
        # INVARIANT: a parent that was ended in the meantime gets no child: the same commit checks the fence.
        checks: list[Change] = [CheckFence(parent.epochs, parent.scopes)]
        if not live.label.covers(label, applied.bundle.classes):
            # The label of its own type's intent can flow back, too.
            checks.append(JoinLabels(self._tenant, child.ancestors, label, applied.bundle.classes))
            for one in (live, *live.above()):
                one.rise(label, applied.bundle.classes)
        return child, self._unit(child, heir, tuple(checks), handing.params, brief=handing.brief)

    def _with_epochs(self, task: Task) -> Task:
        """Record the current epochs in a task.

        INVARIANT: every scope that a call of this task can be in is recorded, its tools and upstreams
        included. So a fence raised before the task was opened does not count against it, and one raised after
        does. The scopes of other tasks are not among these; recording them too would only grow the record.
        """
        current = self._store.epochs(self._tenant)
        # Scopes are only ever added, one for each task that ended: only the new ones are looked at. The copy
        # is one step for other threads, which may add some meanwhile.
        names, others = list(current), scope(ScopeKind.TASK, "")
        self._wide.update(name for name in names[self._looked :] if not name.startswith(others))
        self._looked = len(names)
        return msgspec.structs.replace(
            task, epochs={name: current[name] for name in {*task.scopes, *self._wide} if current.get(name)}
        )

    def _unit(
        self,
        task: Task,
        agent: Agent,
        checks: tuple[Change, ...],
        params: dict[str, Json],
        *,
        brief: str = "",
    ) -> Unit:
        """Return the unit that opens a task; the store refuses it where a scope is locked."""
        upstreams = {grant.tool.partition("/")[0] for grant in task.grants}
        locks = (*task.scopes, *(scope(ScopeKind.UPSTREAM, name) for name in sorted(upstreams)))
        opened = TaskOpened(
            task_type=task.type,
            authority=task.authority_hash,
            tools=sorted({grant.tool for grant in task.grants}),
            deadline=task.deadline.isoformat(),
            bundle=task.bundle,
            lease_s=task.lease_s,
            delegation=task.delegation,
            goal=task.intent.goal,
            brief=brief,
            params=params,
            requested_by=task.intent.requested_by,
            on_behalf_of=task.on_behalf_of,
            terms=terms_of(task, agent),
        )
        if task.lineage:
            opened.parent, opened.chain = task.parent, list(task.actors)
        if task.plan is not None:
            opened.plan = list(tools_of(task.plan) or ())
        event = Event.of(
            opened,
            at=task.opened,
            tenant=self._tenant,
            task=task.id,
            agent=task.agent,
            subject=task.subject,
        )
        changes = (*checks, CheckUnlocked(locks), UseAgent(self._tenant, task.agent), PutTask(task))
        return Unit(changes, (event,))

    async def add_message(self, task_id: str, text: str, person: Person) -> Task:
        """Add a later message of the person who stated the intent."""
        async with self.changing(task_id):
            live = await self._live.load(task_id)
            if live.task.intent.requested_by != person.name:
                raise Forbidden(
                    "only the requester of the task may add to its intent",
                    remediation=f"it was requested by {live.task.intent.requested_by.removeprefix('agent:')}",
                )
            return await self._add_messages(live, (text,), person)

    async def hear(self, task_id: str, texts: Sequence[str], person: Person, heard_in: str) -> Task:
        """Add messages of a person that the guarded session with the task `heard_in` has brought.

        The agent may have requested the task itself, if its owner, or the person it acts for, has spoken.
        """
        async with self.changing(task_id):
            live = await self._live.load(task_id)
            task = live.task
            requesters = {person.name, f"agent:{task.agent}"}
            if (
                person.name not in (task.owner, task.on_behalf_of)
                or task.intent.requested_by not in requesters
            ):
                raise Forbidden(
                    "the task is another person's",
                    remediation="open the task of the relay for the person of the session",
                )
            return await self._add_messages(live, texts, person, heard_in)

    def changing(self, task_id: str) -> asyncio.Lock:
        """Return the lock of a task, held by code that reads the task, changes it, and writes it back."""
        found = self._changing.get(task_id)
        if found is None:
            found = self._changing[task_id] = asyncio.Lock()
        return found

    async def _add_messages(
        self, live: LiveTask, texts: Sequence[str], person: Person, heard_in: str = ""
    ) -> Task:
        now = self._clock.now()
        self._live.check(live, now)
        if any(len(text) > MAX_GOAL_CHARS for text in texts):
            raise Malformed(f"a message has at most {MAX_GOAL_CHARS} characters", remediation="shorten it")
        said = (UserMessage(text, now) for text in texts)
        intent = msgspec.structs.replace(live.task.intent, messages=(*live.task.intent.messages, *said))
        coded_by = await self._coded_by({person.name}, live.task.coded_by)
        task = msgspec.structs.replace(live.task, intent=intent, label=live.label, coded_by=coded_by)
        events = tuple(
            Event.of(
                TaskMessage(text=text, heard_in=heard_in),
                at=now,
                tenant=self._tenant,
                task=task.id,
                agent=task.agent,
                subject=person.name,
            )
            for text in texts
        )
        await self._store.commit(Unit((PutTask(task, expected=TaskState.ACTIVE),), events))
        self._live.replace(task)
        return task

    async def _coded_by(self, people: Collection[str], known: Collection[str]) -> tuple[str, ...]:
        """Return who may have signed in as one of these people, with a code made for that person."""
        makers = await code_makers(self._store, self._tenant, people, self._clock.now())
        return tuple(sorted({*known} | makers))

    async def renew(self, task_id: str) -> datetime:
        """Renew the lease of a task; return when it would end without a renewal.

        The result is in time of day, for display.
        """
        live = await self._live.load(task_id)
        now = self._clock.now()
        self._live.check(live, now)
        live.renew(self._clock.boot_s())
        if not live.task.lease_s:
            return live.task.deadline
        return min(live.task.deadline, now + timedelta(seconds=live.task.lease_s))

    async def get(self, task_id: str) -> Task:
        """Return a task in its current state; raises `NotFound`."""
        task = await self.find(task_id)
        if task is None:
            raise NotFound(f"task `{task_id[:80]}` does not exist", remediation="see `remit task list`")
        return task

    async def find(self, task_id: str) -> Task | None:
        """Return a task as it stands now; `None` where there is none."""
        task = await self._store.task(self._tenant, task_id)
        live = self._live.get(task_id) if task is not None else None
        return task if task is None or live is None else msgspec.structs.replace(task, label=live.label)

    async def newest(
        self,
        *,
        agent: str = "",
        on_behalf_of: str = "",
        state: TaskState | None = None,
        limit: int = 100,
        texts: bool = True,
    ) -> list[Task]:
        """Return tasks, newest first; of one agent, for one person, in one state, where these are named.

        Without `texts` they have no goal, messages, parameters, grants and plan.
        """
        return await self._store.tasks(
            self._tenant, agent=agent, on_behalf_of=on_behalf_of, state=state, limit=limit, texts=texts
        )

    def _type(self, name: str) -> TaskType:
        task_types = self._policies.applied.bundle.task_types
        found = task_types.get(name)
        if found is None:
            known = ", ".join(sorted(task_types)) or "none"
            raise NotFound(
                f"task type `{name[:80]}` does not exist", remediation=f"known task types: {known}"
            )
        return found

    async def _agent(self, name: str) -> Agent:
        agent = await self._store.agent(self._tenant, name)
        if agent is None:
            raise NotFound(
                f"agent `{name[:80]}` does not exist", remediation="register it with `remit agent register`"
            )
        if not agent.usable:
            raise Forbidden(f"agent `{agent.name}` is {agent.state.value}", remediation="ask its owner")
        return self._members.of_agent(agent)


def _until(task_type: TaskType, word: OpeningGrant, now: datetime) -> datetime:
    """Return the deadline of a new task: its type's, and never past the record of its person."""
    own = deadline_for(task_type, now)
    return min(own, word.record.expires) if word.record else own
