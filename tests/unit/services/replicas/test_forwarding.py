# SPDX-License-Identifier: Apache-2.0
"""What a replica hands to a task: under its lease alone, and nothing of what was ended meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from remit.core.errors import UpstreamUnreachable
from remit.core.replicas.replica import Replica
from remit.core.scope import Raised
from remit.gateway.asgi import ROOM
from remit.gateway.forwarding import ForwardingFront
from remit.ports.store.replicas import FleetSight
from remit.services.replicas.events import ReplicaEvents
from remit.services.replicas.forwarding import Family
from tests.worlds.values import START, a_task

Json = Any

OWNER = Replica(id="writer_owner", host="there", address="http://there", joined=START)
TASK = a_task("tsk_1")
AGAIN = (b"retry-after", b"1")


class World:
    """A front whose replica may lose its lease, and an owner that answers piece by piece."""

    def __init__(self, path: str = "/mcp/mail") -> None:
        self.leased = True
        self.pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self.told: list[Json] = []
        self.room = asyncio.Event()
        self.room.set()
        self.answers_itself = False
        self.breaks: UpstreamUnreachable | None = None
        self.events = ReplicaEvents()
        replicas = SimpleNamespace(holds=lambda: self.leased, events=self.events, others={OWNER.id: OWNER})
        passing = SimpleNamespace(
            mine=lambda _: self.answers_itself,
            owner=self._owner,
            family=lambda _: Family.of(TASK),
            written=lambda *_, **__: b"",
            forget=lambda _: None,
        )
        about = SimpleNamespace(about=lambda *_: TASK.id)
        clock = SimpleNamespace(now=lambda: START, boot_s=lambda: 0.0)
        parts: Json = {
            "clock": clock,
            "authenticator": about,
            "replicas": SimpleNamespace(membership=replicas, passing=passing),
        }
        forwarder: Json = SimpleNamespace(ask=self._ask)
        self.front = ForwardingFront(**parts, forwarder=forwarder, inner=self._inner, max_body_bytes=1000)
        self.scope: Json = {
            "type": "http", "method": "POST", "path": path, "raw_path": path.encode(),
            "headers": [(b"authorization", b"Bearer x")], ROOM: self.room.wait,
        }  # fmt: skip

    async def _owner(self, _: str) -> Replica:
        return OWNER

    @asynccontextmanager
    async def _ask(self, address: str, request: Json) -> AsyncIterator[Json]:
        if self.breaks is not None:
            raise self.breaks
        first = await self.pieces.get()

        async def pieces() -> AsyncIterator[bytes]:
            yield first
            while piece := await self.pieces.get():
                yield piece

        yield SimpleNamespace(status=200, headers=[], pieces=pieces)

    async def _inner(self, scope: Json, receive: Json, send: Json) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while piece := await self.pieces.get():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _receive(self) -> Json:
        if not self.scope.get("read"):
            self.scope["read"] = True
            return {"type": "http.request", "body": b'{"subject":{"type":"task","id":"tsk_1"}}'}
        return await asyncio.Event().wait()

    async def _send(self, message: Json) -> None:
        self.told.append(message)

    def call(self) -> "asyncio.Task[None]":
        """Make the request; it does not take for ever."""
        served = self.front(self.scope, self._receive, self._send)
        return asyncio.create_task(asyncio.wait_for(served, 30))

    def ended(self, scope: str) -> None:
        """See that something was ended."""
        raised = (Raised(scope, 1),)
        for told in self.events.changed:
            told(FleetSight(sent_s=None, seen_s=0.0, gone=False, replicas=(), raised=raised))

    @property
    def handed(self) -> bytes:
        """What was handed out."""
        return b"".join(one.get("body", b"") for one in self.told)


async def turns() -> None:
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("own", [False, True], ids=["passed on", "own"])
async def test_a_piece_that_waited_for_the_reader_is_held_against_the_lease_again(own: bool) -> None:
    """It was released while there was a lease, and would be written when there is none."""
    world = World()
    world.answers_itself = own
    world.pieces.put_nowait(b"one")
    call = world.call()
    await turns()
    assert world.handed == b"one"
    world.room.clear()
    world.pieces.put_nowait(b"two")
    await turns()
    world.leased = False
    world.room.set()
    with pytest.raises(ConnectionResetError):
        await call
    assert world.handed == b"one"


@pytest.mark.parametrize("own", [False, True], ids=["passed on", "own"])
async def test_without_a_lease_the_refusal_is_all_that_is_handed_out(own: bool) -> None:
    """This holds whichever party has answered; and the task learns that the call may have taken effect."""
    world = World()
    world.answers_itself = own
    call = world.call()
    if own:
        world.room.clear()
    await turns()
    world.leased = False
    world.room.set()
    world.pieces.put_nowait(b"one")
    await call
    assert world.told[0]["status"] == 503
    assert b'"code":"replica-fenced"' in world.handed
    assert b'"outcome":"unknown"' in world.handed
    assert AGAIN not in world.told[0]["headers"]
    assert b"one" not in world.handed


@pytest.mark.parametrize(("sent", "outcome"), [(False, b"not-sent"), (True, b"unknown")])
async def test_only_what_never_reached_the_owner_is_to_be_asked_again(sent: bool, outcome: bytes) -> None:
    """Anything else may have happened, so no caller is told to repeat it."""
    world = World()
    world.breaks = UpstreamUnreachable("the connection broke", sent=sent)
    await world.call()
    assert world.told[0]["status"] == 503
    assert b'"outcome":"%s"' % outcome in world.handed
    assert (AGAIN in world.told[0]["headers"]) is not sent
    assert (b"call again" in world.handed) is not sent


@pytest.mark.parametrize(
    ("path", "scope", "cut"),
    [
        ("/mcp/mail", f"task:{TASK.id}", True),
        ("/mcp/mail", "everything:*", True),
        ("/mcp/mail", f"agent:{TASK.agent}", True),
        ("/mcp/mail", "tool:mail/send", True),
        ("/mcp", "tool:mail/send", True),
        ("/http/mail/things", "upstream:mail", True),
        ("/access/v1/evaluation", "upstream:mail", True),
        ("/mcp/mail", "task:another", False),
        ("/mcp/mail", "tool:files/read", False),
        ("/mcp/mail", "upstream:mail-too", False),
        # The answer to the end of a task by itself comes after its fence.
        (f"/api/v1/tasks/{TASK.id}/complete", f"task:{TASK.id}", False),
    ],
)
async def test_what_is_ended_cuts_answers_that_are_on_their_way_from_an_owner(
    path: str, scope: str, cut: bool
) -> None:
    """The cut precedes the report to the caller of the end that nothing more is released here."""
    world = World(path)
    call = world.call()
    await turns()
    world.ended(scope)
    world.pieces.put_nowait(b"one")
    world.pieces.put_nowait(b"")
    await call
    assert (b"one" in world.handed) is not cut
    assert (b'"code":"fenced"' in world.handed) is cut
    assert world.told[0]["status"] == (403 if cut else 200)


async def test_a_fence_from_before_the_task_was_opened_cuts_nothing() -> None:
    """It was known when the task was opened."""
    world = World()
    remembered = TASK.epochs
    try:
        remembered["tool:mail/send"] = 1
        call = world.call()
        await turns()
        world.ended("tool:mail/send")
        world.pieces.put_nowait(b"one")
        world.pieces.put_nowait(b"")
        await call
    finally:
        del remembered["tool:mail/send"]
    assert world.handed == b"one"


async def test_a_replica_that_was_taken_for_gone_hands_out_nothing_of_before() -> None:
    """It comes back with a lease, and has not seen what was ended meanwhile."""
    world = World()
    call = world.call()
    await turns()
    for told in world.events.lost:
        await told()
    world.pieces.put_nowait(b"one")
    await call
    assert b'"code":"replica-fenced"' in world.handed
    assert b"one" not in world.handed
