# SPDX-License-Identifier: Apache-2.0
"""Refresh tokens that remit keeps for people: got once at their browser, used one at a time, never lost, and
dead when they are not wanted any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from remit.core.errors import KeyUnavailable
from remit.ports.broker import LeaseWanted
from remit.services.identity.directory import NewPerson
from tests.gateways.connecting_gateway import Browser, connections, lease_at
from tests.gateways.leasing_gateway import LeasingGateway
from tests.servers.authorization_server import SECRET
from tests.servers.connecting_server import ConnectingAuthorities, connecting

pytestmark = pytest.mark.slow


@pytest.fixture
def server() -> Iterator[ConnectingAuthorities]:
    """The authorization server."""
    with connecting() as made:
        yield made


@pytest.fixture
def gateway(tmp_path: Path, server: ConnectingAuthorities) -> Iterator[LeasingGateway]:
    """A gateway whose `crm` people connect."""
    with (
        mock.patch.dict(os.environ, {"CRM_CLIENT_SECRET": SECRET}),
        LeasingGateway(tmp_path, lease_at(server)) as made,
    ):
        yield made


Browse = Callable[..., "Browser"]


@pytest.fixture
def browse(gateway: LeasingGateway) -> Iterator[Browse]:
    """Provide people's browsers."""
    with contextlib.ExitStack() as stack:

        def made(person: str = "ana") -> Browser:
            one = Browser(gateway, person)
            stack.callback(one.http.close)
            return one

        yield made


def test_whoever_has_connected_it_once_is_acted_for(
    browse: Browse, gateway: LeasingGateway, server: ConnectingAuthorities
) -> None:
    """Each task has its own token with its scopes; the token ends with the task, the connection does not."""
    browse().connect()
    task, token = gateway.open("ana")
    gateway.call(token)
    gateway.call(token)
    (text,) = server.tokens.keys() - {gateway_first(server)}
    assert server.tokens[text].scope == "crm.read crm.echo"
    assert {one["authorization"] for one in gateway.shown()} == {f"Bearer {text}"}
    assert gateway.closed_up(task)["closed"]
    assert server.tokens[text].is_revoked()
    assert len(server.alive()) == 1
    _, again = gateway.open("ana")
    gateway.call(again)
    assert len(server.refreshes) == 3
    assert len(server.alive()) == 1


def gateway_first(server: ConnectingAuthorities) -> str:
    """Return the access token that came with the code, which no task uses."""
    return next(iter(server.tokens))


def test_whoever_has_not_connected_it_is_told_where(
    gateway: LeasingGateway, server: ConnectingAuthorities
) -> None:
    """A task for no person has no person who could have connected the upstream."""
    _, token = gateway.open("ana")
    with pytest.raises(KeyUnavailable, match="`ana` has not connected upstream `crm`"):
        gateway.call(token)
    _, nobody = gateway.open()
    with pytest.raises(KeyUnavailable, match="for no person"):
        gateway.call(nobody)
    assert gateway.shown() == []


def test_nobody_else_finishes_what_somebody_has_begun(
    browse: Browse, gateway: LeasingGateway, server: ConnectingAuthorities
) -> None:
    """Another person's browser, the same person's other browser, and the same address twice: nothing is kept.

    Otherwise an attacker could have their own account used in another's tasks, or another's in theirs.
    """
    gateway.wait(gateway.services.identity.directory.add_person(NewPerson(name="bob"), by="remit"))
    ana, elsewhere, bob = browse(), browse(), browse("bob")
    address = ana.leave()
    for other in (bob, elsewhere):
        answer = other.arrive(address)
        assert answer.status_code == 401, answer.text
        assert "not started in this browser" in answer.text
    assert gateway.wait(connections(gateway).of("bob")) == []
    assert gateway.wait(connections(gateway).of("ana")) == []
    assert ana.arrive(address).status_code == 303
    assert ana.arrive(address).status_code == 401
    assert len(server.refreshes) == 1


def test_a_refusal_at_the_server_connects_nothing(browse: Browse, gateway: LeasingGateway) -> None:
    """And says so."""
    ana = browse()
    address = re.sub(r"code=[^&]+", "error=access_denied", ana.leave())
    answer = ana.arrive(address)
    assert "did not agree" in answer.text
    assert gateway.wait(connections(gateway).of("ana")) == []


def test_tasks_at_once_never_use_one_token_twice(
    browse: Browse, gateway: LeasingGateway, server: ConnectingAuthorities
) -> None:
    """The server would take that for theft, and end everything."""
    browse().connect()
    server.lag_of_answers_s = 0.1
    opened = [gateway.open("ana")[1] for _ in range(6)]

    async def ask_all() -> list[object]:
        broker = gateway.services.credentials.leases._brokers["crm"]
        tasks = await gateway.services.store.tasks(gateway.services.tenant, limit=10)
        wanted = [LeaseWanted(f"lse_{n:016d}", "crm", task) for n, task in enumerate(tasks)]
        return list(await asyncio.gather(*(broker.obtain(one) for one in wanted)))

    assert len(gateway.wait(ask_all())) == len(opened)
    assert len(server.alive()) == 1


