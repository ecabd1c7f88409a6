# SPDX-License-Identifier: Apache-2.0
"""The network zone of a sender: the narrowest network that holds it, and `unknown` for everything else."""

from __future__ import annotations

import pytest

from remit.core.circumstances.networks import Networks, network_of
from remit.services.limits.client_address import place_of

ZONES = Networks(
    {
        "office": ("192.0.2.0/24", "2001:db8::/32"),
        "lab": ("192.0.2.128/25", "2001:db8:1::/48"),
    }
)


@pytest.mark.parametrize(
    ("sender", "zone"),
    [
        ("192.0.2.1", "office"),
        ("192.0.2.129", "lab"),
        ("192.0.3.1", "unknown"),
        ("2001:db8:2::1", "office"),
        ("2001:db8:1::1", "lab"),
        ("2001:db9::1", "unknown"),
        ("::ffff:192.0.2.1", "office"),
        ("", "unknown"),
        ("remit.sock", "unknown"),
        ("192.0.2.1, 192.0.2.2", "unknown"),
    ],
)
def test_a_sender_is_in_the_narrowest_network(sender: str, zone: str) -> None:
    """Also an IPv4 address that is written as IPv6; what is no address is nowhere."""
    assert ZONES.zone_of(place_of(sender)) == zone


def test_without_zones_every_sender_is_unknown() -> None:
    """A rule that requires a zone refuses then."""
    assert Networks().zone_of("192.0.2.1") == "unknown"


@pytest.mark.parametrize("text", ["192.0.2.1/24", "office", "2001:db8::/65", "", "192.0.2.0/33"])
def test_what_is_no_network_is_refused(text: str) -> None:
    """Host bits, names, and IPv6 networks that are narrower than one sender."""
    with pytest.raises(ValueError):  # noqa: PT011 - the library's own texts
        network_of(text)
