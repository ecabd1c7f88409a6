# SPDX-License-Identifier: Apache-2.0
"""The examples of RFC 9449: a proof at a token endpoint (section 5), and one beside a token (section 7.1)."""

from datetime import UTC, datetime

import pytest

from remit.core.errors import ProofRefused
from remit.core.oauth.dpop import token_hash, verify_proof

_HEADER = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZ"
    "OXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIs"
    "ImNydiI6IlAtMjU2In19"
)
AT_TOKEN_ENDPOINT = (
    _HEADER + ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUu"
    "Y29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ"
    ".2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
AT_RESOURCE = (
    _HEADER + ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxl"
    "Lm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9h"
    "Tnk1OUlpS0NBcWtzbVFFbyJ9"
    ".2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def at(seconds: int) -> datetime:
    """The time of an example."""
    return datetime.fromtimestamp(seconds, UTC)


def test_token_endpoint() -> None:
    """The proof of section 5 holds, and its key has the thumbprint of section 6.1."""
    proof = verify_proof(
        AT_TOKEN_ENDPOINT, method="POST", url="https://server.example.com/token", now=at(1562262616)
    )
    assert (proof.thumbprint, proof.token_id) == (THUMBPRINT, "-BwC3ESc6acc2lTc")


def test_resource() -> None:
    """The proof of section 7.1 holds beside its token, whose hash is the one of section 4.2."""
    assert token_hash(TOKEN) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    proof = verify_proof(
        AT_RESOURCE,
        method="GET",
        url="https://resource.example.org/protectedresource",
        now=at(1562262618),
        token_hash=token_hash(TOKEN),
    )
    assert proof.thumbprint == THUMBPRINT


def test_resource_with_another_token() -> None:
    """The proof of section 7.1 is refused beside any other token, and beside none."""
    for other in (token_hash(TOKEN + "x"), ""):
        with pytest.raises(ProofRefused) as refused:
            verify_proof(
                AT_RESOURCE,
                method="GET",
                url="https://resource.example.org/protectedresource",
                now=at(1562262618),
                token_hash=other,
            )
        assert refused.value.code == "proof-token"
