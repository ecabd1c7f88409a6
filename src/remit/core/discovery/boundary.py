# SPDX-License-Identifier: Apache-2.0
"""What would cross the boundary of identity: declared agents that could read data, call tools or act.

Pure: files alone were read. An agent for which its files name no tool, server, credential or authority is not
told to cross; that it has none is not known.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

import msgspec

from remit.core.controls.programme import Initiative
from remit.core.discovery.declared import DeclaredAgent, DeclaredServer, DeclaredTool
from remit.core.discovery.discovered import FilePlace


class DeclaredApi(msgspec.Struct, frozen=True, kw_only=True):
    """An OpenAPI document: the names of operations that read, and of those that may change something.

    `left_out` operations could not be understood.
    """

    title: str
    place: FilePlace
    reads: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    left_out: int = 0


class DeclaredThings(msgspec.Struct, frozen=True, kw_only=True):
    """What files declare. `complete`: everything was read."""

    agents: tuple[DeclaredAgent, ...] = ()
    servers: tuple[DeclaredServer, ...] = ()
    tools: tuple[DeclaredTool, ...] = ()
    apis: tuple[DeclaredApi, ...] = ()
    unread: tuple[str, ...] = ()
    complete: bool = True


class BoundaryMeans(msgspec.Struct, frozen=True, kw_only=True):
    """What takes an agent across the boundary. `reads`: it is declared to change nothing."""

    says: str
    place: FilePlace
    reads: bool = False


class WouldCross(msgspec.Struct, frozen=True, kw_only=True):
    """An agent as its files declare it. Without `means` nothing in the files takes it across.

    `initiative` is the one that names it, if any. An API is told as an agent that is given it.
    """

    agent: str
    framework: str
    place: FilePlace
    initiative: Initiative | None = None
    owner: str = ""
    means: tuple[BoundaryMeans, ...] = ()
    credentials: tuple[str, ...] = ()
    governed: bool = False

    @property
    def crosses(self) -> bool:
        """Whether something takes it across."""
        return bool(self.means)

    @property
    def unannounced(self) -> bool:
        """Whether it would cross, and no sponsor has said that it does."""
        return self.crosses and (self.initiative is None or not self.initiative.acts)


class BoundaryReport(msgspec.Struct, frozen=True, kw_only=True):
    """What would cross, unannounced agents first."""

    base: str
    found: tuple[WouldCross, ...]
    unread: tuple[str, ...] = ()
    complete: bool = True

    @property
    def unannounced(self) -> list[WouldCross]:
        """The agents that would cross unannounced."""
        return [one for one in self.found if one.unannounced]


class _Draft(msgspec.Struct, kw_only=True):
    agent: str
    framework: str
    place: FilePlace
    owner: str = ""
    means: dict[str, BoundaryMeans] = {}
    credentials: dict[str, None] = {}
    governed: bool = True

    def by(self, says: str, place: FilePlace, *, reads: bool = False) -> None:
        self.means.setdefault(says, BoundaryMeans(says=says, place=place, reads=reads))


def would_cross(declared: DeclaredThings, initiatives: Iterable[Initiative], base: str) -> BoundaryReport:
    """Return what would cross: one entry for an agent of a folder, and one for an API."""
    drafts: dict[tuple[str, str], _Draft] = {}

    def draft(name: str, framework: str, place: FilePlace) -> _Draft:
        key = (name, posixpath.dirname(place.file))
        return drafts.setdefault(key, _Draft(agent=name, framework=framework, place=place))

    for agent in declared.agents:
        _of_agent(draft(agent.name, agent.framework, agent.place), agent, declared.tools)
    of_file = {agent.place.file: agent.name for agent in declared.agents}
    for server in declared.servers:
        if not server.disabled:
            # Code names servers without a client: they are those of the agent in the same file.
            owner = server.agent or (of_file.get(server.place.file, "") if server.client == "mcp" else "")
            _of_server(draft(owner or server.client, server.client, server.place), server)
    for api in declared.apis:
        _of_api(draft(api.title, "OpenAPI", api.place), api)
    members = {agent: one for one in initiatives for agent in one.agents}
    found = [
        WouldCross(
            agent=one.agent,
            framework=one.framework,
            place=one.place,
            initiative=members.get(one.agent),
            owner=one.owner,
            means=tuple(one.means.values()),
            credentials=tuple(one.credentials),
            governed=one.governed,
        )
        for one in drafts.values()
    ]
    found.sort(key=lambda one: (not one.unannounced, not one.crosses, one.place, one.agent))
    return BoundaryReport(base=base, found=tuple(found), unread=declared.unread, complete=declared.complete)


def _of_agent(draft: _Draft, agent: DeclaredAgent, tools: Iterable[DeclaredTool]) -> None:
    read_only = {
        one.name
        for one in tools
        if one.place.file == agent.place.file and one.annotations.get("readOnlyHint") is True
    }
    for tool in agent.tools:
        draft.by(f"tool {tool}", agent.place, reads=tool in read_only)
    for server in agent.servers:
        draft.by(f"MCP server {server}", agent.place)
    for authority in agent.authority:
        draft.by(f"setting {authority}", agent.place)
    if agent.credentials:
        draft.by(f"credential {agent.credentials[0]}", agent.place)
    draft.credentials |= dict.fromkeys(agent.credentials)
    draft.owner = draft.owner or agent.owner
    draft.governed = draft.governed and agent.governed


def _of_server(draft: _Draft, server: DeclaredServer) -> None:
    draft.by(f"MCP server {server.name}", server.place)
    draft.credentials |= dict.fromkeys((*server.environment, *server.headers))
    draft.governed = draft.governed and server.governed


def _of_api(draft: _Draft, api: DeclaredApi) -> None:
    for name in api.acts:
        draft.by(f"operation {name}", api.place)
    for name in api.reads:
        draft.by(f"operation {name}", api.place, reads=True)
    if api.left_out:
        draft.by(f"{api.left_out} operations that were not understood", api.place)
    draft.governed = False
