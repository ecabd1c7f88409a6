# SPDX-License-Identifier: Apache-2.0
"""Client authentication at the token endpoint: which agent a client is, and what it has proven.

1. the evidence is judged: a signature with a registered key here, everything else by the configured attestors
2. what was proven identifies the one agent with a binding to it; no agent or several agents are a refusal
3. a name that the client gives must be the agent's name, or what was proven
4. the agent must be permitted to act, and evidence for single use is used up
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from remit.core.errors import Conflict, Malformed, Unauthenticated
from remit.core.identity.principals import Agent, Memberships
from remit.core.identity.workload import (
    Assurance,
    AttestationMethod,
    Attested,
    ClientBinding,
    Confirmation,
    KeyBinding,
    matches,
)
from remit.core.json_value import Json
from remit.core.keys.certificate import Leaf, read_leaf
from remit.core.keys.jwk import checked_public_jwk, thumbprint
from remit.core.keys.jws import read_compact
from remit.core.oauth.client_assertion import ProvenAssertion, verify_assertion
from remit.core.oauth.client_metadata import ClientMetadata, is_client_address
from remit.ports.attestor import ShownAssertion, ShownCertificate, ShownPeer, ShownProof
from remit.ports.runtime import Clock
from remit.ports.store.changes import Change, UseAssertion
from remit.ports.store.principals import PrincipalStore
from remit.ports.store.units import Unit
from remit.services.identity.attestation import Attestors
from remit.services.identity.authenticator import secret_digest
from remit.services.oauth.client_metadata import ClientDocuments

#: Largest number of a metadata document's keys that are tried.
MAX_KEYS = 8
#: Largest length of a client assertion, in characters.
MAX_ASSERTION = 16_384
SPIFFE = "spiffe://"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClient:
    """A client at the token endpoint: its agent, its name for itself, and what it has proven.

    `attested` is `None` for an application that cannot prove its identity: it gets only what its code, or the
    refresh token bound to its key, entitles it to.
    """

    agent: Agent
    client_id: str
    attested: Attested | None = None

    @property
    def assurance(self) -> Assurance:
        """The assurance of the proof."""
        return self.attested.assurance if self.attested else Assurance.ASSERTED

    @property
    def method(self) -> AttestationMethod | None:
        """The method of the proof."""
        return self.attested.method if self.attested else None

    @property
    def posture(self) -> dict[str, Json]:
        """The claims about device and build in the proof."""
        return self.attested.posture if self.attested else {}

    @property
    def confirmation(self) -> Confirmation:
        """The key whose possession was proven in the connection itself (mTLS)."""
        return self.attested.confirmation if self.attested else Confirmation()

    @property
    def public(self) -> bool:
        """Whether the client proved nothing."""
        return self.attested is None


class Clients:
    """Authenticates clients (RFC 6749 section 2.3 and its extensions)."""

    def __init__(
        self,
        *,
        store: PrincipalStore,
        clock: Clock,
        attestors: Attestors,
        documents: ClientDocuments,
        members: Memberships,
        tenant: str,
        issuer: str,
        leeway_s: int = 5,
    ) -> None:
        """Take the dependencies.

        Assertions have `issuer` as their audience; `leeway_s` is the largest difference between clocks.
        """
        self._store = store
        self._clock = clock
        self._attestors = attestors
        self._documents = documents
        self._members = members
        self._tenant = tenant
        self._issuer = issuer
        self._leeway_s = leeway_s

    async def by_signature(self, assertion: str, client_id: str = "") -> TokenClient:
        """Return the client of an assertion signed with its own key (RFC 7523, `private_key_jwt`).

        Each assertion works once.
        """
        name, kid = self._claimed(assertion)
        if client_id not in ("", name):
            raise _refused("the client assertion names another client")
        if is_client_address(name):
            return await self._by_document(assertion, name)
        agent = await self._store.agent(self._tenant, name)
        if agent is None or not agent.keys:
            # The same text as for a wrong signature: a client that proves nothing must not learn which names
            # exist.
            raise _refused(
                "the client assertion does not verify", debug="the agent does not exist or has no key"
            )
        proven, key = self._verified(assertion, agent.keys, name, kid)
        agent = await self._admit(agent, self._use(name, proven))
        attested = Attested(
            workload=f"jkt:{thumbprint(key)}",
            method=AttestationMethod.PRIVATE_KEY,
            assurance=Assurance.KEY_BOUND,
            instance=proven.instance,
            token_id=proven.token_id,
            expires=proven.expires,
        )
        return TokenClient(agent=agent, client_id=name, attested=attested)

    async def _by_document(self, assertion: str, address: str) -> TokenClient:
        """Return the client whose metadata document contains the key (draft CIMD, `private_key_jwt`)."""
        metadata = await self._document(address)
        keys = _keys_of(metadata)
        proven, _ = self._verified(assertion, keys, address, "")
        attested = Attested(
            workload=address,
            method=AttestationMethod.CLIENT_METADATA,
            assurance=AttestationMethod.CLIENT_METADATA.assurance,
            token_id=proven.token_id,
            expires=proven.expires,
        )
        agent = await self._admit(await self._bound(attested, address), self._use(address, proven))
        return TokenClient(agent=agent, client_id=address, attested=attested)

    async def by_workload_token(self, token: str, kind: str, client_id: str = "") -> TokenClient:
        """Return the client of a platform token: a JWT-SVID, or the token of a trusted issuer.

        The token may be used again until it expires: platforms issue one token for many uses.
        """
        if token != token.strip():
            raise _refused(
                "the token has surrounding white space", remediation="send it without a line break"
            )
        attested = await self._attestors.attest(ShownAssertion(token, kind))
        agent = await self._admit(await self._bound(attested, client_id))
        return TokenClient(agent=agent, client_id=client_id or agent.name, attested=attested)

    async def by_proof(self, token: str, proof: str, url: str, client_id: str = "") -> TokenClient:
        """Return the client of a WIT-SVID with the proof that it signed for this request to `url`.

        Each proof works once.
        """
        attested = await self._attestors.attest(ShownProof(token, proof, url))
        agent = await self._bound(attested, client_id)
        if attested.used is None:
            raise _refused("nothing proves that the key is held")
        used = secret_digest(f"{attested.workload}\n{attested.used.token_id}")
        agent = await self._admit(agent, UseAssertion(self._tenant, used, attested.used.expires))
        return TokenClient(agent=agent, client_id=client_id or agent.name, attested=attested)

    async def by_peer(self, shown: ShownPeer, client_id: str = "") -> TokenClient:
        """Return the client that is a process of this machine, as the kernel reports it."""
        attested = await self._attestors.attest(shown)
        agent = await self._admit(await self._bound(attested, client_id))
        return TokenClient(agent=agent, client_id=client_id or agent.name, attested=attested)

    async def by_certificate(self, chain: Sequence[bytes], client_id: str) -> TokenClient:
        """Return the client of a TLS connection (RFC 8705).

        It shows an X.509-SVID, or a certificate over a registered key.
        """
        shown = ShownCertificate(tuple(chain))
        if client_id.startswith(SPIFFE) or self._attestors.judges(shown):
            attested = await self._attestors.attest(shown)
            agent = await self._admit(await self._bound(attested, client_id))
            return TokenClient(agent=agent, client_id=client_id or agent.name, attested=attested)
        leaf = read_leaf(chain[0])
        found = await self._store.agent(self._tenant, client_id)
        # RFC 8705 section 2.2.2: the registered key counts, whatever the certificate's issuer.
        if found is None or not leaf.thumbprint or KeyBinding(leaf.jwk) not in found.bindings:
            raise _refused("the certificate's key is not registered for this client")
        _check_now(leaf, self._clock.now())
        agent = await self._admit(found)
        attested = Attested(
            workload=f"jkt:{leaf.thumbprint}",
            method=AttestationMethod.CERTIFICATE,
            assurance=Assurance.KEY_BOUND,
            confirmation=Confirmation(x5t_s256=leaf.x5t_s256),
            token_id=leaf.serial,
            expires=leaf.not_after,
        )
        return TokenClient(agent=agent, client_id=client_id, attested=attested)

    async def public(self, client_id: str) -> TokenClient:
        """Return the client of a metadata document without client authentication (`none`).

        Raises `Unauthenticated` for a client that could authenticate.
        """
        if not is_client_address(client_id):
            raise _refused("the client must authenticate")
        metadata = await self._document(client_id)
        if metadata.auth_method != "none":
            raise _refused("the client must authenticate as its metadata document states")
        return TokenClient(agent=await self._admit(await self._of_document(client_id)), client_id=client_id)

    # Helpers shared by the methods.

    def _claimed(self, assertion: str) -> tuple[str, str]:
        """Return the agent that an assertion claims to be, and the key that it names; both are unverified."""
        if len(assertion) > MAX_ASSERTION:
            raise _refused("the client assertion is too large")
        try:
            read = read_compact(assertion, max_bytes=MAX_ASSERTION)
        except Malformed:
            raise _refused("the client assertion cannot be read") from None
        subject, kid = read.claims.get("sub"), read.header.get("kid", "")
        if not isinstance(subject, str) or not isinstance(kid, str):
            raise _refused("the client assertion cannot be read")
        return subject, kid

    def _verified(
        self, assertion: str, keys: tuple[dict[str, str], ...], subject: str, kid: str
    ) -> tuple[ProvenAssertion, dict[str, str]]:
        named = [key for key in keys if kid and thumbprint(key) == kid] if len(keys) > 1 else []
        fault = _refused("no key is registered for this client")
        for key in named or keys:
            try:
                proven = verify_assertion(
                    assertion,
                    key,
                    subject=subject,
                    issuer=self._issuer,
                    now=self._clock.now(),
                    leeway_s=self._leeway_s,
                )
            except Unauthenticated as error:
                fault = error
            else:
                return proven, key
        raise fault

    def _use(self, client: str, proven: ProvenAssertion) -> UseAssertion:
        return UseAssertion(self._tenant, secret_digest(f"{client}\n{proven.token_id}"), proven.expires)

    async def _bound(self, attested: Attested, client_id: str) -> Agent:
        """Do steps 2 and 3: return the one agent that has a binding to what was proven."""
        found = [
            agent
            for agent in await self._store.agents_bound(self._tenant, attested.workload)
            if any(matches(binding, attested) for binding in agent.bindings)
        ]
        if len(found) != 1:
            whose = "not bound to an agent" if not found else "bound to several agents"
            raise _refused(
                f"the workload `{attested.workload[:200]}` is {whose}",
                remediation="bind it to its agent with `remit agent bind`",
            )
        if client_id not in ("", found[0].name, attested.workload):
            raise _refused("the proven workload belongs to another client")
        return found[0]

    async def _of_document(self, address: str) -> Agent:
        for agent in await self._store.agents_bound(self._tenant, address):
            if ClientBinding(address) in agent.bindings:
                return agent
        raise _refused("this application is not registered")

    async def _document(self, address: str) -> ClientMetadata:
        # Before anything is fetched: at this endpoint an address that is not registered opens nothing.
        await self._of_document(address)
        try:
            return await self._documents.get(address, registered=True)
        except Malformed as error:
            raise _refused(error.message, remediation=error.remediation) from None

    async def _admit(self, agent: Agent, *changes: Change) -> Agent:
        """Step 4."""
        if not agent.usable:
            raise _refused(f"the agent is {agent.state.value}", remediation="ask its owner")
        if changes:
            try:
                await self._store.commit(Unit(changes))
            except Conflict:
                raise _refused("the client assertion was already used") from None
        return self._members.of_agent(agent)


def _keys_of(metadata: ClientMetadata) -> tuple[dict[str, str], ...]:
    """Return the keys of a metadata document that can sign assertions here; skip the others."""
    written = (metadata.jwks or {}).get("keys")
    if metadata.auth_method != "private_key_jwt" or not isinstance(written, list):
        raise _refused(
            "the client's metadata document contains no keys",
            remediation="add `jwks` with a P-256 or Ed25519 key, and `private_key_jwt`",
        )
    out = []
    for key in written[:MAX_KEYS]:
        try:
            out.append(checked_public_jwk({name: one for name, one in key.items() if isinstance(one, str)}))
        except (Malformed, AttributeError):
            continue
    return tuple(out)


def _check_now(leaf: Leaf, now: datetime) -> None:
    if not leaf.not_before <= now.astimezone(UTC) < leaf.not_after:
        raise _refused("the certificate is not valid now", remediation="renew it")


def _refused(
    message: str, remediation: str = "sign a new assertion with the registered key", debug: str = ""
) -> Unauthenticated:
    return Unauthenticated(message, code="invalid_client", remediation=remediation, debug=debug, step=1)
