# SPDX-License-Identifier: Apache-2.0
"""Findings: observations that no record explains, and deliveries of scans that make some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.discovery.discovered import Discovered
from remit.core.errors import NotFound
from remit.core.findings.finding import Finding, FindingState, basis_of
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.findings.meanings import FINDING_MEANINGS
from remit.core.identity.principals import Role
from remit.core.json_value import Json
from remit.services.discovery.assembly import DiscoveryServices
from remit.services.discovery.deliveries import MOST_OF_PART, DeliveryReceipt, ScanPart
from remit.services.discovery.proofs import ProofOutcome
from remit.services.findings.assembly import FindingServices
from remit.services.identity.assembly import IdentityServices
from remit.services.identity.permissions import Duty, may, require, see_finding


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRooms:
    """The rooms that these endpoints work with."""

    findings: FindingServices
    identity: IdentityServices
    discovery: DiscoveryServices


class FindingView(View, frozen=True, kw_only=True):
    """A finding, with the meaning of its kind and the remediation."""

    id: str
    kind: FindingKind
    about: str
    says: str
    remediation: str
    facts: dict[str, Json]
    first_seen: Moment
    last_seen: Moment
    count: int
    state: FindingState
    severity: Severity
    owner: str
    controls: tuple[str, ...]
    scopes: tuple[str, ...]
    resolved: Moment | None
    resolved_by: str
    resolution: str
    until: Moment | None
    proven: Moment | None
    basis: str


class FindingFilter(Body, frozen=True, kw_only=True):
    """Filter for findings; `about` as `agent:name` or `person:name`."""

    about: str = ""
    state: FindingState | None = FindingState.OPEN
    kind: FindingKind | None = None
    severity: Severity | None = None
    owner: Annotated[str, msgspec.Meta(max_length=200)] = ""


class Resolving(Body, frozen=True, kw_only=True):
    """How a finding was resolved."""

    resolution: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=2000, pattern=r"\S")]


Basis = Annotated[str, msgspec.Meta(max_length=100)]


class Accepting(Body, frozen=True, kw_only=True):
    """Why the risk of a finding is taken, and until when.

    `basis` is that of the finding as it was shown: the answer is refused if it has changed materially since.
    """

    reason: Reason
    until: Moment
    basis: Basis = ""


class Rejecting(Body, frozen=True, kw_only=True):
    """Why a finding is false; `basis` as for an acceptance."""

    reason: Reason
    basis: Basis = ""


class Explaining(Body, frozen=True, kw_only=True):
    """Why a finding is a question again."""

    reason: Reason


class Proving(Body, frozen=True, kw_only=True):
    """The exposed secret, which is tried and not kept; `at` names the upstream where several could be meant.

    `compared`: the caller has compared the secret's fingerprint with the finding's.
    """

    secret: Annotated[str, msgspec.Meta(min_length=1, max_length=16_384)]
    at: Annotated[str, msgspec.Meta(max_length=200)] = ""
    compared: bool = False


class ProofPlaceView(View, frozen=True, kw_only=True):
    """Where a secret would be tried, and as which account."""

    at: str
    place: str
    account: str


class ProofPlaceQuery(Body, frozen=True, kw_only=True):
    """The upstream, where several could be meant."""

    at: Annotated[str, msgspec.Meta(max_length=200)] = ""


class SecretProofView(View, frozen=True, kw_only=True):
    """What an attempt with a secret showed, and the finding afterwards."""

    outcome: ProofOutcome
    at: str
    account: str
    finding: FindingView


def finding_view(finding: Finding) -> FindingView:
    """Return the public representation of a finding."""
    meaning = FINDING_MEANINGS[finding.kind]
    given = set(FindingView.__struct_fields__) - {"says", "remediation", "controls", "scopes", "basis"}
    return FindingView(
        **{name: getattr(finding, name) for name in given},
        says=meaning.says,
        remediation=meaning.remediation,
        controls=meaning.controls,
        scopes=tuple(finding.scopes),
        basis=basis_of(finding),
    )


async def _visible(errand: RestRequest[FindingRooms], finding: Finding) -> bool:
    agent = await errand.rooms.identity.directory.find_agent(finding.agent) if finding.agent else None
    return see_finding(finding, agent, errand.someone)


async def listed(errand: RestRequest[FindingRooms]) -> Items[FindingView]:
    """Return findings, most recently seen first; without a role, only those about the caller's agents."""
    wanted: FindingFilter = errand.query
    kinds, severity = (wanted.kind,) if wanted.kind else (), wanted.severity
    findings = errand.rooms.findings.findings
    if may(errand.someone, Duty.OVERSEE):
        found = await findings.about(wanted.about, wanted.state, kinds, severity=severity, owner=wanted.owner)
    else:
        agents = await errand.rooms.identity.directory.agents()
        own = [one.name for one in agents if one.owned_by(errand.someone)]
        names = [one for one in own if wanted.about in ("", f"agent:{one}")]
        found = await findings.about_agents(names, wanted.state, kinds, severity=severity, owner=wanted.owner)
    return Items(tuple(finding_view(one) for one in found))


