# SPDX-License-Identifier: Apache-2.0
"""OAuth tokens of an upstream against a real authorization server: one for each task, dead when it ends."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from remit.core.errors import KeyUnavailable
from tests.gateways.leasing_gateway import LeasingGateway
from tests.servers.authorization_server import SECRET, Authorities, authorities

Json = Any


@pytest.fixture
def server() -> Iterator[Authorities]:
    """The authorization server."""
    with authorities() as made:
        yield made


def lease_at(server: Authorities) -> Json:
    """Return what `remit.yaml` says."""
    return {
        "oauth": server.oauth(
            scopes=["crm.read"], tool_scopes={"echo": ["crm.echo"], "error": ["crm.error"]}
        ),
    }


@pytest.fixture
def gateway(tmp_path: Path, server: Authorities) -> Iterator[LeasingGateway]:
    """A gateway whose `crm` takes tokens of that server."""
    with (
        mock.patch.dict(os.environ, {"CRM_CLIENT_SECRET": SECRET}),
        LeasingGateway(tmp_path, lease_at(server)) as made,
    ):
        yield made


def test_a_token_lives_for_one_task(gateway: LeasingGateway, server: Authorities) -> None:
    """With the scopes of the tools that it was granted; dead at the resource when the task has ended."""
    task, token = gateway.open()
    gateway.call(token)
    gateway.call(token)
    (text,) = server.tokens
    assert server.tokens[text].scope == "crm.read crm.echo"
    assert [one["authorization"] for one in gateway.shown()] == [f"Bearer {text}"] * 2
    closure = gateway.closed_up(task)
    assert closure["closed"]
    assert closure["proof"]["size"] > 0
    (closing,) = [one for one in closure["closings"] if one["lease"]]
    assert (closing["kind"], closing["name"]) == ("oauth-token", server.url.removeprefix("http://"))
    assert 0 < closing["revoked_after_ms"] <= closing["refused_after_ms"]
    assert server.tokens[text].is_revoked()


def test_the_end_shows_a_table_of_it(gateway: LeasingGateway) -> None:
    """With milliseconds, for people."""
    task, token = gateway.open()
    gateway.call(token)
    held = gateway.remit("who", task, session=gateway.session())
    assert "holds oauth-token for 127.0.0.1" in held.stdout
    said = gateway.remit("end", task, "--prove", session=gateway.session(), env={"COLUMNS": "160"})
    assert said.returncode == 0, said.stderr
    for word in ("REVOKED", "REFUSED AFTER", "oauth-token", "nothing left open", "proven"):
        assert word in said.stdout, said.stdout


def test_the_agent_does_not_see_it_though_the_server_sends_it_back(
    gateway: LeasingGateway, server: Authorities
) -> None:
    """What the server echoes is scrubbed of the token."""
    _, token = gateway.open()
    gateway.call(token)
    (text,) = server.tokens
    assert "hello" in gateway.call(token, "hello")
    told = gateway.call(token, text)
    assert text not in told
    assert "[credential removed]" in told


def test_a_resource_that_lags_is_tried_until_it_refuses(gateway: LeasingGateway, server: Authorities) -> None:
    """A cache at the resource: taken back at once, refused later, and both are in the closure."""
    server.lag = 3
    task, token = gateway.open()
    gateway.call(token)
    closure = gateway.closed_up(task)
    (closing,) = [one for one in closure["closings"] if one["lease"]]
    assert closing["refused_after_ms"] > closing["revoked_after_ms"]
    assert closing["attempts"] > 2


def test_a_server_that_is_down_at_issue(gateway: LeasingGateway, server: Authorities) -> None:
    """The call is refused, and nothing arrives."""
    _, token = gateway.open()
    server.stop()
    with pytest.raises(KeyUnavailable, match="does not answer"):
        gateway.call(token)
    assert gateway.shown() == []
    server.start()
    gateway.call(token)


@pytest.mark.slow
def test_a_server_that_is_down_at_the_end(gateway: LeasingGateway, server: Authorities) -> None:
    """The closure is open, `who` says so in red, and it is closed when the server comes back."""
    task, token = gateway.open()
    gateway.call(token)
    server.broken = True
    closure = gateway.left_open(task)
    session = gateway.session()
    said = gateway.remit("who", task, session=session, env={"COLUMNS": "160"})
    assert "still open: oauth-token for 127.0.0.1" in said.stdout
    assert "source-refused" in said.stdout
    server.broken = False
    gateway.until(lambda: not gateway.services.credentials.leases.of(task=task))
    assert all(one.is_revoked() for one in server.tokens.values())
    again = gateway.closed_up(task)
    assert again["id"] == closure["id"]
    assert again["closed"]


def test_a_stop_takes_back_what_is_held(tmp_path: Path, server: Authorities) -> None:
    """No token outlives the process that could take it back."""
    with (
        mock.patch.dict(os.environ, {"CRM_CLIENT_SECRET": SECRET}),
        LeasingGateway(tmp_path, lease_at(server)) as gateway,
    ):
        _, token = gateway.open()
        gateway.call(token)
    assert [one.is_revoked() for one in server.tokens.values()] == [True]
