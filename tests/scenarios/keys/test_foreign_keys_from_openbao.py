# SPDX-License-Identifier: Apache-2.0
"""Threat: OpenBao, or an intermediary before it, answers with data of another key than the one that was
meant.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.keys.openbao_client import Bao
from remit.adapters.keys.openbao_sealing import BaoSealingKeys
from remit.adapters.keys.openbao_signing import BaoAuthorityKeys, BaoTokenKeys
from remit.adapters.keys.transit import Transit
from remit.core.errors import KeyUnavailable
from tests.servers.bao_server import TOKEN, BaoServer
from tests.worlds.values import WorldClock, WorldEntropy

Json = Any


class Untrue(Bao):
    """A real OpenBao whose answers are changed on their way. `lie` names which."""

    lie = ""
    _first: dict[str, Json] | None = None

    async def write(self, path: str, **body: Json) -> dict[str, Json]:
        """Ask, and change the answer."""
        if self.lie == "certificate" and path.startswith("transit/sign/remit-ca"):
            body["input"] = base64.b64encode(b"something else").decode()
        found = await super().write(path, **body)
        if self.lie == "ciphertext" and path.startswith("transit/datakey"):
            other = await super().write(path, **body)
            return found | {"ciphertext": other["ciphertext"]}
        if self.lie == "stale" and path == "transit/keys/remit-token/rotate":
            return self._first or found
        if path.startswith("transit/keys/remit-token"):
            self._first = self._first or found
        return found


@pytest.fixture
async def bao(own_bao: BaoServer) -> AsyncIterator[Untrue]:
    """A connection to it."""
    made = Untrue(own_bao.address, lambda: TOKEN, WorldClock())
    yield made
    await made.close()


async def test_nothing_is_sealed_under_a_key_that_could_not_be_had_again(bao: Untrue, tmp_path: Path) -> None:
    """The encrypted form must be that of the very key: else what is sealed is lost at the next start."""
    bao.lie = "ciphertext"
    with pytest.raises(KeyUnavailable) as refused:
        await BaoSealingKeys.open(tmp_path / "keys", WorldClock(), Transit(bao))
    assert refused.value.code == "key-store-odd"
    bao.lie = ""
    keys = await BaoSealingKeys.open(tmp_path / "keys", WorldClock(), Transit(bao))
    before = keys.held()
    bao.lie = "ciphertext"
    with pytest.raises(KeyUnavailable):
        await keys.rotate()
    assert keys.held() == before


async def test_an_authority_that_its_own_key_did_not_certify_is_not_taken(
    bao: Untrue, tmp_path: Path
) -> None:
    """Its certificate would vouch for no one, and stay in the bundle for weeks."""
    bao.lie = "certificate"
    with pytest.raises(KeyUnavailable) as refused:
        await BaoAuthorityKeys.open(
            tmp_path / "keys",
            "agents.example",
            WorldEntropy(),
            WorldClock(),
            Transit(bao),
            life=timedelta(days=30),
            overlap=timedelta(hours=2),
        )
    assert refused.value.code == "key-store-odd"


async def test_a_key_that_is_known_does_not_take_over_as_a_new_one(bao: Untrue, tmp_path: Path) -> None:
    """As when a stale replica answers a rotation `--at-once`: the key in other hands would sign on."""
    keys = await BaoTokenKeys.open(tmp_path / "keys", WorldClock(), Transit(bao))
    before = keys.held()
    bao.lie = "stale"
    with pytest.raises(KeyUnavailable, match="does not hold"):
        await keys.rotate(at_once=True)
    assert keys.held() == before
    assert len({one.id for one in before}) == len(before)
    bao.lie = ""
    turned = await keys.rotate(at_once=True)
    assert turned.id not in {one.id for one in before}
