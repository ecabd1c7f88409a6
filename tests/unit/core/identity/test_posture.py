# SPDX-License-Identifier: Apache-2.0
"""Which claims of an identity token reach policies: those of the configuration, with their types."""

from __future__ import annotations

from typing import Any

import pytest

from remit.core.identity.posture import MAX_CHARACTERS, PostureClaim, stated

Json = Any
COMPLIANT = {"compliant": PostureClaim("/device/compliant", "boolean")}
BUILD = {"build": PostureClaim("build")}
PATCH = {"patch": PostureClaim("patch_level", "integer")}


@pytest.mark.parametrize(
    ("wanted", "claims", "told"),
    [
        (COMPLIANT, {"device": {"compliant": True}}, {"compliant": True}),
        (COMPLIANT, {"device": {"compliant": False}}, {"compliant": False}),
        (COMPLIANT, {"device": {"compliant": "true"}}, {}),
        (COMPLIANT, {"device": {"compliant": 1}}, {}),
        (COMPLIANT, {"device": "compliant"}, {}),
        (COMPLIANT, {"device/compliant": True}, {}),
        (COMPLIANT, {}, {}),
        (BUILD, {"build": "release-7", "other": "x"}, {"build": "release-7"}),
        (BUILD, {"build": ["release-7"]}, {}),
        (BUILD, {"build": "x" * (MAX_CHARACTERS + 1)}, {}),
        (PATCH, {"patch_level": 7}, {"patch": 7}),
        (PATCH, {"patch_level": 7.0}, {}),
        (PATCH, {"patch_level": True}, {}),
        (PATCH, {"patch_level": 2**64}, {}),
        ({}, {"build": "release-7"}, {}),
    ],
)
def test_only_configured_claims_of_their_type_come_in(
    wanted: dict[str, PostureClaim], claims: dict[str, Json], told: dict[str, Json]
) -> None:
    """Everything else counts as not stated."""
    assert stated(wanted, claims) == told
