# SPDX-License-Identifier: Apache-2.0
"""The sessions of guarded clients, each with its task and a child task for each subagent.

A session is bound to the client's process: another process cannot speak for it. What a session has read stays
with it: a session that remit does not know (after a restart of remit) or that is resumed gets the task, or at
least the label, that it had.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from remit.core.decisions.approval import may_approve
from remit.core.errors import Forbidden
from remit.core.identity.principals import Person
from remit.core.identity.workload import Assurance
from remit.core.oauth.access_token import AccessClaims, claims_of
from remit.core.tasks.task import Task, TaskState
from remit.ports.runtime import Clock, Processes, RunningProcess
from remit.services.endings.assembly import EndingServices
from remit.services.guard.call import HookedCall
from remit.services.guard.client import SESSION, GuardedClient
from remit.services.guard.heartbeat import Heartbeat
from remit.services.identity.directory import Directory
from remit.services.tasks.assembly import TaskServices
from remit.services.tasks.opening_rules import DelegatedOpening, Opening

#: A session without an event for this long has ended: its client did not say so.
IDLE_S = 12 * 3600
#: Tasks of a client among which a session's earlier one is looked for.
LOOKED_AT = 200
#: Sessions that are kept; the oldest ones end first.
MAX_SESSIONS = 2000
BY = "guard"


@dataclass(slots=True)
class WorkChain:
    """One line of work: the session itself, or a subagent. `pending` are its calls in the client's hands."""

    task: str
    pending: dict[str, HookedCall] = field(default_factory=dict)


@dataclass(slots=True)
class GuardSession:
    """A session. `workspace` is the folder in which it began; `unknown` are words of unknown origin.

    `hooks` is the number of events that its hooks have reported, `answers` how many got which answer.
    `brought` is how many of its person's messages the task of each relay has got, under `bringing`. `usage`
    are the model calls in its transcript that were taken in; None before the first event.
    """

    id: str
    client: GuardedClient
    process: RunningProcess | None
    workspace: str
    inside: bool = False
    chains: dict[str, WorkChain] = field(default_factory=dict)
    unknown: list[tuple[str, str, str]] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    hooks: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    brought: dict[str, int] = field(default_factory=dict)
    bringing: asyncio.Lock = field(default_factory=asyncio.Lock)
    usage: set[str] | None = None


