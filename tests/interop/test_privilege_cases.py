# SPDX-License-Identifier: Apache-2.0
"""The published counts of others' catalogues about privileges are those of today."""

import json

from tests.interop.privilege_cases import PUBLISHED, counted


def test_the_published_counts_are_those_of_the_cases() -> None:
    """Nothing is missed, nothing is reported of what one point prevents, and the page says so."""
    collections = counted()
    assert collections == json.loads(PUBLISHED.read_text(encoding="utf-8"))["collections"]
    for one in collections:
        assert one["found"] + sum(one["left"].values()) == one["cases"]
        assert not one["reported"]
