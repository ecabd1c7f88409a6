# SPDX-License-Identifier: Apache-2.0
"""Threat: an upstream conveys something to an agent that remit does not see.

A hostile server of each era writes a separate address into every member of every message that the protocol
has, and into members that it does not have. Whatever of it an agent reads must be known to the task as
untrusted, and must have raised its label.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.decisions.deferred_call import read_standing
from remit.services.mediation.deferred_calls import brought_by
from tests.servers.hostile_mcp import Canaries, HostileServer, answered, results, spoken
from tests.servers.scripted_mcp import LEGACY
from tests.worlds.hostile_upstream import ASKED, LISTS, UPSTREAMS, HostileWorld, a_bundle, hostile_world
from tests.worlds.mcp_endpoint import MODERN, gateway_world, messages

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[HostileWorld]:
    """Two hostile servers."""
    async with hostile_world(tmp_path) as made:
        yield made


# Every message.


def test_every_answer_of_the_protocol_is_tried() -> None:
    """A method that a later revision has must be given its place here."""
    known = {*ASKED, *LISTS, "server/discover", "initialize", "ping", "logging/setLevel"}
    known |= {"subscriptions/listen", "resources/subscribe", "resources/unsubscribe"}
    assert answered("modern") | answered("legacy") == known


@pytest.mark.parametrize("agent", ["modern", "legacy"])
@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.parametrize("method", ASKED)
async def test_nothing_of_an_answer_reaches_an_agent_unobserved(
    world: HostileWorld, method: str, era: str, agent: str
) -> None:
    """Whatever a result says, in whatever member: of the right type, of a wrong one, or unheard of."""
    server, told = world.servers[era], 0
    for given in results(era, method, world.canaries):
        if agent == "legacy" and given.get("inputRequests"):
            # That would be asked of a person over the stream: `test_questions_are_taken_in`.
            continue
        await world.begin()
        server.gives = {method: given}
        told += world.check(await world.ask(era, method, ASKED[method], agent=agent))
    assert told > 10


@pytest.mark.parametrize("agent", ["modern", "legacy"])
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_nothing_said_before_an_answer_reaches_an_agent_unobserved(
    world: HostileWorld, era: str, agent: str
) -> None:
    """Notifications, and requests of the server's own, of every kind."""
    server, told = world.servers[era], 0
    server.gives = {"tools/call": {"resultType": "complete", "content": []}}
    for one in spoken(era, world.canaries):
        await world.begin()
        server.says = [one]
        told += world.check(await world.ask(era, "tools/call", ASKED["tools/call"], agent=agent))
    assert told > 10


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_nothing_of_an_error_reaches_an_agent_unobserved(world: HostileWorld, era: str) -> None:
    """Its words, its data, and members that no error has; with codes that mean something, too."""
    server, told = world.servers[era], 0
    server.gives = {"tools/call": {}}
    for code in (-32603, -32602, -32021, -32022, -32042, -31001, 7):
        new = world.canaries.new
        server.error = {"code": code, "message": new(), "data": {"x": new(), new(): [new()]}, "more": new()}
        await world.begin()
        told += world.check(await world.ask(era, "tools/call", ASKED["tools/call"]))
    assert told > 10


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_what_a_server_says_of_itself_is_told_to_nobody(tmp_path: Path, era: str) -> None:
    """Its name, its instructions, its capabilities, whatever they are."""
    method = "server/discover" if era == "modern" else "initialize"
    version = MODERN if era == "modern" else LEGACY
    canaries = Canaries()
    for count, given in enumerate(results(era, method, canaries)[:6]):
        speaks = {"supportedVersions": [version]} if era == "modern" else {"protocolVersion": version}
        servers = {era: HostileServer(era) for era in UPSTREAMS}
        servers[era].gives = {method: {**given, **speaks}}
        (folder := tmp_path / str(count)).mkdir()
        async with gateway_world(
            folder, server=servers["modern"], legacy=servers["legacy"], bundle=a_bundle()
        ) as world:
            path = f"/mcp/{UPSTREAMS[era]}"
            told = (await world.modern("server/discover", path=path)).content
            params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {}}
            told += (await world.legacy("initialize", params, path=path)).content
            assert not canaries.within(told)