async def _finding(errand: RestRequest[FindingRooms]) -> Finding:
    found = await errand.rooms.findings.findings.get(errand.place["id"])
    if not await _visible(errand, found):
        raise NotFound(f"finding `{found.id}` does not exist", remediation="see `remit finding list`")
    return found


async def shown(errand: RestRequest[FindingRooms]) -> FindingView:
    """Return a finding."""
    return finding_view(await _finding(errand))


async def resolve(errand: RestRequest[FindingRooms]) -> FindingView:
    """Mark a finding as resolved."""
    wanted: Resolving = errand.body
    found = await _finding(errand)
    require(errand.someone, Duty.ADMINISTER)
    return finding_view(
        await errand.rooms.findings.findings.resolve(found.id, by=errand.by, resolution=wanted.resolution)
    )


async def accept(errand: RestRequest[FindingRooms]) -> FindingView:
    """Accept a finding until a time."""
    wanted: Accepting = errand.body
    found = await _finding(errand)
    require(errand.someone, Duty.ADMINISTER)
    return finding_view(
        await errand.rooms.findings.findings.accept(
            found.id, by=errand.by, reason=wanted.reason, until=wanted.until, basis=wanted.basis
        )
    )


async def reject(errand: RestRequest[FindingRooms]) -> FindingView:
    """Mark a finding as false."""
    wanted: Rejecting = errand.body
    found = await _finding(errand)
    require(errand.someone, Duty.ADMINISTER)
    return finding_view(
        await errand.rooms.findings.findings.reject(
            found.id, by=errand.by, reason=wanted.reason, basis=wanted.basis
        )
    )


async def reopen(errand: RestRequest[FindingRooms]) -> FindingView:
    """Open a finding again."""
    wanted: Explaining = errand.body
    found = await _finding(errand)
    require(errand.someone, Duty.ADMINISTER)
    return finding_view(
        await errand.rooms.findings.findings.reopen(found.id, by=errand.by, reason=wanted.reason)
    )


async def proof_place(errand: RestRequest[FindingRooms]) -> ProofPlaceView:
    """Return where the secret of a finding would be tried; tries nothing."""
    wanted: ProofPlaceQuery = errand.query
    found = await _finding(errand)
    require(errand.someone, Duty.ADMINISTER)
    probe, account = await errand.rooms.discovery.proofs.place_for(found, wanted.at)
    return ProofPlaceView(at=f"upstream:{probe.upstream}", place=probe.place, account=account)


async def prove(errand: RestRequest[FindingRooms]) -> SecretProofView:
    """Try the secret of a finding, and settle the finding if it is refused."""
    wanted: Proving = errand.body
    found = await _finding(errand)
    require(errand.someone, Duty.ADMINISTER)
    proof = await errand.rooms.discovery.proofs.prove(
        found.id, wanted.secret, by=errand.by, upstream=wanted.at, compared=wanted.compared
    )
    after = await errand.rooms.findings.findings.get(found.id)
    return SecretProofView(
        outcome=proof.outcome, at=proof.at, account=proof.account, finding=finding_view(after)
    )


