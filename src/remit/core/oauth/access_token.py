# SPDX-License-Identifier: Apache-2.0
"""Access tokens: a task's grant in transferable form (RFC 9068, with a mission claim).

This module is pure: the holder of the keys checks signatures (`ports.keys`). Here claims become a validated
value, and a value becomes claims. Names that occur only in drafts are in `core.draft_names`.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated

import msgspec

from remit.core.draft_names import (
    AUTHORITY_HASH,
    GRANT_ID,
    MISSION,
    MISSION_EXPIRES,
    MISSION_ID,
    MISSION_ISSUER,
    PROFILE_AGENT,
    PROFILE_USER,
    SUB_PROFILE,
)
from remit.core.errors import Malformed, Unauthenticated
from remit.core.identity.principals import Actor, Principal
from remit.core.identity.workload import Assurance, AttestationMethod, Confirmation
from remit.core.json_value import Json
from remit.core.label import Label, Trust
from remit.core.tasks.task import MAX_CHAIN, Task

TOKEN_TYPE = "at+jwt"
#: Signature algorithms that remit issues and accepts: never `none`, never a symmetric one.
ALGORITHMS = ("ES256", "Ed25519")

#: An identity token without a task: it opens tasks and calls nothing.
AGENT_SCOPE = "remit:agent"

LABEL_CLAIM = "remit:label"
POSTURE_CLAIM = "remit:posture"
"""What an agent's identity token stated about device and build, as far as the configuration lets it in."""
MAX_ASSUMED_IN_TOKEN = 12
"""What is known of the data behind a token: data class, categories, trust, zones. A claim defined by
remit.
"""

_Word = Annotated[str, msgspec.Meta(max_length=80)]


