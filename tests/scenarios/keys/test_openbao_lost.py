# SPDX-License-Identifier: Apache-2.0
"""OpenBao is down, slow, sealed, forbids, or gives what is not ours: always a refusal, soon, and never a key
of another.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.adapters.keys import openbao_client as bao_module
from remit.adapters.keys.openbao_client import Bao
from remit.adapters.keys.openbao_sealing import BaoSealingKeys
from remit.adapters.keys.openbao_signing import BaoAuthorityKeys, BaoCheckpointKeys, BaoTokenKeys
from remit.adapters.keys.transit import Transit
from remit.core.errors import KeyUnavailable
from tests.conformance.key_stores import LIFE, OVERLAP, TRUST_DOMAIN
from tests.servers.bao_server import POLICY, TOKEN, BaoServer
from tests.worlds.keys import CLAIMS
from tests.worlds.values import WorldClock, WorldEntropy


@pytest.fixture
def clock() -> WorldClock:
    """A clock."""
    return WorldClock()


@pytest.fixture
async def bao(own_bao: BaoServer, clock: WorldClock) -> AsyncIterator[Bao]:
    """A connection to it, as remit has one, with a token that may do no more than it must."""
    token = own_bao.token_for(POLICY)
    made = Bao(own_bao.address, lambda: token, clock)
    yield made
    await made.close()


async def test_an_outage_refuses_to_sign_and_goes_on_checking(
    own_bao: BaoServer, bao: Bao, clock: WorldClock, tmp_path: Path
) -> None:
    """Tokens that exist are checked; no new one is given; afterwards all is as before."""
    keys = await BaoTokenKeys.open(tmp_path / "keys", clock, Transit(bao))
    token = await keys.sign(CLAIMS, token_type="at+jwt")
    own_bao.kill()
    with pytest.raises(KeyUnavailable, match="does not answer") as refused:
        await keys.sign(CLAIMS, token_type="at+jwt")
    assert TOKEN not in str(refused.value)
    with pytest.raises(KeyUnavailable):
        await keys.rotate()
    assert keys.verify(token)[1] == CLAIMS
    assert [one.standing.value for one in keys.held()] == ["next", "current"]


async def test_a_slow_openbao_does_not_gather_a_queue(
    own_bao: BaoServer, bao: Bao, clock: WorldClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first requests wait for the time-out, later ones are refused at once, and OpenBao is asked again
    later.
    """
    keys = await BaoTokenKeys.open(tmp_path / "keys", clock, Transit(bao))
    own_bao.pause(True)
    try:
        with monkeypatch.context() as hurried:
            hurried.setattr(bao_module, "TIMEOUT_S", 0.3)
            tries = [asyncio.ensure_future(keys.sign(CLAIMS, token_type="at+jwt")) for _ in range(50)]
            told = await asyncio.gather(*tries, return_exceptions=True)
            assert all(isinstance(one, KeyUnavailable) for one in told)
            asked = bao.asked
            for _ in range(100):
                with pytest.raises(KeyUnavailable):
                    await keys.sign(CLAIMS, token_type="at+jwt")
            assert bao.asked == asked
    finally:
        own_bao.pause(False)
    clock.advance(2)
    assert keys.verify(await keys.sign(CLAIMS, token_type="at+jwt"))[1] == CLAIMS


async def test_without_openbao_nothing_is_unsealed_at_a_start(
    own_bao: BaoServer, bao: Bao, clock: WorldClock, tmp_path: Path
) -> None:
    """What lies in the folder does not open the evidence."""
    keys = await BaoSealingKeys.open(tmp_path / "keys", clock, Transit(bao))
    key = keys.sealing_key("")
    files = b"".join(one.read_bytes() for one in (tmp_path / "keys").iterdir())
    assert key not in files
    assert key.hex().encode() not in files
    own_bao.kill()
    with pytest.raises(KeyUnavailable):
        await BaoSealingKeys.open(tmp_path / "keys", clock, Transit(bao))


async def test_a_sealed_openbao_is_an_outage(
    own_bao: BaoServer, bao: Bao, clock: WorldClock, tmp_path: Path
) -> None:
    """It answers, and gives nothing."""
    keys = await BaoTokenKeys.open(tmp_path / "keys", clock, Transit(bao))
    own_bao.ask("PUT", "sys/seal", {})
    with pytest.raises(KeyUnavailable) as refused:
        await keys.sign(CLAIMS, token_type="at+jwt")
    assert refused.value.remediation


async def test_a_policy_that_forbids_is_named(own_bao: BaoServer, clock: WorldClock, tmp_path: Path) -> None:
    """The message says which path, and never the token."""
    token = own_bao.token_for('path "transit/keys/remit-token" { capabilities = ["read"] }')
    bao = Bao(own_bao.address, lambda: token, clock)
    with pytest.raises(KeyUnavailable, match=r"transit/keys/remit-token.*status 403") as refused:
        await BaoTokenKeys.open(tmp_path / "keys", clock, Transit(bao))
    assert token not in str(refused.value)
    await bao.close()


