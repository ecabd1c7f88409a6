# SPDX-License-Identifier: Apache-2.0
"""The key sets of RFC 7517 appendix A, as key sets of others."""

from typing import Any

import pytest

from remit.core.errors import Malformed
from remit.core.keys.jwk import checked_public_jwk
from remit.core.keys.jwks import read_keyset
from tests.vectors.jose_examples import RSA_KEY

Json = Any

# Appendix A.1, the key for encryption: its point is on the curve, its use is not ours.
EC_ENC = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "use": "enc",
    "kid": "1",
}
EC_D = "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"
# Appendix A.3.
OCT = [
    {"kty": "oct", "alg": "A128KW", "k": "GawgguFyGrWKav7AX4VKUg"},
    {
        "kty": "oct",
        "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        "kid": "HMAC key used in JWS spec Appendix A.1 example",
    },
]


def test_public_keys_are_read_each_for_its_use() -> None:
    """Appendix A.1: the RSA key checks RS256 and nothing else; the key for encryption checks nothing."""
    keys = read_keyset({"keys": [EC_ENC, RSA_KEY]})
    assert list(keys.keys) == ["2011-04-29"]
    ((rsa,),) = keys.keys.values()
    assert rsa.algorithms == ("RS256",)
    assert keys.candidates({"alg": "PS256", "kid": "2011-04-29"}) == ()


def test_a_set_with_private_keys_gives_none_of_them() -> None:
    """Appendix A.2: who publishes private keys is not believed by them."""
    private = {name: value for name, value in EC_ENC.items() if name != "use"} | {"d": EC_D}
    assert len(read_keyset({"keys": [private]})) == 0
    with pytest.raises(Malformed, match="private"):
        checked_public_jwk(private)


def test_symmetric_keys_are_no_keys_of_others() -> None:
    """Appendix A.3: a secret that stands in a key set is no secret."""
    assert len(read_keyset({"keys": OCT})) == 0
    for one in OCT:
        with pytest.raises(Malformed):
            checked_public_jwk(one)


@pytest.mark.parametrize("name", ["kid", "use", "alg", "x5u", "x5c", "key_ops", "ext", "anything"])
def test_members_that_stand_beside_are_not_kept_of_an_agents_key(name: str) -> None:
    """Section 4: optional members are no part of the key, and what is not understood is ignored."""
    bare = {member: EC_ENC[member] for member in ("kty", "crv", "x", "y")}
    assert checked_public_jwk({**bare, name: "x"}) == bare
