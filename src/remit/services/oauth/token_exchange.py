# SPDX-License-Identifier: Apache-2.0
"""Token exchange (RFC 8693): a token for another resource, and delegation of a task to another agent.

1. the subject token is remit's, valid, and bound to a task, which takes on the label that the token carries;
   if it is bound to a key, its sender has proven that key
2. without an actor token and for its own agent: the same task, for the requested resources
3. with the actor token of another agent, bound to its key, or shown by another agent: a child task of that
   agent, which narrows (`core.tasks.delegated_task`). The new token is bound to the key of its future user
4. nothing widens: a request beyond the parent is refused, never reduced silently
5. tokens that were issued under a grant are revoked with it, the new token too (RFC 7009 section 2.1)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from remit.core.errors import Malformed, Unauthenticated
from remit.core.identity.principals import Memberships
from remit.core.identity.workload import Attested, Confirmation
from remit.core.json_value import Json
from remit.core.oauth.access_token import AGENT_SCOPE, AccessClaims
from remit.core.oauth.mission import asked_grants
from remit.ports.runtime import Clock
from remit.ports.store.principals import PrincipalStore
from remit.services.identity.authenticator import Authenticator
from remit.services.oauth.access_tokens import AccessTokens, IssuedAccessToken, TokenQuestion
from remit.services.oauth.client_authentication import TokenClient
from remit.services.tasks.live_tasks import LiveTask
from remit.services.tasks.opening_rules import DelegatedOpening
from remit.services.tasks.tasks import Tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """A client's request for an exchange: the subject's token, the actor's token if any, and how to narrow.

    `details` narrows as RFC 9396 describes, `None` without. `brief` is the delegating agent's message to the
    other agent.
    """

    subject_token: str
    actor_token: str = ""
    details: Json = None
    task_type: str = ""
    brief: str = ""


class TokenExchange:
    """Exchanges tokens of tasks."""

    def __init__(
        self,
        *,
        store: PrincipalStore,
        clock: Clock,
        authenticator: Authenticator,
        tokens: AccessTokens,
        tasks: Tasks,
        members: Memberships,
        tenant: str,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._authenticator = authenticator
        self._tokens = tokens
        self._tasks = tasks
        self._members = members
        self._tenant = tenant

    async def exchange(
        self, client: TokenClient, wanted: Exchanged, asking: TokenQuestion
    ) -> IssuedAccessToken:
        """Return the new token.

        Raises `Malformed` with the OAuth code, or `Forbidden` where the parent task does not permit the
        request.
        """
        # Step 1.
        proven = Confirmation(jkt=asking.confirmation.jkt, x5t_s256=client.confirmation.x5t_s256)
        claims = self._subject(wanted.subject_token, proven)
        live = await self._tokens.bound(claims.client_id, claims.task)
        if claims.issued < live.agent.tokens_from:
            raise _bad("the subject token was revoked")
        self._tokens.take_on(live, claims)
        if wanted.actor_token:
            if client.agent.name != claims.client_id:
                raise _bad("the agent that delegates its task must present the actor token")
            heir, confirmation = await self._actor(wanted.actor_token)
        else:
            heir, confirmation = client, asking.confirmation
        if heir.agent.name == claims.client_id:
            return await self._same(client, live, wanted, asking, claims.grant_id)
        # Step 3.
        handing = DelegatedOpening(
            grants=None if wanted.details is None else asked_grants(wanted.details, self._tokens.resources),
            task_type=wanted.task_type,
            brief=wanted.brief,
        )
        child = await self._tasks.open_child(claims.task, heir.agent, handing)
        given = await self._tokens.bound(heir.agent.name, child.id)
        return await self._tokens.for_task(
            heir, given, replace(asking, confirmation=confirmation), grant_id=claims.grant_id
        )

    def _subject(self, token: str, proven: Confirmation) -> AccessClaims:
        try:
            claims = self._authenticator.unproven(token, self._clock.now())
            self._authenticator.check_proven(claims, proven)
        except Unauthenticated as error:
            # RFC 8693 section 2.2.2.
            raise Malformed(
                f"the subject token cannot be used: {error.message}",
                code="invalid_request",
                remediation=error.remediation,
                debug=error.code,
            ) from None
        if not claims.task:
            raise _bad("the subject token is bound to no task")
        return claims

    async def _actor(self, token: str) -> tuple[TokenClient, Confirmation]:
        """Return the agent of an actor token as a future client, and the key that the token is bound to."""
        try:
            claims = self._authenticator.unproven(token, self._clock.now())
        except Unauthenticated as error:
            raise _bad(f"the actor token cannot be used: {error.message}") from None
        agent = await self._store.agent(self._tenant, claims.client_id)
        own = claims.scope == AGENT_SCOPE
        withdrawn = agent is not None and claims.issued < agent.tokens_from
        if agent is None or not agent.usable or withdrawn or not own or claims.attestation is None:
            raise _bad("the actor token does not belong to an agent, or was revoked")
        if not claims.confirmation:
            # The sender is another agent, which could use a token that is bound to no key.
            raise _bad("the actor token is not bound to a key of its agent")
        attested = Attested(
            workload=agent.name,
            method=claims.attestation,
            assurance=claims.assurance,
            confirmation=claims.confirmation,
            posture=claims.posture,
        )
        heir = TokenClient(agent=self._members.of_agent(agent), client_id=agent.name, attested=attested)
        return heir, claims.confirmation

    async def _same(
        self, client: TokenClient, live: LiveTask, wanted: Exchanged, asking: TokenQuestion, grant_id: str
    ) -> IssuedAccessToken:
        """Step 2."""
        if wanted.details is not None or wanted.task_type or wanted.brief:
            raise _bad("delegation narrows a task: give another agent's actor token")
        return await self._tokens.for_task(client, live, asking, grant_id=grant_id)


def _bad(message: str) -> Malformed:
    return Malformed(message, code="invalid_request", remediation="see the documentation of token exchange")
