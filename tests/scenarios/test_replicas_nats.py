# SPDX-License-Identifier: Apache-2.0
"""Replicas that wake each other over NATS, which may be away, cut off, or in the hands of strangers.

Whatever becomes of a message: an end holds on every replica when it returns, for the database says so.
"""

import base64
import contextlib
from pathlib import Path
from typing import Any

import nats as library
import pytest

from tests.nats_server import NatsServer
from tests.postgres_server import PostgresServer
from tests.replicas_world import Replica, ended, replicas, sent, until

pytestmark = pytest.mark.long

Json = Any

#: Renewals are twenty seconds apart then, and few of them come in between.
LONG_MS = 60_000
#: A third of it is how long an end takes without NATS; a busy machine shall not let it run out.
SHORT_MS = 10_000
EVERYTHING = "remit.>"


async def until_woken(*all_of_them: Replica, how: str = "nats") -> None:
    """Wait until each says that it is woken so."""
    for one in all_of_them:
        await until(lambda one=one: _is(one, how))  # type: ignore[misc]


async def _is(one: Replica, how: str) -> bool:
    return bool((await one.ready())["waking"] == how)


async def counts(one: Replica) -> dict[str, int]:
    """Return what it makes of what it hears."""
    found: dict[str, int] = (await one.told())["waking"]["counts"]
    return found


def heard(closure: Json) -> set[str]:
    """Return who has acknowledged an end."""
    return {one["replica"] for one in closure["acknowledged"] if one["after_ms"] is not None}


@pytest.mark.slow
async def test_an_end_is_acknowledged_over_nats(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer, nats: NatsServer
) -> None:
    """By all, and each wake is counted; that nobody waits for a renewal, the suite of the port shows."""
    async with replicas(tmp_path, postgres, postgres_server.port, lease_ms=LONG_MS, nats=nats.port) as world:
        first, second, third = world.all
        await until_woken(*world.all)
        others = {await one.known() for one in (first, second)}
        for one in (first, second):
            # Who has just entered knows the others only by its own look.
            await until(lambda one=one: _knows(one, 3))  # type: ignore[misc]
        task, token = await first.open_task()
        assert await sent(second, token, "before") == ""
        before = [(await counts(one)).get("heard", 0) for one in world.all]
        closure = await ended(third, task)
        assert heard(closure) == others
        assert {await sent(one, token, "after") for one in world.all} <= {"fenced", "task-ended"}
        assert [mail["subject"] for mail in world.outbox()] == ["before"]
        # The end was heard of by two, and the words of both by the one who had made it.
        for one, was, least in zip(world.all, before, (1, 1, 2), strict=True):
            await until(lambda one=one, most=was + least - 1: _more(one, most))  # type: ignore[misc]


async def _knows(one: Replica, many: int) -> bool:
    return len((await one.told())["replicas"]) == many


@pytest.mark.slow
async def test_nats_may_be_killed_and_come_back(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer, nats: NatsServer
) -> None:
    """Meanwhile replicas look with each renewal: ends take that long, and hold; each one says so."""
    async with replicas(
        tmp_path, postgres, postgres_server.port, count=2, lease_ms=SHORT_MS, nats=nats.port
    ) as world:
        first, second = world.all
        await until_woken(*world.all)
        nats.kill()
        await until_woken(*world.all, how="nats, away")
        task, token = await first.open_task()
        assert await sent(second, token, "before") == ""
        closure = await ended(first, task)
        assert heard(closure) == {await second.known()}
        assert {await sent(one, token, "after") for one in world.all} <= {"fenced", "task-ended"}
        nats.start()
        await until_woken(*world.all)
        task, token = await first.open_task()
        assert await sent(second, token, "again") == ""
        before = (await counts(second)).get("heard", 0)
        assert (await ended(first, task))["closed"]
        await until(lambda: _more(second, before))
        assert [mail["subject"] for mail in world.outbox()] == ["before", "again"]


async def _more(one: Replica, before: int) -> bool:
    return (await counts(one)).get("heard", 0) > before


