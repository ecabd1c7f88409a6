# SPDX-License-Identifier: Apache-2.0
"""Threat: at the return from an upstream's authorization server, an answer of another server is taken for its
own, or one that gives more than the person agreed to.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from tests.gateways.connecting_gateway import Browser, connections, lease_at
from tests.gateways.leasing_gateway import LeasingGateway
from tests.servers.authorization_server import SECRET
from tests.servers.connecting_server import ConnectingAuthorities, connecting

pytestmark = pytest.mark.slow


@pytest.fixture
def server() -> Iterator[ConnectingAuthorities]:
    """The authorization server."""
    with connecting() as made, mock.patch.dict(os.environ, {"CRM_CLIENT_SECRET": SECRET}):
        yield made


@pytest.fixture
def gateway(tmp_path: Path, server: ConnectingAuthorities) -> Iterator[LeasingGateway]:
    """A gateway whose `crm` people connect."""
    with LeasingGateway(tmp_path, lease_at(server)) as made:
        yield made


@pytest.fixture
def ana(gateway: LeasingGateway) -> Iterator[Browser]:
    """A person's browser."""
    made = Browser(gateway)
    yield made
    made.http.close()


def test_a_connection_with_more_than_was_asked_for_is_taken_back(
    ana: Browser, gateway: LeasingGateway, server: ConnectingAuthorities
) -> None:
    """The person agreed to less: nothing is kept, and the refresh token is of no more use."""
    server.gives = "crm.read crm.echo crm.error crm.pay"
    answer = ana.arrive(ana.leave())
    assert "grants more than requested" in answer.text
    assert gateway.wait(connections(gateway).of("ana")) == []
    assert len(server.refreshes) == 1
    assert server.alive() == []


def test_the_answer_of_one_server_is_not_taken_for_anothers(
    ana: Browser, gateway: LeasingGateway, server: ConnectingAuthorities
) -> None:
    """A mix-up: each upstream's people come back to a separate address, and the way is bound to it. The code
    goes to no server.
    """
    address = ana.leave()
    assert "/oauth/account/arrive/crm?" in address
    for elsewhere in ("/arrive/notes?", "/arrive/nowhere?"):
        answer = ana.arrive(address.replace("/arrive/crm?", elsewhere))
        assert answer.status_code == 401, answer.text
    assert ana.arrive(address.replace("/arrive/crm?", "/arrive?")).status_code == 404
    assert "/token" not in server.asked
    assert ana.arrive(address).status_code == 303


@pytest.mark.parametrize(
    ("called", "named", "required", "says"),
    [
        ("https://login.example.com", "https://login.example.com", True, ""),
        ("https://login.example.com", "https://login.example.com", False, ""),
        ("", "https://login.example.com", False, ""),
        ("", "https://login.example.com", True, "does not name its issuer"),
        ("https://evil.example.com", "https://login.example.com", False, "has another issuer"),
        ("https://evil.example.com", "https://login.example.com", True, "has another issuer"),
        ("https://login.example.com/", "https://login.example.com", True, "has another issuer"),
        ("https://login.example.com", "", False, "the expected issuer is not configured"),
    ],
)
def test_an_answer_counts_if_it_is_from_the_server_that_was_asked(
    tmp_path: Path, server: ConnectingAuthorities, called: str, named: str, required: bool, says: str
) -> None:
    """RFC 9207 section 2.4: `iss` is compared letter by letter, and the code of another goes nowhere."""
    server.called = called
    lease = lease_at(server)
    lease["oauth"] |= {"issuer": named, "iss_required": required}
    with LeasingGateway(tmp_path, lease) as gateway:
        ana = Browser(gateway)
        with contextlib.closing(ana.http):
            answer = ana.arrive(ana.leave())
        assert says in answer.text
        assert ("/token" in server.asked) is (not says)
        assert len(gateway.wait(connections(gateway).of("ana"))) == (0 if says else 1)
