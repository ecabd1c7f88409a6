# SPDX-License-Identifier: Apache-2.0
"""What is wrong with declared servers, agents and tools."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from remit.core.discovery.declared import DeclaredAgent, DeclaredServer, DeclaredTool
from remit.core.discovery.discovered import MOST_PLACES, Discovered
from remit.core.discovery.servers.agent_judges import of_agents, of_servers_together
from remit.core.discovery.servers.server_judges import JudgedServer, judged_server
from remit.core.discovery.servers.server_program import program_of
from remit.core.discovery.servers.tool_judges import changed, poisoned, shadowed, unbounded

_HOME: Final = re.compile(r"(?:^|/)(?:home|Users)/([A-Za-z0-9][A-Za-z0-9._-]{0,60})(?:/|$)")
_NOT_PEOPLE: Final = frozenset(
    {"shared", "public", "runner", "vscode", "node", "ubuntu", "app", "user", "default", "guest"}
)


def server_findings(
    servers: Sequence[DeclaredServer],
    agents: Sequence[DeclaredAgent] = (),
    tools: Sequence[DeclaredTool] = (),
    *,
    governed: frozenset[str] = frozenset(),
    earlier: Mapping[str, str] | None = None,
) -> list[Discovered]:
    """Return the findings about servers, agents and tools, each once, with all of its places.

    `governed` are the names of agents and servers that remit knows. `earlier` are the digests of tools in an
    earlier scan (`tool_judges.tool_digests`).
    """
    found: list[Discovered] = []
    judged = [JudgedServer(server=one, program=program_of(one), owner=_owner(one)) for one in servers]
    for server in judged:
        found += judged_server(server, governed)
    found += of_servers_together([one for one in judged if one.server.name not in governed])
    found += of_agents([_owned(one) for one in agents], governed)
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
        out[one.id] = msgspec.structs.replace(first, places=places, owner=known.owner or one.owner)
    return list(out.values())


def _owner(server: DeclaredServer) -> str:
    return _person(server.place.file, server.project, server.command, *server.arguments)


def _owned(agent: DeclaredAgent) -> DeclaredAgent:
    return agent if agent.owner else msgspec.structs.replace(agent, owner=_person(agent.place.file))


def _person(*paths: str) -> str:
    """Return the person whose home the paths are in; empty where they name none, or several."""
    people = {found[1] for one in paths for found in _HOME.finditer(one.replace("\\", "/")[:1000])}
    people = {one for one in people if one.lower() not in _NOT_PEOPLE}
    return people.pop() if len(people) == 1 else ""
