# SPDX-License-Identifier: Apache-2.0
"""Threat: many large requests at once, each within its bound, fill memory or keep others out."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest

from remit.core.errors import Busy
from remit.core.identity.workload import KeyBinding
from remit.gateway.asgi import counting
from remit.services.identity.directory import NewAgent
from remit.services.limits.request_bodies import SMALL, VALUE_BYTES, Bodies, FairShare
from tests.worlds.calls import KEYS
from tests.worlds.http_endpoint import rest_world
from tests.worlds.mcp_endpoint import BASIC, GatewayWorld, a_bundle, gateway_world
from tests.worlds.services import LOOPBACK, service_world
from tests.worlds.signals import PUSH_TOKEN, signals_world

Json = Any
MOST = 1_000_000
PIECE = b" " * 100_000


class Sending:
    """A request whose body has come in part, and goes on coming for as long as one waits."""

    def __init__(
        self,
        asgi: Any,
        path: str,
        headers: dict[str, str],
        piece: bytes = PIECE,
        *,
        client: str = LOOPBACK,
        **scope: Json,
    ) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.content = b""
        self._pieces = [piece]
        self._all_read = asyncio.Event()
        made = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": (client, 1),
        } | scope
        self._task = asyncio.create_task(asgi(made, self._receive, self._send))

    async def settled(self) -> Self:
        """Wait until its piece was read, or it was answered."""
        done = asyncio.create_task(self._all_read.wait())
        await asyncio.wait((self._task, done), return_when=asyncio.FIRST_COMPLETED)
        done.cancel()
        return self

    async def give_up(self) -> None:
        """Hang up."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _receive(self) -> dict[str, Json]:
        if self._pieces:
            return {"type": "http.request", "body": self._pieces.pop(), "more_body": True}
        self._all_read.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def _send(self, message: MutableMapping[str, Json]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        self.content += message.get("body", b"")


@asynccontextmanager
async def many(
    asgi: Any, path: str, headers: dict[str, str], count: int, **more: Json
) -> AsyncIterator[list[Sending]]:
    """So many requests at once, none of which ends."""
    sending = [await Sending(asgi, path, headers, **more).settled() for _ in range(count)]
    try:
        yield sending
    finally:
        for one in sending:
            await one.give_up()


def refused(sending: list[Sending]) -> list[Sending]:
    """Return those that were told to come again, and how."""
    found = [one for one in sending if one.status]
    for one in found:
        assert (one.status, one.headers["retry-after"]) == (503, "1")
        assert b"wait for answers, and send less at once" in one.content or b"temporarily" in one.content
    return found


# The law.


def test_one_alone_has_half_and_the_more_are_greedy_the_less_each_has() -> None:
    """Something is left for the next party, however many were greedy before."""
    share = FairShare(1_000)
    for party in range(9):
        while share.take(f"greedy {party}", 1):
            pass
        assert share.used < share.most
        if not party:
            assert share.used == 500
    assert share.take("next", 1)


def test_what_is_given_back_is_free() -> None:
    """All of it, of strangers and of those who turned out to be known; done twice, it is given back once."""
    bodies = Bodies(MOST)
    one, other = bodies.begin("192.0.2.1"), bodies.begin("192.0.2.2")
    for body in (one, other):
        body.arrived(b"x" * 10_000)
    assert (bodies.all.used, bodies.strangers.used) == (20_000, 20_000 - 2 * SMALL)
    one.of("bot")
    one.of("bot")
    assert (bodies.all.used, bodies.strangers.used) == (20_000, 10_000 - SMALL)
    for body in (one, other, one):
        body.end()
    assert (bodies.all.used, bodies.strangers.used) == (0, 0)


def test_what_is_refused_holds_no_more_than_before() -> None:
    """Also where those who are not known have room left and all together have none."""
    bodies = Bodies(100_000)
    body = bodies.begin("192.0.2.1")
    with pytest.raises(Busy):
        body.arrived(b"x" * 20_000)
    assert (bodies.all.used, bodies.strangers.used) == (0, 0)
    for party, size in (("bot", 49_000), ("mate", 24_000), ("third", 12_000)):
        known = bodies.begin("192.0.2.2")
        known.of(party)
        known.arrived(b"x" * size)
    body = bodies.begin("192.0.2.4")
    with pytest.raises(Busy):
        body.arrived(b"x" * 8_000)
    assert bodies.all.used == 85_000
    body.end()
    assert bodies.strangers.used == 0


def test_small_bodies_of_strangers_do_not_stand_in_each_others_way() -> None:
    """Behind a proxy all callers have one address: a caller that uses its full share leaves others their
    tokens.
    """
    bodies = Bodies(MOST)
    assert until_busy(bodies, 60_000) == 2
    for _ in range(20):
        bodies.begin("192.0.2.1").arrived(b"x" * SMALL)
    assert until_busy(bodies, SMALL) > 50
    assert bodies.all.used <= MOST // 2


def until_busy(bodies: Bodies, size: int) -> int:
    """Return how many bodies of a size one address may send at once."""
    for count in range(1_000):
        try:
            bodies.begin("192.0.2.1").arrived(b"x" * size)
        except Busy:
            return count
    raise AssertionError("there is no end of them")


def test_small_values_count_for_what_they_become() -> None:
    """A text of brackets is twenty times as large when it is read; as a stranger's it is never read so."""
    bodies = Bodies(MOST)
    body = bodies.begin(LOOPBACK)
    body.arrived(b"[]," * 2_000)
    assert bodies.all.used == 6_000
    body.of("bot")
    assert bodies.all.used == 6_000 + 4_000 * VALUE_BYTES


# The endpoints.


async def two_agents(folder: Path) -> AsyncIterator[tuple[GatewayWorld, str]]:
    """Two agents at the MCP endpoint."""
    bundle = a_bundle()
    types = {
        name: msgspec.structs.replace(one, run_by=("bot", "mate")) for name, one in bundle.task_types.items()
    }
    async with gateway_world(folder, bundle=msgspec.structs.replace(bundle, task_types=types)) as world:
        new = NewAgent(name="mate", owner="lena", purpose="works", bindings=(KeyBinding({**KEYS["other"]}),))
        await world.services.identity.directory.register(new, by="root")
        yield world, (await world.open(agent="mate"))[1]


both = asynccontextmanager(two_agents)


async def test_an_agent_that_sends_without_end_leaves_room_for_others(tmp_path: Path) -> None:
    """At the MCP endpoint: it is told to come again, another agent calls as ever, and all is free then."""
    async with both(tmp_path) as (world, other):
        bodies = Bodies(MOST)
        asgi = world.endpoint = counting(world.endpoint, bodies)  # type: ignore[assignment]
        headers = {**BASIC, "authorization": f"Bearer {world.token}"}
        async with many(asgi, "/mcp/files", headers, 12) as sending:
            assert len(refused(sending)) == 7
            assert bodies.all.used == MOST // 2
            assert (await world.call("echo", {"text": "ok " + "x" * 50_000}, token=other)).status == 200
            assert (await world.call("echo", {"text": "ok"})).status == 503
            assert bodies.all.used == MOST // 2
        assert bodies.all.used == 0
        assert (await world.call("echo", {"text": "ok"})).status == 200
        assert bodies.all.used == 0


async def test_a_body_of_brackets_is_not_read_twice_at_once(tmp_path: Path) -> None:
    """Its bytes are few, and what it becomes is not."""
    async with both(tmp_path) as (world, _):
        asgi = counting(world.endpoint, Bodies(10_000_000))
        headers = {**BASIC, "authorization": f"Bearer {world.token}"}
        async with many(asgi, "/mcp/files", headers, 3, piece=b"[]," * 20_000) as sending:
            assert [one.status for one in sending] == [0, 503, 503]


async def test_an_api_is_not_filled_up_with_requests(tmp_path: Path) -> None:
    """The HTTP endpoint; the API sees nothing of it."""
    async with rest_world(tmp_path) as world:
        bodies = Bodies(MOST)
        asgi = counting(world.endpoint, bodies)
        headers = {"authorization": f"Bearer {world.token}", "content-type": "application/json"}
        async with many(asgi, "/http/shop/payments", headers, 8) as sending:
            assert len(refused(sending)) == 3
        assert bodies.all.used == 0
        assert world.api.seen == []


async def test_a_person_leaves_room_for_others(tmp_path: Path) -> None:
    """At the interface; agents and people are counted by name, wherever they come from."""
    async with service_world(tmp_path) as world:
        bodies = Bodies(MOST)
        lena, leo = await world.session("lena"), await world.session("leo")
        world.asgi = counting(world.asgi, bodies)  # type: ignore[assignment]
        headers = {"authorization": f"Bearer {lena}", "content-type": "application/json"}
        async with many(world.asgi, "/api/v1/tasks", headers, 8) as sending:
            assert len(refused(sending)) == 3
            assert await world.open(leo)
            agent = {**headers, "authorization": f"Bearer {await world.agent_token()}"}
            for path in ("/access/v1/evaluation", "/access/v1/evaluations"):
                one = await Sending(world.asgi, path, agent).settled()
                assert one.status != 503
                await one.give_up()
        assert bodies.all.used == 0


async def test_strangers_leave_room_for_those_who_are_known(tmp_path: Path) -> None:
    """Those who have not shown who they are share a quarter, of which one address has half."""
    async with service_world(tmp_path) as world:
        bodies = Bodies(MOST)
        asgi = counting(world.asgi, bodies)
        headers = {"content-type": "application/x-www-form-urlencoded"}
        piece = b"x" * 50_000
        async with (
            many(asgi, "/oauth/token", headers, 4, piece=piece, client="192.0.2.1") as first,
            many(asgi, "/oauth/token", headers, 4, piece=piece, client="192.0.2.2") as second,
        ):
            assert [one.status for one in first] == [0, 0, 503, 503]
            assert [one.status for one in second] == [0, 503, 503, 503]
            assert bodies.all.used == 150_000
            assert bodies.strangers.used == 150_000 - 3 * SMALL
            session = {
                "authorization": f"Bearer {await world.session('lena')}",
                "content-type": "application/json",
            }
            one = await Sending(asgi, "/api/v1/tasks", session).settled()
            assert one.status == 0
            await one.give_up()
        assert bodies.all.used == bodies.strangers.used == 0


async def test_a_transmitter_leaves_room_for_others(tmp_path: Path) -> None:
    """Each sender of signals is counted by name; without the token nothing of a body is read at all."""
    async with signals_world(tmp_path) as world:
        bodies = Bodies(MOST // 10)
        asgi = counting(world.asgi, bodies)
        headers = {"content-type": "application/secevent+jwt", "authorization": PUSH_TOKEN}
        async with many(asgi, "/ssf/push/idp", headers, 8, piece=b"x" * 10_000) as sending:
            assert [one.status for one in sending] == [0] * 5 + [503] * 3
        headers["authorization"] = "Bearer other"
        async with many(asgi, "/ssf/push/idp", headers, 1) as sending:
            assert sending[0].status == 401
        assert bodies.all.used == 0