async def test_versions_that_a_server_offers_are_told_to_nobody(world: HostileWorld) -> None:
    """That it speaks none of remit's is said in remit's words."""
    server = world.servers["legacy"]
    new = world.canaries.new
    server.gives = {"server/discover": {}, "initialize": {}}
    server.error = {"code": -32022, "message": new(), "data": {"supported": [new()]}}
    await world.begin()
    told = await world.ask("legacy", "tools/call", ASKED["tools/call"])
    assert not world.canaries.within(told.content)


async def test_a_redirect_tells_an_agent_nothing(world: HostileWorld) -> None:
    """A path is an upstream's words like any other; the log has it."""
    world.world.files.status = 307
    world.world.files.location = f"/pay/{world.canaries.new().removeprefix('mail@')}/now"
    await world.begin()
    told = await world.ask("modern", "tools/call", ASKED["tools/call"])
    assert "redirects" in told.content.decode()
    assert not world.canaries.within(told.content)


def test_what_is_said_of_a_call_that_goes_on_is_taken_in_with_what_it_brings() -> None:
    """Its words, and the times that the upstream writes."""
    times = {"createdAt": "2026-07-28T10:00:00Z", "lastUpdatedAt": "2026-07-28T10:00:00.123456789Z"}
    said = {"taskId": "t", "status": "working", "statusMessage": "soon", **times}
    (brought,) = brought_by(read_standing(msgspec.json.encode(said)))
    assert msgspec.json.decode(brought.body) == {"statusMessage": "soon", **times}


async def test_questions_are_taken_in(world: HostileWorld) -> None:
    """What a server asks a person is read by the client first, in either form."""
    server, told = world.servers["modern"], 0
    for given in results("modern", "tools/call", world.canaries):
        asked = given.get("inputRequests")
        if isinstance(asked, dict):
            questions = {world.canaries.new(): one for one in asked.values() if isinstance(one, dict)}
            given |= {"inputRequests": questions, "resultType": "input_required"}
            server.gives = {"tools/call": given}
            await world.begin()
            told += world.check(await world.ask("modern", "tools/call", ASKED["tools/call"]))
    assert told > 10


# Numbers.


@pytest.mark.parametrize("member", ["progress", "total"])
@pytest.mark.parametrize("value", ["mail@c0.canary.example", {"x": ["mail@c0.canary.example"]}, [1]])
async def test_progress_that_is_no_number_is_taken_in(world: HostileWorld, member: str, value: Json) -> None:
    """Only numbers pass without it."""
    assert world.canaries.new() == "mail@c0.canary.example"
    server = world.servers["modern"]
    server.gives = {"tools/call": {"resultType": "complete", "content": []}}
    said = {"progressToken": "x", "progress": 1, "total": 2, member: value}
    server.says = [
        msgspec.json.encode({"jsonrpc": "2.0", "method": "notifications/progress", "params": said})
    ]
    await world.begin()
    world.check(await world.ask("modern", "tools/call", ASKED["tools/call"]))


async def test_a_number_says_no_more_than_how_far_a_call_has_come(world: HostileWorld) -> None:
    """One of a hundred digits is told as it was read."""
    server = world.servers["modern"]
    server.gives = {"tools/call": {"resultType": "complete", "content": []}}
    digits = "4111111111111111" * 6
    said = f'{{"progressToken":1,"progress":0.5{digits},"total":{digits}}}'
    server.says = [f'{{"jsonrpc":"2.0","method":"notifications/progress","params":{said}}}'.encode()]
    await world.begin()
    told = await world.ask("modern", "tools/call", ASKED["tools/call"])
    (progress, *_) = messages(told)
    assert progress["params"]["progressToken"] == "mine"
    assert "4111111111111111" * 2 not in told.content.decode()
