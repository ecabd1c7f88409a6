# SPDX-License-Identifier: Apache-2.0
"""Chains of actors (RFC 8693)."""

from typing import Any

import pytest

from remit.core.errors import Unauthenticated
from remit.core.oauth.access_token import AccessClaims, validate
from remit.core.oauth.resource import Resources
from tests.refusals import refused
from tests.worlds.values import START

Json = Any

AT = int(START.timestamp())
RESOURCES = Resources("https://issuer.example.com", ())


def read(client_id: str, act: Json) -> AccessClaims:
    """Read a token with an `act` claim."""
    wire = {
        "iss": "https://issuer.example.com",
        "aud": RESOURCES.joined,
        "sub": "user@example.com",
        "client_id": client_id,
        "jti": "1",
        "iat": AT,
        "exp": AT + 60,
        "tenant": "default",
        "assurance": "key-bound",
        "act": act,
    }
    return validate(
        {"typ": "at+jwt"}, wire, issuer="https://issuer.example.com", audiences=RESOURCES, now=START
    )


def test_section_4_1_one_actor() -> None:
    """Figure 5: admin acts for user."""
    claims = read("admin@example.com", {"sub": "admin@example.com"})
    assert claims.on_behalf_of == "user@example.com"
    assert [actor.name for actor in claims.chain] == ["admin@example.com"]


def test_section_4_1_nested() -> None:
    """Figure 6: the outermost actor is the current one, the others are what came before."""
    act = {"sub": "https://service16.example.com", "act": {"sub": "https://service77.example.com"}}
    claims = read("https://service16.example.com", act)
    assert [actor.name for actor in claims.chain] == [
        "https://service16.example.com",
        "https://service77.example.com",
    ]
    assert claims.principal.agent == "https://service16.example.com"
    assert claims.to_wire()["act"]["act"]["sub"] == "https://service77.example.com"


@pytest.mark.parametrize("act", ["service", {"iss": "x"}, {"sub": 1}, {"sub": "service", "act": []}])
def test_an_actor_that_cannot_be_read_is_refused(act: Json) -> None:
    """Nothing is passed over: who cannot be told does not act."""
    with refused("invalid-token", Unauthenticated):
        read("service", act)


def test_the_current_actor_is_the_client() -> None:
    """RFC 9068 section 2.2: `client_id` is the client that requested the token; no other party acts by it."""
    with refused("token-task", Unauthenticated):
        read("another", {"sub": "service"})
