# SPDX-License-Identifier: Apache-2.0
"""Put together what serves people, at their browsers and elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from remit.core.identity.deployment import Deployment
from remit.core.oauth.client_metadata import LOOPBACK
from remit.ports.adapters import Adapters
from remit.services.endings.assembly import EndingServices
from remit.services.evidence.assembly import EvidenceServices
from remit.services.findings.assembly import FindingServices
from remit.services.identity.assembly import IdentityServices
from remit.services.oauth.server import AuthorizationServer
from remit.services.people.connections import Connections
from remit.services.people.consents import ConsentRules, Consents
from remit.services.people.delegations import Delegations
from remit.services.people.erasure import Erasure
from remit.services.people.passkeys import Passkeys
from remit.services.people.sessions import BrowserSessions, Entrance
from remit.services.policy.bundle import Policies
from remit.services.separation.sign_in_methods import SignInMethods
from remit.services.tasks.assembly import TaskServices
from remit.services.tools.assembly import ToolServices


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleSettings:
    """At which providers people sign in, for how long, and what they may agree to at their browser."""

    entrances: Mapping[str, Entrance] = field(default_factory=dict)
    browser_ttl_s: int = 12 * 3600
    passkeys: bool = True
    consent: ConsentRules = field(default_factory=ConsentRules)
    connections: Connections | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleServices:
    """Services for people; `origin` is the web origin of their pages."""

    origin: str
    browsers: BrowserSessions
    passkeys: Passkeys
    ways_in: SignInMethods
    consents: Consents
    delegations: Delegations
    forgetting: Erasure
    connections: Connections | None


def pages_of(public_url: str) -> str:
    """Return the origin of people's pages: remit's own, or `localhost` if remit's URL is a loopback address.

    A passkey is bound to a host name, and an IP address is not a host name.
    """
    parts = urlsplit(public_url)
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return "http://localhost" + (f":{parts.port}" if parts.port else "")
    return f"{parts.scheme}://{parts.netloc}"


def people_services(
    adapters: Adapters,
    deployment: Deployment,
    settings: PeopleSettings,
    policies: Policies,
    tools: ToolServices,
    findings: FindingServices,
    evidence: EvidenceServices,
    tasks: TaskServices,
    endings: EndingServices,
    identity: IdentityServices,
    oauth: AuthorizationServer,
) -> PeopleServices:
    """Put them together."""
    store, clock, tenant = adapters.store, adapters.clock, deployment.tenant
    origin = pages_of(deployment.public_url)
    browsers = _browsers(adapters, deployment, settings, findings, identity, oauth)
    delegations = Delegations(
        store=store,
        clock=clock,
        entropy=adapters.entropy,
        policies=policies,
        revocations=endings.revocations,
        members=deployment.members,
        tenant=tenant,
    )
    return PeopleServices(
        origin=origin,
        browsers=browsers,
        passkeys=_passkeys(adapters, deployment, settings, browsers, identity, origin),
        ways_in=SignInMethods(store=store, clock=clock, tenant=tenant),
        consents=Consents(
            store=store,
            clock=clock,
            documents=oauth.documents,
            tickets=oauth.tickets,
            tasks=tasks.tasks,
            tools=tools.registry,
            policies=policies,
            directory=identity.directory,
            revocations=endings.revocations,
            members=deployment.members,
            tenant=tenant,
            rules=settings.consent,
        ),
        delegations=delegations,
        forgetting=Erasure(
            store=store,
            clock=clock,
            evidence=evidence.log,
            delegations=delegations,
            revocations=endings.revocations,
            tenant=tenant,
        ),
        connections=settings.connections,
    )


def _browsers(
    adapters: Adapters,
    deployment: Deployment,
    settings: PeopleSettings,
    findings: FindingServices,
    identity: IdentityServices,
    oauth: AuthorizationServer,
) -> BrowserSessions:
    return BrowserSessions(
        store=adapters.store,
        clock=adapters.clock,
        entropy=adapters.entropy,
        authenticator=identity.authenticator,
        directory=identity.directory,
        members=deployment.members,
        tenant=deployment.tenant,
        entrances=settings.entrances,
        ttl_s=settings.browser_ttl_s,
        findings=findings.findings,
        second_person=deployment.second_person,
        tickets=oauth.tickets,
    )


def _passkeys(
    adapters: Adapters,
    deployment: Deployment,
    settings: PeopleSettings,
    browsers: BrowserSessions,
    identity: IdentityServices,
    origin: str,
) -> Passkeys:
    return Passkeys(
        store=adapters.store,
        clock=adapters.clock,
        entropy=adapters.entropy,
        authenticator=identity.authenticator,
        browsers=browsers,
        tenant=deployment.tenant,
        origin=origin,
        wanted=settings.passkeys,
    )
