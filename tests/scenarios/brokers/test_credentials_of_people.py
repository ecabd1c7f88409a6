# SPDX-License-Identifier: Apache-2.0
"""Tokens of the person behind a task: by exchange, by a bearer assertion, by the provider's ID-JAG."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from remit.core.decisions.mediation import Answered
from remit.core.errors import KeyUnavailable, RemitError
from remit.services.mediation.mediator import RequestedCall
from tests.gateways.leasing_gateway import LeasingGateway
from tests.samples.tokens import HELD
from tests.servers.authorization_server import CLIENT, SECRET
from tests.servers.trusting_server import TrustingAuthorities, trusting
from tests.worlds.calls import Heard

Json = Any


@pytest.fixture
def server() -> Iterator[TrustingAuthorities]:
    """The authorization server of the upstream."""
    with trusting() as made:
        key = json.dumps(made.client_key.as_dict(private=True))
        with mock.patch.dict(os.environ, {"CRM_CLIENT_SECRET": SECRET, "CRM_CLIENT_KEY": key}):
            yield made


@pytest.fixture
def provider() -> Iterator[TrustingAuthorities]:
    """The organisation's identity provider."""
    with trusting() as made:
        yield made


def lease_at(server: TrustingAuthorities, grant: str, **more: Json) -> Json:
    """Return what `remit.yaml` says; remit is known by its key."""
    return {
        "oauth": {
            "grant": grant,
            "token_url": f"{server.url}/token",
            "issuer": server.url,
            "revoke_url": f"{server.url}/revoke",
            "probe_url": f"{server.url}/me",
            "client_id": CLIENT,
            "client_key": "env:CRM_CLIENT_KEY",
            "scopes": ["crm.read"],
        }
        | more
    }


def believes(server: TrustingAuthorities, gateway: LeasingGateway) -> None:
    """Let a server believe what remit says."""
    server.trusted[gateway.url] = f"{gateway.url}/oauth/jwks"


@pytest.mark.parametrize("grant", ["token-exchange", "jwt-bearer"])
def test_a_token_is_the_persons_with_the_agent_as_actor(
    tmp_path: Path, server: TrustingAuthorities, grant: str
) -> None:
    """For this task alone; the server is told by remit's signature who it is for and which agent does it."""
    with LeasingGateway(tmp_path, lease_at(server, grant)) as gateway:
        believes(server, gateway)
        task, token = gateway.open("ana")
        gateway.call(token)
        said = server.said[0]
        assert (said["iss"], said["sub"], said["aud"]) == (gateway.url, "ana", server.url)
        assert said["act"]["sub"] == "note-bot"
        assert said["mission"]["id"] == task
        assert said["exp"] - said["iat"] == 60
        (text,) = server.tokens
        assert server.tokens[text].scope == "crm.read"
        assert [one["authorization"] for one in gateway.shown()] == [f"Bearer {text}"]
        assert gateway.closed_up(task)["closed"]
        assert server.tokens[text].is_revoked()


@pytest.mark.parametrize("grant", ["token-exchange", "jwt-bearer"])
def test_a_task_for_nobody_gets_none(tmp_path: Path, server: TrustingAuthorities, grant: str) -> None:
    """The call is refused before anything is sent, and says how it could be otherwise."""
    with LeasingGateway(tmp_path, lease_at(server, grant)) as gateway:
        believes(server, gateway)
        _, token = gateway.open()
        with pytest.raises(KeyUnavailable, match="this task is for no person"):
            gateway.call(token)
        assert server.tokens == {}
        assert gateway.shown() == []


def test_a_person_whom_the_server_does_not_know_gets_none(
    tmp_path: Path, server: TrustingAuthorities
) -> None:
    """It is the server's to say who may come in."""
    server.people.clear()
    with LeasingGateway(tmp_path, lease_at(server, "token-exchange")) as gateway:
        believes(server, gateway)
        _, token = gateway.open("ana")
        with pytest.raises(KeyUnavailable, match="invalid_grant"):
            gateway.call(token)


