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
from tests.authorization_server import SECRET, Authorities, authorities, server
from tests.leasing_gateway import LeasingGateway

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
            with pytest.raises(KeyUnavailable, match="no tool that the task was granted has scopes"):
                gateway.call(token)
            assert gateway.shown() == []
            assert server.tokens == {}


Json = Any


def lease_at(server: Authorities, **more: Json) -> Json:
    """Give what `remit.yaml` says of a token to read."""
    return {
        "oauth": server.oauth(scopes=["crm.read"], **more),
    }


@pytest.mark.parametrize("given", ["crm.read crm.pay", "crm.pay", "CRM.READ"])
def test_a_token_with_more_than_was_asked_for_is_taken_back(
    tmp_path: Path, server: Authorities, given: str
) -> None:
    """RFC 6749 section 5.1: the server says what it gives. No call carries it, and nobody can use it."""
    server.gives = given
    with LeasingGateway(tmp_path, lease_at(server)) as gateway:
        _, token = gateway.open()
        with pytest.raises(KeyUnavailable, match="gives more than was asked for"):
            gateway.call(token)
        assert gateway.shown() == []
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