@pytest.mark.slow
async def test_a_replica_that_is_cut_from_nats_alone_keeps_up(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer, nats: NatsServer
) -> None:
    """It acts, learns of ends with its renewals, acknowledges them; others say of it that it is away."""
    async with replicas(
        tmp_path, postgres, postgres_server.port, count=2, lease_ms=SHORT_MS, nats=nats.port
    ) as world:
        first, second = world.all
        await until_woken(first, second)
        assert second.nats is not None
        second.nats.cut_off(True)
        await until_woken(second, how="nats, away")
        task, token = await first.open_task()
        assert await sent(second, token, "before") == ""
        assert heard(await ended(first, task)) == {await second.known()}
        assert await sent(second, token, "after") in ("fenced", "task-ended")
        # And the other way round: what it ends is known elsewhere when it says so.
        task, token = await second.open_task()
        assert heard(await ended(second, task)) == {await first.known()}
        assert await sent(first, token, "after") in ("fenced", "task-ended")
        assert [mail["subject"] for mail in world.outbox()] == ["before"]
        name = await second.known()
        await until(lambda: _seen_as(first, name, "nats, away"))
        assert "nats wakes nobody here" in (await second.says("who"))[1]
        assert "NATS wakes nobody" in (await second.says("doctor"))[1]
        second.nats.cut_off(False)
        await until_woken(second)


async def _seen_as(by: Replica, name: str, waking: str) -> bool:
    return any(one["id"] == name and one["waking"] == waking for one in (await by.told())["replicas"])


@pytest.mark.slow
async def test_what_strangers_say_changes_nothing(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer, nats: NatsServer
) -> None:
    """Garbage, forgeries, what was changed, and what a replica did say, over and over, late and out of order:
    it is counted, and ends hold as ever.
    """
    async with replicas(
        tmp_path, postgres, postgres_server.port, count=2, lease_ms=SHORT_MS, nats=nats.port
    ) as world:
        first, second = world.all
        await until_woken(*world.all)
        stranger = await library.connect(nats.address)
        overheard: list[tuple[str, bytes]] = []

        async def listen(message: Any) -> None:
            overheard.append((message.subject, message.data))

        await stranger.subscribe(EVERYTHING, cb=listen)
        await stranger.flush()
        task, token = await first.open_task()
        assert await sent(second, token, "before") == ""
        assert (await ended(first, task))["closed"]
        await until(lambda: _any(overheard))
        said = list(overheard)
        subject, message = next(
            (at, data) for at, data in said if at.endswith(".all") and not data.startswith(b"echo ")
        )
        forged = (
            b"",
            b"\xff" * 900_000,
            b"[" * 100_000,
            b"echo " * 10,
            message[:-2] + b"AA",
            message.replace(b".", b"", 1),
            message.partition(b".")[0] + b".",
            message + b"x" * 2000,
        )
        before = [await counts(one) for one in world.all]
        for made_up in forged:
            await stranger.publish(subject, made_up)
        for at, again in reversed(said):
            for _ in range(50):
                await stranger.publish(at, again)
                # What was for one ear is not for another.
                await stranger.publish(subject, again)
        await stranger.flush()
        for one, was in zip(world.all, before, strict=True):
            await until(lambda one=one, was=was: _refused(one, was.get("refused", 0)))  # type: ignore[misc]
        task, token = await first.open_task()
        assert await sent(second, token, "between") == ""
        assert heard(await ended(first, task)) == {await second.known()}
        assert {await sent(one, token, "after") for one in world.all} <= {"fenced", "task-ended"}
        assert [mail["subject"] for mail in world.outbox()] == ["before", "between"]
        assert sum([(await counts(one)).get("repeated", 0) for one in world.all]) > 0
        report = await first.verified()
        assert report.holds, report.faults
        await stranger.close()


async def _any(overheard: list[tuple[str, bytes]]) -> bool:
    return sum(not data.startswith(b"echo ") for _, data in overheard) >= 2


async def _refused(one: Replica, before: int) -> bool:
    return (await counts(one)).get("refused", 0) > before


@pytest.mark.slow
async def test_what_is_said_tells_nothing(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer, nats: NatsServer
) -> None:
    """Whoever listens learns which replicas there are and when something changed: no task, nobody's name."""
    async with replicas(
        tmp_path, postgres, postgres_server.port, count=2, lease_ms=SHORT_MS, nats=nats.port
    ) as world:
        first, second = world.all
        await until_woken(first, second)
        stranger = await library.connect(nats.address)
        overheard: list[tuple[str, bytes]] = []

        async def listen(message: Any) -> None:
            overheard.append((message.subject, message.data))

        await stranger.subscribe(EVERYTHING, cb=listen)
        await stranger.flush()
        task, _ = await first.open_task()
        await ended(second, task)
        await until(lambda: _any(overheard))
        await stranger.close()
        for subject, data in overheard:
            told = subject.encode() + _opened(data)
            for word in (task, "mail-bot", "lena", "root", "send-mail", "scope"):
                assert word.encode() not in told


def _opened(data: bytes) -> bytes:
    with contextlib.suppress(ValueError):
        return data + base64.b64decode(data.partition(b".")[0], b"-_")
    return data
