# SPDX-License-Identifier: Apache-2.0
"""Access tokens: a task's grant in the form that travels (RFC 9068, with a mission claim).

Pure: signatures are checked by whoever holds the keys (`ports.keys`); here claims become a validated value,
and back. Names that come from drafts alone stand in `DRAFT` and nowhere else.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from remit.core.errors import Unauthenticated
from remit.core.identity import Actor, Principal
from remit.core.workload import Assurance

Json = Any

TOKEN_TYPE = "at+jwt"
#: Signature algorithms that remit issues and accepts. `none` and every symmetric one are absent by
# construction.
ALGORITHMS = ("ES256", "Ed25519")

#: draft-mcguinness-oauth-mission: the claim that binds a token to a task. Version-pinned here.
DRAFT = {"mission": "mission", "authority_hash": "authority_hash", "sub_profile": "sub_profile"}

#: An identity token without a task: it opens tasks and calls nothing.
AGENT_SCOPE = "remit:agent"


class AccessClaims(msgspec.Struct, frozen=True, kw_only=True):
    """The claims of an access token after validation; times are seconds since the epoch, as on the wire."""

    issuer: str
    audience: tuple[str, ...]
    subject: str
    client_id: str
    token_id: str
    issued: int
    expires: int
    tenant: str
    task: str = ""
    authority_hash: str = ""
    chain: tuple[Actor, ...] = ()
    assurance: Assurance = Assurance.ASSERTED
    key_thumbprint: str = ""
    scope: str = ""

    @property
    def principal(self) -> Principal:
        """Who the token speaks for."""
        return Principal(
            tenant=self.tenant,
            agent=self.client_id,
            on_behalf_of=self.subject if self.subject != self.client_id else "",
            chain=self.chain or (Actor(self.client_id),),
            assurance=self.assurance,
            key_thumbprint=self.key_thumbprint,
        )

    def to_wire(self) -> dict[str, Json]:
        """Give the JWT claims set."""
        claims: dict[str, Json] = {
            "iss": self.issuer,
            "aud": list(self.audience),
            "sub": self.subject,
            "client_id": self.client_id,
            "jti": self.token_id,
            "iat": self.issued,
            "exp": self.expires,
            "tenant": self.tenant,
            "assurance": self.assurance.word,
        }
        if self.scope:
            claims["scope"] = self.scope
        if self.task:
            claims[DRAFT["mission"]] = {
                "id": self.task,
                "issuer": self.issuer,
                DRAFT["authority_hash"]: self.authority_hash,
                "expires_at": self.expires,
            }
        if self.subject != self.client_id:
            claims["act"] = _nest(self.chain or (Actor(self.client_id),), self.issuer)
        if self.key_thumbprint:
            claims["cnf"] = {"jkt": self.key_thumbprint}
        return claims


def _nest(chain: tuple[Actor, ...], issuer: str) -> dict[str, Json]:
    # RFC 8693 section 4.1: the outermost act is the current actor.
    first, rest = chain[0], chain[1:]
    act: dict[str, Json] = {"sub": first.name, "iss": issuer, DRAFT["sub_profile"]: first.kind}
    if rest:
        act["act"] = _nest(rest, issuer)
    return act


def _unnest(act: Json) -> tuple[Actor, ...]:
    out: list[Actor] = []
    while act is not None:
        if not isinstance(act, dict) or not isinstance(act.get("sub"), str):
            raise Unauthenticated("the token's `act` claim is malformed", code="invalid-token")
        out.append(Actor(act["sub"], str(act.get(DRAFT["sub_profile"], "ai_agent"))))
        if len(out) > MAX_CHAIN:
            raise Unauthenticated("the token's chain of actors is too long", code="invalid-token")
        act = act.get("act")
    return tuple(out)


MAX_CHAIN = 8


class _Wire(msgspec.Struct, frozen=True):
    iss: str
    aud: str | list[str]
    sub: str
    client_id: str
    jti: str
    iat: int
    exp: int
    tenant: str
    assurance: str
    scope: str = ""
    mission: dict[str, Json] = {}
    act: Json = None
    cnf: dict[str, Json] = {}
    nbf: int = 0


def validate(
    header: dict[str, Json],
    claims: dict[str, Json],
    *,
    issuer: str,
    audience: str,
    now: datetime,
    leeway_s: int = 5,
) -> AccessClaims:
    """Check claims whose signature has been verified, and give them as a value.

    Raises `Unauthenticated` with a code that says what is wrong: `token-type`, `token-claims`,
    `token-issuer`, `token-audience`, `token-expired`, `token-not-yet-valid`. RFC 9068 section 4, RFC 7519
    section 4.1.
    """
    if str(header.get("typ", "")).lower().removeprefix("application/") != TOKEN_TYPE:
        raise Unauthenticated(
            "this is not an access token", code="token-type", way_out="present an RFC 9068 access token"
        )
    try:
        wire = msgspec.convert(claims, _Wire)
        assurance = Assurance.from_word(wire.assurance)
    except (msgspec.ValidationError, KeyError) as error:
        raise Unauthenticated(
            "the token's claims are incomplete", code="token-claims", debug=str(error)
        ) from None
    if wire.iss != issuer:
        raise Unauthenticated("the token is from another issuer", code="token-issuer")
    audiences = (wire.aud,) if isinstance(wire.aud, str) else tuple(wire.aud)
    if audience not in audiences:
        raise Unauthenticated(
            "the token is for another audience",
            code="token-audience",
            way_out=f"ask for one with resource `{audience}`",
        )
    moment = now.astimezone(UTC).timestamp()
    if moment >= wire.exp + leeway_s:
        raise Unauthenticated("the token has expired", code="token-expired", way_out="ask for a new one")
    if max(wire.nbf, wire.iat) > moment + leeway_s:
        raise Unauthenticated(
            "the token is not yet valid", code="token-not-yet-valid", way_out="check the clocks"
        )
    return AccessClaims(
        issuer=wire.iss,
        audience=audiences,
        subject=wire.sub,
        client_id=wire.client_id,
        token_id=wire.jti,
        issued=wire.iat,
        expires=wire.exp,
        tenant=wire.tenant,
        task=_text(wire.mission, "id"),
        authority_hash=_text(wire.mission, DRAFT["authority_hash"]),
        chain=_unnest(wire.act),
        assurance=assurance,
        key_thumbprint=_text(wire.cnf, "jkt"),
        scope=wire.scope,
    )


def _text(mapping: dict[str, Json], key: str) -> str:
    value = mapping.get(key, "")
    if not isinstance(value, str):
        raise Unauthenticated("the token's claims are malformed", code="token-claims")
    return value
