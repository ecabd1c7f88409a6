# SPDX-License-Identifier: Apache-2.0
"""The resource type `Agent` (draft-wzdk-scim-agent-resource-00), and what this service supports."""

from __future__ import annotations

from typing import Annotated, Any, Final

from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    ETag,
    Filter,
    Meta,
    Mutability,
    Patch,
    Required,
    Resource,
    Schema,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)

from remit.core.identity.principals import Agent
from remit.services.identity.provisioning import IdentityProvider, ProposedAgent, version_of

#: The draft's names: its first version is of June 2026.
AGENT_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:Agent"
#: The most agents of one answer.
MAX_RESULTS: Final = 200


class AgentOwner(ComplexAttribute):
    """The person or team that is accountable for an agent; remit's configuration and people decide it."""

    value: Annotated[str | None, Mutability.read_only] = None
    display: Annotated[str | None, Mutability.read_only] = None


class AgentResource(Resource[Any]):
    """An agent, as an identity provider sees it."""

    __schema__ = URN(AGENT_SCHEMA)

    agent_user_name: Annotated[
        str | None, Required.true, Mutability.immutable, Uniqueness.server, CaseExact.true
    ] = None
    """Its name at the identity provider."""

    display_name: Annotated[str | None, Mutability.read_write] = None
    description: Annotated[str | None, Mutability.read_write] = None
    active: Annotated[bool | None, Mutability.read_write] = None
    """Whether it may act; `false` ends all that it does."""

    owners: Annotated[list[AgentOwner] | None, Mutability.read_only] = None

    @classmethod
    def to_schema(cls) -> Schema:
        """Return the schema under the draft's name."""
        return super().to_schema().model_copy(update={"name": "Agent"})


def resource_of(provider: IdentityProvider, agent: Agent) -> AgentResource:
    """Return an agent as its provider sees it."""
    told = provider.words(agent)
    return AgentResource(
        id=agent.name,
        external_id=(told and told.external_id) or None,
        agent_user_name=provider.local_name(agent),
        display_name=(told and told.display_name) or None,
        description=(told and told.description) or None,
        active=agent.usable,
        owners=[AgentOwner(value=agent.owner, display=agent.owner)],
        meta=Meta(
            resource_type="Agent",
            created=agent.created,
            last_modified=told.changed if told else agent.created,
            version=f'W/"{version_of(agent)}"',
        ),
    )


def proposed_by(resource: AgentResource) -> ProposedAgent:
    """Return what a provider says."""
    return ProposedAgent(
        name=resource.agent_user_name or "",
        external_id=resource.external_id or "",
        display_name=resource.display_name or "",
        description=resource.description or "",
        active=resource.active,
    )


def service() -> ScimProvider:
    """Return the description of the service."""
    return ScimProvider(
        models=[AgentResource],
        # The draft is young, and providers send more than we know of: it has no effect.
        policy=ScimPolicy(unknown=ScimPolicy.Unknown.ignore),
        config=ServiceProviderConfig(
            patch=Patch(supported=True),
            bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
            filter=Filter(supported=True, max_results=MAX_RESULTS),
            change_password=ChangePassword(supported=False),
            sort=Sort(supported=True),
            etag=ETag(supported=True),
            authentication_schemes=[
                AuthenticationScheme(
                    type=AuthenticationScheme.Type.oauthbearertoken,
                    name="OAuth 2.0 access token",
                    description="Bearer (RFC 6750), or with a DPoP proof (RFC 9449) or over mTLS (RFC 8705)",
                    primary=True,
                )
            ],
        ),
    )
