# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several suites of conformance share."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from remit.adapters.keys import openbao_client as bao_keys
from remit.ports.store.store import Store
from tests.conformance.key_stores import InFiles, InOpenBao, KeyStore
from tests.conformance.stores import FILES, Open, in_postgres
from tests.conformance.tenants_apart import apart
from tests.servers.postgres_server import PostgresServer

_numbers = itertools.count()


@pytest.fixture
def open_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """What opens one kind of store in a folder, again and again."""
    if request.param in FILES:
        with apart(FILES[request.param], monkeypatch) as opened:
            yield opened
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    made: dict[Path, str] = {}

    def database_of(folder: Path) -> str:
        if folder not in made:
            made[folder] = server.fresh()
        return made[folder]

    yield in_postgres(database_of)
    for url in made.values():
        server.drop(url)


@pytest.fixture
async def store(open_store: Open, tmp_path: Path) -> AsyncIterator[Store]:
    """An open store."""
    opened = open_store(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture(params=["files", "openbao"])
async def key_store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[KeyStore]:
    """A fresh keeper of keys; a busy machine may be slow."""
    monkeypatch.setattr(bao_keys, "TIMEOUT_S", 60.0)
    if request.param == "files":
        made: KeyStore = InFiles(tmp_path)
    else:
        made = InOpenBao(tmp_path, request.getfixturevalue("bao"), f"test-{next(_numbers)}")
    yield made
    await made.close()