async def test_a_key_that_was_exchanged_is_noticed(
    own_bao: BaoServer, bao: Bao, clock: WorldClock, tmp_path: Path
) -> None:
    """A person who deletes the key in transit and makes another under its name signs nothing as remit."""
    keys = await BaoTokenKeys.open(tmp_path / "keys", clock, Transit(bao))
    own_bao.ask("POST", "transit/keys/remit-token/config", {"deletion_allowed": True})
    own_bao.ask("DELETE", "transit/keys/remit-token")
    own_bao.ask("POST", "transit/keys/remit-token", {"type": "ecdsa-p256"})
    with pytest.raises(KeyUnavailable) as refused:
        await keys.sign(CLAIMS, token_type="at+jwt")
    assert refused.value.code == "key-store-odd"


@pytest.mark.parametrize("type", [{"type": "ed25519"}, {"type": "ecdsa-p256", "exportable": True}])
async def test_a_key_that_could_leave_transit_is_refused(
    own_bao: BaoServer, bao: Bao, clock: WorldClock, tmp_path: Path, type: dict[str, object]
) -> None:
    """And so is one of another type."""
    own_bao.ask("POST", "transit/keys/remit-token", type)
    with pytest.raises(KeyUnavailable, match="non-exportable"):
        await BaoTokenKeys.open(tmp_path / "keys", clock, Transit(bao))


async def test_versions_whose_time_is_over_are_destroyed_in_transit(
    own_bao: BaoServer, bao: Bao, clock: WorldClock, tmp_path: Path
) -> None:
    """From then on no one can sign with them, not even an administrator of OpenBao."""
    keys = await BaoTokenKeys.open(tmp_path / "keys", clock, Transit(bao))
    await keys.rotate()
    clock.advance(7200)
    await keys.tidy()
    told = own_bao.ask("GET", "transit/keys/remit-token")
    assert isinstance(told, dict)
    assert sorted(told["data"]["keys"]) == ["2", "3"]
    assert told["data"]["min_available_version"] == 2


async def test_a_rotation_stands_although_old_versions_cannot_be_destroyed_yet(
    own_bao: BaoServer, clock: WorldClock, tmp_path: Path
) -> None:
    """Without leave to trim, the key is rotated all the same; with it, the next look destroys them."""
    token = own_bao.token_for(
        """
        path "transit/keys/remit-token" { capabilities = ["create", "update", "read"] }
        path "transit/keys/remit-token/rotate" { capabilities = ["update"] }
        path "transit/sign/remit-token/*" { capabilities = ["update"] }
        """
    )
    held = [token]
    bao = Bao(own_bao.address, lambda: held[0], clock)
    keys = await BaoTokenKeys.open(tmp_path / "keys", clock, Transit(bao))
    turned = await keys.rotate()
    clock.advance(7200)
    assert len(await keys.tidy()) == 1
    assert keys.verify(await keys.sign(CLAIMS, token_type="at+jwt"))[0]["kid"] == turned.id
    told = own_bao.ask("GET", "transit/keys/remit-token")
    assert isinstance(told, dict)
    assert sorted(told["data"]["keys"]) == ["1", "2", "3"]
    held[0] = TOKEN
    assert await keys.tidy() == ()
    told = own_bao.ask("GET", "transit/keys/remit-token")
    assert isinstance(told, dict)
    assert sorted(told["data"]["keys"]) == ["2", "3"]
    await bao.close()


async def test_a_previous_version_that_was_destroyed_does_not_keep_the_log_unsigned(
    own_bao: BaoServer, bao: Bao, clock: WorldClock, tmp_path: Path
) -> None:
    """The current key signs alone then."""
    keys = await BaoCheckpointKeys.open(tmp_path / "keys", "remit/default", clock, Transit(bao))
    await keys.rotate()
    assert len(await keys.sign_note(b"a note\n")) == 2
    path = "transit/keys/remit-checkpoint"
    own_bao.ask("POST", f"{path}/config", {"min_decryption_version": 2, "min_encryption_version": 2})
    own_bao.ask("POST", f"{path}/trim", {"min_available_version": 2})
    ((verifier, _),) = await keys.sign_note(b"a note\n")
    assert verifier == keys.verifier


async def test_an_authority_is_certified_through_transit_alone(
    bao: Bao, clock: WorldClock, tmp_path: Path
) -> None:
    """No private key is ever in the folder."""
    await BaoAuthorityKeys.open(
        tmp_path / "keys", TRUST_DOMAIN, WorldEntropy(), clock, Transit(bao), life=LIFE, overlap=OVERLAP
    )
    files = b"".join(one.read_bytes() for one in (tmp_path / "keys").iterdir())
    assert b"PRIVATE" not in files


async def test_a_connection_that_nobody_answers_is_given_up(clock: WorldClock) -> None:
    """Within the time-out, whatever the network does."""
    held: list[asyncio.StreamWriter] = []

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    bao = Bao(f"http://127.0.0.1:{port}", lambda: "token", clock)
    began = time.monotonic()
    with pytest.raises(KeyUnavailable):
        await bao.read("transit/keys/remit-token")
    assert time.monotonic() - began < 10 * bao_module.TIMEOUT_S
    await bao.close()
    for writer in held:
        writer.close()
    silent.close()