def test_who_is_cut_while_waiting_loses_no_token(
    browse: Browse, gateway: LeasingGateway, server: ConnectingAuthorities
) -> None:
    """The answer comes when no call waits for it: the tokens in it are kept."""
    browse().connect()
    gateway.open("ana")
    server.lag_of_answers_s = 0.5

    async def cut() -> None:
        broker = gateway.services.credentials.leases._brokers["crm"]
        (task,) = await gateway.services.store.tasks(gateway.services.tenant, limit=10)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await broker.obtain(LeaseWanted("lse_0000000000000001", "crm", task))
        server.lag_of_answers_s = 0.0
        await broker.obtain(LeaseWanted("lse_0000000000000002", "crm", task))

    gateway.wait(cut())
    assert len(server.alive()) == 1


def test_what_the_server_has_ended_is_to_be_connected_again(
    browse: Browse, gateway: LeasingGateway, server: ConnectingAuthorities
) -> None:
    """It is asked once and not again; the page offers it again."""
    ana = browse()
    ana.connect()
    for one in server.refreshes.values():
        one.dead = True
    _, token = gateway.open("ana")
    with pytest.raises(KeyUnavailable, match="has revoked the person's consent"):
        gateway.call(token)
    asked = len(server.asked)
    with pytest.raises(KeyUnavailable, match="its server has revoked the connection"):
        gateway.call(token)
    assert len(server.asked) == asked
    assert "has revoked the connection" in ana.http.get("/oauth/account").text
    ana.connect()
    gateway.call(token)


def test_disconnected_it_is_dead_at_its_server(
    browse: Browse, gateway: LeasingGateway, server: ConnectingAuthorities
) -> None:
    """Though that is down just then: here it opens nothing at once, there it is taken back when it can be."""
    ana = browse()
    ana.connect()
    server.broken = True
    assert ana.press("connection").status_code == 303
    assert "connected since" not in ana.http.get("/oauth/account").text
    _, token = gateway.open("ana")
    with pytest.raises(KeyUnavailable, match="has not connected"):
        gateway.call(token)
    assert len(server.alive()) == 1
    server.broken = False
    gateway.wait(connections(gateway).sweep())
    assert server.alive() == []
    assert gateway.wait(gateway.services.store.values(gateway.services.tenant, "connection:")) == []


def test_whoever_may_not_act_any_more_is_disconnected(
    browse: Browse, gateway: LeasingGateway, server: ConnectingAuthorities
) -> None:
    """The disconnection needs no action by an operator."""
    gateway.wait(gateway.services.identity.directory.add_person(NewPerson(name="bob"), by="remit"))
    browse("bob").connect()
    assert len(server.alive()) == 1
    gateway.wait(gateway.services.identity.personnel.deactivate("bob", by="ana"))
    gateway.wait(connections(gateway).sweep())
    assert server.alive() == []


def test_connected_again_the_one_before_is_taken_back(
    browse: Browse, gateway: LeasingGateway, server: ConnectingAuthorities
) -> None:
    """Only one is ever good."""
    ana = browse()
    ana.connect()
    ana.connect()
    assert len(server.refreshes) == 2
    assert len(server.alive()) == 1
    _, token = gateway.open("ana")
    gateway.call(token)


@pytest.mark.parametrize("disconnects", [False, True])
def test_the_one_before_is_taken_back_when_its_server_can(
    browse: Browse, gateway: LeasingGateway, server: ConnectingAuthorities, *, disconnects: bool
) -> None:
    """The server takes nothing back while the person connects again, or has disconnected before that."""
    ana = browse()
    ana.connect()
    server.away = {"/revoke"}
    if disconnects:
        ana.press("connection")
    ana.connect()
    assert len(server.alive()) == 2
    server.away = set()
    gateway.wait(connections(gateway).reseal())
    gateway.wait(connections(gateway).sweep())
    assert server.alive() == [list(server.refreshes)[-1]]
    _, token = gateway.open("ana")
    gateway.call(token)


def test_a_connection_that_gives_more_is_taken_back_when_its_server_can(
    browse: Browse, gateway: LeasingGateway, server: ConnectingAuthorities
) -> None:
    """It is not used, and its server takes nothing back just then: it is not forgotten."""
    ana = browse()
    server.gives, server.away = "crm.read crm.echo crm.error crm.pay", {"/revoke"}
    assert "grants more than requested" in ana.arrive(ana.leave()).text
    assert "connected since" not in ana.http.get("/oauth/account").text
    assert len(server.alive()) == 1
    server.away = set()
    gateway.wait(connections(gateway).sweep())
    assert server.alive() == []


def test_a_token_is_kept_sealed_and_told_nowhere(
    browse: Browse, gateway: LeasingGateway, server: ConnectingAuthorities
) -> None:
    """Not in the store as it is, not in events; sealed again it is as good as before."""
    browse().connect()
    (refresh,) = server.alive()
    kept = str(gateway.wait(gateway.services.store.values(gateway.services.tenant, "connection:")))
    assert "ana" in kept
    assert refresh not in kept
    session = gateway.session()
    assert refresh not in gateway.remit("audit", "log", "--json", session=session).stdout
    gateway.wait(connections(gateway).reseal())
    _, token = gateway.open("ana")
    gateway.call(token)


def test_a_token_is_shown_to_the_server_that_gave_it_alone(
    browse: Browse, gateway: LeasingGateway, server: ConnectingAuthorities
) -> None:
    """Who changes the configuration so that the upstream's tokens come from elsewhere gets none of those."""
    browse().connect()
    connector = connections(gateway).connectors["crm"]
    with connecting() as other, mock.patch.object(connector, "place", f"{other.url}/token"):
        _, token = gateway.open("ana")
        with pytest.raises(KeyUnavailable, match="has not connected"):
            gateway.call(token)
        assert other.asked == []
    assert len(server.alive()) == 1