class GuardSessions:
    """The sessions that are open. For one event loop."""

    def __init__(
        self,
        *,
        tasks: TaskServices,
        directory: Directory,
        endings: EndingServices,
        clock: Clock,
        tenant: str,
        running: Processes | None,
        heartbeat: Heartbeat,
    ) -> None:
        """Begin without sessions. Without `running` nothing is known of processes."""
        self._running = running
        self._heartbeat = heartbeat
        self._tasks = tasks
        self._directory = directory
        self._endings = endings
        self._clock = clock
        self._tenant = tenant
        self.open: OrderedDict[tuple[str, str], GuardSession] = OrderedDict()

    async def of(
        self, client: GuardedClient, name: str, sender: RunningProcess | None, cwd: str, *, inside: bool
    ) -> GuardSession:
        """Return a session, new or known; raises `Forbidden` where it belongs to another process that runs.

        INVARIANT: words that one process brought in are never the intent of another process's calls.
        """
        found = self.open.get((client.name, name))
        if found is not None and found.process != sender:
            if found.process is not None and self._running is not None and self._running.runs(found.process):
                raise Forbidden(
                    "this session belongs to another process of the client",
                    code="hook-process",
                    remediation="leave the hook to the client itself",
                )
            # The person has resumed the session in another process.
            await self.end(found, reason="another process has taken the session up")
            found = None
        if found is None:
            found = GuardSession(name, client, sender, cwd, inside)
            self.open[client.name, name] = found
        self.open.move_to_end((client.name, name))
        return found

    def processes(self) -> dict[RunningProcess, GuardSession]:
        """Return the client processes of all sessions."""
        return {one.process: one for one in self.open.values() if one.process is not None}

    def is_busy(self, process: RunningProcess | None) -> bool:
        """Return whether a call of one of a client's sessions is in the client's hands."""
        return any(
            chain.pending
            for session in self.open.values()
            if session.process == process
            for chain in session.chains.values()
        )

    async def chain(self, session: GuardSession, agent: str) -> WorkChain:
        """Return the session's chain, or a subagent's; its task is opened if it has none that is open."""
        async with session.lock:
            found = session.chains.get(agent)
            if found is not None and await self._is_open(found.task):
                return found
            task = await (self._child(session) if agent else self._root(session))
            made = WorkChain(task.id, found.pending if found else {})
            session.chains[agent] = made
            return made

    async def report(
        self, session: GuardSession, state: Literal["start", "change", "end"], why: str = ""
    ) -> None:
        """Write a session's sign of life to the evidence."""
        if (root := session.chains.get("")) is not None:
            answers = dict(session.answers)
            await self._heartbeat.report(
                session.client, root.task, state, hooks=session.hooks, answers=answers, why=why
            )

    async def _is_open(self, task_id: str) -> bool:
        """Return whether a task goes on. One that a person ended stays the session's: calls are refused."""
        live = self._tasks.live.get(task_id)
        task = live.task if live is not None else await self._tasks.tasks.find(task_id)
        return task is not None and (task.state is TaskState.REVOKED or task.active_at(self._clock.now()))

    async def _root(self, session: GuardSession) -> Task:
        client = session.client
        earlier = [
            one
            for one in await self._tasks.tasks.newest(agent=client.agent, limit=LOOKED_AT)
            if one.intent.params.get(SESSION) == session.id
        ]
        if earlier and earlier[0].active_at(self._clock.now()):
            await self._began(session, earlier[0], "change", "remit has taken the session up again")
            return earlier[0]
        person = await self.person(client)
        opening = Opening(
            agent=client.agent,
            task_type=client.task_type,
            params={SESSION: session.id},
            on_behalf_of=client.person,
            idle_s=IDLE_S,
        )
        task = await self._tasks.tasks.open(
            opening, person=person, label=earlier[0].label if earlier else None
        )
        if earlier:
            live = await self._tasks.live.load(task.id)
            live.index.unseen = True
        await self._began(session, task, "start", "the session was resumed" if earlier else "")
        return task

    async def _began(
        self, session: GuardSession, task: Task, state: Literal["start", "change"], why: str
    ) -> None:
        session.chains.setdefault("", WorkChain(task.id))
        await self.report(session, state, why)

    async def _child(self, session: GuardSession) -> Task:
        root = session.chains.get("")
        if root is None or not await self._is_open(root.task):
            root = WorkChain((await self._root(session)).id, root.pending if root else {})
            session.chains[""] = root
        heir = await self._directory.agent(session.client.subagent)
        return await self._tasks.tasks.open_child(root.task, heir, DelegatedOpening())

    async def person(self, client: GuardedClient) -> Person:
        """Return the person whose client it is."""
        return await self._directory.person(client.person)

    async def has_approver(self, client: GuardedClient) -> bool:
        """Return whether a person may approve who is not the one whose client it is."""
        people = await self._directory.people()
        return any(may_approve(one) and one.name != client.person for one in people)

    async def claims(self, task_id: str) -> AccessClaims:
        """Return the claims for a call in a task: what a token of the task would say."""
        live = self._tasks.live.get(task_id) or await self._tasks.live.load(task_id)
        now = self._clock.now()
        return claims_of(live.task, now, issuer=BY, tenant=self._tenant, assurance=Assurance.SHARED_SECRET)

    async def state(self, session: GuardSession, text: str) -> None:
        """Add a person's words to the intent of a session and of the subagents that are at work."""
        person = await self.person(session.client)
        await self.chain(session, "")
        for chain in tuple(session.chains.values()):
            await self._tasks.tasks.add_message(chain.task, text, person)

    async def newest(self, client: GuardedClient) -> Task | None:
        """Return the task that was opened last for a client."""
        return next(iter(await self._tasks.tasks.newest(agent=client.agent, limit=1)), None)

    async def bring_words(self, session: GuardSession, relay: str) -> None:
        """Add what the person has said in a session to the intent of a task of one of its relays.

        A relay's task of another person hears nothing.
        """
        async with session.bringing:
            chain = await self.chain(session, "")
            own = self._tasks.live.get(chain.task) or await self._tasks.live.load(chain.task)
            said = own.task.intent.messages
            texts = [one.text for one in said[session.brought.get(relay, 0) :]]
            person = await self.person(session.client)
            if texts:
                with suppress(Forbidden):
                    await self._tasks.tasks.hear(relay, texts, person, chain.task)
            session.brought[relay] = len(said)

    async def end(
        self, session: GuardSession, agent: str = "", *, reason: str = "the client's session ended"
    ) -> None:
        """End a session with its subagents, or one subagent."""
        chain = session.chains.get(agent)
        if not agent:
            await self.report(session, "end", reason)
        for name, one in tuple(session.chains.items()):
            if name == agent or not agent:
                give_up(one)
                del session.chains[name]
        if not agent:
            self.open.pop((session.client.name, session.id), None)
        if chain is not None:
            await self._endings.revocations.end_task(
                chain.task, reason=reason, by=BY, state=TaskState.COMPLETED
            )

    async def sweep(self) -> None:
        """End sessions beyond the limit, and those whose client is gone without a word."""
        for session in tuple(self.open.values()):
            if self._running is not None and session.process and not self._running.runs(session.process):
                await self.end(session, reason="the client is gone")
        while len(self.open) > MAX_SESSIONS:
            await self.end(next(iter(self.open.values())))


def give_up(chain: WorkChain) -> None:
    """Close calls that the client will not report any more: their outcome is unknown."""
    for call in chain.pending.values():
        call.release()
    chain.pending.clear()
