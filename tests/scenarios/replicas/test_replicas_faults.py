# SPDX-License-Identifier: Apache-2.0
"""What goes wrong at one of several replicas: its clock, its disk, its way to the store, its end."""

import asyncio
import contextlib
import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from remit.adapters.store.postgres.schema import CHANNEL
from tests.clients.http_line import Line
from tests.gateways.gateway_process import Refused
from tests.gateways.several_replicas import Replica, Replicas, ended, replicas, sent, until, until_sent
from tests.samples.mail_bundle import RECIPIENT
from tests.servers.postgres_server import PostgresServer

pytestmark = pytest.mark.long

Json = Any

HOUR_S = 3600.0
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


async def state(by: Replica, task: str) -> str:
    """Return how a task stands."""
    return str((await by.ask("GET", f"/api/v1/tasks/{task}", by="root"))["state"])


async def tender(world: Replicas) -> tuple[Replica, Replica]:
    """Return the replica that does the chores, and another one; no replica owns a task yet."""

    async def tends(one: Replica) -> bool:
        return bool((await one.ask("GET", "/api/v1/replicas", by="root"))["tends"])

    async def some() -> bool:
        return any([await tends(one) for one in world.all])

    await until(some)
    first, second = world.all
    return (first, second) if await tends(first) else (second, first)


def short(folder: Path) -> None:
    """Let tasks run out within the hour."""
    task = folder / "tasks" / "send-mail.yaml"
    task.write_text(task.read_text().replace("deadline: 2h", "deadline: 30m"))


