# SPDX-License-Identifier: Apache-2.0
"""Consent: a person states what an application shall do for them, and that opens the task for it.

Consent is not remembered: each authorization is one task, with its own end.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from remit.core.errors import Conflict, Forbidden, Malformed, RemitError
from remit.core.evidence.event import Event
from remit.core.evidence.events.people import ConsentDenied, ConsentGiven
from remit.core.identity.principals import Agent, Memberships, Person
from remit.core.identity.workload import ClientBinding
from remit.core.json_value import Json
from remit.core.oauth.client_metadata import (
    ClientMetadata,
    check_redirect,
    host_of,
    is_client_address,
    redirect_registered,
)
from remit.core.oauth.one_time_code import AuthorizationRequest, ConsentCode
from remit.core.policy.bundle import Bundle
from remit.core.tasks.task import TaskState, TaskType
from remit.core.tools.tool import Tier
from remit.ports.runtime import Clock
from remit.ports.store.changes import Change
from remit.ports.store.principals import PrincipalStore
from remit.ports.store.units import Unit
from remit.services.endings.ending import Endings
from remit.services.identity.directory import Directory, NewAgent
from remit.services.identity.one_time_codes import OneTimeCodes
from remit.services.oauth.client_metadata import ClientDocuments
from remit.services.people.offers import Offer, offer_of
from remit.services.people.sessions import BrowserSeat
from remit.services.policy.bundle import Policies
from remit.services.tasks.tasks import Opening, Tasks
from remit.services.tools.pinned_tools import ToolCatalogue

#: Lifetime of a code: RFC 9700 and RFC 6749 section 4.1.2 require it to be short.
CODE = timedelta(seconds=60)
#: The highest tier for an agent that only a consenting person has vouched for.
SELF_SERVICE_TIER = Tier.ASSISTANT


class ConsentRules(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of consent. Times in seconds."""

    fresh_s: int = 900
    idle_s: int = 1800
    self_service: tuple[str, ...] = ()
    self_service_group: str = "self-service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """The requesting application, and its agent here; `None` where no agent is registered for it.

    `metadata` is the application's own document at its address; `None` where it has authenticated as an
    agent.
    """

    client_id: str
    agent: Agent | None
    metadata: ClientMetadata | None = None

    @property
    def host(self) -> str:
        """The host of the application's address, which people see as its origin; empty without an address."""
        return self.metadata.host if self.metadata else ""

    @property
    def vouched(self) -> bool:
        """Whether the application's redirect addresses are vouched for here.

        A registered application publishes its addresses; an application that pushes its requests names any
        address.
        """
        return self.agent is not None and self.metadata is not None

    @property
    def title(self) -> str:
        """The application's name for display."""
        return (self.metadata.name if self.metadata else "") or (self.agent.name if self.agent else self.host)


