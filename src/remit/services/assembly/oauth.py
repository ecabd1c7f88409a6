# SPDX-License-Identifier: Apache-2.0
"""Put the services behind `/oauth` together."""

from __future__ import annotations

from remit.services.assembly.people import PeopleServices
from remit.services.assembly.settings import Settings
from remit.services.identity.authenticator import Authenticator
from remit.services.oauth.access_tokens import AccessTokens
from remit.services.oauth.client_authentication import Clients
from remit.services.oauth.introspection import Introspection
from remit.services.oauth.jwt_bearer import IdentityAssertions
from remit.services.oauth.refresh_tokens import RefreshTokens
from remit.services.oauth.server import AuthorizationServer
from remit.services.oauth.token_exchange import TokenExchange
from remit.services.policy.bundle import Policies
from remit.services.tasks.live_tasks import LiveTasks
from remit.services.tasks.tasks import Tasks


def authorization_server(
    o: Settings,
    authenticator: Authenticator,
    live: LiveTasks,
    tasks: Tasks,
    policies: Policies,
    people: PeopleServices,
) -> AuthorizationServer:
    """Put the authorization server together."""
    tokens = AccessTokens(
        store=o.store,
        keys=o.keys.tokens,
        clock=o.clock,
        entropy=o.entropy,
        live=live,
        tenant=o.tenant,
        issuer=o.public_url,
        resources=authenticator.resources,
        ttl_s=o.token_ttl_s,
    )
    families = RefreshTokens(
        store=o.store,
        clock=o.clock,
        entropy=o.entropy,
        tokens=tokens,
        tickets=people.browsers.tickets,
        tenant=o.tenant,
        refresh_ttl_s=o.refresh_ttl_s,
    )
    introspection = Introspection(
        store=o.store,
        clock=o.clock,
        authenticator=authenticator,
        live=live,
        tokens=tokens,
        tenant=o.tenant,
        introspectors=o.introspectors | frozenset(o.enforcement_points),
    )
    return AuthorizationServer(
        clients=_clients(o, people),
        tokens=tokens,
        families=families,
        exchange=_exchange(o, authenticator, tokens, tasks),
        introspection=introspection,
        assertions=_assertions(o, policies, tasks, tokens),
    )


def _clients(o: Settings, people: PeopleServices) -> Clients:
    return Clients(
        store=o.store,
        clock=o.clock,
        attestors=o.attestors,
        documents=people.documents,
        members=o.members,
        tenant=o.tenant,
        issuer=o.public_url,
        leeway_s=o.leeway_s,
    )


def _exchange(o: Settings, authenticator: Authenticator, tokens: AccessTokens, tasks: Tasks) -> TokenExchange:
    return TokenExchange(
        store=o.store,
        clock=o.clock,
        authenticator=authenticator,
        tokens=tokens,
        tasks=tasks,
        members=o.members,
        tenant=o.tenant,
    )


def _assertions(o: Settings, policies: Policies, tasks: Tasks, tokens: AccessTokens) -> IdentityAssertions:
    return IdentityAssertions(
        store=o.store,
        issuers=o.issuers,
        policies=policies,
        tasks=tasks,
        tokens=tokens,
        members=o.members,
        tenant=o.tenant,
    )
