# SPDX-License-Identifier: Apache-2.0
"""What replicas do as one: decide by one bundle, or say that they do not; do once what is done for all."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from remit.core.canonical import digest as digest_of
from tests.gateways.several_replicas import Replica, replicas, sent, until, until_sent
from tests.samples.mail_bundle import TASK
from tests.servers.hook_server import SECRET, hook_server
from tests.servers.postgres_server import PostgresServer

pytestmark = pytest.mark.long

Json = Any

#: No lease is waited out here, and a busy machine shall not let one run out.
LEASE_MS = 10_000
#: Who is locked, one after the other.
WHOM = (("agent", "mail-bot"), ("agent", "other-bot"), ("person", "omar"), ("person", "lena"))


def lay(one: Replica, task_type: str) -> None:
    """Write another bundle into a replica's files."""
    (one.folder / "tasks" / "send-mail.yaml").write_text(task_type)


async def state(one: Replica) -> tuple[str, int]:
    """Return what a replica reports to every caller: the state of its bundle, and how many replicas
    differ.
    """
    told = await one.ready()
    return told["bundle"], told["differing_bundles"]


async def is_in(one: Replica, wanted: tuple[str, int]) -> bool:
    """Whether it says so now."""
    return await state(one) == wanted


@pytest.mark.slow
async def test_replicas_with_different_files_say_so_and_agree_once_they_have_the_same(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """What a bundle no longer grants, tasks lose at once and everywhere, whichever replica has its files."""
    async with replicas(tmp_path, postgres, postgres_server.port, count=2, lease_ms=LEASE_MS) as world:
        first, second = world.all
        for one in world.all:
            await until(lambda one=one: is_in(one, ("applied", 0)))  # type: ignore[misc]
        _, token = await first.open_task()
        await until_sent(second, token, "before")
        other = TASK.replace("send-mail", "send-letters")
        lay(first, other)
        seen = digest_of(await first.ask("POST", "/api/v1/policies/preview", {}, by="root"))
        code, said = await first.says("policy", "apply", "--confirm", seen, "--wait", "1", "--json")
        # It is in force, and not everywhere: what a pipeline goes by is the code, and the data beside it.
        assert code == 4, said
        answer, _, fault = said.partition("error: ")
        assert fault.startswith(
            "in force, but 1 of 2 replicas decide by another policy bundle; deploy the same"
        )
        applied = json.loads(answer)
        assert (applied["everywhere"], applied["everywhere_from"]) == (False, None)
        digest = applied["digest"]
        # Who has other files is said where it was applied.
        assert [(one["id"] == await first.known(), one["follows"]) for one in applied["replicas"]] in (
            [(True, True), (False, False)],
            [(False, False), (True, True)],
        )
        assert await sent(second, token, "after") in ("fenced", "task-ended")
        await until(lambda: is_in(second, ("superseded", 1)))
        await until(lambda: is_in(first, ("applied", 1)))
        told = await first.told()
        assert told["bundle"] == digest
        by_name = {one["id"]: one for one in told["replicas"]}
        assert by_name[await first.known()]["bundle"] == digest
        assert by_name[await second.known()]["bundle"] != digest
        assert [one["differs"] for one in told["replicas"]].count(True) == 1
        # And people are told: by `who`, by `doctor`.
        code, said = await first.says("who")
        assert (code, said.count("NOT THE ONE IN FORCE"), digest in said) == (0, 1, True)
        code, said = await first.says("policy", "apply", "--wait", "0")
        assert (code, "1 of 2 replicas decide by it" in said) == (4, True), said
        assert "Calls of tasks that these replicas own are decided by their bundle" in said
        assert "`remit who` shows the bundle of each" in said
        assert said.count(await second.known()) == 1
        code, said = await first.says("doctor")
        assert code == 1
        assert "1 of 2 decide by a policy bundle that is not the one in force" in said
        lay(second, other)
        for one in world.all:
            await until(lambda one=one: is_in(one, ("applied", 0)))  # type: ignore[misc]
        code, said = await second.says("policy", "apply")
        assert (code, "all 2 replicas decide by it, at the latest since 20" in said) == (0, True), said
        # What there is to see of them fits a narrow screen, but for long addresses.
        code, said = await second.says("who", COLUMNS="80")
        assert code == 0
        rows = [line for line in said.splitlines() if line.startswith("writer_")]
        assert {line.split()[0] for line in rows} == {await one.known() for one in world.all}
        assert all(line.endswith(digest[7:19]) for line in rows)
        assert {one["bundle"] for one in (await second.told())["replicas"]} == {digest}
        assert "2 serve this database" in (await second.says("doctor"))[1]


@pytest.mark.slow
async def test_a_bundle_that_comes_to_another_replica_counts_for_its_tasks(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """A task that was opened there under the bundle of before ends, once the one in force has come."""
    async with replicas(tmp_path, postgres, postgres_server.port, count=2, lease_ms=LEASE_MS) as world:
        first, second = world.all
        other = TASK.replace("send-mail", "send-letters")
        lay(first, other)
        await first.ask("POST", "/api/v1/policies/apply", {}, by="root")
        await until(lambda: is_in(second, ("superseded", 1)))
        async with asyncio.timeout(60):
            # The replica that applied it looks a few times more for earlier tasks.
            while await sent(second, token := (await second.open_task())[1], "meanwhile"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        lay(second, other)
        await until(lambda: is_in(second, ("applied", 0)))
        await until(lambda: refused(second, token))
        assert await sent(first, token, "late") in ("fenced", "task-ended")


async def refused(one: Replica, token: str) -> bool:
    """Whether a task is refused now."""
    return await sent(one, token, "again") in ("fenced", "task-ended")


@pytest.mark.slow
async def test_one_replica_notifies_for_all(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """Each event is delivered once; when the one that did it goes, another goes on where it stopped."""
    async with hook_server() as hook:
        (tmp_path / "hook").write_text(SECRET)
        (tmp_path / "hook").chmod(0o600)
        more: Json = {
            "notify": {
                "ops": {"url": hook.url, "secret": f"file:{tmp_path / 'hook'}", "on": ["fence.locked"]}
            },
            "trust": {"plain_loopback": True},
        }
        async with replicas(
            tmp_path, postgres, postgres_server.port, count=2, lease_ms=LEASE_MS, **more
        ) as world:
            for number, (kind, name) in enumerate(WHOM[:3], 1):
                by = world.all[number % 2]
                await by.ask("POST", "/api/v1/lock", {"kind": kind, "name": name}, by="root")
                await until(lambda number=number: _taken(hook.taken, number))  # type: ignore[misc]
            assert hook.deliveries == 3
            (tending,) = [one for one in world.all if (await one.told())["tends"]]
            other = next(one for one in world.all if one is not tending)
            await tending.stop()
            kind, name = WHOM[3]
            await other.ask("POST", "/api/v1/lock", {"kind": kind, "name": name}, by="root")
            await until(lambda: _taken(hook.taken, 4))
            assert hook.deliveries == 4
            assert [one["data"]["scope"] for one in hook.taken] == [":".join(one) for one in WHOM]


async def _taken(taken: list[Json], many: int) -> bool:
    return len(taken) >= many
