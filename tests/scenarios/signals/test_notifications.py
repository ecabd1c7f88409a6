# SPDX-License-Identifier: Apache-2.0
"""Alarms reach their receiver: each once, in order, whatever fails in between."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.fetch.ssrf_guard import GuardedFetch
from remit.adapters.notifier.webhook import Webhook
from remit.core.evidence.event import EventKind
from remit.core.findings.kinds import FindingKind
from remit.services.discovery.deliveries import ScanPart
from remit.services.signals.notifications import NotificationTarget
from tests.samples.discovered import a_server
from tests.servers.hook_server import SECRET, HookServer, hook_server
from tests.worlds.calls import CallWorld, call_world, lock
from tests.worlds.values import WorldClock

Json = Any


@pytest.fixture
async def hook() -> AsyncIterator[HookServer]:
    """Provide a server that listens."""
    async with hook_server() as made:
        yield made


@asynccontextmanager
async def told_world(folder: Path, hook: HookServer, seed: str = "house") -> AsyncIterator[CallWorld]:
    """Provide a desk of which the hook hears."""
    webhook = Webhook(hook.url, lambda: SECRET, deliver=GuardedFetch(plain_loopback=True), clock=WorldClock())
    again = (folder / "remit.db").exists()
    outfit: Json = {"addressees": {"ops": NotificationTarget(name="ops", notifier=webhook)}}
    async with call_world(folder, seed=seed, settle=not again, **outfit) as made:
        if again:
            await made.reopen()
        await made.services.signals.notifications.begin()
        yield made


async def test_a_lock_and_a_finding_are_told(tmp_path: Path, hook: HookServer) -> None:
    """With their facts, and without what is sealed."""
    async with told_world(tmp_path, hook) as world:
        await lock(world, "lena")
        await world.services.findings.findings.see(
            FindingKind.SHARED_KEY, "agent:clerk", "k", {"key": "jkt:x"}
        )
        assert await world.services.signals.notifications.turn() == 2
        assert [one["type"] for one in hook.taken] == ["fence.locked", "finding.seen"]
        assert hook.taken[0]["data"] == {"scope": "person:lena"}
        assert hook.taken[1]["data"]["about"] == "agent:clerk"
        assert "root" not in str(hook.taken)
        assert await world.services.signals.notifications.turn() == 0


async def test_a_scan_is_one_message(tmp_path: Path, hook: HookServer) -> None:
    """However many findings it opens; one that opens none is not told."""
    async with told_world(tmp_path, hook) as world:
        deliveries = world.services.discovery.deliveries
        many = tuple(a_server(f"s{number}") for number in range(40))
        for scan in ("scn_first", "scn_second"):
            await deliveries.take(ScanPart(scope="house", scan=scan, found=many, complete=True), by="otto")
        assert await world.services.signals.notifications.turn() == 1
        (told,) = hook.taken
        assert (told["type"], told["data"]["opened"]) == ("scan.delivered", 40)


async def test_what_fails_is_told_later(tmp_path: Path, hook: HookServer) -> None:
    """In order, with growing pauses, and by the next process where this one stops."""
    async with told_world(tmp_path, hook) as world:
        notifications = world.services.signals.notifications
        await lock(world, "one")
        hook.answers = [500, 500]
        for pause_s in (1, 2):
            assert await notifications.turn() == 0
            assert list(notifications.failing) == ["ops"]
            world.clock.advance(pause_s - 0.5)
            assert await notifications.turn() == 0
            world.clock.advance(0.5)
        hook.answers = [503]
        await notifications.turn()
        await lock(world, "two")
    async with told_world(tmp_path, hook, seed="again") as world:
        assert await world.services.signals.notifications.turn() == 2
        assert [one["data"]["scope"] for one in hook.taken] == ["person:one", "person:two"]
        assert world.services.signals.notifications.failing == {}


async def test_what_is_refused_again_and_again_is_passed_over(tmp_path: Path, hook: HookServer) -> None:
    """It is recorded, and those behind it are told."""
    async with told_world(tmp_path, hook) as world:
        await lock(world, "one")
        await lock(world, "two")
        hook.answers = [422, 422, 422]
        for _ in range(4):
            await world.services.signals.notifications.turn()
            world.clock.advance(10)
        assert [one["data"]["scope"] for one in hook.taken] == ["person:two"]
        (told,) = await world.facts(EventKind.SIGNAL_UNDELIVERED)
        assert (told["receiver"], told["code"]) == ("ops", "http-422")
