# SPDX-License-Identifier: Apache-2.0
"""Leases of a real OpenBao: a database credential for each task, dead at the database when it ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest

from remit.adapters.broker.http import BrokerHttp
from remit.adapters.broker.openbao import static_roles as openbao_static
from remit.adapters.broker.openbao.client import BaoSource
from remit.adapters.broker.openbao.dynamic_secrets import OpenBaoBroker
from remit.adapters.broker.openbao.static_roles import OpenBaoStaticBroker
from remit.adapters.runtime.system import SystemClock
from remit.core.errors import ConfigInvalid, KeyUnavailable
from remit.ports.broker import LeaseWanted, UnfitCredential
from tests.conformance.bao_brokers import AtBaoStatic, AtOpenBao
from tests.gateways.leasing_gateway import LeasingGateway
from tests.servers.bao_server import BaoServer
from tests.servers.postgres_server import PostgresServer
from tests.worlds.values import WorldClock, a_task

Json = Any


@contextmanager
def leasing(folder: Path, lease: Json, token: str) -> Iterator[LeasingGateway]:
    """Provide a gateway that leases at OpenBao with a token."""
    with mock.patch.dict(os.environ, {"BAO_TOKEN": token}), LeasingGateway(folder, lease) as gateway:
        yield gateway


def leases(bao: BaoServer, place: AtOpenBao) -> list[str]:
    """Return the leases that OpenBao knows under the path."""
    try:
        told = bao.ask("LIST", f"sys/leases/lookup/database/creds/{place.name}")
    except OSError:
        return []  # it answers 404 where there is none
    assert isinstance(told, dict)
    return list(told["data"]["keys"])


def test_a_lease_of_openbao_ends_with_the_task(
    tmp_path: Path, bao: BaoServer, postgres_server: PostgresServer
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
    with leasing(tmp_path, lease, place.token) as gateway:
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
    bao: BaoServer, postgres_server: PostgresServer
) -> None:
    """A secret without a lease; values that are not those that the headers need; a path that is shut."""
    place = AtOpenBao(bao, postgres_server, by_login=False)
    bao.ask("POST", "secret/data/crm", {"data": {"password": "standing"}})
    web = BrokerHttp("OpenBao")
    wanted = LeaseWanted("lse_one", "crm", a_task())
    try:
        for path, headers, token, told in (
            ("secret/data/crm", place.HEADERS, "root-of-the-tests", "it returned no lease"),
            (f"database/creds/{place.name}", {"X": "{token}"}, place.token, "gives no `token`"),
            ("database/config/crm", place.HEADERS, place.token, "status 403"),
        ):
            known = BaoSource(bao.address, lambda token=token: token, web=web, clock=SystemClock())  # type: ignore[misc]
            broker = OpenBaoBroker(known, path, headers=headers)
            with pytest.raises(KeyUnavailable, match=told) as refused:
                await broker.obtain(wanted)
            if isinstance(refused.value, UnfitCredential):
                await broker.revoke(refused.value.credential)
    finally:
        await web.close()
    assert leases(bao, place) == []


def test_an_address_that_is_none_is_said() -> None:
    """Before anything is leased."""
    known = BaoSource("http://127.0.0.1:1", str, web=BrokerHttp("OpenBao"), clock=SystemClock())
    with pytest.raises(ConfigInvalid, match="is not an address of a PostgreSQL database"):
        OpenBaoBroker(known, "database/creds/crm", login="postgresql://[")


def static_at(bao: BaoServer, place: AtBaoStatic) -> Json:
    """Return what `remit.yaml` says of a static role."""
    return {
        "openbao": {
            "address": bao.address,
            "token": "env:BAO_TOKEN",
            "static": {"role": place.role},
            "login": place.place,
        },
        "headers": place.HEADERS,
    }


def opens(address: str) -> bool:
    """Whether the database takes a login: asked by the test itself."""
    try:
        psycopg.connect(address).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_standing_role_has_another_password_when_a_task_has_ended(
    tmp_path: Path, bao: BaoServer, postgres_server: PostgresServer
) -> None:
    """What the task used opens nothing, which the database has said; the others go on with the new one."""
    place = AtBaoStatic(bao, postgres_server)
    with leasing(tmp_path, static_at(bao, place), place.token) as gateway:
        first, token = gateway.open()
        _, other = gateway.open()
        gateway.call(token)
        gateway.call(other)
        used, same = (one["x-database"] for one in gateway.shown())
        assert used == same
        assert opens(used)
        assert place.password() not in gateway.call(other, place.password())
        closure = gateway.closed_up(first)
        assert closure["closed"]
        (closing,) = [one for one in closure["closings"] if one["lease"]]
        assert closing["kind"] == "openbao-static-role"
        assert closing["name"].startswith(f"{place.role}@127.0.0.1:")
        assert 0 < closing["revoked_after_ms"] <= closing["refused_after_ms"]
        assert not opens(used)
        gateway.call(other)
        now = gateway.shown()[-1]["x-database"]
        assert now != used
        assert opens(now)
        gateway.until(lambda: gateway.services.credentials.leases.counts()["open"] == 0)
        assert opens(now)


def test_a_password_that_openbao_is_about_to_change_is_changed_before_it_is_used(
    tmp_path: Path, bao: BaoServer, postgres_server: PostgresServer
) -> None:
    """No call begins with a password that ends within seconds, at a time that remit does not choose."""
    place = AtBaoStatic(bao, postgres_server, period_s=3_600)
    with (
        mock.patch.object(openbao_static, "SOON_S", 86_400),
        leasing(tmp_path, static_at(bao, place), place.token) as gateway,
    ):
        before = place.password()
        with mock.patch.object(
            openbao_static._Password, "ending", property(lambda one: one.password == before)
        ):
            _, token = gateway.open()
            gateway.call(token)
        assert f":{before}@" not in gateway.shown()[-1]["x-database"]
        assert opens(gateway.shown()[-1]["x-database"])


@pytest.mark.slow
def test_openbao_down_at_the_end_leaves_the_password_open_and_says_so(
    tmp_path: Path, bao: BaoServer, postgres_server: PostgresServer
) -> None:
    """The password is changed as soon as OpenBao answers, even if others use the role."""
    place = AtBaoStatic(bao, postgres_server)
    with leasing(tmp_path, static_at(bao, place), place.token) as gateway:
        task, token = gateway.open()
        gateway.call(token)
        used = gateway.shown()[-1]["x-database"]
        place.cut()
        try:
            gateway.left_open(task)
            assert opens(used)
        finally:
            place.mend()
        gateway.until(lambda: not gateway.services.credentials.leases.of(task=task))
        assert not opens(used)
        assert gateway.closed_up(task)["closed"]


def test_a_role_that_openbao_will_not_change_is_not_leased_again_and_again(
    tmp_path: Path, bao: BaoServer, postgres_server: PostgresServer
) -> None:
    """The policy lets remit read and not rotate: the end stays open, and others go on with what they have."""
    place = AtBaoStatic(bao, postgres_server)
    token_to_read = bao.token_for('path "database/static-creds/*" { capabilities = ["read"] }')
    with leasing(tmp_path, static_at(bao, place), token_to_read) as gateway:
        first, token = gateway.open()
        second, other = gateway.open()
        gateway.call(token)
        gateway.call(other)
        gateway.left_open(first)
        for _ in range(3):
            gateway.call(other)
        assert len(gateway.services.credentials.leases.of(task=second)) == 1
        assert opens(gateway.shown()[-1]["x-database"])


async def test_a_password_that_nobody_confirms_counts_for_a_while_and_a_clear_no_at_once(
    own_bao: BaoServer,
    postgres_server: PostgresServer,
) -> None:
    """OpenBao is sealed: calls go on for five minutes. It takes the leave to read away: they do not."""
    place, clock, web = AtBaoStatic(own_bao, postgres_server), WorldClock(), BrokerHttp("OpenBao")
    known = BaoSource(own_bao.address, lambda: place.token, web=web, clock=clock)
    broker = OpenBaoStaticBroker(known, "database", place.role, login=place.place)
    try:
        given = await broker.obtain(LeaseWanted("lse_1", "crm", a_task()))
        assert await broker.counts(given)
        told = own_bao.ask("GET", "auth/token/lookup-self", token=place.token)
        assert isinstance(told, dict)
        (policy,) = [one for one in told["data"]["policies"] if one != "default"]
        own_bao.ask("DELETE", f"sys/policies/acl/{policy}")
        with pytest.raises(KeyUnavailable, match="status 403"):
            await broker.counts(given)
        own_bao.ask("PUT", f"sys/policies/acl/{policy}", {"policy": place.POLICY})
        assert await broker.counts(given)
        own_bao.ask("PUT", "sys/seal")
        for _ in range(3):
            assert await broker.counts(given)
            clock.advance(99)
        assert await broker.counts(given)
        clock.advance(10)
        with pytest.raises(KeyUnavailable, match="status 503"):
            await broker.counts(given)
    finally:
        await web.close()
