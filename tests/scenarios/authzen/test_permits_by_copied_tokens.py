# SPDX-License-Identifier: Apache-2.0
"""Threat: an attacker has a copied token, of an enforcement point or of a task, and asks for permits with
it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from remit.core.identity.workload import Assurance, Confirmation
from remit.services.authzen.enforcement_points import EnforcementPoint
from tests.worlds.authzen import AuthzenWorld, asking, authzen_world

Json = Any

COPIED = Confirmation(jkt="c" * 43)


def point(**changes: Any) -> dict[str, EnforcementPoint]:
    """Return one enforcement point."""
    known: dict[str, Any] = {"resources": frozenset({"record"}), "agents": frozenset({"records-bot"})}
    return {"records-api": EnforcementPoint(name="records-api", **(known | changes))}


def facts_of(entry: Any) -> dict[str, Json]:
    """Return the event of an entry."""
    event: dict[str, Json] = json.loads(entry.leaf)
    return event


async def reason(world: AuthzenWorld, body: Json, token: str) -> str:
    """Return why an evaluation was refused, empty for a permit."""
    told = await world.ask("POST", "/access/v1/evaluation", body, by=token)
    assert told.status == 200, told.content
    return "" if told.json["decision"] else str(told.json["context"]["reason"])


async def test_a_copied_token_of_an_enforcement_point_brings_no_permit_to_change_anything(
    tmp_path: Path,
) -> None:
    """A bearer reads; what changes something needs its own key, and the record says so."""
    async with authzen_world(tmp_path, point(vouches=Assurance.KEY_BOUND)) as world:
        await world.begin("alice")
        copied = await world.agent_token("records-api", bound=False)
        assert not await reason(world, asking("alice", "read"), copied)
        assert await reason(world, asking("alice", "write"), copied) == "sender-constraint"
        own = await world.agent_token("records-api")
        assert not await reason(world, asking("alice", "write"), own)
        found = await world.services.evidence.log.pages(kinds=("decision.made",))
        said = [(one["facts"]["enforced_by"], one["facts"]["asked_with"]) for one in map(facts_of, found)]
        assert said == [("records-api", "bearer"), ("records-api", "bearer"), ("records-api", "mtls")]


async def test_a_site_may_lower_that_and_each_decision_says_so(tmp_path: Path) -> None:
    """`sender_constraint: optional` takes a bearer, and stands in the record."""
    points = point(vouches=Assurance.KEY_BOUND, constrained=False)
    async with authzen_world(tmp_path, points) as world:
        await world.begin("alice")
        copied = await world.agent_token("records-api", bound=False)
        assert not await reason(world, asking("alice", "write"), copied)
        found = await world.services.evidence.log.pages(kinds=("decision.made",))
        assert [facts_of(one)["facts"]["sender_constraint"] for one in found] == ["optional"]


async def test_a_bound_token_of_a_task_is_taken_from_those_alone_who_check_its_key(tmp_path: Path) -> None:
    """Who does not vouch for keys may have a copy of it: even to read it is refused."""
    for vouches, refused in ((None, True), (Assurance.FEDERATED_BEARER, True), (Assurance.KEY_BOUND, False)):
        folder = tmp_path / str(vouches)
        folder.mkdir()
        async with authzen_world(folder, point(vouches=vouches)) as world:
            task = await world.begin("alice")
            token = await world.signed_for(task, confirmation=COPIED)
            body = asking("alice", "read")
            body["subject"]["properties"] = {"access_token": token}
            said = await reason(world, body, await world.agent_token("records-api"))
            assert said == ("subject-unproven" if refused else "")


async def test_who_only_searches_keeps_no_task_from_ending(tmp_path: Path) -> None:
    """An evaluation is use; a search records nothing, and lets an unused task run out."""
    async with authzen_world(tmp_path, point(vouches=Assurance.KEY_BOUND)) as world:
        live = await world.services.tasks.live.load(await world.begin("alice"))
        live.idle_until_s = before = world.clock.boot_s() + 5
        live.task = msgspec.structs.replace(live.task, idle_s=100)
        search: dict[str, Json] = asking("alice", "read") | {"subject": {"type": "user"}}
        token = await world.agent_token("records-api")
        told = await world.ask("POST", "/access/v1/search/subject", search, by=token)
        assert [one["id"] for one in told.json["results"]] == ["alice"]
        assert live.idle_until_s == before
        assert not await reason(world, asking("alice", "read"), token)
        assert live.idle_until_s > before
