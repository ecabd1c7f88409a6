# SPDX-License-Identifier: Apache-2.0
"""What every keeper of keys keeps to where several processes have the same ones (`ports.keys`)."""

import asyncio
import contextlib

import pytest

from remit.adapters.keys import key_folder as shelf
from remit.core.errors import ChangedMeanwhile, KeyUnavailable
from remit.core.keys.own_keys import HeldKey, KeyKind, KeyStanding
from remit.ports.keys import RotatingKeys
from tests.conformance.key_stores import KeyStore


async def opened(key_store: KeyStore, kind: KeyKind) -> RotatingKeys:
    """Open the keys of a kind, as one more process."""
    if kind in (KeyKind.TOKEN, KeyKind.SVID):
        return await key_store.tokens(kind)
    if kind is KeyKind.CHECKPOINT:
        return await key_store.checkpoints()
    return await (key_store.sealing() if kind is KeyKind.SEALING else key_store.authority())


async def replaced(keys: RotatingKeys, seen: str, *, at_once: bool = False) -> HeldKey | None:
    """Replace the key that was seen, if it still is the newest."""
    with contextlib.suppress(ChangedMeanwhile):
        return await keys.rotate(seen=seen, at_once=at_once)
    return None


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("kind", KeyKind)
async def test_a_key_that_another_process_has_replaced_is_not_replaced_again(
    key_store: KeyStore, kind: KeyKind, at_once: bool
) -> None:
    """Who comes too late is told, has the keys as the other has made them, and has made none."""
    first, second = await opened(key_store, kind), await opened(key_store, kind)
    seen = second.held()[0].id
    turned = await first.rotate(seen=seen)
    key_store.clock.advance(60)
    with pytest.raises(ChangedMeanwhile, match=f"the {kind} key"):
        await second.rotate(seen=seen, at_once=at_once)
    assert second.held() == first.held()
    assert (turned.id, KeyStanding.CURRENT) in {(one.id, one.standing) for one in second.held()}
    # It goes on from there.
    await second.rotate(seen=second.held()[0].id)
    assert await first.refresh()
    assert first.held() == second.held()


@pytest.mark.parametrize("kind", KeyKind)
async def test_however_many_replace_the_key_that_they_have_seen_one_does(
    key_store: KeyStore, kind: KeyKind
) -> None:
    """And where a key is published before it signs, that is the one that was to be next."""
    every = [await opened(key_store, kind) for _ in range(4)]
    for at_once in (False, True, False):
        seen = every[0].held()[0]
        done = await asyncio.gather(*(replaced(keys, seen.id, at_once=at_once) for keys in every))
        (turned,) = [one for one in done if one is not None]
        assert (turned.id == seen.id) == (seen.standing is KeyStanding.NEXT and not at_once)
        for keys in every:
            await keys.refresh()
            assert keys.held() == every[0].held()
            assert turned in keys.held()


@pytest.mark.parametrize("kind", KeyKind)
async def test_a_turn_is_one_process_at_a_time(
    key_store: KeyStore, kind: KeyKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each kind. Who waits for too long is told; who comes after it has the turn, however it ended."""
    first, second = await opened(key_store, kind), await opened(key_store, kind)
    other = await opened(key_store, KeyKind.TOKEN if kind is not KeyKind.TOKEN else KeyKind.SVID)
    monkeypatch.setattr(shelf, "TURN_PATIENCE_S", 0.1)

    async def broken_off() -> None:
        async with first.turn(), other.turn():
            with pytest.raises(KeyUnavailable) as refused:
                await second.turn().__aenter__()
            assert refused.value.code == "keys-held"
            # All else goes on.
            await first.rotate()
            assert await second.refresh()
            assert await second.tidy() == ()
            raise RuntimeError("broken off")

    with pytest.raises(RuntimeError, match="broken off"):
        await broken_off()
    async with second.turn():
        assert await first.refresh() is False


@pytest.mark.parametrize("kind", KeyKind)
async def test_in_a_turn_keys_are_as_they_are_now(
    key_store: KeyStore, kind: KeyKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the file server does not tell yet that another process has changed them."""
    first, second = await opened(key_store, kind), await opened(key_store, kind)
    seen = second.held()[0].id
    monkeypatch.setattr(shelf.KeyFolder, "_stamped", lambda _: (1, 2, 3))
    assert await second.refresh() is False
    await first.rotate(seen=seen)
    assert await second.refresh() is False
    with pytest.raises(ChangedMeanwhile):
        await second.rotate(seen=seen)
    await first.rotate()
    async with second.turn():
        assert await second.refresh()
        assert second.held() == first.held()


async def test_who_waits_for_a_turn_has_it_when_the_other_is_done(key_store: KeyStore) -> None:
    """And not before."""
    first, second = await key_store.tokens(), await key_store.tokens()
    told: list[str] = []

    async def follow() -> None:
        async with second.turn():
            told.append("second")

    async with first.turn():
        waiting = asyncio.create_task(follow())
        await asyncio.sleep(0.1)
        told.append("first")
    await waiting
    assert told == ["first", "second"]