class Consents:
    """Reports what an application may be granted, and grants it with a person's consent."""

    def __init__(
        self,
        *,
        store: PrincipalStore,
        clock: Clock,
        documents: ClientDocuments,
        tickets: OneTimeCodes,
        tasks: Tasks,
        tools: ToolCatalogue,
        policies: Policies,
        directory: Directory,
        revocations: Endings,
        members: Memberships,
        tenant: str,
        rules: ConsentRules,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._documents = documents
        self._tickets = tickets
        self._tasks = tasks
        self._tools = tools
        self._policies = policies
        self._directory = directory
        self._revocations = revocations
        self._members = members
        self._tenant = tenant
        self.rules = rules

    async def applicant(self, client_id: str, pushed_by: str = "") -> Applicant:
        """Return the requesting application; raises `Malformed` (code `invalid_client`) where it is unknown.

        An application with an address is known by its document. Any other application must have pushed its
        request and have authenticated by that (RFC 9126 section 2.4: then its redirect addresses need no
        registration).
        """
        if is_client_address(client_id):
            agent = await self._agent_of(client_id)
            metadata = await self._documents.get(client_id, registered=agent is not None)
        else:
            # It may have named itself by a SPIFFE ID: the identity that it has proven counts.
            metadata, agent = None, await self._store.agent(self._tenant, pushed_by) if pushed_by else None
            if agent is None:
                raise Malformed(
                    "this application is unknown",
                    code="invalid_client",
                    remediation="use a client ID metadata document, or push the request as a registered "
                    "agent",
                )
        if agent is not None and not agent.usable:
            raise Malformed(f"agent `{agent.name}` is {agent.state.value}", code="invalid_client")
        return Applicant(
            client_id=client_id,
            agent=self._members.of_agent(agent) if agent else None,
            metadata=metadata,
        )

    def check_redirect(self, applicant: Applicant, redirect_uri: str) -> str:
        """Return the address that answers to the application may go to; raises `Malformed`."""
        check_redirect(redirect_uri)
        if applicant.metadata and not redirect_registered(redirect_uri, applicant.metadata.redirect_uris):
            raise Malformed(
                "the application has not published this redirect address",
                code="redirect-uri",
                remediation="use an exact redirect address of its metadata document",
            )
        return redirect_uri

    def offers(
        self, applicant: Applicant, person: Person, request: AuthorizationRequest
    ) -> tuple[Offer, ...]:
        """Return the task types that the person may state and the application may run.

        Of the grants of a type, only the requested tools and upstreams are offered. A type that grants none
        of them is not offered.
        """
        tools, upstreams = request.tools, request.upstreams
        bundle = self._policies.applied.bundle
        agent = applicant.agent
        if agent is None:
            if not set(person.groups) & set(self.rules.self_service):
                return ()
            runs, capped = {f"group:{self.rules.self_service_group}"}, True
        else:
            runs = {agent.name, *(f"group:{group}" for group in agent.groups)}
            capped = self.rules.self_service_group in agent.groups
        states = {person.name, *(f"group:{group}" for group in person.groups)}
        found = (
            offer_of(one, self._tools.get, tools, upstreams, _taken(one, agent, person, bundle))
            for _, one in sorted(bundle.task_types.items())
            if runs & set(one.run_by) and states & set(one.requested_by)
        )
        whole = tools is None and upstreams is None
        offered = (one for one in found if one.permissions or (whole and not one.type.grants))
        return tuple(one for one in offered if not capped or one.tier <= SELF_SERVICE_TIER)

    async def agree(
        self,
        request: AuthorizationRequest,
        applicant: Applicant,
        seat: BrowserSeat,
        *,
        offer: Offer,
        params: Mapping[str, Json],
        goal: str,
        pushed: str = "",
    ) -> str:
        """Open the task and return the code with which the application fetches its tokens.

        1. The consenting person has authenticated recently enough for what the task can do.
        2. An application without a registered agent becomes an agent, for which this person answers.
        3. The task opens, with the intent in the person's words.
        4. The pushed request is used up and the code stored, in one commit; if another answer was first, the
           task ends.
        """
        # Step 1.
        if offer.sensitive and not seat.fresh(self._clock.now(), self.rules.fresh_s):
            raise Forbidden("sign in again to agree to this", code="not-fresh", remediation="sign in again")
        # Step 2.
        agent = applicant.agent or await self._register(applicant, seat.person)
        # Step 3.
        agreed_tools = None if request.tools is None else tuple(one.tool for one in offer.permissions)
        task = await self._tasks.open(
            Opening(
                agent=agent.name,
                task_type=offer.type.name,
                goal=goal,
                params=dict(params),
                plan=agreed_tools,
                on_behalf_of=seat.person.name,
                idle_s=self.rules.idle_s,
            ),
            person=seat.person,
            within=request.upstreams,
            # What the person did not agree to is not granted; a plan alone could be extended.
            tools=agreed_tools,
        )
        # Step 4.
        code, keep = self._tickets.make(_stands_for(request, seat, agent.name, task.id), CODE)
        changes: tuple[Change, ...] = (keep,)
        if pushed:
            changes = (self._tickets.use(pushed, task.id), keep)
        given = ConsentGiven(
            client=request.client_id,
            redirect=host_of(request.redirect_uri),
            task=task.id,
            registered=applicant.agent is None,
            person=seat.person.name,
        )
        try:
            await self._store.commit(Unit(changes, (self._event(given, agent.name, task.id),)))
        except RemitError:
            await self._revocations.end_task(
                task.id, reason="its code could not be issued", by="remit", state=TaskState.REVOKED
            )
            raise
        return code

    async def deny(
        self, request: AuthorizationRequest, applicant: Applicant, seat: BrowserSeat, pushed: str = ""
    ) -> None:
        """Record that a person did not agree; a pushed request is used up."""
        changes = (self._tickets.use(pushed, "denied"),) if pushed else ()
        name = applicant.agent.name if applicant.agent else ""
        denied = ConsentDenied(
            client=request.client_id, redirect=host_of(request.redirect_uri), person=seat.person.name
        )
        event = self._event(denied, name)
        try:
            await self._store.commit(Unit(changes, (event,)))
        except Conflict:
            return  # it was answered before: there is nothing left to refuse

    async def _agent_of(self, address: str) -> Agent | None:
        for agent in await self._store.agents_bound(self._tenant, address):
            if ClientBinding(address) in agent.bindings:
                return agent
        return None

    async def _register(self, applicant: Applicant, person: Person) -> Agent:
        if not set(person.groups) & set(self.rules.self_service):
            raise Forbidden(
                "this application is not registered", remediation="ask an administrator to register it"
            )
        new = NewAgent(
            name=_agent_name(applicant.client_id),
            owner=person.name,
            purpose=f"interactive application of {applicant.host}",
            groups=(self.rules.self_service_group,),
            bindings=(ClientBinding(applicant.client_id),),
        )
        try:
            return self._members.of_agent(await self._directory.register(new, by=person.name))
        except Conflict:
            # Another person agreed to it at the same moment, and answers for it now.
            found = await self._agent_of(applicant.client_id)
            if found is None:
                raise
            return self._members.of_agent(found)

    def _event(self, body: ConsentGiven | ConsentDenied, agent: str, task: str = "") -> Event:
        return Event.of(
            body,
            at=self._clock.now(),
            tenant=self._tenant,
            task=task,
            agent=agent,
            subject=body.person,
        )


def _stands_for(request: AuthorizationRequest, seat: BrowserSeat, agent: str, task: str) -> ConsentCode:
    return ConsentCode(
        client_id=request.client_id,
        redirect_uri=request.redirect_uri,
        code_challenge=request.code_challenge,
        agent=agent,
        person=seat.person.name,
        task=task,
        resource=request.resource,
        scope=request.scope,
        dpop_jkt=request.dpop_jkt,
        authenticated=seat.authenticated,
    )


def _agent_name(client_id: str) -> str:
    host = re.sub(r"[^a-z0-9.-]", "-", host_of(client_id).lower())[:48].strip("-.")
    return f"{host or 'client'}-{hashlib.sha256(client_id.encode()).hexdigest()[:8]}"


def _taken(task_type: TaskType, agent: Agent | None, person: Person, bundle: Bundle) -> frozenset[str]:
    """Return the tools that ceilings take from a type; a new agent is owned by the person who consents."""
    names = dict.fromkeys(grant.tool for grant in task_type.grants)
    cuts = bundle.ceilings.cuts(
        agent=agent.name if agent else "",
        owner=agent.owner if agent else person.name,
        people=(person.name,),
        tools=(bundle.tool(*name.split("/", 1)) for name in names),
    )
    return frozenset(cut.tool for cut in cuts)
