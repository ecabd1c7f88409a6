# SPDX-License-Identifier: Apache-2.0
"""Build the authorization server."""

from __future__ import annotations

from dataclasses import dataclass

from remit.core.identity.deployment import Deployment
from remit.ports.adapters import Adapters
from remit.services.identity.assembly import IdentityServices
from remit.services.identity.attestation import Attestors
from remit.services.identity.one_time_codes import OneTimeCodes
from remit.services.oauth.access_tokens import AccessTokens
from remit.services.oauth.client_authentication import Clients
from remit.services.oauth.client_metadata import ClientDocuments
from remit.services.oauth.dpop_replay import DpopReplay
from remit.services.oauth.introspection import Introspection
from remit.services.oauth.jwt_bearer import IdentityAssertions
from remit.services.oauth.presented_tokens import PresentedTokens
from remit.services.oauth.refresh_tokens import RefreshTokens
from remit.services.oauth.server import AuthorizationServer
from remit.services.oauth.token_exchange import TokenExchange
from remit.services.policy.bundle import Policies
from remit.services.tasks.assembly import TaskServices


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSettings:
    """How long tokens are good for, in seconds, and the agents that may introspect those of others."""

    token_ttl_s: int = 300
    refresh_ttl_s: int = 8 * 3600
    proof_age_s: int = 300
    leeway_s: int = 5
    introspectors: frozenset[str] = frozenset()


def authorization_server(
    adapters: Adapters,
    deployment: Deployment,
    settings: TokenSettings,
    attestors: Attestors,
    identity: IdentityServices,
    policies: Policies,
    tasks: TaskServices,
    points: frozenset[str],
) -> AuthorizationServer:
    """Return the authorization server; enforcement `points` may introspect, too."""
    store, clock, entropy, tenant = adapters.store, adapters.clock, adapters.entropy, deployment.tenant
    tokens = _access_tokens(adapters, deployment, settings, identity, tasks)
    documents = ClientDocuments(adapters.document_fetch, clock)
    tickets = OneTimeCodes(store, clock, entropy, tenant)
    proofs = DpopReplay(clock, entropy, max_age_s=settings.proof_age_s)
    return AuthorizationServer(
        clients=_clients(adapters, deployment, settings, attestors, documents),
        tokens=tokens,
        families=RefreshTokens(
            store=store,
            clock=clock,
            entropy=entropy,
            tokens=tokens,
            tickets=tickets,
            tenant=tenant,
            refresh_ttl_s=settings.refresh_ttl_s,
        ),
        exchange=_exchange(adapters, deployment, identity, tokens, tasks),
        introspection=Introspection(
            store=store,
            clock=clock,
            authenticator=identity.authenticator,
            live=tasks.live,
            tokens=tokens,
            tenant=tenant,
            introspectors=settings.introspectors | points,
        ),
        assertions=_assertions(adapters, deployment, policies, tokens, tasks),
        documents=documents,
        tickets=tickets,
        proofs=proofs,
        presented=PresentedTokens(identity.authenticator, proofs),
    )


def _access_tokens(
    adapters: Adapters,
    deployment: Deployment,
    settings: TokenSettings,
    identity: IdentityServices,
    tasks: TaskServices,
) -> AccessTokens:
    return AccessTokens(
        store=adapters.store,
        keys=adapters.keys.tokens,
        clock=adapters.clock,
        entropy=adapters.entropy,
        live=tasks.live,
        tenant=deployment.tenant,
        issuer=deployment.public_url,
        resources=identity.authenticator.resources,
        ttl_s=settings.token_ttl_s,
    )


def _clients(
    adapters: Adapters,
    deployment: Deployment,
    settings: TokenSettings,
    attestors: Attestors,
    documents: ClientDocuments,
) -> Clients:
    return Clients(
        store=adapters.store,
        clock=adapters.clock,
        attestors=attestors,
        documents=documents,
        members=deployment.members,
        tenant=deployment.tenant,
        issuer=deployment.public_url,
        leeway_s=settings.leeway_s,
    )


def _exchange(
    adapters: Adapters,
    deployment: Deployment,
    identity: IdentityServices,
    tokens: AccessTokens,
    tasks: TaskServices,
) -> TokenExchange:
    return TokenExchange(
        store=adapters.store,
        clock=adapters.clock,
        authenticator=identity.authenticator,
        tokens=tokens,
        tasks=tasks.tasks,
        members=deployment.members,
        tenant=deployment.tenant,
    )


def _assertions(
    adapters: Adapters,
    deployment: Deployment,
    policies: Policies,
    tokens: AccessTokens,
    tasks: TaskServices,
) -> IdentityAssertions:
    return IdentityAssertions(
        store=adapters.store,
        issuers=adapters.issuers,
        policies=policies,
        tasks=tasks.tasks,
        tokens=tokens,
        members=deployment.members,
        tenant=deployment.tenant,
    )
