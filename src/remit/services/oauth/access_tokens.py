# SPDX-License-Identifier: Apache-2.0
"""Issuing access tokens (RFC 9068): to an agent for itself, and for one of the agent's tasks.

1. the task is the agent's own, and permits something now
2. the token's audience are resources of this deployment (RFC 8707)
3. the token names the actor, the actor chain, the subject, the assurance, the key that it is bound to, and
   the label of the task's data
4. the token is recorded in one commit with everything that was used up for it, and is issued after that
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from remit.core.draft_names import PROFILE_AGENT
from remit.core.errors import Malformed, NotFound
from remit.core.evidence.event import Event
from remit.core.evidence.events.identity import TokenIssued
from remit.core.identity.principals import Actor
from remit.core.identity.workload import Confirmation
from remit.core.ids import ID_BYTES, make_id
from remit.core.json_value import Json
from remit.core.label import Label
from remit.core.oauth.access_token import AGENT_SCOPE, TOKEN_TYPE, AccessClaims
from remit.core.oauth.mission import authority_set
from remit.core.oauth.resource import TASK_SCOPE, Resources
from remit.core.tasks.task import Task
from remit.ports.keys import TokenKeys
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import Change
from remit.ports.store.units import Unit, UnitStore
from remit.services.oauth.client_authentication import TokenClient
from remit.services.tasks.live_tasks import LiveTask, LiveTasks


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenQuestion:
    """A request for a token: for which resources, bound to which key, and by which kind of grant.

    Without `audience` the token is for every resource where it can be used. `confirmation` is the key whose
    possession the request proved; without one, the client's certificate is used. `isolation` is `none` where
    the requester runs as the user of remit.
    """

    how: str
    audience: tuple[str, ...] = ()
    confirmation: Confirmation = field(default_factory=Confirmation)
    isolation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedAccessToken:
    """A token as it is returned to its client.

    `details` are its authorization details (RFC 9396), `refresh` is the refresh token, if there is one.
    """

    text: str
    claims: AccessClaims
    details: list[dict[str, Json]]
    refresh: str = ""


class AccessTokens:
    """Issues access tokens."""

    def __init__(
        self,
        *,
        store: UnitStore,
        keys: TokenKeys,
        clock: Clock,
        entropy: Entropy,
        live: LiveTasks,
        tenant: str,
        issuer: str,
        resources: Resources,
        ttl_s: int,
    ) -> None:
        """Take the dependencies; a token is valid for `ttl_s` seconds at most."""
        self._store = store
        self._keys = keys
        self._clock = clock
        self._entropy = entropy
        self._live = live
        self._tenant = tenant
        self.issuer = issuer
        self.resources = resources
        self._ttl_s = ttl_s

    def audience(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Return the resources that a request names; raises `Malformed` (RFC 8707 `invalid_target`)."""
        for one in wanted:
            if one not in self.resources:
                raise Malformed(
                    f"`{one[:200]}` is not a resource of this server",
                    code="invalid_target",
                    remediation=f"ask for `{self.resources.joined}`, `{self.resources.of('NAME')}` of an "
                    f"upstream, or `{self.resources.api_of('NAME')}` of an HTTP API, by its name in remit's "
                    "configuration",
                )
        return tuple(dict.fromkeys(wanted))

    async def for_agent(self, client: TokenClient, asking: TokenQuestion) -> IssuedAccessToken:
        """Issue a token that lets an agent open tasks, and call nothing."""
        audience = self.audience(asking.audience) or (self.resources.api,)
        claims = self._claims(client, asking, audience, self._until(None))
        return await self._given(claims, [], asking, ())

    async def bound(self, agent: str, task_id: str) -> LiveTask:
        """Do step 1: return a task of an agent.

        Raises `NotFound` where the agent has no such task, and `Fenced` where the task no longer permits
        anything.
        """
        live = self._live.get(task_id)
        if live is None:
            with contextlib.suppress(NotFound):
                live = await self._live.view(task_id)
        if live is None or live.task.agent != agent:
            raise NotFound(
                "this client has no such task", code="no-task", remediation="open a task, and give its id"
            )
        self._live.check(live, self._clock.now())
        return live

    def take_on(self, live: LiveTask, claims: AccessClaims) -> None:
        """Join the label that a token carries into the label of its task."""
        self._live.take_on(live, claims)

    async def for_task(
        self,
        client: TokenClient,
        live: LiveTask,
        asking: TokenQuestion,
        *,
        grant_id: str = "",
        changes: Sequence[Change] = (),
        refresh: str = "",
    ) -> IssuedAccessToken:
        """Issue a token for a task of the client; `changes` are committed in the same transaction."""
        task = live.task
        audience = self.audience(asking.audience) or self.reach(task)
        authority = authority_set(task, self.resources)
        claims = self._claims(
            client,
            asking,
            audience,
            self._until(task.deadline),
            task=task,
            authority=live.authority_hash,
            grant_id=grant_id,
            label=live.label,
        )
        given = await self._given(claims, authority, asking, changes, refresh)
        live.show(claims)
        return given

    def reach(self, task: Task) -> tuple[str, ...]:
        """Return the resources where a task's token can be used."""
        upstreams = dict.fromkeys(grant.tool.partition("/")[0] for grant in task.grants)
        resources = self.resources
        places = (place for name in upstreams for place in (resources.of(name), resources.api_of(name)))
        gateway = (self.resources.joined, *(place for place in places if place in self.resources))
        return (*gateway, resources.api)

    def _until(self, deadline: datetime | None) -> datetime:
        expires = self._clock.now() + timedelta(seconds=self._ttl_s)
        return expires if deadline is None else min(expires, deadline)

    def _claims(
        self,
        client: TokenClient,
        asking: TokenQuestion,
        audience: tuple[str, ...],
        expires: datetime,
        *,
        task: Task | None = None,
        authority: str = "",
        grant_id: str = "",
        label: Label | None = None,
    ) -> AccessClaims:
        # RFC 8693 section 4.1: the whole chain, the current actor outermost; never cut.
        actors = task.actors if task else (client.agent.name,)
        return AccessClaims(
            issuer=self.issuer,
            audience=audience,
            subject=(task.on_behalf_of if task else "") or actors[-1],
            client_id=client.agent.name,
            token_id=make_id("tok", self._entropy.bytes(ID_BYTES)),
            issued=int(self._clock.now().timestamp()),
            expires=int(expires.timestamp()),
            tenant=self._tenant,
            task=task.id if task else "",
            authority_hash=authority,
            chain=tuple(Actor(name, PROFILE_AGENT) for name in actors),
            assurance=client.assurance,
            attestation=client.method,
            posture=client.posture,
            confirmation=asking.confirmation or client.confirmation,
            scope=TASK_SCOPE if task else AGENT_SCOPE,
            grant_id=grant_id,
            label=label,
        )

    async def _given(
        self,
        claims: AccessClaims,
        details: list[dict[str, Json]],
        asking: TokenQuestion,
        changes: Sequence[Change],
        refresh: str = "",
    ) -> IssuedAccessToken:
        text = await self._keys.sign(claims.to_wire(), token_type=TOKEN_TYPE)
        await self._store.commit(Unit(tuple(changes), (self._event(claims, asking),)))
        return IssuedAccessToken(text=text, claims=claims, details=details, refresh=refresh)

    def _event(self, claims: AccessClaims, asking: TokenQuestion) -> Event:
        issued = TokenIssued(
            token=claims.token_id,
            expires=claims.expires,
            assurance=claims.assurance.word,
            method=claims.attestation.value if claims.attestation else "none",
            grant=asking.how,
            audience=list(claims.audience),
            bound="dpop" if claims.confirmation.jkt else "mtls" if claims.confirmation else "no",
            isolation=asking.isolation,
            chain=[actor.name for actor in claims.chain] if len(claims.chain) > 1 else [],
            family=claims.grant_id,
        )
        return Event.of(
            issued, at=self._clock.now(), tenant=self._tenant, task=claims.task, agent=claims.client_id
        )
