# SPDX-License-Identifier: Apache-2.0
"""Whom a signal is about: its subject, found among the people, agents and tasks here.

A name of others means somebody here by what the configuration says of its transmitter, and by nothing that
the signal itself claims. Nor is it about anybody of whom that transmitter may not speak: people whom another
issuer knows, agents and types of tasks that are not named for it. Where a subject names a session that is not
known here, it is about the whole user, unless the configuration says otherwise: an end that is too wide is
repaired by opening another task.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from remit.core.errors import NotFound
from remit.core.identity.principals import Agent, Memberships
from remit.core.identity.workload import issuer_workload
from remit.core.signals.security_event_token import SecurityEvent, Subject
from remit.ports.store.combined import TasksAndSignIn


class SubjectRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a transmitter's names mean here.

    `email_domain`: an address there is the person of its local part. `names`: the `sub` of its `iss_sub`
    subjects is the name of a person here. `opaque`: of what an opaque id that stands alone is a name.
    `unknown_session`: about whom it is when its session is not known here.

    Of whom it may speak: `issuers` are those whose `iss_sub` names it may use, `agents` those from which it
    may take something (names, `group:name`), `tasks` the types of tasks that it may name by id. `*` is every
    one of them, and what is not named is none.
    """

    email_domain: str = ""
    names: bool = False
    opaque: Literal["", "person", "agent", "task"] = ""
    unknown_session: Literal["person", "ignore"] = "person"
    issuers: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()

    def speaks_for(self, issuer: str) -> bool:
        """Whether it may use names of an issuer."""
        return bool(self.issuers & {issuer, "*"})

    def covers(self, agent: Agent) -> bool:
        """Whether it may take something from an agent."""
        return bool(self.agents & {"*", agent.name, *(f"group:{group}" for group in agent.groups)})

    def names_tasks_of(self, task_type: str) -> bool:
        """Whether it may name tasks of a type."""
        return bool(self.tasks & {task_type, "*"})


class AffectedSubjects(msgspec.Struct, frozen=True):
    """Whom it is about, by name. Where it is about certain tasks of a person, only these are named.

    `beyond` is how many others it names, of whom the transmitter may not speak.
    """

    people: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()
    beyond: int = 0


class SignalSubjects:
    """Finds subjects of signals."""

    def __init__(self, *, store: TasksAndSignIn, members: Memberships, tenant: str) -> None:
        """Take the store, and who belongs where."""
        self._store = store
        self._members = members
        self._tenant = tenant

    async def find(self, told: SecurityEvent, rules: SubjectRules) -> AffectedSubjects:
        """Return whom an event is about; nobody where no part of its subject is known here."""
        return await _Search(self._store, self._members, self._tenant, rules).find(told)


class _Search:
    """One subject that is looked for."""

    def __init__(self, store: TasksAndSignIn, members: Memberships, tenant: str, rules: SubjectRules) -> None:
        self._store = store
        self._members = members
        self._tenant = tenant
        self._rules = rules
        self._people: set[str] = set()
        self._agents: set[str] = set()
        self._tasks: set[str] = set()
        self._beyond = 0

    async def find(self, told: SecurityEvent) -> AffectedSubjects:
        parts = told.subject.parts
        if "session" in parts:
            for name in {one.values[-1] for one in parts["session"] if one.values}:
                await self._task(name)
            if self._tasks or self._rules.unknown_session == "ignore":
                return self._found()
        for part, subjects in parts.items():
            if part not in ("", "user", "application"):
                continue
            for one in subjects:
                if part in ("", "user"):
                    await self._person(one)
                if part in ("", "application"):
                    await self._agent(one, part)
                if not part and one.format == "opaque" and self._rules.opaque == "task":
                    await self._task(one.values[0])
        return self._found()

    def _found(self) -> AffectedSubjects:
        return AffectedSubjects(
            frozenset(self._people), frozenset(self._agents), frozenset(self._tasks), self._beyond
        )

    async def _person(self, one: Subject) -> None:
        rules, name, may = self._rules, "", True
        match one.format:
            case "iss_sub":
                issuer, subject = one.values
                may = rules.speaks_for(issuer)
                link = await self._store.link(self._tenant, issuer, subject)
                name = link.person if link is not None else subject if rules.names else ""
            case "email" | "account":
                local, _, domain = one.values[0].removeprefix("acct:").rpartition("@")
                if rules.email_domain and domain.lower() == rules.email_domain.lower():
                    name = local.lower()
            case "opaque" if rules.opaque == "person":
                name = one.values[0]
        if name and await self._store.person(self._tenant, name) is not None:
            self._note(self._people, name, may=may)

    async def _agent(self, one: Subject, part: str) -> None:
        rules, workload, name, may = self._rules, "", "", True
        match one.format:
            case "iss_sub":
                workload, may = issuer_workload(*one.values), rules.speaks_for(one.values[0])
                name = one.values[1] if part == "application" and rules.names else ""
            case "uri":
                workload = one.values[0]
            case "opaque" if rules.opaque == "agent" or (part == "application" and rules.names):
                name = one.values[0]
        if name:
            known = await self._store.agent(self._tenant, name)
            found = [known] if known is not None else []
        else:
            found = await self._store.agents_bound(self._tenant, workload) if workload else []
        for agent in found:
            covered = rules.covers(self._members.of_agent(agent))
            self._note(self._agents, agent.name, may=may and covered)

    async def _task(self, name: str) -> None:
        try:
            task = await self._store.task(self._tenant, name)
        except NotFound:
            return
        if task is not None:
            self._note(self._tasks, name, may=self._rules.names_tasks_of(task.type))

    def _note(self, into: set[str], name: str, *, may: bool) -> None:
        if may:
            into.add(name)
        else:
            self._beyond += 1
