# SPDX-License-Identifier: Apache-2.0
"""One identity per workload: detects a key, a token or an identity that two parties use.

Detectable: the address of a request; the instance that the client names in what it signs; the program and
user of a local peer; the manifest that an agent reports; the name that an MCP client gives itself. Not
detectable: two copies behind one address that both omit their instance, and two copies whose uses never
overlap in time. Replicas that share a SPIFFE ID are not reported: each has its own key.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec

from remit.core.findings.anomaly_rules import span
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import Agent, LastProof
from remit.core.identity.shared_identity import IdentityTrail, PlaceOfUse, PlacesOfUse, overlapping, place_of
from remit.core.identity.workload import Attested
from remit.core.json_value import Json
from remit.core.oauth.access_token import AccessClaims
from remit.ports.runtime import Clock
from remit.ports.store.changes import Change, PutLastProof, PutValue
from remit.ports.store.principals import PrincipalStore
from remit.ports.store.units import Unit
from remit.services.findings.findings import Findings

#: Two places count as in use if the first is seen again within this time, which exceeds the lifetime of
#: tokens.
WINDOW_S = 900.0
#: Seconds before an agent's proof is written again.
PROOF_AGAIN_S = 60.0
MAX_AGENTS = 10_000
#: Seconds before the uses of keys and tokens are written again, and their key, which ends in the writer.
USES_AGAIN_S = 15.0
USES: Final = "uses:"
_NOUNS: Final = {FindingKind.SHARED_KEY: "key", FindingKind.SHARED_TOKEN: "token"}


class _Told(msgspec.Struct, frozen=True):
    """What one process told of the uses that it saw."""

    writer: str
    uses: list[PlaceOfUse]


class SharedIdentities:
    """Follows keys, tokens and identities from place to place. For one event loop, with bounded memory."""

    def __init__(self, *, store: PrincipalStore, clock: Clock, findings: Findings, tenant: str) -> None:
        """Begin without sightings; those of keys and tokens from before a restart are in the store."""
        self._store = store
        self._clock = clock
        self._findings = findings
        self._tenant = tenant
        self._keys = IdentityTrail(WINDOW_S)
        self._tokens = IdentityTrail(WINDOW_S)
        self._programs = IdentityTrail(WINDOW_S)
        self._proofs: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._unwritten: dict[str, LastProof] = {}
        self._uses = PlacesOfUse()
        self._uses_due_s = 0.0

    def proved(
        self, agent: Agent, attested: Attested, *, instance: str = "", address: str = "", manifest: str = ""
    ) -> None:
        """Note, where a token is issued, that an agent has proven its identity; nothing waits.

        `instance` is the instance that the client names in what it signed, `manifest` the digest that it
        reports.
        """
        place = place_of(instance, address)
        about = f"agent:{agent.name}"
        for key in filter(None, (_key(attested), attested.confirmation.jkt, attested.confirmation.x5t_s256)):
            self._cross(self._keys, FindingKind.SHARED_KEY, about, "key", key, place)
        if attested.token_id and not _key(attested):
            named = f"{attested.workload} {attested.token_id}"[:200]
            self._cross(self._tokens, FindingKind.SHARED_TOKEN, about, "token", named, place)
        executable = str(attested.facts.get("executable_digest", ""))
        for word, program in (("executable", executable), ("manifest", manifest)):
            if program:
                where = f"{word} {program[:80]}"
                followed = f"{word} {attested.workload}"
                self._cross(
                    self._programs,
                    FindingKind.TWO_PROGRAMS,
                    about,
                    "workload",
                    attested.workload,
                    where,
                    followed=followed,
                )
        if manifest:
            self.manifest(agent, manifest)
        self._remember(agent, attested, place)

    def given(self, agent: str, spiffe_id: str, executable: str) -> None:
        """Note that a local program received a document of an agent's SPIFFE ID."""
        if agent and executable:
            self._cross(
                self._programs,
                FindingKind.TWO_PROGRAMS,
                f"agent:{agent}",
                "workload",
                spiffe_id,
                f"executable {executable}",
                followed=f"executable {spiffe_id}",
            )

    def shown(self, claims: AccessClaims, address: str) -> None:
        """Note that an access token was presented at an endpoint; from memory alone, for the path of each
        call. No address: a proxy names none, and all its senders would be one.
        """
        if address:
            about, place = f"agent:{claims.client_id}", place_of("", address)
            self._cross(self._tokens, FindingKind.SHARED_TOKEN, about, "token", claims.token_id, place)

    def program(self, claims: AccessClaims, client_info: Json) -> None:
        """Note the program that an MCP client reports (`clientInfo`).

        It uses memory alone, because it is on the path of each call. A client that reports nothing, or
        nothing readable, is not followed.
        """
        name = client_info.get("name") if isinstance(client_info, dict) else None
        if not isinstance(name, str) or not name:
            return
        where = f"client {name[:80]}"
        other = self._programs.see(f"client {claims.client_id}", where, self._clock.boot_s())
        if other:
            facts = {"workload": claims.client_id, "first": where, "second": other, "by": "client"}
            self._findings.notice(
                FindingKind.TWO_PROGRAMS, f"agent:{claims.client_id}", claims.client_id, facts
            )

    def manifest(self, agent: Agent, reported: str) -> None:
        """Note the manifest that an agent reports; one that differs from the registered manifest is a
        finding.
        """
        if agent.manifest_digest and reported != agent.manifest_digest:
            facts = {"registered": agent.manifest_digest, "reported": reported[:200]}
            self._findings.notice(
                FindingKind.MANIFEST_DRIFT, f"agent:{agent.name}", agent.manifest_digest, facts
            )

    def _cross(
        self,
        trail: IdentityTrail,
        kind: FindingKind,
        about: str,
        noun: str,
        name: str,
        place: str,
        *,
        followed: str = "",
    ) -> None:
        if not place:
            return
        if kind in _NOUNS:
            self._uses.note(kind.value, name, about, place, self._clock.now().timestamp())
        other = trail.see(followed or name, place, self._clock.boot_s())
        if other:
            facts: dict[str, Json] = {
                noun: name,
                "first": place,
                "second": other,
                "by": place.partition(" ")[0],
            }
            if kind in _NOUNS:
                facts["says"] = (
                    f"its {noun} was used at {place}, at {other} and there again within 15 minutes"
                )
            self._findings.notice(kind, about, name, facts)

    def _remember(self, agent: Agent, attested: Attested, place: str) -> None:
        now_s = self._clock.boot_s()
        known = self._proofs.get(agent.name)
        if known is not None and known[0] == attested.workload and now_s - known[1] < PROOF_AGAIN_S:
            return
        self._proofs.pop(agent.name, None)
        self._proofs[agent.name] = (attested.workload, now_s)
        if len(self._proofs) > MAX_AGENTS:
            self._proofs.popitem(last=False)
        proof = LastProof(
            tenant=self._tenant,
            agent=agent.name,
            at=self._clock.now(),
            method=attested.method.value,
            assurance=attested.assurance,
            workload=attested.workload,
            place=place,
        )
        self._unwritten[agent.name] = proof

    async def last_proof(self, agent: str) -> LastProof | None:
        """Return how an agent last proved its identity, as far as it is written."""
        return await self._store.last_proof(self._tenant, agent)

    async def last_proofs(self) -> dict[str, LastProof]:
        """Return how each agent last proved its identity, by its name."""
        return {one.agent: one for one in await self._store.last_proofs(self._tenant)}

    async def flush(self) -> None:
        """Write the sightings; those that cannot be written now are kept. For a background loop."""
        while self._unwritten:
            name, proof = next(iter(self._unwritten.items()))
            await self._store.commit(Unit((PutLastProof(proof),)))
            if self._unwritten.get(name) is proof:
                del self._unwritten[name]
        if self._uses.changed and self._clock.boot_s() >= self._uses_due_s:
            self._uses_due_s = self._clock.boot_s() + USES_AGAIN_S
            uses = self._uses.recent(self._clock.now().timestamp() - WINDOW_S)
            await self._store.commit(
                Unit((PutValue(self._tenant, USES + self._store.writer, self._told(uses)),))
            )
        await self._findings.flush()

    def _told(self, uses: list[PlaceOfUse]) -> Json:
        return {"writer": self._store.writer, "uses": msgspec.to_builtins(uses)}

    async def compare(self) -> None:
        """Find keys and tokens in use at two places, of which no single process has seen both.

        For a background loop of one replica. What processes that are gone have told is dropped in time.
        """
        since_s = self._clock.now().timestamp() - WINDOW_S
        told = msgspec.convert(await self._store.values(self._tenant, USES), list[_Told])
        for one, other in overlapping((use for each in told for use in each.uses), since_s):
            kind, noun = FindingKind(one.kind), _NOUNS[FindingKind(one.kind)]
            overlap_s = min(one.last, other.last) - max(one.first, other.first)
            says = f"its {noun} was used at {one.place} and at {other.place} for {span(overlap_s)} at once"
            by = other.place.partition(" ")[0]
            facts: dict[str, Json] = {noun: one.what, "first": other.place, "second": one.place, "by": by}
            self._findings.notice(kind, one.about, one.what, {**facts, "says": says})
        old: list[Change] = [
            PutValue(self._tenant, USES + each.writer, None)
            for each in told
            if all(use.last < since_s for use in each.uses)
        ]
        if old:
            await self._store.commit(Unit(tuple(old)))
        await self._findings.flush()


def _key(attested: Attested) -> str:
    """Return the key that identifies a workload; empty if a token or the kernel identifies it."""
    return attested.workload.removeprefix("jkt:") if attested.workload.startswith("jkt:") else ""
