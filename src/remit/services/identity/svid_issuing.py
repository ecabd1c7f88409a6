# SPDX-License-Identifier: Apache-2.0
"""Issuing of SVIDs of remit's own trust domain to local workloads.

1. The kernel reports which process asks (`ports.peers`): its user and its program.
2. Rules of the configuration, and agents that are registered with a user and a program, determine the SPIFFE
   IDs of the process.
3. The document is made, recorded, and issued: a certificate with a fresh key, or a signed token.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import load_der_x509_certificate

from remit.core.canonical import encode
from remit.core.errors import ChangedMeanwhile, Forbidden, Unauthenticated
from remit.core.evidence.event import Event, EventBody
from remit.core.evidence.events.identity import SvidIssued, SvidRefused
from remit.core.identity.principals import Agent
from remit.core.identity.spiffe import JwtSvid, TrustAnchors, check_jwt_svid, read_bundle
from remit.core.identity.svid import (
    JWT_SVID_TYPE,
    SERIAL_BYTES,
    TrustBundle,
    jwt_svid_claims,
    workload_certificate,
)
from remit.core.identity.workload import LocalBinding, SpiffeBinding, local_workload
from remit.core.ids import ID_BYTES, make_id
from remit.core.keys.own_keys import KeyKind
from remit.ports.attestor import ShownPeer
from remit.ports.keys import AuthorityKeys, TokenKeys
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import CheckValue, PutValue
from remit.ports.store.principals import PrincipalStore
from remit.ports.store.units import Unit
from remit.services.limits.flood_control import FloodControl

#: A JWT-SVID can be copied, so its lifetime is no longer than this.
JWT_LIFE = timedelta(minutes=5)
#: Seconds after which consumers of the bundle should fetch it again.
REFRESH_HINT_S = 300
LEEWAY_S = 30

_SEQUENCE = "spiffe:bundle"


class SvidRule(msgspec.Struct, frozen=True, kw_only=True):
    """Which processes get a SPIFFE ID: processes of the user, and of the program where its SHA-256 is
    given.
    """

    spiffe_id: str
    uid: int
    executable: str = ""
    hint: str = ""

    def fits(self, shown: ShownPeer) -> bool:
        """Return whether the rule matches a process."""
        # INVARIANT: a program alone identifies no one: another user could run and control it or a copy.
        return self.uid == shown.uid and self.executable in ("", shown.executable_digest)


class Entitled(msgspec.Struct, frozen=True):
    """A SPIFFE ID that a process is entitled to, and the agent that it belongs to, if any."""

    spiffe_id: str
    hint: str = ""
    agent: str = ""


class IssuedCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """An X.509-SVID: the certificate in DER, and the only copy of its private key in PKCS #8."""

    entitled: Entitled
    certificate: bytes
    private_key: bytes
    expires: datetime


class IssuedSvidToken(msgspec.Struct, frozen=True, kw_only=True):
    """A JWT-SVID."""

    entitled: Entitled
    token: str


