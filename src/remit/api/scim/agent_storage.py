# SPDX-License-Identifier: Apache-2.0
"""The agents of one identity provider, as the storage of a SCIM server."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from scim2_models import (
    InvalidValueException,
    NotFoundException,
    PatchOp,
    PreconditionFailedException,
    Resource,
    ResourceType,
    ResponseParameters,
    SearchRequest,
    UniquenessException,
)
from scim2_server.conditions import Conditions, opaque_tag
from scim2_server.handler import AsyncScimHandler
from scim2_server.service import ScimService
from scim2_server.storage import AsyncScimStorage, SearchPage

from remit.api.scim.agent_resource import AgentResource, proposed_by, resource_of
from remit.core.errors import ChangedMeanwhile, Conflict, NotFound
from remit.services.identity.provisioning import IdentityProvider, Provisioning

#: Agents that are compared with a filter before others get a turn.
_AT_ONCE: Final = 64
#: A greater number than JSON's readers agree on is no index.
_MAX_INDEX: Final = 2**31
_TAKEN: Final = "`agentUserName` or `externalId` is taken, or was; choose another one"


class AgentStorage(AsyncScimStorage):
    """Reads and writes the agents that one provider sees."""

    def __init__(self, provisioning: Provisioning, provider: IdentityProvider) -> None:
        """Take the agents, and the provider that asks."""
        self._provisioning = provisioning
        self._provider = provider

    async def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Resource[Any]:
        """Return an agent."""
        try:
            return resource_of(self._provider, await self._provisioning.agent(self._provider, resource_id))
        except NotFound as error:
            raise NotFoundException(detail=str(error)) from None

    async def search(
        self,
        resource_types: list[ResourceType],
        search_request: SearchRequest[Any],
        *,
        position: Any = None,
    ) -> SearchPage:
        """Return one page of the matching agents, by name unless they are sorted."""
        wanted = search_request.filter
        if (search_request.start_index_0 or 0) > _MAX_INDEX:
            raise InvalidValueException(detail="`startIndex` is too large")
        found = []
        for number, agent in enumerate(await self._provisioning.agents(self._provider)):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            one = resource_of(self._provider, agent)
            if wanted is None or wanted.match(one):
                found.append(one)
        if search_request.sort_by is not None:
            keyed = [(search_request.sort_value(one), one) for one in found]
            falling = search_request.sort_order == SearchRequest.SortOrder.descending
            keyed.sort(key=lambda pair: (pair[0] is None, pair[0] or "", pair[1].id), reverse=falling)
            found = [one for _, one in keyed]
        first = search_request.start_index_0 or 0
        last = None if search_request.count is None else first + search_request.count
        return SearchPage(len(found), list(found[first:last]))

    async def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        """Register an agent."""
        assert isinstance(resource, AgentResource)
        try:
            agent = await self._provisioning.create(self._provider, proposed_by(resource))
        except Conflict:
            # Who has the name, or the identity, is not for the provider.
            raise UniquenessException(detail=_TAKEN) from None
        return resource_of(self._provider, agent)

    async def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        """Change an agent; a deactivation returns after what the agent did has ended everywhere."""
        assert isinstance(resource, AgentResource)
        try:
            agent = await self._provisioning.update(
                self._provider, resource.id or "", proposed_by(resource), _opaque(expected_version)
            )
        except ChangedMeanwhile as error:
            raise PreconditionFailedException(detail=str(error)) from None
        except NotFound as error:
            raise NotFoundException(detail=str(error)) from None
        except Conflict as error:
            if error.code != "workload-taken":
                raise
            raise UniquenessException(detail=_TAKEN) from None
        return resource_of(self._provider, agent)

    async def delete(
        self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None
    ) -> None:
        """Retire an agent; return after what it did has ended everywhere."""
        try:
            await self._provisioning.delete(self._provider, resource_id, _opaque(expected_version))
        except ChangedMeanwhile as error:
            raise PreconditionFailedException(detail=str(error)) from None
        except NotFound as error:
            raise NotFoundException(detail=str(error)) from None


class AgentEndpoint(AsyncScimHandler):
    """Has what a provider says of `active` heard also where it changes nothing.

    The handler of the library writes no resource that stays the same, and two may suspend one agent.
    """

    def __init__(self, protocol: ScimService, provisioning: Provisioning, provider: IdentityProvider) -> None:
        """Take the protocol, the agents, and the provider that asks."""
        super().__init__(protocol, AgentStorage(provisioning, provider))
        self._provisioning = provisioning
        self._provider = provider

    async def patch_resource(
        self, resource_type: ResourceType, resource_id: str, patch_op: PatchOp[Any], conditions: Conditions
    ) -> Resource[Any]:
        """Apply a PATCH."""
        trial = (await self.storage.get(resource_type, resource_id)).model_copy(update={"active": True})
        patch_op.patch(trial)
        done = await super().patch_resource(resource_type, resource_id, patch_op, conditions)
        return await self._suspended(resource_type, done, trial)

    async def replace_resource(
        self,
        resource_type: ResourceType,
        current: Resource[Any],
        replacement: Resource[Any],
        conditions: Conditions,
    ) -> Resource[Any]:
        """Apply a PUT."""
        done = await super().replace_resource(resource_type, current, replacement, conditions)
        return await self._suspended(resource_type, done, replacement)

    async def _suspended(
        self, resource_type: ResourceType, done: Resource[Any], said: Resource[Any]
    ) -> Resource[Any]:
        if not isinstance(said, AgentResource) or said.active is not False:
            return done
        await self._provisioning.suspend_too(self._provider, done.id or "")
        return await self.storage.get(resource_type, done.id or "")


def _opaque(version: str | None) -> str | None:
    return None if version is None else opaque_tag(version)
