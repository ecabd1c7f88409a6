# SPDX-License-Identifier: Apache-2.0
"""Threat: a task gets a token with more scopes than its tools need: for none was named, or because its server
is generous.
"""

import os
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from remit.core.errors import KeyUnavailable
from tests.gateways.leasing_gateway import LeasingGateway
from tests.gateways.several_replicas import until
from tests.servers.authorization_server import SECRET, Authorities, authorities, server

pytestmark = pytest.mark.slow

__all__ = ["server"]


def test_without_scopes_there_is_no_token(tmp_path: Path) -> None:
    """RFC 6749 section 3.3 leaves it to the server what is given then; section 6 says: all that there is."""
    with authorities() as server:
        lease = {
            "oauth": server.oauth(tool_scopes={"transfer": ["crm.pay"]}),
        }
        with (
            mock.patch.dict(os.environ, {"CRM_CLIENT_SECRET": SECRET}),
            LeasingGateway(tmp_path, lease) as gateway,
        ):
            _, token = gateway.open()
            with pytest.raises(KeyUnavailable, match="no granted tool of the task has scopes"):
                gateway.call(token)
            assert gateway.shown() == []
            assert server.tokens == {}


Json = Any


def lease_at(server: Authorities, **more: Json) -> Json:
    """Return what `remit.yaml` says of a token to read."""
    return {
        "oauth": server.oauth(scopes=["crm.read"], **more),
    }


def settle(gateway: LeasingGateway) -> None:
    """Wait until nothing is being taken back any more."""

    async def over() -> bool:
        await gateway.services.credentials.leases.sweep()
        return gateway.services.credentials.leases.counts()["open"] == 0

    gateway.wait(until(over))


@pytest.mark.parametrize("given", ["crm.read crm.pay", "crm.pay", "CRM.READ"])
def test_a_token_with_more_than_was_asked_for_is_taken_back(
    tmp_path: Path, server: Authorities, given: str
) -> None:
    """RFC 6749 section 5.1: the server states what it grants. No call carries the token, and no one can use
    it.
    """
    server.gives = given
    with LeasingGateway(tmp_path, lease_at(server)) as gateway:
        _, token = gateway.open()
        with pytest.raises(KeyUnavailable, match="grants more than requested"):
            gateway.call(token)
        assert gateway.shown() == []
        settle(gateway)
        assert [one.is_revoked() for one in server.tokens.values()] == [True]
        server.gives = None
        gateway.call(token)
        assert len(gateway.shown()) == 1


@pytest.mark.parametrize("given", ["crm.read", "", "crm.read https://crm.example.com/read"])
def test_less_and_what_is_allowed_is_used(tmp_path: Path, server: Authorities, given: str) -> None:
    """A server may give less, and what the configuration lets it give: its own names for the same."""
    server.gives = given
    lease = lease_at(server, may_give=["https://crm.example.com/read"])
    with LeasingGateway(tmp_path, lease) as gateway:
        task, token = gateway.open()
        gateway.call(token)
        assert len(gateway.shown()) == 1
        assert gateway.closed_up(task)["closed"]


REFRESH = "urn:ietf:params:oauth:token-type:refresh_token"


@pytest.mark.parametrize(
    ("twisted", "status"),
    [
        ({"scope": "crm.read crm.pay"}, 200),
        ({"token_type": "mac"}, 200),
        ({"issued_token_type": REFRESH}, 200),
        ({"access_token": "17|not-a-bearers"}, 200),
        ({}, 201),
    ],
)
def test_what_is_not_used_is_taken_back_until_its_server_confirms(
    tmp_path: Path, server: Authorities, twisted: Json, status: int
) -> None:
    """Whatever is wrong with a token: it opens something, and its server may be busy just when it is let go.

    It is a lease like any other: listed as open, tried on, and seen to be refused.
    """
    server.twisted, server.status, server.away = twisted, status, {"/revoke"}
    with LeasingGateway(tmp_path, lease_at(server)) as gateway:
        _, token = gateway.open()
        with pytest.raises(KeyUnavailable):
            gateway.call(token)
        assert gateway.shown() == []
        assert [one.is_revoked() for one in server.tokens.values()] == [False]
        assert gateway.services.credentials.leases.counts() == {"held": 0, "open": 1}
        server.away = set()
        settle(gateway)
        assert [one.is_revoked() for one in server.tokens.values()] == [True]


def test_a_refresh_token_that_comes_beside_it_ends_with_it(tmp_path: Path, server: Authorities) -> None:
    """It was not requested: left alone, it would give tokens of the same scopes after the task's end."""
    server.twisted = {"refresh_token": "one-for-later"}
    taken_back: list[str] = []

    def take_back(text: str) -> bool:
        taken_back.append(text)
        return True

    server.take_back = take_back  # type: ignore[method-assign]
    with LeasingGateway(tmp_path, lease_at(server)) as gateway:
        task, token = gateway.open()
        gateway.call(token)
        assert taken_back == []
        assert gateway.closed_up(task)["closed"]
    assert taken_back == ["one-for-later", *server.tokens]
