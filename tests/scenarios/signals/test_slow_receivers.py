# SPDX-License-Identifier: Apache-2.0
"""Threat: one of those who are told of events takes its time with each, answers without an end, or sends us
elsewhere, so that others are told late or never.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from remit.adapters.fetch.ssrf_guard import GuardedFetch
from remit.adapters.notifier.webhook import Webhook
from remit.core.errors import SourceUnavailable
from remit.core.scope import ScopeKind
from remit.ports.fetch import Fetched
from remit.ports.notifier import Notification
from remit.services.signals.notifications import NotificationTarget
from remit.services.signals.streams import Receiver
from remit.services.signals.transmitter import PushTarget
from tests.clients.strict_receiver import StrictReceiver
from tests.gateways.live_gateway import LiveGateway
from tests.servers.hook_server import SECRET
from tests.worlds.calls import call_world, lock
from tests.worlds.services import PUBLIC_URL, ServiceWorld
from tests.worlds.values import WorldClock

Json = Any


async def until(reached: Callable[[], Any]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(60):
        while not reached():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.02)


class Slow:
    """Tells an addressee that takes its time with each."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.begun = 0

    async def notify(self, notification: Notification) -> None:
        """Tell it, once it lets us."""
        self.begun += 1
        await self.let.wait()


def test_a_slow_addressee_holds_up_no_other(tmp_path: Path) -> None:
    """While it takes its time with the first notification, others hear of what happens meanwhile."""
    hooks = {name: {"url": "https://hook.example/", "secret": "env:HOOK_SECRET"} for name in ("first", "ops")}
    with (
        mock.patch.dict(os.environ, {"HOOK_SECRET": SECRET}),
        LiveGateway(tmp_path, f"notify: {json.dumps(hooks)}\n") as gateway,
    ):
        first, ops = (
            gateway.services.signals.notifications.addressees[name].notifier for name in ("first", "ops")
        )
        slow, told = Slow(), list[str]()

        async def heard(notification: Notification) -> None:
            told.append(notification.facts["scope"])

        async def locked(name: str) -> None:
            await gateway.services.endings.revocations.end_scope(
                ScopeKind.PERSON, name, reason="enough", by="ana", lock=True
            )

        with mock.patch.object(first, "notify", slow.notify), mock.patch.object(ops, "notify", heard):
            gateway.wait(locked("one"))
            gateway.wait(until(lambda: slow.begun))
            gateway.wait(locked("two"))
            gateway.wait(until(lambda: told == ["person:one", "person:two"]))
            assert slow.begun == 1


class Patient:
    """A receiver of security event tokens that answers each when it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.begun = 0

    async def post(self, url: str, body: bytes, **_: Any) -> Fetched:
        """Take one."""
        self.begun += 1
        await self.let.wait()
        return Fetched(url=url, status=202)


async def test_a_slow_receiver_of_signals_holds_up_no_other(tmp_path: Path) -> None:
    """Another organisation's receiver decides about its own stream alone."""
    slow = Patient()

    def keys() -> Json:
        return world.services.keys.tokens.jwks()

    siem = StrictReceiver(PUBLIC_URL, "https://siem.example", keys)
    agents = frozenset({"contract-bot"})
    receivers = {
        name: Receiver(name=name, audience=f"https://{name}.example", agents=agents, push=f"https://{name}")
        for name in ("partner", "siem")
    }
    targets = {
        "partner": PushTarget(url="https://partner", deliver=slow, headers=dict),
        "siem": PushTarget(url="https://siem", deliver=siem, headers=dict),
    }
    world = ServiceWorld(tmp_path, receivers=receivers, push_targets=targets)
    await world.settle_in()
    await world.services.signals.streams.begin()
    try:
        lena = await world.session("lena")
        task = await world.open(lena, agent="contract-bot")
        await world.services.endings.revocations.end_task(task, reason="enough", by="lena")
        turn = asyncio.ensure_future(world.services.signals.transmitter.turn())
        await until(lambda: slow.begun)
        await until(lambda: siem.taken)
        slow.let.set()
        await turn
    finally:
        await world.services.store.close()


ANSWERS = {
    "no end of a body": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000,
    "a length beyond all": b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\nx",
    "no end of headers": b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"y" * 1_000_000 + b"\r\n\r\n",
    "no end of information": b"HTTP/1.1 102 Processing\r\n\r\n" * 100_000,
    "a place elsewhere": b"HTTP/1.1 307 Moved\r\nLocation: http://169.254.169.254/\r\n\r\n",
    "a bomb": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
    "no HTTP": b"\x00" * 100_000,
    "nothing": b"",
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_no_answer_of_an_addressee_does_more_than_fail(tmp_path: Path, name: str) -> None:
    """It is told again later, nothing goes elsewhere, and what it said is kept nowhere."""
    closing = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(OSError):
            writer.write(ANSWERS[name])
            await writer.drain()
            if name != "nothing":
                await closing.wait()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    fetch = GuardedFetch(plain_loopback=True)
    webhook = Webhook(url, lambda: SECRET, deliver=fetch, clock=WorldClock())
    outfit: Json = {"addressees": {"ops": NotificationTarget(name="ops", notifier=webhook)}}
    async with call_world(tmp_path, **outfit) as world:
        await world.services.signals.notifications.begin()
        await lock(world, "one")
        async with asyncio.timeout(30):
            assert await world.services.signals.notifications.turn() == 0
        assert list(world.services.signals.notifications.failing) == ["ops"]
    closing.set()
    server.close()


async def test_an_addressee_whose_name_leads_inside_is_not_told() -> None:
    """Nor one that is told to be elsewhere by a name in the address, whatever the address looks like."""
    fetch = GuardedFetch()
    for url in (
        "https://127.0.0.1/",
        "https://localhost/",
        "https://169.254.169.254/",
        "https://[::ffff:10.0.0.1]/",
        "https://0x7f.1/",
        "https://10.0.0.1/",
        "https://me:secret@example.com/",
        "http://example.com/",
    ):
        with pytest.raises(SourceUnavailable):
            await fetch.post(url, b"{}", media="application/json")
