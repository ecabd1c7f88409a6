# SPDX-License-Identifier: Apache-2.0
"""Whom a signal is about: its subject, found among the people, agents and tasks here.

A name of others means somebody here by what the configuration says of its transmitter, and by nothing that
the signal itself claims. Where a subject names a session that is not known here, it is about the whole user,
unless the configuration says otherwise: an end that is too wide is repaired by opening another task.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from remit.core.errors import NotFound
from remit.core.secevent import SecurityEvent, Subject
from remit.core.workload import issuer_workload
from remit.ports.store import Store


class SubjectRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a transmitter's names mean here.

    `email_domain`: an address there is the person of its local part. `names`: the `sub` of its `iss_sub`
    subjects is the name of a person here. `opaque`: of what an opaque id that stands alone is a name.
    `unknown_session`: about whom it is when its session is not known here.
    """

    email_domain: str = ""
    names: bool = False
    opaque: Literal["", "person", "agent", "task"] = ""
    unknown_session: Literal["person", "ignore"] = "person"


class Concerned(msgspec.Struct, frozen=True):
    """Whom it is about, by name. Where it is about certain tasks of a person, only these are named."""

    people: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()


class SignalSubjects:
    """Finds subjects of signals."""

    def __init__(self, *, store: Store, tenant: str) -> None:
        """Take the store."""
        self._store = store
        self._tenant = tenant

    async def find(self, told: SecurityEvent, rules: SubjectRules) -> Concerned:
        """Give whom an event is about; nobody where no part of its subject is known here."""
        parts = told.subject.parts
        if "session" in parts:
            tasks = {one.values[-1] for one in parts["session"] if one.values}
            known = frozenset([one for one in tasks if await self._is_task(one)])
            if known or rules.unknown_session == "ignore":
                return Concerned(tasks=known)
        people: set[str] = set()
        agents: set[str] = set()
        tasks = set()
        for part, subjects in parts.items():
            if part not in ("", "user", "application"):
                continue
            for one in subjects:
                if part in ("", "user") and (person := await self._person(one, rules)):
                    people.add(person)
                if part in ("", "application"):
                    agents |= await self._agents(one, rules, part)
                if not part and one.format == "opaque" and rules.opaque == "task":
                    tasks |= {one.values[0]} if await self._is_task(one.values[0]) else set()
        return Concerned(frozenset(people), frozenset(agents), frozenset(tasks))

    async def _person(self, one: Subject, rules: SubjectRules) -> str:
        name = ""
        match one.format:
            case "iss_sub":
                issuer, subject = one.values
                link = await self._store.link(self._tenant, issuer, subject)
                if link is not None:
                    return link.person
                name = subject if rules.names else ""
            case "email" | "account":
                local, _, domain = one.values[0].removeprefix("acct:").rpartition("@")
                if rules.email_domain and domain.lower() == rules.email_domain.lower():
                    name = local.lower()
            case "opaque" if rules.opaque == "person":
                name = one.values[0]
        person = await self._store.person(self._tenant, name) if name else None
        return person.name if person else ""

    async def _agents(self, one: Subject, rules: SubjectRules, part: str) -> set[str]:
        workload = ""
        match one.format:
            case "iss_sub":
                workload = issuer_workload(*one.values)
                if part == "application" and rules.names:
                    agent = await self._store.agent(self._tenant, one.values[1])
                    return {agent.name} if agent else set()
            case "uri":
                workload = one.values[0]
            case "opaque" if rules.opaque == "agent" or (part == "application" and rules.names):
                agent = await self._store.agent(self._tenant, one.values[0])
                return {agent.name} if agent else set()
        if not workload:
            return set()
        return {agent.name for agent in await self._store.agents_bound(self._tenant, workload)}

    async def _is_task(self, name: str) -> bool:
        try:
            return await self._store.task(self._tenant, name) is not None
        except NotFound:
            return False
