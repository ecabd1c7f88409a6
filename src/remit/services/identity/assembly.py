# SPDX-License-Identifier: Apache-2.0
"""Put the services of identity together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from remit.core.findings.kinds import FindingKind
from remit.core.identity.deployment import Deployment
from remit.core.keys.own_keys import KeyKind
from remit.core.oauth.resource import Resources
from remit.ports.adapters import Adapters
from remit.services.credentials.assembly import CredentialServices
from remit.services.decisions.assembly import DecisionServices
from remit.services.endings.assembly import EndingServices
from remit.services.findings.assembly import FindingServices
from remit.services.identity.attestation import Attestors
from remit.services.identity.authenticator import Authenticator
from remit.services.identity.directory import Directory
from remit.services.identity.keys import KeyRotations
from remit.services.identity.people import PersonAdministration
from remit.services.identity.provisioning import IdentityProvider, Provisioning
from remit.services.identity.svid_issuing import SvidIssuing
from remit.services.policy.bundle import Policies
from remit.services.separation.second_person import SecondPerson
from remit.services.tasks.assembly import TaskServices


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    """The attestors of workloads, and remit's own trust domain, if there is one.

    Findings of the kinds in `suspend_on` take their agent out of service, those in `end_on` end its tasks.
    Keys of a kind are replaced at the age in `key_periods`; a previous sealing key stays for `key_rest`.
    `providers` manage agents.
    """

    attestors: Attestors = field(default_factory=Attestors)
    issuing: SvidIssuing | None = None
    own_uid: int = -1
    session_ttl_s: int = 12 * 3600
    suspend_on: frozenset[FindingKind] = frozenset()
    end_on: frozenset[FindingKind] = frozenset()
    key_periods: Mapping[KeyKind, timedelta] = field(default_factory=dict)
    key_rest: timedelta = timedelta()
    providers: Mapping[str, IdentityProvider] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityServices:
    """Who agents and people are, and remit's own keys."""

    authenticator: Authenticator
    directory: Directory
    provisioning: Provisioning
    personnel: PersonAdministration
    rotations: KeyRotations
    attestors: Attestors
    issuing: SvidIssuing | None


def identity_services(
    adapters: Adapters,
    deployment: Deployment,
    settings: IdentitySettings,
    resources: Resources,
    policies: Policies,
    findings: FindingServices,
    credentials: CredentialServices,
    tasks: TaskServices,
    decisions: DecisionServices,
    endings: EndingServices,
    second: SecondPerson,
) -> IdentityServices:
    """Put them together."""
    store, clock, tenant = adapters.store, adapters.clock, deployment.tenant
    authenticator = Authenticator(
        store=store,
        keys=adapters.keys.tokens,
        clock=clock,
        entropy=adapters.entropy,
        tenant=tenant,
        issuer=deployment.public_url,
        resources=resources,
        session_ttl_s=settings.session_ttl_s,
        members=deployment.members,
    )
    directory = Directory(
        store=store,
        clock=clock,
        live=tasks.live,
        policies=policies,
        revocations=endings.revocations,
        findings=findings.findings,
        members=deployment.members,
        tenant=tenant,
        suspend_on=settings.suspend_on,
        end_on=settings.end_on,
    )
    personnel = PersonAdministration(
        store=store,
        clock=clock,
        directory=directory,
        authenticator=authenticator,
        revocations=endings.revocations,
        approvals=decisions.approvals,
        findings=findings.findings,
        second=second,
        tenant=tenant,
        second_person=deployment.second_person,
    )
    return IdentityServices(
        authenticator=authenticator,
        directory=directory,
        provisioning=_provisioning(adapters, deployment, settings, directory, findings, endings),
        personnel=personnel,
        rotations=_key_rotations(adapters, deployment, settings, credentials),
        attestors=settings.attestors,
        issuing=settings.issuing,
    )


def _provisioning(
    adapters: Adapters,
    deployment: Deployment,
    settings: IdentitySettings,
    directory: Directory,
    findings: FindingServices,
    endings: EndingServices,
) -> Provisioning:
    return Provisioning(
        directory=directory,
        revocations=endings.revocations,
        findings=findings.findings,
        members=deployment.members,
        clock=adapters.clock,
        providers=settings.providers,
        suspend_on=settings.suspend_on,
    )


def _key_rotations(
    adapters: Adapters, deployment: Deployment, settings: IdentitySettings, credentials: CredentialServices
) -> KeyRotations:
    rotations = KeyRotations(
        keys=adapters.keys,
        store=adapters.store,
        clock=adapters.clock,
        tenant=deployment.tenant,
        periods=settings.key_periods,
        rest=settings.key_rest,
    )
    rotations.events.rewrapping.append(credentials.leases.reseal)
    return rotations
