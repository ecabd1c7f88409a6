# SPDX-License-Identifier: Apache-2.0
"""The file of the store goes away under a running remit: what would leave no evidence is not permitted."""

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from remit.adapters.store.sqlite import Durability
from remit.core.errors import StoreUnavailable
from remit.ports.store.changes import Credential, PutCredential, PutPerson, TakeCredential
from remit.ports.store.units import Unit
from tests.clients.http_line import Line
from tests.clients.other_user import NOBODY
from tests.gateways.gateway_process import GatewayProcess, gateway_process
from tests.gateways.several_replicas import until
from tests.worlds.stores import a_call, each_durability, opened_sqlite
from tests.worlds.values import TENANT, WorldClock, a_person

pytestmark = pytest.mark.slow


def deleted(store: Path) -> None:
    """Delete the file and what belongs to it."""
    for file in store.parent.glob(f"{store.name}*"):
        file.unlink()


def moved(store: Path) -> None:
    """Move the file away."""
    store.rename(store.with_name("elsewhere.db"))


def replaced(store: Path) -> None:
    """Put a copy in its place."""
    copy = store.with_name("copy.db")
    shutil.copyfile(store, copy)
    copy.replace(store)


def without_its_log(store: Path) -> None:
    """Delete the write-ahead log alone, where what was committed last is."""
    store.with_name(f"{store.name}-wal").unlink()


def written_over(store: Path) -> None:
    """Copy something over it: the file stays the one that is open."""
    store.write_bytes(store.read_bytes())


each_way = pytest.mark.parametrize("goes", [deleted, moved, replaced, without_its_log, written_over])


@each_durability
@each_way
async def test_nothing_counts_as_committed_in_a_file_that_is_gone(
    tmp_path: Path, durability: Durability, goes: object
) -> None:
    """Whichever way it goes; and nothing counts any more until remit is started again."""
    assert callable(goes)
    store = opened_sqlite(tmp_path, durability)
    await store.commit(a_call(0))
    goes(tmp_path / "remit.db")
    for number in (1, 2):
        with pytest.raises(StoreUnavailable) as refused:
            await store.commit(a_call(number))
        assert refused.value.code == "store-gone"
    await store.close()


async def test_a_file_that_was_put_back_counts_with_the_next_start(tmp_path: Path) -> None:
    """What was confirmed before is there."""
    store = opened_sqlite(tmp_path, "durable")
    await store.commit(a_call(0))
    moved(tmp_path / "remit.db")
    with pytest.raises(StoreUnavailable):
        await store.commit(a_call(1))
    (tmp_path / "elsewhere.db").rename(tmp_path / "remit.db")
    with pytest.raises(StoreUnavailable):
        await store.commit(a_call(2))
    await store.close()
    again = opened_sqlite(tmp_path, "durable", seed="second")
    calls = [
        json.loads(entry.leaf)["facts"]["n"]
        for entry in await again.entries(TENANT, kinds=("decision.made",))
    ]
    assert calls[0] == 0
    await again.commit(a_call(3))
    await again.close()


def put_back(copy: Path, store: Path) -> None:
    """Put a copy of yesterday in its place, under its name."""
    copy.replace(store)


def copied_back(copy: Path, store: Path) -> None:
    """Copy yesterday's over it (`cp`)."""
    store.write_bytes(copy.read_bytes())


@each_durability
@pytest.mark.parametrize("comes", [put_back, copied_back])
async def test_what_was_ended_does_not_live_again_in_a_copy_of_yesterday(
    tmp_path: Path, durability: Durability, comes: Callable[[Path, Path], None]
) -> None:
    """The file comes back under a running remit: sessions, codes, approvals were used up since it was made.

    Nothing has been committed since, and no one is let in.
    """
    store, path = opened_sqlite(tmp_path, durability), tmp_path / "remit.db"
    now = WorldClock().now()
    kept = Credential(
        tenant=TENANT, digest="d", kind="session", person="lena", created=now, expires=now + timedelta(days=9)
    )
    await store.commit(Unit((PutPerson(a_person("lena")), PutCredential(kept))))
    with (
        contextlib.closing(sqlite3.connect(path)) as one,
        contextlib.closing(sqlite3.connect(tmp_path / "yesterday.db")) as other,
    ):
        one.backup(other)
    await store.commit(Unit((TakeCredential(TENANT, "d"),)))
    await store._scrub()
    comes(tmp_path / "yesterday.db", path)
    with pytest.raises(StoreUnavailable) as refused:
        await store.signed_in(TENANT, "d")
    assert refused.value.code == "store-gone"
    await store.close()


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let this process not write to a folder, also where it may do everything."""
    folder.chmod(0o555)
    everything = os.geteuid() == 0
    if everything:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if everything:
            os.seteuid(0)
        folder.chmod(0o755)


@each_durability
async def test_a_folder_that_cannot_be_written_refuses_until_it_can(
    tmp_path: Path, durability: Durability
) -> None:
    """Nothing that was refused is there, and all goes on."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    store = opened_sqlite(tmp_path, durability)
    await store.commit(a_call(0))
    with read_only(tmp_path):
        with pytest.raises(StoreUnavailable) as refused:
            await store.commit(a_call(1))
        assert refused.value.code == "store-read-only"
    await store.commit(a_call(2))
    assert [entry.index for entry in await store.entries(TENANT)] == [0, 1, 2, 3]
    await store.close()


@each_way
async def test_a_gateway_whose_store_is_gone_permits_nothing_and_says_so(
    tmp_path: Path, goes: object
) -> None:
    """No mail goes out; `/health/ready` names the reason."""
    assert callable(goes)
    async with gateway_process(tmp_path) as gateway:
        _, token = await gateway.open_task()
        assert await mailed(gateway, token, "before") == ""
        goes(tmp_path / ".remit" / "remit.db")
        for number in range(3):
            assert await mailed(gateway, token, f"after {number}") == "store-gone"

        async def says_so() -> bool:
            status, told = await gateway.raw("GET", "/health/ready")
            return (status, json.loads(told)["store"]) == (503, "store-gone")

        await until(says_so)
        assert [mail["subject"] for mail in gateway.outbox()] == ["before"]


async def mailed(gateway: GatewayProcess, token: str, subject: str) -> str:
    """Send one mail; gives why it was refused."""
    with contextlib.closing(await Line.to(gateway.port)) as line:
        return (await gateway.send(line, token, subject)).code
