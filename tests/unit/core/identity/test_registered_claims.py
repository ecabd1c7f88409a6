# SPDX-License-Identifier: Apache-2.0
"""Registered claims of tokens of others (`core.identity.registered_claims`)."""

from typing import Any

import pytest

from remit.core.errors import Unauthenticated
from remit.core.identity.registered_claims import check_registered
from tests.worlds.attestation import AUDIENCE
from tests.worlds.values import START

AT = START.timestamp()


def refusal(claims: dict[str, Any], **more: Any) -> str:
    """Return the code of the refusal; empty where there is none."""
    whole = {"aud": AUDIENCE, "sub": "worker", "exp": AT + 60, "iat": AT, **claims}
    whole = {name: value for name, value in whole.items() if value is not None}
    try:
        check_registered(whole, audience=more.pop("audience", AUDIENCE), now=START, **more)
    except Unauthenticated as refused:
        return refused.code
    return ""


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({}, ""),
        ({"iat": None}, ""),
        ({"aud": ["https://other.example", AUDIENCE]}, ""),
        ({"exp": AT + 60.5, "nbf": AT - 0.5}, ""),
        ({"aud": "https://other.example"}, "token-audience"),
        ({"aud": AUDIENCE + "/"}, "token-audience"),
        ({"aud": []}, "token-audience"),
        ({"aud": None}, "token-claims"),
        ({"aud": [AUDIENCE, 1]}, "token-claims"),
        ({"aud": [AUDIENCE] * 33}, "token-claims"),
        ({"sub": None}, "token-claims"),
        ({"sub": ""}, "token-claims"),
        ({"sub": "x" * 2049}, "token-claims"),
        ({"sub": 7}, "token-claims"),
        ({"exp": None}, "token-claims"),
        ({"exp": str(AT)}, "token-claims"),
        ({"exp": True}, "token-claims"),
        ({"exp": AT - 31}, "token-expired"),
        ({"exp": AT - 30}, "token-expired"),
        ({"exp": AT - 29}, ""),
        ({"exp": float("nan")}, "token-expired"),
        ({"exp": 2.0**60}, "token-claims"),
        ({"nbf": AT + 30}, ""),
        ({"nbf": AT + 31}, "token-not-yet-valid"),
        ({"iat": AT + 31}, "token-not-yet-valid"),
        ({"nbf": float("nan")}, "token-not-yet-valid"),
        ({"jti": 5}, "token-claims"),
    ],
)
def test_each_claim_is_checked(claims: dict[str, Any], code: str) -> None:
    """RFC 7519 section 4.1, with half a minute for clocks that are apart."""
    assert refusal(claims) == code


def test_how_far_clocks_may_be_apart_is_configurable() -> None:
    """Without leeway the very second counts."""
    assert refusal({"exp": AT}, leeway_s=0) == "token-expired"
    assert refusal({"exp": AT - 100}, leeway_s=300) == ""


def test_a_token_that_is_valid_for_too_long_is_refused() -> None:
    """Counted from when it was issued; from now where it does not say."""
    assert refusal({"exp": AT + 3700}, max_life_s=3600) == "token-claims"
    assert refusal({"exp": AT + 3600}, max_life_s=3600) == ""
    assert refusal({"exp": AT + 100, "iat": AT - 4000}, max_life_s=3600) == "token-claims"
    assert refusal({"exp": AT + 3700, "iat": None}, max_life_s=3600) == "token-claims"


def test_no_audience_of_ours_matches_none_of_theirs() -> None:
    """An empty expectation is not met by an empty claim."""
    assert refusal({"aud": ""}, audience="") == "token-audience"
