# SPDX-License-Identifier: Apache-2.0
"""What serves people at their browsers, put together for the authorization server's pages."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from remit.core.oauth.client_metadata import LOOPBACK
from remit.services.assembly.settings import Settings
from remit.services.decisions.approvals import Approvals
from remit.services.endings.ending import Endings
from remit.services.findings.findings import Findings
from remit.services.identity.authenticator import Authenticator
from remit.services.identity.directory import Directory
from remit.services.identity.people import PersonAdministration
from remit.services.oauth.client_metadata import ClientDocuments
from remit.services.people.connections import Connections
from remit.services.people.consents import Consents
from remit.services.people.passkeys import Passkeys
from remit.services.people.sessions import BrowserSessions
from remit.services.policy.bundle import Policies
from remit.services.separation.sign_in_methods import SignInMethods
from remit.services.tasks.tasks import Tasks
from remit.services.tools.pinned_tools import ToolCatalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleServices:
    """Services for people; `origin` is where their pages are."""

    origin: str
    documents: ClientDocuments
    browsers: BrowserSessions
    passkeys: Passkeys
    ways_in: SignInMethods
    consents: Consents
    connections: Connections | None = None


def pages_of(public_url: str) -> str:
    """Return the origin of people's pages: that of remit, but `localhost` for this machine by its address.

    A passkey belongs to a host by name, and an address is no name.
    """
    parts = urlsplit(public_url)
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return "http://localhost" + (f":{parts.port}" if parts.port else "")
    return f"{parts.scheme}://{parts.netloc}"


def people_of(
    o: Settings,
    authenticator: Authenticator,
    directory: Directory,
    tasks: Tasks,
    tools: ToolCatalogue,
    policies: Policies,
    revocations: Endings,
    findings: Findings,
) -> PeopleServices:
    """Put them together, of what a process has and the services that they work with."""
    origin = pages_of(o.public_url)
    documents = ClientDocuments(o.document_fetch, o.clock)
    browsers = BrowserSessions(
        store=o.store,
        clock=o.clock,
        entropy=o.entropy,
        authenticator=authenticator,
        directory=directory,
        members=o.members,
        tenant=o.tenant,
        entrances=o.entrances,
        ttl_s=o.browser_ttl_s,
        findings=findings,
        second_person=o.second_person,
    )
    passkeys = Passkeys(
        store=o.store,
        clock=o.clock,
        entropy=o.entropy,
        authenticator=authenticator,
        browsers=browsers,
        tenant=o.tenant,
        origin=origin,
        wanted=o.passkeys,
    )
    consents = Consents(
        store=o.store,
        clock=o.clock,
        documents=documents,
        tickets=browsers.tickets,
        tasks=tasks,
        tools=tools,
        policies=policies,
        directory=directory,
        revocations=revocations,
        members=o.members,
        tenant=o.tenant,
        rules=o.consent,
    )
    return PeopleServices(
        origin=origin,
        documents=documents,
        browsers=browsers,
        passkeys=passkeys,
        ways_in=SignInMethods(store=o.store, clock=o.clock, tenant=o.tenant),
        consents=consents,
        connections=o.connections,
    )


def personnel_of(
    o: Settings,
    authenticator: Authenticator,
    directory: Directory,
    revocations: Endings,
    approvals: Approvals,
    findings: Findings,
) -> PersonAdministration:
    """Put together what changes who people are."""
    return PersonAdministration(
        store=o.store,
        clock=o.clock,
        directory=directory,
        authenticator=authenticator,
        revocations=revocations,
        approvals=approvals,
        findings=findings,
        tenant=o.tenant,
        second_person=o.second_person,
    )
