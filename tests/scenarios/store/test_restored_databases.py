# SPDX-License-Identifier: Apache-2.0
"""Threat: a database is restored to an older state under a running remit, and what was ended lives again."""

import asyncio
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from remit.core.errors import Fenced, NotFound, StoreUnavailable, VerificationFailed
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.scope import ScopeKind
from remit.ports.store.changes import Credential, PutCredential, PutPerson, TakeCredential
from remit.ports.store.units import Unit
from tests.servers.postgres_server import PostgresServer
from tests.worlds.calls import call_world
from tests.worlds.stores import opened_postgres
from tests.worlds.values import TENANT, WorldClock, a_person, an_event


async def test_a_session_that_was_ended_opens_nothing_in_a_database_of_before(
    own_postgres: PostgresServer,
) -> None:
    """The server comes back with its data of an hour ago: nothing is read from it, as nothing is written."""
    store, now = opened_postgres(own_postgres.fresh()), WorldClock().now()
    kept = Credential(
        tenant=TENANT, digest="d", kind="session", person="lena", created=now, expires=now + timedelta(days=9)
    )
    await store.commit(Unit((PutPerson(a_person("lena")), PutCredential(kept)), (an_event(),)))

    def before() -> None:
        own_postgres.stop()
        # Runs as the user that runs the server.
        subprocess.run(["cp", "-a", own_postgres.data, own_postgres.folder / "before"], check=True)
        own_postgres.start()

    def restored() -> None:
        own_postgres.stop()
        shutil.rmtree(own_postgres.data)
        (own_postgres.folder / "before").rename(own_postgres.data)
        own_postgres.start()

    await asyncio.to_thread(before)
    assert await store.signed_in(TENANT, "d") is not None
    # The connection that writes was lost with the server.
    for _ in range(5):
        try:
            await store.commit(Unit((TakeCredential(TENANT, "d"),), (an_event(),)))
        except StoreUnavailable:
            continue
        break
    assert await store.signed_in(TENANT, "d") is None
    await asyncio.to_thread(restored)
    with pytest.raises(StoreUnavailable, match="lacks committed"):
        await store.signed_in(TENANT, "d")
    await store.close()


async def test_two_that_go_on_from_copies_of_one_store_are_found_out(tmp_path: Path) -> None:
    """They keep their heads in one place: the second to sign another history says so, and signs nothing."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    async with call_world(one) as world:
        await world.open()
        await world.services.evidence.log.checkpoint()
    shutil.copytree(one, two)
    shutil.rmtree(two / "head")
    (two / "head").symlink_to(one / "head")
    async with call_world(one, seed="one", settle=False) as first:
        async with call_world(two, seed="two", settle=False) as second:
            for world in (first, second):
                await world.reopen()
            await first.open()
            head = await first.services.evidence.log.checkpoint()
            for _ in range(2):
                await second.open()
            with pytest.raises(VerificationFailed, match="another remit signs it"):
                await second.services.evidence.log.checkpoint()
            await second.services.evidence.log_reading.turn()
            assert second.services.evidence.log_reading.state == "changed"
            kinds = [
                found.kind for found in await second.services.findings.findings.about(state=FindingState.OPEN)
            ]
            assert kinds == [FindingKind.LOG_CHANGED]
        assert await first.services.evidence.log.checkpoint() == head
        assert first.services.evidence.log_reading.state == "reading"


async def test_what_came_back_with_its_head_ends_with_everything(tmp_path: Path) -> None:
    """The whole machine is set back, and knows nothing of it: who has seen the log since does."""
    folder, before = tmp_path / "house", tmp_path / "before"
    folder.mkdir()
    async with call_world(folder) as world:
        task, token = await world.open()
    shutil.copytree(folder, before)
    async with call_world(folder, seed="ends", settle=False) as world:
        await world.reopen()
        await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
        seen = await world.services.evidence.log.checkpoint()
    shutil.rmtree(folder)
    before.rename(folder)
    async with call_world(folder, seed="again", settle=False) as world:
        await world.reopen()
        await world.call(token, "read")
        with pytest.raises(NotFound, match="has fewer than"):
            await world.services.evidence.log.growth(seen.size)
        await world.services.endings.revocations.end_scope(
            ScopeKind.EVERYTHING, "", reason="restored", by="root"
        )
        with pytest.raises(Fenced):
            await world.call(token, "read")