class Delivering(Body, frozen=True, kw_only=True):
    """A part of a scan, counted from 0.

    `last` ends the scan. `complete`: everything of the scope was read, and what the scope no longer sees is
    fixed. The same part may be sent again.
    """

    scope: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    scan: Annotated[str, msgspec.Meta(min_length=8, max_length=80)]
    found: Annotated[tuple[Discovered, ...], msgspec.Meta(max_length=MOST_OF_PART)] = ()
    part: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0
    last: bool = True
    complete: bool = False


class DeliveryView(View, frozen=True, kw_only=True):
    """What a part has changed."""

    scope: str
    scan: str
    opened: int
    fixed: int


class ScopeView(View, frozen=True, kw_only=True):
    """A scanned scope, and who delivers into it."""

    name: str
    by: str
    scans: int


async def deliver(errand: RestRequest[FindingRooms]) -> DeliveryView:
    """Take a part of a scan from a person with a role, or from an agent that the configuration names."""
    wanted: Delivering = errand.body
    deliveries = errand.rooms.discovery.deliveries
    if errand.agent is not None:
        deliveries.admit(errand.agent.name, wanted.scope)
    every = errand.person is None or Role.ADMINISTRATOR in errand.person.roles
    part = ScanPart(**{name: getattr(wanted, name) for name in ScanPart.__struct_fields__})
    receipt: DeliveryReceipt = await deliveries.take(part, by=errand.by, every_scope=every)
    return DeliveryView(scope=receipt.scope, scan=receipt.scan, opened=receipt.opened, fixed=receipt.fixed)


async def scopes(errand: RestRequest[FindingRooms]) -> Items[ScopeView]:
    """Return the scopes that were scanned."""
    found = await errand.rooms.discovery.deliveries.scopes()
    return Items(tuple(ScopeView(name=one.name, by=one.by, scans=one.newest) for one in found))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/findings",
        summary="List open findings (or those of another state); without a role, about one's own agents",
        serve=listed,
        people=Duty.OWN,
        asks=FindingFilter,
        gives=Items[FindingView],
    ),
    Endpoint(
        method="GET",
        path="/api/v1/findings/{id}",
        summary="Show a finding",
        serve=shown,
        people=Duty.OWN,
        gives=FindingView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/findings/{id}/resolve",
        summary="Mark a finding as resolved; if it is seen again, it opens again",
        serve=resolve,
        people=Duty.OWN,
        takes=Resolving,
        gives=FindingView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/findings/{id}/accept",
        summary="Accept a finding until a time; it opens again then, or when its facts change materially",
        serve=accept,
        people=Duty.OWN,
        takes=Accepting,
        gives=FindingView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/findings/{id}/false",
        summary="Mark a finding as false; it opens again when its facts change materially",
        serve=reject,
        people=Duty.OWN,
        takes=Rejecting,
        gives=FindingView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/findings/{id}/reopen",
        summary="Open a finding again",
        serve=reopen,
        people=Duty.OWN,
        takes=Explaining,
        gives=FindingView,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/findings/{id}/proof",
        summary="Show where the secret of a finding would be tried; tries nothing",
        serve=proof_place,
        people=Duty.OWN,
        asks=ProofPlaceQuery,
        gives=ProofPlaceView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/findings/{id}/proof",
        summary="Try the exposed secret of a finding at its place in the configuration; it is not kept",
        serve=prove,
        people=Duty.OWN,
        takes=Proving,
        gives=SecretProofView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/discoveries",
        summary="Deliver what a scan found",
        serve=deliver,
        people=Duty.DELIVER,
        agents=True,
        takes=Delivering,
        gives=DeliveryView,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/discoveries",
        summary="List the scanned scopes",
        serve=scopes,
        people=Duty.OVERSEE,
        gives=Items[ScopeView],
    ),
)
