# SPDX-License-Identifier: Apache-2.0
"""A desk that hears of events from an identity provider, and what such a provider sends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from remit.adapters.attestor.issuers import Issuer, OidcIssuers
from remit.api.app import app
from remit.core.identity.passkey import Link
from remit.core.signals.signal import Reaction, SignalKind
from remit.ports.issuers import IssuerUse
from remit.ports.store.changes import PutLink
from remit.ports.store.units import Unit
from remit.services.signals.receiver import Transmitter, issuer_name
from remit.services.signals.subjects import SubjectRules
from tests.worlds.attestation import WorldFetch, WorldIssuer, sign
from tests.worlds.calls import CallWorld, a_bundle
from tests.worlds.services import LOOPBACK, Told, exchange
from tests.worlds.values import TENANT, WorldClock

Json = Any

IDP = "https://login.example/acme"
HERE = "https://remit.example"
PUSH_TOKEN = "Bearer push-me"


class Provider(WorldIssuer):
    """An identity provider that transmits signals."""

    def __init__(self, issuer: str = IDP) -> None:
        super().__init__(issuer)
        self.sent = 0

    @property
    def documents(self) -> dict[str, Json]:
        """What it serves: SSF metadata, and its keys."""
        host, _, path = self.issuer.removeprefix("https://").partition("/")
        return {
            f"https://{host}/.well-known/ssf-configuration/{path}": {
                "issuer": self.issuer,
                "jwks_uri": f"{self.issuer}/keys",
            },
            f"{self.issuer}/keys": self.jwks,
        }

    def event(
        self,
        kind: SignalKind | str,
        sub_id: Json,
        now: datetime,
        header: dict[str, Json] | None = None,
        payload: Json = None,
        **more: Json,
    ) -> str:
        """Return a security event token; a claim that is `None` is left out."""
        self.sent += 1
        uri = kind.uri if isinstance(kind, SignalKind) else kind
        claims: dict[str, Json] = {
            "iss": self.issuer,
            "aud": HERE,
            "iat": int(now.timestamp()),
            "jti": f"event-{self.sent}",
            "sub_id": sub_id,
            "events": {uri: payload or {}},
        } | more
        kid = list(self.keys)[-1]
        written = {name: value for name, value in claims.items() if value is not None}
        return sign(
            self.keys[kid], written, {"alg": "ES256", "typ": "secevent+jwt", "kid": kid, **(header or {})}
        )


def user(subject: str = "lena-there") -> dict[str, Json]:
    """Name a person as the provider does."""
    return {"format": "iss_sub", "iss": IDP, "sub": subject}


def _of(rules: SubjectRules, issuer: str) -> SubjectRules:
    """Return the rules as the configuration gives them: of one's own issuer alone, unless others are
    named.
    """
    return rules if rules.issuers else msgspec.structs.replace(rules, issuers=frozenset({issuer}))


class SignalsWorld(CallWorld):
    """The desk; lena has signed in with the provider before."""

    def __init__(
        self,
        folder: Path,
        seed: str = "house",
        rules: SubjectRules | None = None,
        on: Json = None,
        may: frozenset[Reaction] | None = None,
        **outfit: Any,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.provider = Provider()
        self.stranger = Provider("https://other.example/acme")
        self.fetch = WorldFetch(lambda: self.provider.documents | self.stranger.documents)
        self.told_clock = WorldClock()
        issuers = OidcIssuers(
            [
                Issuer(
                    name=issuer_name(name),
                    issuer=one.issuer,
                    audience=HERE,
                    uses=frozenset({IssuerUse.SIGNALS}),
                    fetch=self.fetch,
                )
                for name, one in (("idp", self.provider), ("other", self.stranger))
            ],
            self.told_clock,
        )
        transmitters = {
            name: Transmitter(
                name=name,
                audience=HERE,
                token=PUSH_TOKEN if name == "idp" else "",
                subjects=_of(rules or SubjectRules(), one.issuer),
                reactions=on or {},
                may=frozenset(Reaction) if may is None else may,
                max_age_s=3600,
            )
            for name, one in (("idp", self.provider), ("other", self.stranger))
        }
        super().__init__(folder, seed=seed, issuers=issuers, transmitters=transmitters, **outfit)
        self.asgi = app(self.services, reload=a_bundle, watch_s=0)

    async def settle_in(self) -> None:
        """Move in."""
        await super().settle_in()
        link = Link(tenant=TENANT, issuer=IDP, subject="lena-there", person="lena", made=self.clock.now())
        await self.services.store.commit(Unit((PutLink(link),)))

    def event(self, kind: SignalKind | str, sub_id: Json = None, **more: Json) -> str:
        """Return a token of the provider, about lena unless said otherwise."""
        return self.provider.event(kind, user() if sub_id is None else sub_id, self.clock.now(), **more)

    async def push(
        self,
        token: str,
        *,
        name: str = "idp",
        shown: str = PUSH_TOKEN,
        media: str = "application/secevent+jwt",
    ) -> Told:
        """Push a token as the provider does."""
        headers = [("content-type", media), ("accept", "application/json")]
        headers += [("authorization", shown)] if shown else []
        return await exchange(self.asgi, "POST", f"/ssf/push/{name}", headers, token.encode(), LOOPBACK)

    async def session(self, person: str = "lena") -> str:
        """Sign a person in."""
        code = await self.services.identity.authenticator.make_code(person, by="root")
        return (await self.services.identity.authenticator.sign_in(code))[0]

    async def received(self) -> list[Json]:
        """Return the facts of what was received so far."""
        entries = await self.services.evidence.log.pages(limit=1000)
        return [json.loads(one.leaf)["facts"] for one in entries if one.kind == "signal.received"]


@asynccontextmanager
async def signals_world(folder: Path, *, settle: bool = True, **more: Any) -> AsyncIterator[SignalsWorld]:
    """Provide a desk that hears, and close its store at the end."""
    world = SignalsWorld(folder, **more)
    if settle:
        await world.settle_in()
    else:
        await world.reopen()
    try:
        yield world
    finally:
        await world.services.store.close()