class AccessClaims(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The claims of an access token after validation; times are seconds since the epoch, as on the wire.

    `subject` is the person that the agent acts for, else the agent whose own work this is; `client_id` is the
    agent that acts now. `chain` holds all actors from the current one outwards, and is empty where the agent
    acts only for itself. `attestation` is the agent's method of proof when the token was issued, `None` for
    an application that proved nothing except its code. `grant_id` is shared by everything issued under one
    grant. `label` is the label of the task's data at issue: a recipient of the token takes on this label.
    `posture` are the claims about device and build in the agent's identity token.
    """

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
    attestation: AttestationMethod | None = None
    confirmation: Confirmation = Confirmation()
    scope: str = ""
    grant_id: str = ""
    label: Label | None = None
    posture: dict[str, Json] = {}

    @cached_property
    def on_behalf_of(self) -> str:
        """The person that the agent acts for; empty where there is none."""
        own = {self.client_id, *(actor.name for actor in self.chain[-1:] if len(self.chain) > 1)}
        return "" if self.subject in own else self.subject

    @cached_property
    def principal(self) -> Principal:
        """The principal that the token represents."""
        return Principal(
            tenant=self.tenant,
            agent=self.client_id,
            on_behalf_of=self.on_behalf_of,
            chain=self.chain or (Actor(self.client_id),),
            assurance=self.assurance,
            method=self.attestation,
            confirmation=self.confirmation,
            posture=self.posture,
        )

    def to_wire(self) -> dict[str, Json]:
        """Return the JWT claims set; raise `Malformed` for a chain that is too long."""
        claims: dict[str, Json] = {
            "iss": self.issuer,
            # RFC 9068 section 3: one resource is one audience.
            "aud": self.audience[0] if len(self.audience) == 1 else list(self.audience),
            "sub": self.subject,
            "client_id": self.client_id,
            "jti": self.token_id,
            "iat": self.issued,
            "exp": self.expires,
            "tenant": self.tenant,
            "assurance": self.assurance.word,
            SUB_PROFILE: PROFILE_USER if self.on_behalf_of else PROFILE_AGENT,
        }
        if self.attestation is not None:
            claims["attestation"] = self.attestation.value
        if self.scope:
            claims["scope"] = self.scope
        if self.grant_id:
            claims[GRANT_ID] = self.grant_id
        if self.label is not None and self.label != Label():
            claims[LABEL_CLAIM] = _label_out(self.label)
        if self.posture:
            claims[POSTURE_CLAIM] = self.posture
        if self.task:
            claims[MISSION] = {
                MISSION_ID: self.task,
                MISSION_ISSUER: self.issuer,
                AUTHORITY_HASH: self.authority_hash,
                MISSION_EXPIRES: self.expires,
            }
        chain = self.principal.chain
        if self.on_behalf_of or len(chain) > 1:
            if len(chain) > MAX_CHAIN:
                raise Malformed(
                    f"a chain has at most {MAX_CHAIN} actors",
                    code="chain",
                    remediation="delegate less deeply",
                )
            claims["act"] = act_of(chain, self.issuer)
        if self.confirmation:
            claims["cnf"] = to_cnf(self.confirmation)
        return claims


def to_cnf(confirmation: Confirmation) -> dict[str, str]:
    """Return a key in RFC 7800 form: RFC 9449 section 6, RFC 8705 section 3.1."""
    named = {"jkt": confirmation.jkt, "x5t#S256": confirmation.x5t_s256}
    return {name: value for name, value in named.items() if value}


def _from_cnf(cnf: dict[str, Json]) -> Confirmation:
    # INVARIANT: an unknown confirmation is never ignored.
    if cnf.keys() - {"jkt", "x5t#S256"}:
        raise Unauthenticated("the token has an unknown sender constraint", code="token-claims")
    return Confirmation(jkt=_text(cnf, "jkt"), x5t_s256=_text(cnf, "x5t#S256"))


def act_of(chain: tuple[Actor, ...], issuer: str) -> dict[str, Json]:
    """Return a chain of actors as the claim `act`."""
    # RFC 8693 section 4.1: the outermost act is the current actor.
    first, rest = chain[0], chain[1:]
    act: dict[str, Json] = {"sub": first.name, "iss": issuer, SUB_PROFILE: first.kind}
    if rest:
        act["act"] = act_of(rest, issuer)
    return act


def _unnest(act: Json, client_id: str) -> tuple[Actor, ...]:
    out: list[Actor] = []
    while act is not None:
        if not isinstance(act, dict) or not isinstance(act.get("sub"), str):
            raise Unauthenticated("the token's `act` claim is malformed", code="invalid-token")
        out.append(Actor(act["sub"], str(act.get(SUB_PROFILE, PROFILE_AGENT))))
        if len(out) > MAX_CHAIN:
            raise Unauthenticated("the token's chain of actors is too long", code="invalid-token")
        act = act.get("act")
    if out and out[0].name != client_id:
        raise Unauthenticated("the token's current actor is not its client", code="token-task")
    return tuple(out)


class _WireFirm(msgspec.Struct, frozen=True):
    data_class: Annotated[str, msgspec.Meta(max_length=80)] = msgspec.field(name="class")
    trust: Trust = Trust.UNTRUSTED
    categories: Annotated[list[_Word], msgspec.Meta(max_length=64)] = []
    zones: Annotated[list[_Word], msgspec.Meta(max_length=64)] = []

    @property
    def label(self) -> Label:
        """The label."""
        return Label(self.data_class, frozenset(self.categories), self.trust, frozenset(self.zones))


_Key = Annotated[str, msgspec.Meta(max_length=400)]


class _WireAssumed(msgspec.Struct, frozen=True):
    firm: _WireFirm
    tools: Annotated[list[_Key], msgspec.Meta(max_length=MAX_ASSUMED_IN_TOKEN)]


class _WireLabel(_WireFirm, frozen=True):
    assumed: _WireAssumed | None = None


def _label_out(label: Label) -> dict[str, Json]:
    """Return a label as the claim; an assumed part that is too long for a token counts as known."""
    if label.assumed is None or len(label.assumed_tools) > MAX_ASSUMED_IN_TOKEN:
        return label.facts
    return label.facts | {"assumed": {"firm": label.firm.facts, "tools": sorted(label.assumed_tools)}}


def label_in(claims: dict[str, Json]) -> Label | None:
    """Return the label that a verified token carries, from any issuer; None where it carries none.

    Its class may be unknown here (`Label.known_to`). An unreadable label is never skipped: it raises
    `Unauthenticated`.
    """
    if LABEL_CLAIM not in claims:
        return None
    try:
        wire = msgspec.convert(claims[LABEL_CLAIM], _WireLabel)
    except msgspec.ValidationError as error:
        raise Unauthenticated(
            "the label that the token carries cannot be read", code="token-claims", debug=str(error)
        ) from None
    if wire.assumed is None:
        return wire.label
    return wire.label.assuming(wire.assumed.firm.label, frozenset(wire.assumed.tools))


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
    attestation: str = ""
    scope: str = ""
    grant_id: str = ""
    mission: dict[str, Json] = {}
    act: Json = None
    cnf: dict[str, Json] = {}
    nbf: int = 0


def validate(
    header: dict[str, Json],
    claims: dict[str, Json],
    *,
    issuer: str,
    audiences: Container[str],
    now: datetime,
    leeway_s: int = 5,
) -> AccessClaims:
    """Validate claims whose signature has been verified, and return them as a value.

    `audiences` are the resources of this service: the token must be for one of these. The endpoint checks
    that the token is for the resource requested (`AccessClaims.audience`).

    Raises `Unauthenticated` with a code that names the fault: `token-type`, `token-claims`, `token-issuer`,
    `token-audience`, `token-expired`, `token-not-yet-valid`. RFC 9068 section 4, RFC 7519 section 4.1.
    """
    if str(header.get("typ", "")).lower().removeprefix("application/") != TOKEN_TYPE:
        raise Unauthenticated(
            "this is not an access token", code="token-type", remediation="present an RFC 9068 access token"
        )
    try:
        wire = msgspec.convert(claims, _Wire)
        assurance = Assurance.from_word(wire.assurance)
        attestation = AttestationMethod(wire.attestation) if wire.attestation else None
    except (msgspec.ValidationError, KeyError, ValueError) as error:
        raise Unauthenticated(
            "the token's claims are incomplete", code="token-claims", debug=str(error)
        ) from None
    if wire.iss != issuer:
        raise Unauthenticated("the token is from another issuer", code="token-issuer")
    named = (wire.aud,) if isinstance(wire.aud, str) else tuple(wire.aud)
    if not any(one in audiences for one in named):
        raise wrong_audience()
    moment = now.astimezone(UTC).timestamp()
    if moment >= wire.exp + leeway_s:
        raise Unauthenticated("the token has expired", code="token-expired", remediation="ask for a new one")
    if max(wire.nbf, wire.iat) > moment + leeway_s:
        raise Unauthenticated(
            "the token is not yet valid", code="token-not-yet-valid", remediation="check the clocks"
        )
    return AccessClaims(
        issuer=wire.iss,
        audience=named,
        subject=wire.sub,
        client_id=wire.client_id,
        token_id=wire.jti,
        issued=wire.iat,
        expires=wire.exp,
        tenant=wire.tenant,
        task=_text(wire.mission, MISSION_ID),
        authority_hash=_text(wire.mission, AUTHORITY_HASH),
        chain=_unnest(wire.act, wire.client_id),
        assurance=assurance,
        attestation=attestation,
        confirmation=_from_cnf(wire.cnf),
        scope=wire.scope,
        grant_id=wire.grant_id,
        label=label_in(claims),
        posture=_members(claims, POSTURE_CLAIM),
    )


def claims_of(
    task: Task,
    now: datetime,
    *,
    issuer: str,
    tenant: str,
    assurance: Assurance,
    confirmation: Confirmation | None = None,
) -> AccessClaims:
    """Return what a token of a task would say, for a caller whose proof was checked in another way."""
    return AccessClaims(
        issuer=issuer,
        audience=(),
        subject=task.on_behalf_of or task.agent,
        client_id=task.agent,
        token_id="",
        issued=int(now.timestamp()),
        expires=int(task.deadline.timestamp()),
        tenant=tenant,
        task=task.id,
        chain=tuple(Actor(name) for name in task.actors) if task.lineage else (),
        assurance=assurance,
        confirmation=confirmation or Confirmation(),
    )


def wrong_audience(resource: str = "") -> Unauthenticated:
    """Return the refusal of a token for a resource other than the one requested (RFC 8707)."""
    return Unauthenticated(
        "the token is for another audience",
        code="token-audience",
        remediation=f"ask for one with resource `{resource}`; the token endpoint answers "
        "`invalid_target` if no such resource exists"
        if resource
        else "ask for one with this resource",
        step=1,
    )


def _members(mapping: dict[str, Json], key: str) -> dict[str, Json]:
    value = mapping.get(key, {})
    if not isinstance(value, dict):
        raise Unauthenticated("the token's claims are malformed", code="token-claims")
    return value


def _text(mapping: dict[str, Json], key: str) -> str:
    value = mapping.get(key, "")
    if not isinstance(value, str):
        raise Unauthenticated("the token's claims are malformed", code="token-claims")
    return value
