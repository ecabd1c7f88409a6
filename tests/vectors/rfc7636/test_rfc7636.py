# SPDX-License-Identifier: Apache-2.0
"""Proof key for code exchange (RFC 7636)."""

import pytest

from remit.core.errors import Malformed
from remit.services.oauth.refresh_tokens import challenge_of


def test_appendix_b() -> None:
    """The example of appendix B."""
    found = challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert found == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize("verifier", ["a" * 42, "a" * 129, "", "\u00e4" * 43])
def test_section_4_1(verifier: str) -> None:
    """A verifier has 43 to 128 characters, and no others than ASCII."""
    with pytest.raises(Malformed):
        challenge_of(verifier)
