# SPDX-License-Identifier: Apache-2.0
"""Refresh tokens: from an authorization code to tokens that replace each other, and revocation.

1. a code is redeemed once, by the client that it was issued to, with the verifier of its challenge
2. each refresh uses a refresh token up and issues the next one
3. a code or a refresh token that comes again ends everything that was issued under its grant: it was stolen,
   and the victim cannot be determined (RFC 6749 section 4.1.2, RFC 9700 section 4.14.2)
4. a revoked token is refused at every endpoint as soon as the commit returns
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from remit.core.errors import Conflict, Malformed
from remit.core.evidence.event import Event
from remit.core.evidence.events.identity import TokenRevoked
from remit.core.identity.workload import Confirmation
from remit.core.ids import ID_BYTES, make_id
from remit.core.oauth.access_token import AccessClaims
from remit.core.oauth.one_time_code import ConsentCode, OneTimeCode
from remit.core.oauth.refresh_token import RefreshToken, TokenFamily
from remit.core.tasks.task import Task
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import Change, PutFamily, PutRefreshToken, UseRefreshToken, Withdraw
from remit.ports.store.issued_tokens import IssuedTokenStore
from remit.ports.store.units import Unit
from remit.services.identity.authenticator import secret_digest
from remit.services.identity.one_time_codes import OneTimeCodes
from remit.services.oauth.access_tokens import AccessTokens, IssuedAccessToken, TokenQuestion
from remit.services.oauth.client_authentication import TokenClient

PREFIX = "rmr_"
#: How long a token family that expires with its task is remembered after the task.
GRACE = timedelta(hours=1)
#: How long a revoked access token is remembered after its expiry: another replica may forget it by a clock
#: that is an hour ahead.
TOKEN_GRACE = timedelta(hours=2)


class RefreshTokens:
    """Redeems codes, refreshes tokens, and revokes tokens."""

    def __init__(
        self,
        *,
        store: IssuedTokenStore,
        clock: Clock,
        entropy: Entropy,
        tokens: AccessTokens,
        tickets: OneTimeCodes,
        tenant: str,
        refresh_ttl_s: int,
    ) -> None:
        """Take the dependencies; a refresh token is valid for `refresh_ttl_s` seconds at most."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._tokens = tokens
        self._tickets = tickets
        self._tenant = tenant
        self._refresh_ttl_s = refresh_ttl_s

    async def redeem(
        self,
        client: TokenClient,
        code: str,
        *,
        redirect_uri: str,
        verifier: str,
        asking: TokenQuestion,
        fits: Callable[[Task], None] = lambda _: None,
    ) -> IssuedAccessToken:
        """Do step 1: issue the tokens that a person has agreed to (RFC 6749 section 4.1.3).

        `fits` raises where their task does not match the request. Raises `Malformed` with the OAuth code.
        """
        ticket = await self._tickets.look(code)
        if ticket is None or not isinstance(ticket.holds, ConsentCode):
            raise _bad_grant("the code was never issued")
        if ticket.used is not None:
            raise await self._replayed(ticket)
        held = ticket.holds
        if not ticket.open_at(self._clock.now()):
            raise _bad_grant("the code has expired")
        if held.client_id != client.client_id or held.agent != client.agent.name:
            raise _bad_grant("the code was issued to another client")
        if not hmac.compare_digest(held.redirect_uri.encode(), redirect_uri.encode()):
            raise _bad_grant("`redirect_uri` differs from the authorization request")
        if not hmac.compare_digest(challenge_of(verifier).encode(), held.code_challenge.encode()):
            raise _bad_grant("`code_verifier` does not match the challenge")
        if held.dpop_jkt and held.dpop_jkt != asking.confirmation.jkt:
            raise _bad_grant("the code is bound to another DPoP key")
        live = await self._tokens.bound(client.agent.name, held.task)
        fits(live.task)
        audience = _narrowed(asking.audience, held.resource) or held.resource
        asking = replace(asking, audience=audience)
        family = TokenFamily(
            tenant=self._tenant,
            id=make_id("fam", self._entropy.bytes(ID_BYTES)),
            client_id=client.client_id,
            agent=client.agent.name,
            task=held.task,
            audience=self._tokens.audience(audience) or self._tokens.reach(live.task),
            confirmation=asking.confirmation or client.confirmation,
            public=client.public,
            assurance=client.assurance,
            attestation=client.method,
            started=self._clock.now(),
            expires=live.task.deadline + GRACE,
        )
        changes = (self._tickets.use(code, family.id), PutFamily(family))
        try:
            return await self._next(client, family, asking, changes)
        except Conflict:
            # Another request was first with the same code.
            again = await self._tickets.look(code)
            raise await self._replayed(again or ticket) from None

    async def refresh(
        self,
        client: TokenClient,
        text: str,
        asking: TokenQuestion,
        fits: Callable[[Task], None] = lambda _: None,
    ) -> IssuedAccessToken:
        """Do step 2: issue the next access token and the next refresh token (RFC 6749 section 6).

        `fits` raises where their task does not match the request.
        """
        token = await self._store.refresh_token(self._tenant, secret_digest(text))
        family = await self._store.family(self._tenant, token.family) if token else None
        if token is None or family is None or family.id in self._store.withdrawn(self._tenant):
            raise _bad_grant("the refresh token was never issued, or was revoked")
        if token.used is not None:
            raise await self._reused(family)
        if family.client_id != client.client_id or family.agent != client.agent.name:
            raise _bad_grant("the refresh token was issued to another client")
        if self._clock.now() >= token.expires:
            raise _bad_grant("the refresh token has expired")
        self._check_key(family, asking.confirmation or client.confirmation)
        fits((await self._tokens.bound(client.agent.name, family.task)).task)
        audience = _narrowed(asking.audience, family.audience) or family.audience
        asking = replace(asking, audience=audience)
        use = UseRefreshToken(self._tenant, token.digest, self._clock.now())
        try:
            return await self._next(client, family, asking, (use,))
        except Conflict:
            raise await self._reused(family) from None

    def _check_key(self, family: TokenFamily, shown: Confirmation) -> None:
        # RFC 9449 section 5: a public client's refresh token is bound to its key. Other clients authenticate,
        # but they may not fall back to a token without a bound key.
        bound = family.confirmation
        if bound and (not shown or (family.public and bound != shown)):
            raise _bad_grant("the refresh token is bound to a key, but possession was not proven")

    async def _next(
        self, client: TokenClient, family: TokenFamily, asking: TokenQuestion, changes: Sequence[Change]
    ) -> IssuedAccessToken:
        live = await self._tokens.bound(client.agent.name, family.task)
        text = PREFIX + base64.urlsafe_b64encode(self._entropy.bytes(32)).rstrip(b"=").decode()
        now = self._clock.now()
        kept = RefreshToken(
            tenant=self._tenant,
            digest=secret_digest(text),
            family=family.id,
            made=now,
            expires=min(now + timedelta(seconds=self._refresh_ttl_s), live.task.deadline),
        )
        return await self._tokens.for_task(
            client,
            live,
            asking,
            grant_id=family.id,
            changes=(*changes, PutRefreshToken(kept)),
            refresh=text,
        )

    # Step 3.

    async def _replayed(self, ticket: OneTimeCode) -> Malformed:
        if ticket.outcome:
            family = await self._store.family(self._tenant, ticket.outcome)
            if family is not None:
                await self._withdraw_family(family, "its code was used twice")
        return _bad_grant("the code was already used: its tokens have been revoked")

    async def _reused(self, family: TokenFamily) -> Malformed:
        await self._withdraw_family(family, "a refresh token was used twice")
        return _bad_grant("the refresh token was already used: all tokens of its grant have been revoked")

    # Step 4.

    async def revoke(self, client: TokenClient, text: str) -> None:
        """Revoke a token (RFC 7009); an unknown token is no error.

        Raises `Malformed` (code `unauthorized_client`) for the token of another client.
        """
        token = await self._store.refresh_token(self._tenant, secret_digest(text))
        if token is None:
            return
        family = await self._store.family(self._tenant, token.family)
        if family is None:
            return
        if family.client_id != client.client_id:
            raise _not_yours()
        # RFC 7009 section 2.1: revoking a refresh token also revokes what was issued under the same grant.
        await self._withdraw_family(family, "its client revoked it")

    async def revoke_access(self, client: TokenClient, claims: AccessClaims) -> None:
        """Revoke one access token (RFC 7009)."""
        if claims.client_id != client.agent.name:
            raise _not_yours()
        if claims.token_id in self._store.withdrawn(self._tenant):
            return
        now = self._clock.now()
        until = now + timedelta(seconds=max(0, claims.expires - int(now.timestamp()))) + TOKEN_GRACE
        event = Event.of(
            TokenRevoked(token=claims.token_id, reason="its client revoked it"),
            at=now,
            tenant=self._tenant,
            task=claims.task,
            agent=claims.client_id,
        )
        await self._store.commit(Unit((Withdraw(self._tenant, claims.token_id, until, now),), (event,)))

    async def _withdraw_family(self, family: TokenFamily, reason: str) -> None:
        if family.id in self._store.withdrawn(self._tenant):
            return
        now = self._clock.now()
        event = Event.of(
            TokenRevoked(family=family.id, reason=reason),
            at=now,
            tenant=self._tenant,
            task=family.task,
            agent=family.agent,
        )
        withdraw = Withdraw(self._tenant, family.id, max(family.expires, now) + GRACE, now)
        await self._store.commit(Unit((withdraw,), (event,)))


def challenge_of(verifier: str) -> str:
    """Return the challenge of a verifier (RFC 7636 section 4.6, S256).

    Raises `Malformed` for a verifier that section 4.1 forbids.
    """
    if not 43 <= len(verifier) <= 128 or not verifier.isascii():
        raise _bad_grant("`code_verifier` has 43 to 128 characters")
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _narrowed(wanted: tuple[str, ...], granted: tuple[str, ...]) -> tuple[str, ...]:
    if granted and not set(wanted) <= set(granted):
        raise Malformed(
            "the grant is for other resources",
            code="invalid_target",
            remediation="ask for a granted resource",
        )
    return wanted


def _bad_grant(message: str) -> Malformed:
    return Malformed(message, code="invalid_grant", remediation="ask for a new grant")


def _not_yours() -> Malformed:
    return Malformed(
        "the token was issued to another client",
        code="unauthorized_client",
        remediation="let that client revoke it",
    )
