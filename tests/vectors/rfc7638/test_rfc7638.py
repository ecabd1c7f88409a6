# SPDX-License-Identifier: Apache-2.0
"""Thumbprints: RFC 7638 section 3.1, RFC 8037 appendix A.3, RFC 9449 section 6.1."""

import base64
import hashlib

import pytest

from remit.core.keys.jwk import checked_public_jwk, thumbprint
from remit.core.keys.jwks import read_keyset
from tests.vectors.jose_examples import RSA_KEY

ED25519_KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
EC_KEY = {
    "kty": "EC",
    "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
    "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
    "crv": "P-256",
}


def test_the_example_of_section_3_1() -> None:
    """A key of others, with members that do not count, has the thumbprint that the section computes."""
    ((one,),) = read_keyset({"keys": [RSA_KEY]}).keys.values()
    assert one.kid == "2011-04-29"
    assert one.key.thumbprint() == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize(
    ("jwk", "wanted"),
    [
        (ED25519_KEY, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        (EC_KEY, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
    ],
)
def test_keys_of_agents(jwk: dict[str, str], wanted: str) -> None:
    """The thumbprint is that of the required members alone, whatever stands beside them and in what order."""
    assert thumbprint(checked_public_jwk(jwk)) == wanted
    decorated = {"use": "sig", **dict(reversed(jwk.items())), "kid": "any", "alg": "any"}
    assert thumbprint(checked_public_jwk(decorated)) == wanted


def test_the_members_are_hashed_in_their_order_without_spaces() -> None:
    """Section 3: what is hashed is JSON with the members in lexicographic order."""
    text = f'{{"crv":"P-256","kty":"EC","x":"{EC_KEY["x"]}","y":"{EC_KEY["y"]}"}}'
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    assert thumbprint(EC_KEY) == digest