class SvidIssuing:
    """The authority of remit's own trust domain, as workloads and verifiers use it."""

    def __init__(
        self,
        *,
        trust_domain: str,
        rules: Sequence[SvidRule],
        authority: AuthorityKeys,
        svids: TokenKeys,
        store: PrincipalStore,
        clock: Clock,
        entropy: Entropy,
        tenant: str,
        life: timedelta,
        own_uid: int,
    ) -> None:
        """Take the dependencies.

        `life` is the lifetime of an X.509-SVID, `own_uid` the user that runs remit.
        """
        self.trust_domain = trust_domain
        self.life = life
        self._rules = tuple(rules)
        self._authority = authority
        self._svids = svids
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._tenant = tenant
        self._own_uid = own_uid
        self._bundle = TrustBundle(trust_domain=trust_domain, authorities=(), jwt_keys=(), sequence=0)
        self._anchors: tuple[object, TrustAnchors] | None = None
        self._changed = asyncio.Event()
        self._issued = FloodControl()
        self._refused = FloodControl()
        self._given: list[Callable[[str, str, str], None]] = []

    # The bundle.

    @property
    def bundle(self) -> TrustBundle:
        """The current bundle, which verifies the SVIDs of this trust domain."""
        return self._bundle

    @property
    def document(self) -> bytes:
        """The bundle as it is served (SPIFFE Trust Domain and Bundle, section 4)."""
        return msgspec.json.encode(self._bundle.document(REFRESH_HINT_S))

    def anchors(self) -> TrustAnchors:
        """Return the bundle in the form that verifiers use, always of the current keys.

        INVARIANT: a dropped key verifies nothing from then on, even if the new bundle could not yet be
        recorded and published.
        """
        authorities, keys = self._live()
        held = (authorities, tuple(key["kid"] for key in keys))
        if self._anchors is None or self._anchors[0] != held:
            now = msgspec.structs.replace(self._bundle, authorities=authorities, jwt_keys=keys)
            document = msgspec.json.encode(now.document(REFRESH_HINT_S))
            self._anchors = held, read_bundle(self.trust_domain, document)
        return self._anchors[1]

    def _live(self) -> tuple[tuple[bytes, ...], tuple[dict[str, Any], ...]]:
        return tuple(self._authority.certificates), tuple(self._svids.jwks()["keys"])

    async def refresh(self) -> None:
        """Build the bundle from the current keys, with a higher sequence if it differs, and wake waiters.

        Call this at the start, and whenever keys are added or removed. INVARIANT: no two different bundles
        have the same sequence, also across restarts and replicas.
        """
        authorities, keys = self._live()
        digest = hashlib.sha256(b"\x00".join((*authorities, encode(list(keys))))).hexdigest()
        while (sequence := await self._sequence(digest)) is None:
            pass  # another replica has published a bundle in the meantime
        if sequence == self._bundle.sequence:
            return
        self._bundle = TrustBundle(
            trust_domain=self.trust_domain, authorities=authorities, jwt_keys=keys, sequence=sequence
        )
        self.wake()

    async def _sequence(self, digest: str) -> int | None:
        """Return the sequence of a bundle: a new one unless the bundle is the last one.

        Returns `None` where it was the last bundle and no longer is.
        """
        known = await self._store.value(self._tenant, _SEQUENCE)
        sequence, last = (int(known["sequence"]), known["digest"]) if known else (0, "")
        if last == digest:
            return sequence
        value = {"sequence": sequence + 1, "digest": digest}
        check, put = CheckValue(self._tenant, _SEQUENCE, known), PutValue(self._tenant, _SEQUENCE, value)
        try:
            await self._store.commit(Unit((check, put)))
        except ChangedMeanwhile:
            return None
        return sequence + 1

    def wake(self) -> None:
        """Wake everyone who waits for a change."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def now(self) -> datetime:
        """Return the time of day, for code that renews documents."""
        return self._clock.now()

    def follows(self, kind: KeyKind) -> bool:
        """Return whether the bundle depends on keys of a kind."""
        return kind in (KeyKind.CA, KeyKind.SVID)

    async def wait(self, timeout_s: float) -> None:
        """Return after a change, or after `timeout_s` at the latest."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            return

    def on_given(self, tell: Callable[[str, str, str], None]) -> None:
        """Have `tell(agent, SPIFFE ID, executable)` called for each issued document, without a wait."""
        self._given.append(tell)

    # Who asks, and which SPIFFE IDs it has.

    async def entitled(self, shown: ShownPeer) -> tuple[Entitled, ...]:
        """Return the SPIFFE IDs of a process; raises `Forbidden`, recorded, if it has none.

        An agent that is suspended or retired gets no document, by rule or by registration.
        """
        found = {
            rule.spiffe_id: Entitled(rule.spiffe_id, rule.hint) for rule in self._rules if rule.fits(shown)
        }
        workload = local_workload(shown.uid, shown.executable_digest)
        for agent in await self._store.agents_bound(self._tenant, workload):
            own = f"spiffe://{self.trust_domain}/agent/{agent.name}"
            found.setdefault(own, Entitled(own, agent.name))
        held = [await self._held(one) for one in found.values()]
        given = tuple(one for one in held if one is not None)
        if not given:
            await self._refuse(shown, "svid-suspended" if found else "svid-unknown")
            raise Forbidden(
                "this process has no SPIFFE ID here",
                code="svid-unknown",
                remediation="add it under `workload_api.workloads`, or register its agent with user and "
                "program",
            )
        return given

    async def agents(self, spiffe_id: str) -> list[Agent]:
        """Return the agent, if any, that gets a SPIFFE ID of this trust domain for its user and program."""
        prefix = f"spiffe://{self.trust_domain}/agent/"
        name = spiffe_id.removeprefix(prefix) if spiffe_id.startswith(prefix) else ""
        agent = await self._store.agent(self._tenant, name) if name else None
        local = agent is not None and any(isinstance(one, LocalBinding) for one in agent.bindings)
        return [agent] if agent is not None and local else []

    async def _held(self, one: Entitled) -> Entitled | None:
        agents: list[Agent] = await self._store.agents_bound(self._tenant, one.spiffe_id)
        prefix = f"spiffe://{self.trust_domain}/agent/"
        named = one.spiffe_id.removeprefix(prefix) if one.spiffe_id.startswith(prefix) else ""
        if named and (agent := await self._store.agent(self._tenant, named)) is not None:
            agents.append(agent)
        if any(not agent.usable for agent in agents):
            return None
        bound = [agent.name for agent in agents if SpiffeBinding(one.spiffe_id) in agent.bindings]
        return msgspec.structs.replace(one, agent=(bound or [named])[0])

    # Documents.

    async def certificates(self, shown: ShownPeer) -> tuple[IssuedCertificate, ...]:
        """Issue an X.509-SVID for each SPIFFE ID of a process; raises `Forbidden` and `KeyUnavailable`."""
        made = []
        for one in await self.entitled(shown):
            key = ec.generate_private_key(ec.SECP256R1())
            unsigned = workload_certificate(
                one.spiffe_id,
                key.public_key(),
                authority=self._authority.certificate,
                serial=self._entropy.bytes(SERIAL_BYTES),
                now=self._clock.now(),
                life=self.life,
            )
            der = unsigned.signed(await self._authority.sign(unsigned.tbs))
            certificate = load_der_x509_certificate(der)
            expires = certificate.not_valid_after_utc
            await self._record(shown, one, "x509", f"{certificate.serial_number:x}", expires)
            private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            made.append(
                IssuedCertificate(entitled=one, certificate=der, private_key=private, expires=expires)
            )
        return tuple(made)

    async def tokens(
        self, shown: ShownPeer, audiences: tuple[str, ...], spiffe_id: str = ""
    ) -> tuple[IssuedSvidToken, ...]:
        """Issue a JWT-SVID for each SPIFFE ID of a process, or for the named SPIFFE ID.

        Raises `Forbidden`, `Malformed` and `KeyUnavailable`.
        """
        made = []
        life = min(JWT_LIFE, self.life)
        for one in await self.entitled(shown):
            if spiffe_id not in ("", one.spiffe_id):
                continue
            token_id = make_id("svid", self._entropy.bytes(ID_BYTES))
            now = self._clock.now()
            claims = jwt_svid_claims(one.spiffe_id, audiences, now=now, life=life, token_id=token_id)
            token = await self._svids.sign(claims, token_type=JWT_SVID_TYPE)
            await self._record(shown, one, "jwt", token_id, now + life, audiences)
            made.append(IssuedSvidToken(entitled=one, token=token))
        if not made:
            await self._refuse(shown, "svid-not-held")
            raise Forbidden(
                "this process does not have that SPIFFE ID",
                code="svid-not-held",
                remediation="ask for one of its own SPIFFE IDs",
            )
        return tuple(made)

    def checked(self, token: str, audience: str) -> JwtSvid:
        """Verify a JWT-SVID of this trust domain on behalf of a workload; raises `Unauthenticated`."""
        if not audience:
            raise Unauthenticated(
                "a JWT-SVID needs an audience",
                code="token-audience",
                remediation="give the audience of the checking service",
            )
        return check_jwt_svid(
            token, self.anchors(), audience=audience, now=self._clock.now(), leeway_s=LEEWAY_S
        )

    async def _record(
        self,
        shown: ShownPeer,
        one: Entitled,
        form: str,
        serial: str,
        expires: datetime,
        audiences: tuple[str, ...] = (),
    ) -> None:
        """Record a document before it is issued: a document that cannot be recorded is not issued."""
        for tell in self._given:
            tell(one.agent, one.spiffe_id, shown.executable_digest)
        now = self._clock.now()
        further = self._issued.further(one.spiffe_id, now)
        if further is None:
            return
        issued = SvidIssued(
            spiffe_id=one.spiffe_id,
            form=form,
            serial=serial,
            expires=int(expires.timestamp()),
            audiences=[audience[:200] for audience in audiences],
            uid=shown.uid,
            executable=shown.executable_digest,
            isolation=self._isolation(shown),
            further=further,
        )
        await self._write(issued, now, one.agent)

    async def _refuse(self, shown: ShownPeer, code: str) -> None:
        now = self._clock.now()
        further = self._refused.further(str(shown.uid), now)
        if further is not None:
            refused = SvidRefused(
                code=code,
                uid=shown.uid,
                executable=shown.executable_digest,
                isolation=self._isolation(shown),
                further=further,
            )
            await self._write(refused, now)

    def _isolation(self, shown: ShownPeer) -> str:
        return "none" if shown.uid == self._own_uid else ""

    async def _write(self, body: EventBody, now: datetime, agent: str = "") -> None:
        event = Event.of(body, at=now, tenant=self._tenant, agent=agent)
        await self._store.commit(Unit(events=(event,)))
