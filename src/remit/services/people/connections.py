# SPDX-License-Identifier: Apache-2.0
"""Upstreams that people have connected: refresh tokens, stored sealed, used one at a time.

1. a person goes with a signed-in browser to the upstream's authorization server and comes back with a code:
   to the same browser, signed in as the same person
2. the refresh token that the code is exchanged for is stored, sealed, for this person and upstream
3. each use may return a new refresh token. The new token is stored before the access token is used; no one
   else uses the connection in the meantime
4. the refresh token is revoked at its server when the person disconnects, connects again, or may no longer
   act. A connection whose revocation is not confirmed stays stored, opens nothing here, and is tried again
5. each change applies to the version that was read, and to nothing else: where another process on the same
   store has changed the connection since then, that change stays, and a token that came too late is revoked

INVARIANT: a refresh token is in the store only sealed under the current sealing key, for its person, upstream
and server alone, and it is in no event.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec

from remit.core.errors import Conflict, KeyUnavailable, NotFound, RemitError, Unauthenticated
from remit.core.evidence.event import Event
from remit.core.evidence.events.people import PersonChanged
from remit.core.identity.principals import NO_PERSON
from remit.core.ids import ID_BYTES, make_id
from remit.core.oauth.one_time_code import ConnectVisit
from remit.core.sealing import NONCE_SIZE, seal, unseal
from remit.core.tasks.task import Task
from remit.ports.connector import Connector, UnfitConnection
from remit.ports.keys import SealingKeys
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import Change, PutValue, UseAssertion
from remit.ports.store.sign_in import SignInStore
from remit.ports.store.units import Unit
from remit.services.identity.authenticator import secret_digest
from remit.services.identity.one_time_codes import OneTimeCodes
from remit.services.oauth.refresh_tokens import challenge_of

T = TypeVar("T")

log = logging.getLogger("remit.connections")

PREFIX: Final = "connection:"
#: Prefix under which a replaced connection is stored until it is revoked.
OVER: Final = "connection-over:"
#: How long a person may take to go to the server and come back.
VISIT: Final = timedelta(minutes=10)
#: How long the store remembers that a version was replaced: no change takes longer.
TURN: Final = timedelta(days=1)


class KeptConnection(msgspec.Struct, frozen=True, kw_only=True):
    """One connection in the store.

    `place` is the server that issued the token, and the only one that sees it. `lost`: the server no longer
    accepts the token. `ending`: the token is being revoked, and opens nothing here. `version` counts the
    changes. `over` is the key of the connection in the store once it belongs to no person.
    """

    person: str
    upstream: str
    place: str
    since: datetime
    sealed: str
    sealed_by: str
    used: datetime | None = None
    lost: bool = False
    ending: bool = False
    version: int = 0
    over: str = ""


class Connections:
    """`ports.connector.KeptTokens`, and what people do with them; for one event loop."""

    def __init__(
        self,
        connectors: Mapping[str, Connector],
        *,
        store: SignInStore,
        clock: Clock,
        entropy: Entropy,
        sealing: SealingKeys,
        tenant: str,
    ) -> None:
        """Take the dependencies; `connectors` by upstream."""
        self.connectors = dict(connectors)
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._sealing = sealing
        self._tenant = tenant
        self._tickets = OneTimeCodes(store, clock, entropy, tenant)
        self._turns: dict[tuple[str, str], asyncio.Lock] = {}
        self._using: set[asyncio.Task[Any]] = set()

    # Actions of people.

    async def leave_for(self, upstream: str, *, person: str, browser: str, redirect_uri: str) -> str:
        """Do step 1: return where to send a person's browser; `browser` is a secret in its cookie."""
        connector = self._connector(upstream)
        verifier = self._entropy.bytes(32).hex()
        visit = ConnectVisit(
            upstream=upstream, person=person, verifier=verifier, browser=secret_digest(browser)
        )
        state, keep = self._tickets.make(visit, VISIT)
        await self._store.commit(Unit((keep,)))
        return connector.address(redirect_uri=redirect_uri, state=state, challenge=challenge_of(verifier))

    async def arrive(
        self, *, state: str, code: str, issuer: str, at: str, person: str, browser: str, redirect_uri: str
    ) -> str:
        """Do the end of step 1, and step 2: accept a browser from the server; return the upstream.

        The browser arrives at the address of upstream `at`. Raises `Unauthenticated` for a flow that was not
        begun by this person at this browser, to this server.
        """
        ticket = await self._tickets.look(state)
        visit = ticket.holds if ticket else None
        if (
            not isinstance(visit, ConnectVisit)
            or visit.person != person
            or visit.upstream != at
            or not hmac.compare_digest(visit.browser, secret_digest(browser))
        ):
            raise _not_begun()
        try:
            await self._store.commit(Unit((self._tickets.use(state),)))
        except Conflict:
            raise _not_begun() from None
        connector = self._connector(visit.upstream)
        now, place = self._clock.now(), connector.place
        new = KeptConnection(
            person=person, upstream=visit.upstream, place=place, since=now, sealed="", sealed_by=""
        )
        try:
            refresh = await connector.redeem(
                code=code, issuer=issuer, redirect_uri=redirect_uri, verifier=visit.verifier
            )
        except UnfitConnection as unfit:
            await self._let_go(self._sealed(new, unfit.refresh))
            raise
        async with self._turn(visit.upstream, person):
            before = await self._read(visit.upstream, person)
            kept = self._sealed(new, refresh)
            left = [self._left(before)] if before is not None and not before.lost else []
            try:
                await self._keep(kept, "upstream-connected", *map(self._put_over, left), before=before)
            except Conflict:
                await self._let_go(kept)
                raise
        for one in left:
            await self._end(one)
        return visit.upstream

    async def disconnect(self, upstream: str, person: str) -> None:
        """Do step 4: from here on the connection opens nothing; raises `NotFound` where none exists."""
        async with self._turn(upstream, person):
            while True:
                found = await self._read(upstream, person)
                if found is None or found.ending:
                    raise NotFound("the connection no longer exists", remediation="reload the list")
                ending = msgspec.structs.replace(found, ending=True)
                # A concurrent use elsewhere has brought another token: that one is ended.
                with contextlib.suppress(Conflict):
                    await self._keep(ending, "upstream-disconnected", before=found)
                    break
        await self._end(found)

    async def of(self, person: str) -> list[KeptConnection]:
        """Return a person's connections."""
        return [one for one in await self._all() if one.person == person and not one.ending]

    # Actions of credential brokers.

    async def used(self, upstream: str, task: Task, use: Callable[[str], Awaitable[tuple[T, str]]]) -> T:
        """Do step 3."""
        person = task.on_behalf_of
        if not person or person.startswith(NO_PERSON):
            raise KeyUnavailable(
                "this task is for no person, so no person can connect the upstream",
                code="no-person",
                remediation="open it for a person (`--for`)",
            )
        using = asyncio.ensure_future(self._used(upstream, person, use))
        self._using.add(using)
        using.add_done_callback(self._using.discard)
        # The waiting call may be cut; the token that comes back is stored all the same.
        return await asyncio.shield(using)

    async def _used(self, upstream: str, person: str, use: Callable[[str], Awaitable[tuple[T, str]]]) -> T:
        async with self._turn(upstream, person):
            found = await self._read(upstream, person)
            if not self._good(found) or not await self._may_act(person):
                raise KeyUnavailable(
                    f"`{person}` has not connected upstream `{upstream}`"
                    + (", or its server has revoked the connection" if found and found.lost else ""),
                    code="not-connected",
                    remediation="connect it at remit's page `/oauth/account`",
                )
            assert found is not None
            try:
                given, following = await use(self._open(found))
            except KeyUnavailable as fault:
                if fault.code == "connection-lost":
                    with contextlib.suppress(Conflict):
                        lost = msgspec.structs.replace(found, lost=True)
                        await self._keep(lost, "upstream-lost", before=found)
                raise
            now_is = msgspec.structs.replace(found, used=self._clock.now())
            if following:
                await self._follow(found, self._sealed(now_is, following))
            return given

    async def _follow(self, found: KeptConnection, following: KeptConnection) -> None:
        """Do steps 3 and 5: store the token that follows another one.

        Raises `KeyUnavailable` where the connection was ended in the meantime.
        """
        try:
            await self._keep(following, before=found)
        except Conflict:
            now_is = await self._read(found.upstream, found.person)
            if now_is is None or now_is.ending or now_is.since != found.since:
                await self._let_go(following)
                raise KeyUnavailable(
                    f"the connection of `{found.person}` to `{found.upstream}` was revoked",
                    code="not-connected",
                    remediation="connect it at remit's page `/oauth/account`",
                ) from None

    # Periodic work.

    async def sweep(self) -> None:
        """Do step 4: end connections of people who may no longer act, and retry unconfirmed revocations.

        For a background loop.
        """
        for one in await self._all():
            async with self._turn(one.upstream, one.person):
                found = await self._read(one.upstream, one.person)
                if found is None:
                    continue
                if not found.ending and not await self._may_act(found.person):
                    ending = msgspec.structs.replace(found, ending=True)
                    with contextlib.suppress(Conflict):
                        await self._keep(ending, "upstream-disconnected", before=found)
                        found = ending
            if found.ending:
                await self._end(found)
        for left in await self._all(OVER):
            await self._end(left)

    async def reseal(self) -> None:
        """Seal every token under the current sealing key, so that the other sealing keys can be destroyed."""
        for one in await self._all():
            async with self._turn(one.upstream, one.person):
                found = await self._read(one.upstream, one.person)
                if found is not None:
                    with contextlib.suppress(Conflict):
                        await self._keep(self._sealed(found, self._open(found)), before=found)
        for left in await self._all(OVER):
            await self._store.commit(Unit((self._put_over(self._sealed(left, self._open(left))),)))

    # Shared helpers.

    async def _end(self, found: KeptConnection) -> None:
        if not await self._revoke(found):
            return
        if found.over:
            await self._store.commit(Unit((PutValue(self._tenant, OVER + found.over, None),)))
            return
        async with self._turn(found.upstream, found.person):
            now_is = await self._read(found.upstream, found.person)
            if now_is is not None and now_is.ending:
                place = _place(found.upstream, found.person)
                gone = (self._turned(now_is), PutValue(self._tenant, place, None))
                with contextlib.suppress(Conflict):
                    await self._store.commit(Unit(gone, tenant=self._tenant))

    async def _let_go(self, one: KeptConnection) -> None:
        """End a connection that came too late to belong to a person."""
        left = self._left(one)
        await self._store.commit(Unit((self._put_over(left),)))
        await self._end(left)

    def _left(self, one: KeptConnection) -> KeptConnection:
        """Return the connection as stored after its replacement, until its token is revoked at its server."""
        return msgspec.structs.replace(one, ending=True, over=make_id("con", self._entropy.bytes(ID_BYTES)))

    def _put_over(self, left: KeptConnection) -> PutValue:
        return PutValue(self._tenant, OVER + left.over, msgspec.to_builtins(left))

    async def _revoke(self, found: KeptConnection) -> bool:
        connector = self.connectors.get(found.upstream)
        if connector is None or connector.place != found.place:
            return False
        try:
            await connector.revoke(self._open(found))
        except KeyUnavailable as fault:
            log.warning("a connection to `%s` is not revoked yet: %s", found.upstream, fault)
            return False
        return True

    def _good(self, found: KeptConnection | None) -> bool:
        """Return whether a connection can be used with the server that the configuration names now."""
        if found is None or found.lost or found.ending:
            return False
        connector = self.connectors.get(found.upstream)
        return connector is not None and connector.place == found.place

    async def _may_act(self, person: str) -> bool:
        found = await self._store.person(self._tenant, person)
        return found is not None and found.active

    def _connector(self, upstream: str) -> Connector:
        found = self.connectors.get(upstream)
        if found is None:
            raise NotFound(
                f"upstream `{upstream[:80]}` cannot be connected by people",
                remediation="reload the list",
            )
        return found

    def _turn(self, upstream: str, person: str) -> asyncio.Lock:
        return self._turns.setdefault((upstream, person), asyncio.Lock())

    async def _all(self, prefix: str = PREFIX) -> list[KeptConnection]:
        found = await self._store.values(self._tenant, prefix)
        return [msgspec.convert(one, KeptConnection) for one in found]

    async def _read(self, upstream: str, person: str) -> KeptConnection | None:
        found = await self._store.values(self._tenant, _place(upstream, person))
        kept = msgspec.convert(found[0], KeptConnection) if found else None
        if kept is not None and (kept.upstream, kept.person) != (upstream, person):
            log.warning(
                "the store has another person's connection in place of that of `%s` to `%s`", person, upstream
            )
            return None
        return kept

    async def _keep(
        self, kept: KeptConnection, change: str = "", *more: Change, before: KeptConnection | None
    ) -> None:
        """Do step 5: store the connection in place of `before`; raises `Conflict` if that has changed."""
        place = _place(kept.upstream, kept.person)
        kept = msgspec.structs.replace(kept, version=before.version + 1 if before is not None else 0)
        put = PutValue(self._tenant, place, msgspec.to_builtins(kept))
        turned = (self._turned(before),) if before is not None else ()
        told = PersonChanged(change=change, upstream=kept.upstream, person=kept.person, by=kept.person)
        event = Event.of(told, at=self._clock.now(), tenant=self._tenant, subject=kept.person)
        try:
            events = (event,) if change else ()
            await self._store.commit(Unit((*turned, put, *more), events, tenant=self._tenant))
        except Conflict:
            raise Conflict("the connection was changed in the meantime", remediation="try again") from None

    def _turned(self, before: KeptConnection) -> UseAssertion:
        """Return the change that uses up a version.

        INVARIANT: each version of a connection is replaced once.
        """
        which = f"{_place(before.upstream, before.person)} {before.since.isoformat()} {before.version}"
        return UseAssertion(self._tenant, secret_digest(which), self._clock.now() + TURN)

    def _sealed(self, one: KeptConnection, refresh: str) -> KeptConnection:
        sealed_by = self._sealing.current
        key, nonce = self._sealing.sealing_key(sealed_by), self._entropy.bytes(NONCE_SIZE)
        blob = seal(key, nonce, {"refresh": [refresh]}, _bound(one))
        return msgspec.structs.replace(one, sealed=base64.b64encode(blob).decode(), sealed_by=sealed_by)

    def _open(self, one: KeptConnection) -> str:
        try:
            key = self._sealing.sealing_key(one.sealed_by)
            opened = unseal(key, base64.b64decode(one.sealed), _bound(one))
            return str(opened["refresh"][0])
        except (RemitError, KeyError) as fault:
            raise KeyUnavailable(
                f"the connection of `{one.person}` to `{one.upstream}` can no longer be read",
                code="connection-unreadable",
                remediation="connect it again",
                debug=type(fault).__name__,
            ) from None


def _place(upstream: str, person: str) -> str:
    # A person's name may contain characters that an upstream's may not: the digest makes the key unambiguous.
    return f"{PREFIX}{upstream}:{secret_digest(person)}"


def _bound(one: KeptConnection) -> bytes:
    """Return what a token is sealed for: it opens nowhere else, whatever a row contains."""
    return f"{_place(one.upstream, one.person)}\n{one.place}".encode()


def _not_begun() -> Unauthenticated:
    return Unauthenticated(
        "this was not started in this browser", code="connect-state", remediation="start again", step=1
    )
