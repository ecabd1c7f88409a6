# SPDX-License-Identifier: Apache-2.0
"""Enforcement points that are not remit: who they are, and whom they may ask about.

Another enforcement point asks for a decision and carries the call out itself. What it says of the subject is
believed as far as the configuration trusts it:

1. it shows the task's own token: the subject is whoever the token says, as at every other door;
2. or, where it is trusted to prove its callers (`vouches`), it names a task, an agent or a person. An agent
   or a person stands for their one active task; who has several must be named by task;
3. in either case the task's agent must be one that this enforcement point may ask about at all.

What cannot be told is refused.
"""

from __future__ import annotations

import enum
from datetime import datetime

import msgspec

from remit.core.errors import Forbidden, NotFound, Unauthenticated
from remit.core.identity.principals import Actor, Agent, Memberships, Principal
from remit.core.identity.workload import Assurance, Confirmation
from remit.core.oauth.access_token import AccessClaims
from remit.core.tasks.task import Task, TaskState
from remit.ports.store.combined import TasksAndPrincipals
from remit.services.identity.authenticator import Authenticator

#: Active tasks looked at to find the one of an agent or a person.
SEVERAL = 50


class SubjectKind(enum.StrEnum):
    """What a subject is named by."""

    TASK = "task"
    AGENT = "agent"
    PERSON = "person"


class AskedSubject(msgspec.Struct, frozen=True, kw_only=True):
    """Whom an enforcement point asks about: by a name of one kind, narrowed by agent and task, or by a
    token.
    """

    kind: SubjectKind
    id: str
    agent: str = ""
    task: str = ""
    token: str = ""


class EnforcementPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Another enforcement point: a registered agent that may ask for decisions.

    `resources` are what it guards (upstreams, or types of resources of its own). `agents` are those about
    whose tasks it may ask: names, `group:name`, or `*`. `vouches` is how well it proves its callers; `None`
    where it must show their tokens. `constrained` is whether, for permits of tier operator and above, its own
    token must be bound to a key.
    """

    name: str
    resources: frozenset[str]
    agents: frozenset[str]
    vouches: Assurance | None = None
    constrained: bool = True

    def covers(self, agent: Agent) -> bool:
        """Whether it may ask about an agent's tasks."""
        wanted = {"*", agent.name, *(f"group:{group}" for group in agent.groups)}
        return bool(wanted & self.agents)


class AskedSubjects:
    """Finds the task that an enforcement point asks about, and says how well its subject is proven."""

    def __init__(
        self, *, store: TasksAndPrincipals, authenticator: Authenticator, members: Memberships, tenant: str
    ) -> None:
        """Take the parts."""
        self._store = store
        self._authenticator = authenticator
        self._members = members
        self._tenant = tenant

    async def claims(
        self, point: EnforcementPoint, caller: Principal, subject: AskedSubject, now: datetime
    ) -> AccessClaims:
        """Return the claims under which the question is decided.

        `caller` is the enforcement point itself: nothing that it vouches for counts more than how it was
        proven. Where it vouches for keys, its own proven key stands for its callers', and it may show tokens
        that are bound to keys, whose proof it has checked.
        Raises `Unauthenticated`, or `NotFound` where there is no such subject for this enforcement point.
        """
        if subject.token:
            # Whether its sender holds the token's key is seen by whom it was shown to: the enforcement point.
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
        return AccessClaims(
            issuer=self._authenticator.issuer,
            audience=(),
            subject=task.on_behalf_of or task.agent,
            client_id=task.agent,
            token_id="",
            issued=int(now.timestamp()),
            expires=int(task.deadline.timestamp()),
            tenant=self._tenant,
            task=task.id,
            chain=tuple(Actor(name) for name in task.actors) if task.lineage else (),
            assurance=min(point.vouches, caller.assurance),
            confirmation=caller.confirmation if point.vouches is Assurance.KEY_BOUND else Confirmation(),
        )

    async def bound(self, claims: AccessClaims) -> Task | None:
        """Return the task that claims are bound to."""
        return await self._store.task(self._tenant, claims.task) if claims.task else None

    async def _task(self, point: EnforcementPoint, subject: AskedSubject, now: datetime) -> Task:
        """Step 2 of the rules above: the one task that is meant."""
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
            return found[0]  # it has ended: binding it says so
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
