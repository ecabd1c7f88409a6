# SPDX-License-Identifier: Apache-2.0
"""The examples of WIMSE (draft-ietf-wimse-workload-creds, draft-ietf-wimse-wpt-00) and of WIT-SVID."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from remit.core.errors import Unauthenticated
from remit.core.identity.key_bound_svid import WitSvid, check_proof, wit_svid_id
from remit.core.identity.registered_claims import check_registered
from remit.core.identity.workload import SpiffeId
from remit.core.keys.jwks import read_keyset, verify_signature
from remit.core.keys.jws import read_compact
from tests.refusals import refused

#: The identity server's key, and its token for a workload with an Ed25519 key.
AUTHORITY = {
    "kty": "EC",
    "kid": "June 5",
    "crv": "P-256",
    "x": "kXqnA2Op7hgd4zRMbw0iFcc_hDxUxhojxOFVGjE2gks",
    "y": "n__VndPMR021-59UAs0b9qDTFT-EZtT6xSNs_xFskLo",
}
WIT = (
    "eyJhbGciOiJFUzI1NiIsImtpZCI6Ikp1bmUgNSIsInR5cCI6IndpdCtqd3QifQ.eyJjbmYiOnsiandrIjp7ImFsZyI6IkVkRFNBIiwi"
    "Y3J2IjoiRWQyNTUxOSIsImt0eSI6Ik9LUCIsIngiOiIxQ1hYdmZsTl9MVlZzSXNZWHNVdkIwM0ptbEdXZUNIcVFWdW91Q0Y5MmJnIn19"
    "LCJleHAiOjE3NDU1MTI1MTAsImlhdCI6MTc0NTUwODkxMCwianRpIjoieC1fMUNUTDJjY2EzQ1NFNGN3Yl9sIiwic3ViIjoid2ltc2U6"
    "Ly9leGFtcGxlLmNvbS9zcGVjaWZpYy13b3JrbG9hZCJ9.6KraSQUxWdl9dxFQ3Fj6dPY0Vi88OkwFwZpAIOhLeq6AbXAnLLQgOp8U9UD"
    "GcBuYF3KiNv6oKQD1ZWAzrMZOJw"
)
#: Its proof for a request with a bearer token, which later versions of the draft exclude.
WPT = (
    "eyJhbGciOiJFZERTQSIsInR5cCI6IndwdCtqd3QifQ.eyJhdGgiOiJDTDR3amZwUm1OZi1iZFlJYllMblY5ZDVyTUFSR3dLWUUxMHdVd"
    "3pDMGpJIiwiYXVkIjoiaHR0cHM6Ly93b3JrbG9hZC5leGFtcGxlLmNvbS9wYXRoIiwiZXhwIjoxNzQ1NTEwMDE2LCJqdGkiOiJfX2J3Y"
    "zRFU0MzYWNjMkxUQzEtX3giLCJ3dGgiOiJBYVlVZkMzNEQxZGkyRnhRTHBpSUpKN1NnOFZaNm84T0Nkd1NmOUlUb0xnIn0.PI7d9AcYh"
    "LoEgPgbJvcM132lkBKnM1NXU-5hZUzVTIyj2dRJaTLFs6e5NYv5gg6AqcV7NvkYCwfgMgWasWQzCA"
)
URL = "https://workload.example.com/path"
NOW = datetime.fromtimestamp(1745510016, UTC) - timedelta(seconds=30)
#: WIT-SVID appendix A; its trust domain's key is not published there.
SVID = (
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImxRU2kzaFpGbmRhMkQtWEprajF6bDdmb0pvdWl3STRuckF5aHk0alppSmciLCJ0eXAiOiJ3aXQr"
    "and0In0.eyJjbmYiOnsiandrIjp7ImFsZyI6IkVTMjU2IiwiY3J2IjoiUC0yNTYiLCJrdHkiOiJFQyIsIngiOiJyelA3bUxDS0FIV21z"
    "TTZYMEV3VklTQ19oSTN1amN1OTVmZlVreWVER0dvIiwieSI6InVPcmZEbGp0WDltM2pZLWhzeWhMSllheHRHa3pEdjVlNWttQ2U1OFo5"
    "N2cifX0sImV4cCI6MTc2NTQ1NjUwMywiaWF0IjoxNzY1NDUyOTAzLCJqdGkiOiIxeWoxOVY0TWNPQXpNY0ZpN3F2c2dfQWdDeGxyWTVF"
    "X3g1MDl3bEtLUXRjIiwic3ViIjoic3BpZmZlOi8vZXhhbXBsZS5jb20vbXktd29ya2xvYWQifQ.sfhEvZNdY_kWrICF08lX0u__rn39Y"
    "nTavnW-VPBS20zgowDh6-X43v5eOUKZbjZf06yLBQM-Mry5w1g1QFsCkg"
)


def drafted() -> WitSvid:
    """Return the example's token, as if its subject were a SPIFFE ID."""
    read = read_compact(WIT)
    confirmation = read.claims["cnf"]
    assert isinstance(confirmation, dict)
    (key,) = read_keyset({"keys": [confirmation["jwk"]]}).candidates({"alg": "EdDSA"})
    return WitSvid(
        spiffe_id=SpiffeId("example.com", "/specific-workload"),
        key=key,
        algorithm="EdDSA",
        registered=check_registered(read.claims, audience=None, now=NOW),
        claims=read.claims,
    )


def test_the_example_of_a_token_is_signed_by_its_authority() -> None:
    """And is no WIT-SVID: its subject is not a SPIFFE ID."""
    header = read_compact(WIT).header
    verify_signature(WIT, header, read_keyset({"keys": [AUTHORITY]}).candidates(header))
    with refused("svid-malformed"):
        wit_svid_id(WIT)


def test_the_example_of_a_proof_is_by_its_key() -> None:
    """Key, type, algorithm, `wth` and `aud` fit; what stops it is the bearer token beside it."""
    with pytest.raises(Unauthenticated, match="further tokens"):
        check_proof(WPT, WIT, drafted(), url=URL, now=NOW)
    for proof, token, url in ((WPT[:-2] + "AA", WIT, URL), (WPT, SVID, URL), (WPT, WIT, URL + "/")):
        with pytest.raises(Unauthenticated) as caught:
            check_proof(proof, token, drafted(), url=url, now=NOW)
        assert "further tokens" not in str(caught.value)


def test_the_example_of_a_wit_svid_is_read() -> None:
    """Header and claims are as the standard demands."""
    assert str(wit_svid_id(SVID)) == "spiffe://example.com/my-workload"
