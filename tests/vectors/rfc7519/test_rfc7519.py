# SPDX-License-Identifier: Apache-2.0
"""The examples of RFC 7519 and what its section 4.1 says of the registered claims."""

from datetime import UTC, datetime
from typing import Any

import pytest

from remit.core.errors import Malformed, Unauthenticated
from remit.core.identity.registered_claims import check_registered
from remit.core.keys.jwks import read_keyset
from remit.core.keys.jws import read_compact
from tests.vectors.jose_examples import CLAIMS, EC_KEY, HS256, NONE

Json = Any
NOW = datetime(2011, 3, 22, 18, 43, tzinfo=UTC)
#: Section 3.1 expires at this second.
EXPIRES = 1300819380
GOOD: Json = {"sub": "joe", "aud": "us", "exp": EXPIRES + 100}


def held(at: float = EXPIRES, **changes: Json) -> Json:
    """Judge claims at a second of the example's day."""
    claims = {name: value for name, value in (GOOD | changes).items() if value is not ...}
    return check_registered(claims, audience="us", now=datetime.fromtimestamp(at, UTC), leeway_s=0)


@pytest.mark.parametrize("token", [HS256, NONE])
def test_the_examples_are_read_and_believed_by_no_public_key(token: str) -> None:
    """Section 3.1 is signed with a secret, section 6.1 not at all: both are read, and neither has a key."""
    read = read_compact(token)
    assert read.claims == CLAIMS
    assert read_keyset({"keys": [EC_KEY]}).candidates(read.header) == ()


def test_an_encrypted_or_nested_jwt_is_no_token_of_ours() -> None:
    """Appendix A.1 has five parts (JWE): what cannot be read cannot be judged."""
    with pytest.raises(Malformed):
        read_compact("eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.QR1Owv2u.AxY8.MKOl.fiK5")


@pytest.mark.parametrize(
    ("at", "good"), [(EXPIRES + 99, True), (EXPIRES + 100, False), (EXPIRES + 101, False)]
)
def test_the_moment_of_exp_is_too_late(at: float, good: bool) -> None:
    """Section 4.1.4: on or after the expiration time the token must not be accepted."""
    if good:
        held(at)
        return
    with pytest.raises(Unauthenticated) as refused:
        held(at)
    assert refused.value.code == "token-expired"


@pytest.mark.parametrize(("at", "good"), [(EXPIRES - 1, False), (EXPIRES, True)])
def test_the_moment_of_nbf_is_early_enough(at: float, good: bool) -> None:
    """Section 4.1.5: before that time the token must not be accepted."""
    if good:
        held(at, nbf=EXPIRES)
        return
    with pytest.raises(Unauthenticated) as refused:
        held(at, nbf=EXPIRES)
    assert refused.value.code == "token-not-yet-valid"


@pytest.mark.parametrize("audience", [["them", "us"], ["us"], "us"])
def test_an_audience_may_be_one_or_several(audience: Json) -> None:
    """Section 4.1.3: one string, or a list in which one is meant."""
    assert "us" in held(aud=audience).audience


@pytest.mark.parametrize(
    "audience", ["US", "us ", "them", [], ["them"], "", ..., None, 7, {"us": 1}, [["us"]]]
)
def test_a_token_for_others_is_refused(audience: Json) -> None:
    """Audiences are compared by case, whole; a malformed or missing one is none."""
    with pytest.raises(Unauthenticated):
        held(aud=audience)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": str(EXPIRES + 100)},
        {"exp": None},
        {"exp": ...},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 10**300},
        {"nbf": "0"},
        {"nbf": float("nan")},
        {"iat": "0"},
        {"iat": []},
        {"sub": ""},
        {"sub": 7},
        {"sub": ...},
        {"sub": "j" * 4096},
        {"jti": 7},
        {"jti": "j" * 4096},
    ],
)
def test_a_claim_of_another_type_is_refused(changes: Json) -> None:
    """Section 4.1: times are numbers, names are strings, and what is needed is there."""
    with pytest.raises(Unauthenticated):
        held(**changes)


def test_a_time_may_have_a_fraction() -> None:
    """Section 2: a NumericDate may be no whole number."""
    held(exp=EXPIRES + 0.5)
    with pytest.raises(Unauthenticated):
        held(at=EXPIRES + 0.6, exp=EXPIRES + 0.5)
