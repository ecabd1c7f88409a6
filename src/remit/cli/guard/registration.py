# SPDX-License-Identifier: Apache-2.0
"""Registers a client and its subagents as agents, in a remit that runs or in its store."""

from __future__ import annotations

import getpass

from remit.cli.guard.bundle import PURPOSE
from remit.config import Config, state_of
from remit.core.errors import StoreUnavailable, Unauthenticated
from remit_sdk.key import AgentKey


async def enrol(config: Config, names: list[str], person: str = "") -> str:
    """Register agents that are not known yet; return the person whose client it is.

    At a remit that runs, that is the signed-in person; raises `Unauthenticated` where there is none.
    """
    try:
        return await _in_store(config, names, person or getpass.getuser())
    except StoreUnavailable:
        return _where_it_runs(config, names)


async def _in_store(config: Config, names: list[str], person: str) -> str:
    from remit.compose import open_records
    from remit.core.identity.workload import KeyBinding
    from remit.services.identity.directory import NewAgent, NewPerson

    async with open_records(config) as services:
        directory = services.identity.directory
        by = f"os:{getpass.getuser()}"
        if await directory.find_person(person) is None:
            # The person who sets the guard up on their own machine answers for the client.
            await directory.add_person(NewPerson(name=person), by=by)
        for name in names:
            if await directory.find_agent(name) is None:
                binding = KeyBinding(_key(config, name).public_jwk)
                new = NewAgent(name=name, owner=person, purpose=PURPOSE, bindings=(binding,))
                await directory.register(new, by=by)
    return person


def _where_it_runs(config: Config, names: list[str]) -> str:
    from remit.cli.rest_client import connect

    try:
        client = connect()
        me = str(client.get("me")["name"])
        known = {one["name"] for one in client.get("agents")["items"]}
        for name in names:
            if name not in known:
                binding = {"type": "key", "jwk": dict(_key(config, name).public_jwk)}
                client.post("agents", name=name, owner=me, purpose=PURPOSE, bindings=[binding])
    except Unauthenticated as fault:
        fault.remediation = "stop `remit up` and install again, or sign in first with `remit login`"
        raise
    return me


def _key(config: Config, name: str) -> AgentKey:
    """Return the agent's key, where `remit wrap` keeps it too; make one if there is none."""
    place = state_of(config.folder) / "agents" / f"{name}.key.json"
    if place.exists():
        return AgentKey.load(place)
    key = AgentKey.generate()
    key.save(place)
    return key
