# SPDX-License-Identifier: Apache-2.0
"""The examples of RFC 7515 appendix A and RFC 8037 appendix A through what judges signatures of others."""

from typing import Any

import pytest

from remit.core.errors import Malformed, Unauthenticated
from remit.core.keys.jwks import read_keyset, verify_signature
from remit.core.keys.jws import base64url, read_compact
from tests.vectors.jose_examples import CLAIMS, EC_KEY, HS256, NONE, PAYLOAD

Json = Any


# Appendix A.2.
RSA_KEY = {
    "kty": "RSA",
    "n": (
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR"
        "T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB"
        "dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia"
        "GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
    ),
    "e": "AQAB",
}
RS256 = (
    f"eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}."
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb"
    "F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383"
    "LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWy"
    "wlVmtVrBp0igcN_IoypGlUPQGe77Rw"
)
ES256 = (
    f"eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
# Appendix A.4: its payload is the word `Payload`.
P521_KEY = {
    "kty": "EC",
    "crv": "P-521",
    "x": ("AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk"),
    "y": ("ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"),
}
ES512 = (
    "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA."
    "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoX"
    "D2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
)
# RFC 8037 appendix A.4: its payload is a sentence.
ED25519_KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
EDDSA = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)
HS256_KEY = {
    "kty": "oct",
    "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
}


@pytest.mark.parametrize(
    ("algorithm", "token", "key"),
    [
        ("RS256", RS256, RSA_KEY),
        ("ES256", ES256, EC_KEY),
        ("ES512", ES512, P521_KEY),
        ("EdDSA", EDDSA, ED25519_KEY),
    ],
)
def test_signatures_of_the_appendix_hold(algorithm: str, token: str, key: Json) -> None:
    """Each asymmetric example holds under its key, and with one bit changed it does not."""
    header = {"alg": algorithm}
    keys = read_keyset({"keys": [key]}).candidates(header)
    assert len(keys) == 1
    verify_signature(token, header, keys)
    head, payload, signature = token.split(".")
    for changed in (
        f"{head}.{payload[:-2]}AA.{signature}",
        f"{head}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
    ):
        with pytest.raises(Unauthenticated):
            verify_signature(changed, header, keys)


@pytest.mark.parametrize("token", [RS256, ES256])
def test_headers_and_claims_are_read_as_they_are_written(token: str) -> None:
    """The payload with its line breaks is the object that the appendix shows."""
    read = read_compact(token)
    assert read.claims == CLAIMS
    assert read.header["alg"] in ("RS256", "ES256")


def test_a_shared_secret_is_no_key_of_others() -> None:
    """Appendix A.1 is signed with a secret that both sides hold: no key set makes that a signature."""
    keys = read_keyset({"keys": [HS256_KEY, EC_KEY]})
    assert len(keys) == 1
    header = read_compact(HS256).header
    assert keys.candidates(header) == ()
    with pytest.raises(Unauthenticated):
        verify_signature(HS256, header, tuple(one for of_id in keys.keys.values() for one in of_id))


def test_an_unsecured_jws_is_refused() -> None:
    """Appendix A.5 has no signature: no key is ever found for `none`."""
    header = read_compact(NONE).header
    assert read_keyset({"keys": [EC_KEY, RSA_KEY]}).candidates(header) == ()
    with pytest.raises(Unauthenticated):
        verify_signature(NONE, header, ())


@pytest.mark.parametrize("text", [ES512, EDDSA])
def test_a_payload_that_is_no_object_is_no_token(text: str) -> None:
    """A JWS over a word or a sentence is a JWS and no JWT."""
    with pytest.raises(Malformed):
        read_compact(text)


def test_base64url_has_no_padding_and_one_spelling() -> None:
    """Appendix C: the octets 3, 236, 255, 224, 193 are written `A-z_4ME`, and in no other way."""
    assert base64url("A-z_4ME") == bytes([3, 236, 255, 224, 193])
    for other in ("A-z_4ME=", "A+z/4ME", "A-z_4MF", "A-z_4M E", "A-z_4M", "A-z_4ME\n", "A"):
        with pytest.raises(Malformed):
            base64url(other)
