# SPDX-License-Identifier: Apache-2.0
"""What is wrong with declared servers, agents and tools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from remit.core.discovery.declared import DeclaredAgent, DeclaredServer, DeclaredTool
from remit.core.discovery.discovered import MOST_PLACES, Discovered
from remit.core.discovery.owners import HomeFolders, one_owner
from remit.core.discovery.servers.agent_judges import of_agents, of_servers_together
from remit.core.discovery.servers.server_judges import JudgedServer, judged_server
from remit.core.discovery.servers.server_program import program_of
from remit.core.discovery.servers.tool_judges import changed, poisoned, shadowed, unbounded


def server_findings(
    servers: Sequence[DeclaredServer],
    agents: Sequence[DeclaredAgent] = (),
    tools: Sequence[DeclaredTool] = (),
    *,
    governed: frozenset[str] = frozenset(),
    earlier: Mapping[str, str] | None = None,
    homes: HomeFolders | None = None,
) -> list[Discovered]:
    """Return the findings about servers, agents and tools, each once, with all of its places.

    `governed` are the names of agents and servers that remit knows. `earlier` are the digests of tools in an
    earlier scan (`tool_judges.tool_digests`).
    """
    found: list[Discovered] = []
    homes = homes or HomeFolders()
    judged = [JudgedServer(server=one, program=program_of(one), owner=_owner(one, homes)) for one in servers]
    for server in judged:
        found += judged_server(server, governed)
    found += of_servers_together([one for one in judged if one.server.name not in governed])
    found += of_agents([_owned(one, homes) for one in agents], governed)
    every = _each_once((*tools, *(tool for one in servers for tool in one.tools)))
    for tool in every:
        found += [one for one in (poisoned(tool), changed(tool, earlier or {})) if one is not None]
    found += shadowed(every)
    found += unbounded(every)
    return _joined(found)


def _each_once(tools: Iterable[DeclaredTool]) -> list[DeclaredTool]:
    return list({(one.place, one.server, one.name): one for one in tools}.values())


def _joined(found: Iterable[Discovered]) -> list[Discovered]:
    """Return findings of one id as one, with the places of all; the most severe says what it is."""
    out: dict[str, Discovered] = {}
    for one in found:
        known = out.get(one.id)
        if known is None:
            out[one.id] = one
            continue
        first = one if one.weight.rank < known.weight.rank else known
        places = tuple(dict.fromkeys((*known.places, *one.places)))[:MOST_PLACES]
        owner = one_owner((known.owner, one.owner))
        out[one.id] = msgspec.structs.replace(first, places=places, owner=owner)
    return list(out.values())


def _owner(server: DeclaredServer, homes: HomeFolders) -> str:
    file = server.place.file
    return homes.person_of(file) or homes.person_of(server.project, server.command, *server.arguments)


def _owned(agent: DeclaredAgent, homes: HomeFolders) -> DeclaredAgent:
    owner = agent.owner or homes.person_of(agent.place.file)
    return msgspec.structs.replace(agent, owner=owner)
