# SPDX-License-Identifier: Apache-2.0
"""The services for people in their browsers, and the identity providers, from the configuration."""

from __future__ import annotations

from remit.adapters.runtime.system import SystemClock
from remit.compose.fetching import guarded_fetch
from remit.config import Config
from remit.core.identity.admission import AdmissionRules
from remit.core.identity.principals import Role
from remit.ports.fetch import Fetch
from remit.services.identity.provisioning import IdentityProvider
from remit.services.people.assembly import PeopleSettings
from remit.services.people.connections import Connections
from remit.services.people.consents import ConsentRules
from remit.services.people.sessions import Entrance


def people_settings(config: Config, connections: Connections | None) -> PeopleSettings:
    """Return what holds for people at their browsers; `connections` keeps what they have let remit use."""
    return PeopleSettings(
        entrances=_entrances(config),
        browser_ttl_s=int(config.sign_in.browser_ttl_s),
        passkeys=config.sign_in.passkeys,
        consent=_consent_rules(config),
        connections=connections,
    )


def _entrances(config: Config) -> dict[str, Entrance]:
    """Return the identity providers for sign-in, with the rules that map their accounts to people here."""
    if not config.sign_in.oidc:
        return {}
    from remit.adapters.provider.oidc import OidcProvider

    out = {}
    for name, one in config.sign_in.oidc.items():
        provider = OidcProvider(
            one.issuer,
            client_id=one.client_id,
            clock=SystemClock(),
            client_secret=one.client_secret.resolve() if one.client_secret else "",
            scopes=one.scopes,
            ca_file=config.at(one.tls_ca) if one.tls_ca else None,
        )
        rules = AdmissionRules(
            person=one.person,
            domain=one.domain,
            require=dict(one.require),
            add_people=one.add_people,
            groups_claim=one.groups_claim,
            groups=dict(one.groups),
            roles={theirs: Role(ours) for theirs, ours in one.roles.items()},
        )
        out[name] = Entrance(title=one.title or name, provider=provider, rules=rules)
    return out


def _consent_rules(config: Config) -> ConsentRules:
    """Return the rules for tasks that people open in their browser."""
    return ConsentRules(
        fresh_s=int(config.sign_in.fresh_s),
        idle_s=int(config.sign_in.idle_s),
        self_service=config.sign_in.clients.self_service.groups,
        self_service_group=config.sign_in.clients.self_service.agent_group,
    )


def document_fetch_of(config: Config) -> Fetch | None:
    """Return the fetcher for the metadata documents of applications; `None` if they are not accepted."""
    clients = config.sign_in.clients
    if not clients.documents:
        return None
    return guarded_fetch(
        private=clients.private, ca_file=config.at(clients.tls_ca) if clients.tls_ca else None
    )


def identity_providers(config: Config) -> dict[str, IdentityProvider]:
    """Return the providers that create and end agents; raises `KeyUnavailable`."""
    return {
        name: IdentityProvider(
            name=name,
            prefix=one.prefix or f"{name}-",
            owner=one.owner,
            purpose=one.purpose,
            agent=one.agent,
            token=one.token.resolve() if one.token else "",
            constrained=one.sender_constraint == "required",
            agents=frozenset(one.agents),
            environment=one.environment,
            initiative=one.initiative,
            groups=one.groups,
            issuer=one.issuer,
        )
        for name, one in config.agents.scim.items()
    }