async def test_a_clock_that_jumps_at_one_replica_ends_nothing_of_another(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """Of a task that a replica serves, that one's clock counts; requests for it pass through all the same."""
    async with replicas(tmp_path, postgres, postgres_server.port, count=2, prepare=short) as world:
        ahead, right = await tender(world)
        task, token = await right.open_task()
        assert await sent(right, token, "before") == ""
        ahead.set_clock(HOUR_S)
        for _ in range(2):
            # A task that no replica serves ends by the clock of the replica that looks: this waits until it
            # has looked.
            nobodys = str(
                (
                    await right.ask(
                        "POST",
                        "/api/v1/tasks",
                        {"agent": "mail-bot", "task_type": "send-mail", "goal": f"mail {RECIPIENT}"},
                        by="lena",
                    )
                )["id"]
            )

            async def over(name: str = nobodys) -> bool:
                return await state(right, name) == "expired"

            await until(over)
        assert await state(right, task) == "active"
        assert await sent(ahead, token, "through the wrong clock") == ""
        # By its own clock the task has run out: that replica issues nothing for it.
        with pytest.raises(AssertionError, match="task-expired"):
            await ahead.task_token(task)
        closure = await ended(ahead, task)
        assert [one["after_ms"] is not None for one in closure["acknowledged"]] == [True]
        assert closure["closed"]
        assert {await sent(one, token, "after") for one in world.all} <= {
            "fenced",
            "task-ended",
            "token-expired",
        }
        assert [mail["subject"] for mail in world.outbox()] == ["before", "through the wrong clock"]


@pytest.mark.slow
async def test_a_clock_that_jumps_brings_no_revoked_token_back(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """A replica that starts an hour ahead forgets what has run out by then: no token is good again."""
    async with replicas(tmp_path, postgres, postgres_server.port, count=2) as world:
        first, second = world.all
        token = await first.agent_token("mail-bot")
        assert (await first.ask("GET", "/api/v1/me", token=token))["name"] == "mail-bot"
        form = first.asking_form("mail-bot", token=token)
        del form["grant_type"]
        await posted(first, "/oauth/revoke", form)
        await second.stop()
        second.set_clock(HOUR_S)
        await second.start()
        await first.stop()
        await first.start()
        with pytest.raises(Refused) as refused:
            await first.ask("GET", "/api/v1/me", token=token)
        assert refused.value.problem["code"] == "token-revoked"


async def posted(one: Replica, path: str, form: dict[str, str]) -> None:
    """Post a form."""
    with contextlib.closing(await Line.to(one.port)) as line:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        status, content = await line.ask("POST", path, headers, urlencode(form).encode())
    assert status == 200, content


@pytest.mark.slow
async def test_a_full_disk_at_one_replica_loses_nothing(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """All that it writes there is the log's signed head: it decides and ends as before, says of receipts that
    it cannot sign, and signs again once there is room.
    """
    async with replicas(tmp_path, postgres, postgres_server.port, count=2) as world:
        first, second = world.all
        await with_a_head_of_its_own(second, world.shared)
        _, token = await first.open_task()
        assert await sent(second, token, "before") == ""
        second.fill_disk(True)

        async def fails() -> bool:
            status, content = await second.raw("GET", "/api/v1/events/0/proof", by="root")
            return status == 503 and b"space" in content

        await until(fails)
        for one in (first, second):
            assert await sent(one, token, f"full/{one.folder.name}") == ""
        task, fresh = await second.open_task()
        assert await sent(second, fresh, "opened there") == ""
        assert (await ended(second, task))["closed"]
        assert (await second.raw("GET", "/health/ready"))[0] == 200
        report = await first.verified()
        assert report.holds, report.faults
        second.fill_disk(False)

        async def signs() -> bool:
            return (await second.raw("GET", "/api/v1/events/0/proof", by="root"))[0] == 200

        await until(signs)
        second.fill_disk(True)
        await second.stop()
        # It has stopped in order: no replica waits for its lease to expire, and none buries it.
        await until_sent(first, token, "taken over")
        events = await first.events(kinds="replica.gone")
        assert events == []


async def with_a_head_of_its_own(one: Replica, shared: Path) -> None:
    """Have a replica keep the log's head on its own disk, as replicas on separate machines do."""
    await one.stop()
    shutil.copytree(shared / "head", one.folder / "head")
    config = json.loads((one.folder / "remit.yaml").read_text())
    config["log_head"] = {"path": "head"}
    (one.folder / "remit.yaml").write_text(json.dumps(config))
    await one.start()


@pytest.mark.slow
async def test_lost_and_made_up_notifications_change_nothing(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """Nudges say that there is something to look at, and nothing else."""
    async with replicas(tmp_path, postgres, postgres_server.port, count=3) as world:
        first, second, third = world.all
        for one in world.all:
            one.proxy.deaf = True
        task, token = await first.open_task()
        assert await sent(second, token, "deaf") == ""
        closure = await ended(third, task)
        heard = {one["replica"]: one["after_ms"] for one in closure["acknowledged"]}
        assert heard.keys() == {await first.known(), await second.known()}
        assert None not in heard.values(), "the next renewal looks, too"
        assert {await sent(one, token, "after") for one in world.all} <= {"fenced", "task-ended"}
        for one in world.all:
            one.proxy.deaf = False
        task, token = await first.open_task()
        with psycopg.connect(postgres, autocommit=True) as anybody:
            for number in range(500):
                anybody.execute(f"select pg_notify('{CHANNEL}', 'everything is ended {number}')")
            assert await sent(second, token, "amid noise") == ""
            for number in range(500):
                anybody.execute(f"select pg_notify('{CHANNEL}', '{number}')")
        closure = await ended(third, task)
        assert None not in [one["after_ms"] for one in closure["acknowledged"]]
        assert {await sent(one, token, "after") for one in world.all} <= {"fenced", "task-ended"}
        assert [mail["subject"] for mail in world.outbox()] == ["deaf", "amid noise"]


@pytest.mark.slow
async def test_a_slow_way_to_the_store(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """A replica whose store answers too late for its lease refuses, and loses its tasks; it comes back by
    itself.
    """
    async with replicas(tmp_path, postgres, postgres_server.port, count=2, lease_ms=1000) as world:
        first, second = world.all
        task, token = await first.open_task()
        await until_sent(second, token, "before")
        second.proxy.slow_s = 5.0
        await until_sent(first, token, "taken over")
        second.proxy.slow_s = 0.0
        await until_sent(second, token, "back")
        assert (await ended(first, task))["closed"]
        assert await sent(second, token, "after") != ""
        permitted = {
            event["values"]["arguments"]["subject"]
            for event in await first.events(kinds="decision.made", task=task)
            if event["facts"]["outcome"] == "permit" and event["values"]
        }
        subjects = [mail["subject"] for mail in world.outbox()]
        assert set(subjects) <= permitted
        assert subjects == sorted(set(subjects), key=["before", "taken over", "back"].index)


@pytest.mark.slow
async def test_a_replica_that_is_started_again_in_its_place(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """Same folder, same address, while the one before counts as alive: nothing of that one's is believed to
    be its own.
    """
    async with replicas(tmp_path, postgres, postgres_server.port, count=2, lease_ms=1000) as world:
        first, second = world.all
        task, token = await first.open_task()
        await until_sent(second, token, "before")
        gone = await second.known()
        await second.kill()
        await second.start()
        assert await second.known() != gone
        refused = {code for one in (first, second) if (code := await sent(one, token, "at once"))}
        assert refused <= {"task-owner-away", "task-moving", "task-elsewhere", "store-unavailable"}
        await until_sent(first, token, "later")
        await until_sent(second, token, "later still")
        assert (await ended(second, task))["closed"]
        assert {await sent(one, token, "after") for one in world.all} <= {"fenced", "task-ended"}
        told = [mail["subject"] for mail in world.outbox()]
        assert [one for one in told if one != "at once"] == ["before", "later", "later still"]


@pytest.mark.slow
async def test_nobody_waits_for_a_replica_that_hangs(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """A call that was passed on to one that does not answer ends once that one is buried, though its
    connection stays open.
    """
    async with replicas(tmp_path, postgres, postgres_server.port, count=2, lease_ms=1000) as world:
        first, second = world.all
        _, token = await first.open_task()
        await until_sent(second, token, "before")
        second.pause()
        async with asyncio.timeout(60):
            assert await sent(first, token, "meanwhile") == "task-owner-away"
        await until_sent(first, token, "taken over")
        second.go_on()
        await until_sent(second, token, "back")
        assert [mail["subject"] for mail in world.outbox()] == ["before", "taken over", "back"]
