# SPDX-License-Identifier: Apache-2.0
"""Token introspection (RFC 7662): what a token means now, for callers that may ask.

1. the caller has proven its identity, and the token is its own, or the caller is named as an introspector
2. a token is active where it is valid, was not revoked, and its task permits something now. Nothing is
   reported about other tokens, except that the owner of a token whose task has ended learns that
3. whether a resource's caller holds the token's key is not checked here: the resource checks it
"""

from __future__ import annotations

from typing import Protocol

from remit.core.draft_names import AUTHORITY_HASH, MISSION, MISSION_ID, MISSION_ISSUER, MISSION_STATE
from remit.core.errors import Fenced, NotFound, Unauthenticated
from remit.core.json_value import Json
from remit.core.oauth.access_token import LABEL_CLAIM, AccessClaims
from remit.core.oauth.mission import authority_set
from remit.core.tasks.task import TaskState
from remit.ports.runtime import Clock
from remit.ports.store.combined import TasksAndPrincipals
from remit.ports.store.issued_tokens import IssuedTokenStore
from remit.services.identity.authenticator import Authenticator, secret_digest
from remit.services.oauth.access_tokens import AccessTokens
from remit.services.oauth.client_authentication import TokenClient
from remit.services.tasks.live_tasks import LiveTasks

INACTIVE: dict[str, Json] = {"active": False}


class _Rooms(IssuedTokenStore, TasksAndPrincipals, Protocol):
    """The rooms of the store that say what a token means."""


class Introspection:
    """Reports what tokens mean."""

    def __init__(
        self,
        *,
        store: _Rooms,
        clock: Clock,
        authenticator: Authenticator,
        live: LiveTasks,
        tokens: AccessTokens,
        tenant: str,
        introspectors: frozenset[str] = frozenset(),
    ) -> None:
        """Take the dependencies; `introspectors` are agents that may ask about every token."""
        self._store = store
        self._clock = clock
        self._authenticator = authenticator
        self._live = live
        self._tokens = tokens
        self._tenant = tenant
        self._introspectors = introspectors

    async def introspect(self, client: TokenClient, text: str) -> dict[str, Json]:
        """Return the answer of RFC 7662 section 2.2."""
        try:
            claims = self._authenticator.unproven(text, self._clock.now())
        except Unauthenticated:
            return await self._refresh_token(client, text)
        # Step 1.
        if not self._may_ask(client, claims.client_id):
            return INACTIVE
        return await self._access_token(claims)

    def _may_ask(self, client: TokenClient, owner: str) -> bool:
        return client.agent.name in self._introspectors or client.agent.name == owner

    async def _access_token(self, claims: AccessClaims) -> dict[str, Json]:
        agent = await self._store.agent(self._tenant, claims.client_id)
        if agent is None or not agent.usable or claims.issued < agent.tokens_from:
            return INACTIVE
        told: dict[str, Json] = {
            "active": True,
            # RFC 9449 section 5, RFC 6750.
            "token_type": "DPoP" if claims.confirmation.jkt else "Bearer",
            **{name: value for name, value in claims.to_wire().items() if name != LABEL_CLAIM},
        }
        if not claims.task:
            return told
        # Step 2.
        try:
            live = self._live.get(claims.task) or await self._live.view(claims.task)
            self._live.check(live, self._clock.now())
        except NotFound:
            return INACTIVE
        except Fenced:
            return {**INACTIVE, MISSION: await self._ended(claims)}
        told[MISSION][MISSION_STATE] = live.task.state.value
        # The label of its data now, not the label at the time when the token was issued.
        told[LABEL_CLAIM] = live.label.facts
        told["authorization_details"] = authority_set(live.task, self._tokens.resources)
        return told

    async def _ended(self, claims: AccessClaims) -> dict[str, Json]:
        """Return how a task has ended: as expired or revoked where its end is not written yet."""
        task = await self._store.task(self._tenant, claims.task)
        state = task.state if task is not None else TaskState.REVOKED
        if not state.ended:
            expired = task is not None and self._clock.now() >= task.deadline
            state = TaskState.EXPIRED if expired else TaskState.REVOKED
        return {
            MISSION_ID: claims.task,
            MISSION_ISSUER: claims.issuer,
            AUTHORITY_HASH: claims.authority_hash,
            MISSION_STATE: state.value,
        }

    async def _refresh_token(self, client: TokenClient, text: str) -> dict[str, Json]:
        token = await self._store.refresh_token(self._tenant, secret_digest(text))
        family = await self._store.family(self._tenant, token.family) if token else None
        if (
            token is None
            or family is None
            or token.used is not None
            or self._clock.now() >= token.expires
            or family.id in self._store.withdrawn(self._tenant)
            or not self._may_ask(client, family.agent)
        ):
            return INACTIVE
        try:
            await self._tokens.bound(family.agent, family.task)
        except (NotFound, Fenced):
            return INACTIVE
        return {
            "active": True,
            "client_id": family.client_id,
            "iss": self._tokens.issuer,
            "exp": int(token.expires.timestamp()),
            "iat": int(token.made.timestamp()),
        }
