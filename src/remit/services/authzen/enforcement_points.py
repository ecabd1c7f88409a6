# SPDX-License-Identifier: Apache-2.0
"""Enforcement points outside remit: their identity, and the subjects about which they may ask.

Another enforcement point asks for a decision and carries the call out itself. Its statements about the
subject count only as far as the configuration trusts it:

1. it presents the task's own token: the token determines the subject, as at every other endpoint;
2. or, where the configuration trusts it to authenticate its callers (`vouches`), it names a task, an agent or
   a person. The name of an agent or a person means that subject's only active task; a subject with several
   active tasks must be named by task;
3. in both cases the enforcement point must be permitted to ask about the task's agent.

A subject that cannot be determined is refused.
"""

from __future__ import annotations

import enum
from datetime import datetime

import msgspec

from remit.core.errors import Forbidden, NotFound, Unauthenticated
from remit.core.identity.principals import Agent, Memberships, Principal
from remit.core.identity.workload import Assurance
from remit.core.oauth.access_token import AccessClaims, claims_of
from remit.core.tasks.task import Task, TaskState
from remit.ports.store.combined import TasksAndPrincipals
from remit.services.identity.authenticator import Authenticator

#: Active tasks that are examined to find the one task of an agent or a person.
SEVERAL = 50


class SubjectKind(enum.StrEnum):
    """The kind of name that identifies a subject."""

    TASK = "task"
    AGENT = "agent"
    PERSON = "person"


class AskedSubject(msgspec.Struct, frozen=True, kw_only=True):
    """The subject of a question: a name of one kind, optionally narrowed by agent and task, or a token."""

    kind: SubjectKind
    id: str
    agent: str = ""
    task: str = ""
    token: str = ""


class EnforcementPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Another enforcement point: a registered agent that may ask for decisions.

    `resources` are what it guards: upstreams, or its own types of resources. `agents` are the agents about
    whose tasks it may ask: names, `group:name`, or `*`. `vouches` is the assurance with which it
    authenticates its callers; `None` if it must present their tokens. `constrained` states whether its own
    token must be bound to a key for permits of tier operator and above. `callbacks` are the addresses at
    which it may be told of the end of an access request. `reports` states whether it reports how its calls
    ended: the calls of one that does not are `unknown` once their permits are over.
    """

    name: str
    resources: frozenset[str]
    agents: frozenset[str]
    vouches: Assurance | None = None
    constrained: bool = True
    callbacks: frozenset[str] = frozenset()
    reports: bool = True

    def covers(self, agent: Agent) -> bool:
        """Return whether the enforcement point may ask about an agent's tasks."""
        wanted = {"*", agent.name, *(f"group:{group}" for group in agent.groups)}
        return bool(wanted & self.agents)


class AskedSubjects:
    """Finds the task that an enforcement point asks about, and states the assurance of its subject."""

    def __init__(
        self, *, store: TasksAndPrincipals, authenticator: Authenticator, members: Memberships, tenant: str
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._authenticator = authenticator
        self._members = members
        self._tenant = tenant

    async def claims(
        self, point: EnforcementPoint, caller: Principal, subject: AskedSubject, now: datetime
    ) -> AccessClaims:
        """Return the claims under which the question is decided.

        `caller` is the enforcement point itself: the assurance of a subject that it vouches for never exceeds
        its own. Where it vouches for keys, its own proven key replaces the callers' keys, and it may present
        key-bound tokens whose proof of possession it has checked. Raises `Unauthenticated`, or `NotFound` if
        this enforcement point has no such subject.
        """
        if subject.token:
            # Only the enforcement point, to which the token was presented, can check that the sender holds
            # the token's key.
            claims = self._authenticator.unproven(subject.token, now)
            if subject.id not in (claims.task, claims.client_id, claims.subject):
                raise Unauthenticated("the token belongs to another subject", code="subject-token", step=1)
            if claims.confirmation and point.vouches is not Assurance.KEY_BOUND:
                raise Unauthenticated(
                    "the token is bound to a key, but this enforcement point does not check its proof",
                    code="subject-unproven",
                    remediation="make it check the proof, and declare that (`vouches: key-bound`)",
                    step=1,
                )
            return claims
        if point.vouches is None:
            raise Unauthenticated(
                f"enforcement point `{point.name}` must present the task's token",
                code="subject-unproven",
                remediation="send it as `access_token` in the subject's properties, or set `vouches` for it",
                step=1,
            )
        task = await self._task(point, subject, now)
        return claims_of(
            task,
            now,
            issuer=self._authenticator.issuer,
            tenant=self._tenant,
            assurance=min(point.vouches, caller.assurance),
            confirmation=caller.confirmation if point.vouches is Assurance.KEY_BOUND else None,
        )

    async def bound(self, claims: AccessClaims) -> Task | None:
        """Return the task to which the claims are bound."""
        return await self._store.task(self._tenant, claims.task) if claims.task else None

    async def _task(self, point: EnforcementPoint, subject: AskedSubject, now: datetime) -> Task:
        """Step 2 of the rules above: return the one task that the subject means."""
        found = [one for one in await self._named(subject) if await self._fits(point, subject, one)]
        current = [one for one in found if one.active_at(now)]
        if len(current) == 1:
            return current[0]
        if len(current) > 1:
            raise Forbidden(
                f"`{subject.id[:80]}` has several tasks",
                code="subject-ambiguous",
                remediation="give the task as `task` in the subject's properties",
                step=2,
            )
        if len(found) == 1:
            return found[0]  # it has ended; binding reports that
        raise NotFound(
            f"`{subject.id[:80]}` has no task that `{point.name}` may ask about", code="no-task", step=2
        )

    async def _named(self, subject: AskedSubject) -> list[Task]:
        name = subject.id if subject.kind is SubjectKind.TASK else subject.task
        if name:
            task = await self._store.task(self._tenant, name)
            return [] if task is None else [task]
        agent = subject.id if subject.kind is SubjectKind.AGENT else subject.agent
        person = subject.id if subject.kind is SubjectKind.PERSON else ""
        return await self._store.tasks(
            self._tenant, agent=agent, on_behalf_of=person, state=TaskState.ACTIVE, limit=SEVERAL
        )

    async def _fits(self, point: EnforcementPoint, subject: AskedSubject, task: Task) -> bool:
        named = {
            SubjectKind.TASK: task.id,
            SubjectKind.AGENT: task.agent,
            SubjectKind.PERSON: task.on_behalf_of,
        }[subject.kind]
        if subject.id != named or subject.agent not in ("", task.agent) or subject.task not in ("", task.id):
            return False
        agent = await self._store.agent(self._tenant, task.agent)
        return agent is not None and point.covers(self._members.of_agent(agent))

    async def active(self, point: EnforcementPoint, now: datetime, limit: int) -> list[Task]:
        """Return the active tasks that an enforcement point may ask about, newest first."""
        found = await self._store.tasks(self._tenant, state=TaskState.ACTIVE, limit=limit)
        covered: dict[str, bool] = {}
        for task in found:
            if task.agent not in covered:
                agent = await self._store.agent(self._tenant, task.agent)
                covered[task.agent] = agent is not None and point.covers(self._members.of_agent(agent))
        return [task for task in found if task.active_at(now) and covered[task.agent]]