def test_a_server_that_does_not_believe_remit_gives_none(tmp_path: Path, server: TrustingAuthorities) -> None:
    """Nothing is tried instead: a token of remit's own would be more than the person may."""
    with LeasingGateway(tmp_path, lease_at(server, "token-exchange")) as gateway:
        _, token = gateway.open("ana")
        with pytest.raises(KeyUnavailable, match="invalid_grant"):
            gateway.call(token)
        assert server.tokens == {}


def idp_at(provider: TrustingAuthorities) -> Json:
    """Return what `remit.yaml` says of the provider; there remit is known by a secret."""
    return {
        "token_url": f"{provider.url}/token",
        "client_id": CLIENT,
        "client_secret": "env:CRM_CLIENT_SECRET",
    }


def test_an_identity_assertion_opens_the_servers_endpoint(
    tmp_path: Path, server: TrustingAuthorities, provider: TrustingAuthorities
) -> None:
    """The provider believes remit, the server believes the provider, and not remit."""
    server.trusted[provider.url] = f"{provider.url}/keys"
    with LeasingGateway(tmp_path, lease_at(server, "id-jag", idp=idp_at(provider))) as gateway:
        believes(provider, gateway)
        task, token = gateway.open("ana")
        gateway.call(token)
        assert [(one["iss"], one["sub"]) for one in provider.said] == [
            (gateway.url, "ana"),
            (gateway.url, "note-bot"),
        ]
        (said,) = server.said
        assert (said["iss"], said["sub"], said["aud"]) == (provider.url, "ana", server.url)
        assert said["act"] == {"sub": "note-bot"}
        (text,) = server.tokens
        assert gateway.closed_up(task)["closed"]
        assert server.tokens[text].is_revoked()


def test_what_is_no_identity_assertion_is_shown_to_nobody(
    tmp_path: Path, server: TrustingAuthorities, provider: TrustingAuthorities
) -> None:
    """A token of another type may be good elsewhere."""
    provider.other_type = True
    server.trusted[provider.url] = f"{provider.url}/keys"
    with LeasingGateway(tmp_path, lease_at(server, "id-jag", idp=idp_at(provider))) as gateway:
        believes(provider, gateway)
        _, token = gateway.open("ana")
        with pytest.raises(KeyUnavailable, match="of another type"):
            gateway.call(token)
        assert server.said == []
        assert "/token" not in server.asked


def test_a_provider_that_is_down_refuses_the_call(
    tmp_path: Path, server: TrustingAuthorities, provider: TrustingAuthorities
) -> None:
    """And the next one tries again."""
    server.trusted[provider.url] = f"{provider.url}/keys"
    with LeasingGateway(tmp_path, lease_at(server, "id-jag", idp=idp_at(provider))) as gateway:
        believes(provider, gateway)
        _, token = gateway.open("ana")
        provider.stop()
        with pytest.raises(KeyUnavailable, match="does not answer"):
            gateway.call(token)
        provider.start()
        gateway.call(token)


def test_remits_word_to_a_server_opens_nothing_at_remit(tmp_path: Path, server: TrustingAuthorities) -> None:
    """An attacker who has seen an assertion cannot call with it, though remit itself has signed it."""
    caught: list[str] = []
    believed = server.believed

    def catching(text: str) -> Json:
        caught.append(text)
        return believed(text)

    server.believed = catching  # type: ignore[method-assign]
    with LeasingGateway(tmp_path, lease_at(server, "token-exchange")) as gateway:
        believes(server, gateway)
        _, token = gateway.open("ana")
        gateway.call(token)
        assert len(caught) == 2
        for text in caught:

            async def call(text: str = text) -> object:
                asked = RequestedCall(
                    token=text, proven=HELD, upstream="crm", name="echo", arguments={"word": "x"}
                )
                return await gateway.services.mediation.mediator.run(asked, Heard())

            with pytest.raises(RemitError) as refused:
                assert not isinstance(gateway.wait(call()), Answered)
            assert refused.value.code not in ("", "error")
