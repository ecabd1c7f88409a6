# SPDX-License-Identifier: Apache-2.0
"""Subjects of a signal, found among the people, agents and tasks here.

A name that others use maps to a subject here only by the configuration of its transmitter, never by a claim
of the signal itself. A signal also reaches no subject that its transmitter may not speak of: people that
another issuer knows, and agents and types of tasks that are not named for it. Where a subject names a session
that is unknown here, the signal is about the whole user, unless the configuration says otherwise: an end that
is too wide can be repaired by opening another task.
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
    """The meaning of a transmitter's names here.

    `email_domain`: an address there is the person with its local part as name. `names`: the `sub` of its
    `iss_sub` subjects is the name of a person here. `opaque`: the kind of subject that a single opaque id
    names. `unknown_session`: the subject of a signal whose session is not known here.

    What the transmitter may speak of: `issuers` are those whose `iss_sub` names it may use, `agents` those
    whose authority it may remove (names, `group:name`), `tasks` the types of tasks that it may name by id.
    `*` is all of them; what is not named is excluded.
    """

    email_domain: str = ""
    names: bool = False
    opaque: Literal["", "person", "agent", "task"] = ""
    unknown_session: Literal["person", "ignore"] = "person"
    issuers: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()

    def speaks_for(self, issuer: str) -> bool:
        """Return whether the transmitter may use names of an issuer."""
        return bool(self.issuers & {issuer, "*"})

    def covers(self, agent: Agent) -> bool:
        """Return whether the transmitter may remove authority from an agent."""
        return bool(self.agents & {"*", agent.name, *(f"group:{group}" for group in agent.groups)})

    def names_tasks_of(self, task_type: str) -> bool:
        """Return whether the transmitter may name tasks of a type."""
        return bool(self.tasks & {task_type, "*"})


class AffectedSubjects(msgspec.Struct, frozen=True):
    """The subjects of a signal, by name. Where it is about certain tasks of a person, only these are named.

    `beyond` is the number of other subjects that it names, of which the transmitter may not speak.
    """

    people: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()
    beyond: int = 0


class SignalSubjects:
    """Finds the subjects of signals."""

    def __init__(self, *, store: TasksAndSignIn, members: Memberships, tenant: str) -> None:
        """Take the store and the memberships."""
        self._store = store
        self._members = members
        self._tenant = tenant

    async def find(self, told: SecurityEvent, rules: SubjectRules) -> AffectedSubjects:
        """Return the subjects of an event; no subjects where no part of its subject is known here."""
        return await _Search(self._store, self._members, self._tenant, rules).find(told)


class _Search:
    """The search for one subject."""

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
