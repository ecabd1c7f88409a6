# SPDX-License-Identifier: Apache-2.0
"""Threat: a machine comes back with files of last month, and its start undoes the policies of all."""

from pathlib import Path
from typing import Any

import pytest

from remit.core.canonical import digest
from tests.gateways.several_replicas import Replica, replicas, sent, until, until_sent
from tests.samples.mail_bundle import TASK
from tests.servers.postgres_server import PostgresServer

pytestmark = pytest.mark.long

Json = Any

LEASE_MS = 10_000
NEWER = TASK.replace("purpose:", "# of today\npurpose:", 1)
NEWEST = TASK.replace("purpose:", "# of tomorrow\npurpose:", 1)


def lay(one: Replica, task_type: str) -> None:
    """Write another bundle into a replica's files."""
    (one.folder / "tasks" / "send-mail.yaml").write_text(task_type)


async def in_force(one: Replica) -> str:
    """Return the digest that a replica knows to be in force."""
    return str((await one.told())["bundle"])


@pytest.mark.slow
async def test_a_start_does_not_bring_a_replaced_bundle_back(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """The start reports why it fails and what to do. The order is that in which bundles were applied,
    whatever the times of the files. Files that were never applied come into force by a start, as before.
    """
    async with replicas(tmp_path, postgres, postgres_server.port, count=2, lease_ms=LEASE_MS) as world:
        first, second = world.all
        old = await in_force(first)
        _, token = await first.open_task()
        await until_sent(first, token, "before")
        await second.stop()
        lay(first, NEWER)
        newer = (await first.ask("POST", "/api/v1/policies/apply", {}, by="root"))["digest"]
        assert newer != old
        lay(second, TASK)  # as a restored machine does: its files are the youngest of all
        code, said = await second.says("up", "--port", "0")
        assert code == 2, said
        assert f"bundle `{old}`, which was replaced; in force is `{newer}`" in said
        assert "--go-back" in said
        await until(lambda: knows(first, newer))
        assert await sent(first, token, "after") == ""
        lay(second, NEWER)
        await second.start()
        await until(lambda: knows(second, newer))
        await second.stop()
        lay(second, NEWEST)
        await second.start()
        applied = await second.ask("GET", "/api/v1/policies", by="root")
        assert applied["digest"] not in (old, newer)
        for one in world.all:
            await until(lambda one=one: knows(one, applied["digest"]))  # type: ignore[misc]


async def knows(one: Replica, digest: str) -> bool:
    """Whether a replica has heard of it."""
    return await in_force(one) == digest


async def test_going_back_is_said_and_asked_about(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """At a replica that runs, after a look at what it is; then the others start with the same files."""
    async with replicas(tmp_path, postgres, postgres_server.port, count=2, lease_ms=LEASE_MS) as world:
        first, second = world.all
        old = await in_force(first)
        lay(first, NEWER)
        await first.ask("POST", "/api/v1/policies/apply", {}, by="root")
        await second.stop()
        lay(first, TASK)
        code, said = await first.says("policy", "apply")
        assert code == 2, said
        assert "was in force earlier and was replaced" in said
        assert "--confirm" in said
        looked: Json = await first.ask("POST", "/api/v1/policies/preview", {}, by="root")
        assert looked["replaced"]
        code, said = await first.says("policy", "apply", "--confirm", digest(looked))
        assert code == 0, said
        await until(lambda: knows(first, old))
        await second.start()
        assert await in_force(second) == old


async def decides_by(one: Replica) -> str:
    """Return the digest of the bundle by which a replica decides."""
    told = await one.ask("GET", "/api/v1/policies", by="root")
    return str(told["digest"])


async def test_a_rollback_reaches_a_replica_whose_files_are_the_replaced_ones(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """It takes the bundle from the store, and keeps it when it starts again with its files."""
    async with replicas(tmp_path, postgres, postgres_server.port, count=2, lease_ms=LEASE_MS) as world:
        first, second = world.all
        old = await in_force(first)
        for one in world.all:
            lay(one, NEWER)
        newer = (await first.ask("POST", "/api/v1/policies/apply", {}, by="root"))["digest"]
        await until(lambda: _decides(second, newer))
        done: Json = await first.ask("POST", "/api/v1/policies/rollback", {"reason": "incident"}, by="root")
        assert done["digest"] == old
        await until(lambda: _decides(second, old))
        await second.stop()
        await second.start()
        assert await knows(second, old)
        assert await decides_by(second) == old


async def _decides(one: Replica, digest: str) -> bool:
    return await decides_by(one) == digest
