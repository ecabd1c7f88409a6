# SPDX-License-Identifier: Apache-2.0
"""Identity assertions at the token endpoint: an issuer states that an agent may act for a person.

The assertion is either an ID-JAG (draft-ietf-oauth-identity-assertion-authz-grant), in which the
organisation's provider states which agent may act for which person, or the person's ID token, which the
person got for remit and passed on.

1. its issuer is trusted for this use, and is believed in nothing else; its type, audience and times are valid
2. the client that shows it has proven its identity, and an ID-JAG was issued to this very client; it works
   once
3. its subject is a person here: the person that this issuer signs in
4. a task opens for that person, of a type that accepts this issuer's assertions, with the label that the
   assertion carries; or an open task is named. Where an ID-JAG names resources, the task permits nothing
   beyond them
"""

from __future__ import annotations

from remit.core.draft_names import ID_JAG_HEADER_TYPE
from remit.core.errors import Conflict, Malformed, Unauthenticated
from remit.core.identity.principals import Memberships, Person
from remit.core.oauth.access_token import label_in
from remit.ports.issuers import IssuedToken, IssuerUse, TrustedIssuers
from remit.ports.store.changes import UseAssertion
from remit.ports.store.sign_in import SignInStore
from remit.ports.store.units import Unit
from remit.services.identity.authenticator import secret_digest
from remit.services.oauth.access_tokens import AccessTokens
from remit.services.oauth.client_authentication import TokenClient
from remit.services.policy.bundle import Policies
from remit.services.tasks.live_tasks import LiveTask
from remit.services.tasks.opening_rules import Opening
from remit.services.tasks.tasks import Tasks


class IdentityAssertions:
    """Turns identity assertions into tasks."""

    def __init__(
        self,
        *,
        store: SignInStore,
        issuers: TrustedIssuers,
        policies: Policies,
        tasks: Tasks,
        tokens: AccessTokens,
        members: Memberships,
        tenant: str,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._issuers = issuers
        self._policies = policies
        self._tasks = tasks
        self._tokens = tokens
        self._members = members
        self._tenant = tenant

    async def task(
        self, client: TokenClient, assertion: str, *, task_type: str, mission: str, wanted: tuple[str, ...]
    ) -> tuple[LiveTask, tuple[str, ...]]:
        """Return the task of an assertion, and the resources that its token is for.

        The resources are those in `wanted`, else those that the assertion is limited to; none without a
        limit.

        Raises `Malformed` (code `invalid_grant` or `invalid_target`), `Forbidden`, `NotFound` or `Fenced`.
        """
        # Steps 1 and 2.
        try:
            shown = await self._issuers.verify(assertion, use=IssuerUse.ID_JAG, token_type=ID_JAG_HEADER_TYPE)
        except Unauthenticated as error:
            raise _bad(error.message, remediation=error.remediation, debug=error.code) from None
        if shown.claims.get("client_id") not in (client.client_id, client.agent.name):
            raise _bad("the assertion was issued to another client")
        if not shown.token_id:
            raise _bad("the assertion has no `jti`")
        limits = self._tokens.audience(_resources(shown))
        if limits and not set(wanted) <= set(limits):
            raise Malformed(
                "the assertion is for other resources",
                code="invalid_target",
                remediation="ask for a resource that the assertion names",
            )
        name = f"id-jag\n{shown.token_id}"
        live = await self._opened(client, shown, name, task_type, mission, limits)
        return live, wanted or limits

    async def of_person(
        self, client: TokenClient, id_token: str, *, task_type: str, mission: str
    ) -> LiveTask:
        """Return the task for the person of an ID token (RFC 8693 subject token); raises as `task` does."""
        try:
            shown = await self._issuers.verify(id_token, use=IssuerUse.PEOPLE)
        except Unauthenticated as error:
            raise _bad(error.message, remediation=error.remediation, debug=error.code) from None
        # The signed part without the signature: an ECDSA signature can be changed into a second valid one.
        signed = id_token.rpartition(".")[0]
        return await self._opened(client, shown, f"id-token\n{signed}", task_type, mission)

    async def _opened(
        self,
        client: TokenClient,
        shown: IssuedToken,
        name: str,
        task_type: str,
        mission: str,
        limits: tuple[str, ...] = (),
    ) -> LiveTask:
        try:
            carried = label_in(shown.claims)
        except Unauthenticated as error:
            raise _bad(error.message, debug=error.debug) from None
        # What another issuer assumes of its tools, descriptions here say nothing about.
        carried = carried and carried.known
        person = await self._person(shown)
        await self._use(shown, name)
        # Step 4.
        if mission:
            live = await self._tokens.bound(client.agent.name, mission)
            if live.task.on_behalf_of != person.name:
                raise _bad("the task is for another person than the assertion")
            return live
        opening = Opening(
            agent=client.agent.name,
            task_type=task_type or self._type(client, shown),
            on_behalf_of=person.name,
        )
        # INVARIANT: a limit of the token alone would be useless: its agent can ask for another token of the
        # task.
        within = self._tokens.resources.within(limits)
        task = await self._tasks.open(
            opening,
            person=person,
            agent=client.agent,
            issuer=shown.name,
            within=within,
            label=carried,
        )
        return await self._tokens.bound(client.agent.name, task.id)

    async def _person(self, shown: IssuedToken) -> Person:
        """Step 3."""
        link = await self._store.link(self._tenant, shown.issuer, shown.subject)
        person = await self._store.person(self._tenant, link.person) if link else None
        if person is None or not person.active:
            raise _bad(
                "the subject of the assertion is not known here",
                remediation="let that person sign in here once with the same provider",
            )
        return self._members.of_person(person)

    async def _use(self, shown: IssuedToken, name: str) -> None:
        mark = secret_digest(f"{shown.issuer}\n{name}")
        try:
            await self._store.commit(Unit((UseAssertion(self._tenant, mark, shown.expires),)))
        except Conflict:
            raise _bad("the assertion was already used") from None

    def _type(self, client: TokenClient, shown: IssuedToken) -> str:
        """Return the one task type that the agent may run on this issuer's assertion."""
        runs = {client.agent.name, *(f"group:{group}" for group in client.agent.groups)}
        found = [
            one.name
            for one in self._policies.applied.bundle.task_types.values()
            if f"issuer:{shown.name}" in one.requested_by and runs & set(one.run_by)
        ]
        if len(found) != 1:
            raise _bad(
                "no task type permits this issuer" if not found else "several task types permit this",
                remediation="add the `issuer:` to `requested_by` of a task type, or choose one with "
                "`task_type`",
            )
        return found[0]


def _resources(shown: IssuedToken) -> tuple[str, ...]:
    """Return the resources that an assertion names; none where it names none."""
    written = shown.claims.get("resource", ())
    found = [written] if isinstance(written, str) else written
    if not isinstance(found, list | tuple) or not all(isinstance(one, str) for one in found):
        raise _bad("the assertion's `resource` cannot be read")
    return tuple(found)


def _bad(message: str, remediation: str = "get a new assertion", debug: str = "") -> Malformed:
    return Malformed(message, code="invalid_grant", remediation=remediation, debug=debug)
