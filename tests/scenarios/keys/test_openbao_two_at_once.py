# SPDX-License-Identifier: Apache-2.0
"""Threat: processes with one folder of keys in OpenBao replace them at the same time, and one puts a key on
the shelf that another one has had destroyed, or that it cannot read.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.keys import transit
from remit.adapters.keys.openbao_client import Bao
from remit.adapters.keys.openbao_sealing import BaoSealingKeys
from remit.adapters.keys.openbao_signing import BaoAuthorityKeys, BaoCheckpointKeys, BaoTokenKeys
from remit.adapters.keys.transit import Transit
from remit.core.errors import KeyUnavailable
from remit.ports.keys import RotatingKeys
from tests.servers.bao_server import POLICY, BaoServer
from tests.worlds.keys import CLAIMS
from tests.worlds.values import WorldClock, WorldEntropy

Json = Any

LIFE = timedelta(hours=1)


class Slow(Bao):
    """A connection on which the answer to one kind of request is held back, or lost but for the first few."""

    holds = loses = ""
    spares = 0

    def begin(self) -> None:
        """Hold back nothing yet."""
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    async def write(self, path: str, **body: Json) -> dict[str, Json]:
        """Ask, and wait with the answer where it is to be held back."""
        found = await super().write(path, **body)
        if self.loses and self.loses in path:
            self.spares -= 1
            if self.spares < 0:
                raise KeyUnavailable("the answer was lost")
        if self.holds and self.holds in path:
            self.reached.set()
            await self.go_on.wait()
        return found


@pytest.fixture
async def slow(own_bao: BaoServer) -> AsyncIterator[Slow]:
    """The connection of one process."""
    token = own_bao.token_for(POLICY)
    made = Slow(own_bao.address, lambda: token, WorldClock())
    made.begin()
    yield made
    await made.close()


@pytest.fixture
async def fast(own_bao: BaoServer) -> AsyncIterator[Bao]:
    """The connection of another one."""
    token = own_bao.token_for(POLICY)
    made = Bao(own_bao.address, lambda: token, WorldClock())
    yield made
    await made.close()


async def authority(folder: Path, bao: Bao) -> BaoAuthorityKeys:
    """Open an authority."""
    return await BaoAuthorityKeys.open(
        folder, "agents.example", WorldEntropy(), WorldClock(), Transit(bao), life=LIFE, overlap=LIFE
    )


@contextlib.asynccontextmanager
async def turning(
    slow: Slow, first: RotatingKeys, second: RotatingKeys, *, held: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """While the first is in the middle of a rotation, the second replaces nothing; then both have done so."""
    slow.holds = held
    task = asyncio.create_task(first.rotate())
    await slow.reached.wait()
    monkeypatch.setattr(transit, "PATIENCE_S", 0.1)
    before = second.held()
    with pytest.raises(KeyUnavailable) as refused:
        await second.rotate(at_once=True)
    assert refused.value.code == "keys-held"
    assert second.held() == before
    monkeypatch.undo()
    slow.holds = ""
    slow.go_on.set()
    await task
    await second.rotate(at_once=True)
    yield


async def test_one_at_a_time_replaces_keys_that_sign_tokens(
    slow: Slow, fast: Bao, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who drops all keys has nothing destroyed that another one is about to publish."""
    clock, folder = WorldClock(), tmp_path / "keys"
    first = await BaoTokenKeys.open(folder, clock, Transit(slow))
    second = await BaoTokenKeys.open(folder, clock, Transit(fast))
    async with turning(slow, first, second, held="/rotate", monkeypatch=monkeypatch):
        # What is published to come is as good as what signs now.
        for _ in range(2):
            await second.refresh()
            await first.refresh()
            for one in (first, second):
                first.verify(await one.sign(CLAIMS, token_type="at+jwt"))
            await first.rotate()


async def test_one_at_a_time_replaces_keys_that_sign_the_log(
    slow: Slow, fast: Bao, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that was dropped signs no more, and the one that took over does."""
    clock, folder = WorldClock(), tmp_path / "keys"
    first = await BaoCheckpointKeys.open(folder, "remit/test", clock, Transit(slow))
    second = await BaoCheckpointKeys.open(folder, "remit/test", clock, Transit(fast))
    async with turning(slow, first, second, held="/rotate", monkeypatch=monkeypatch):
        await first.refresh()
        for one in (first, second):
            assert [name for name, _ in await one.sign_note(b"a note\n")] == [second.verifier]


async def test_one_at_a_time_replaces_authorities(
    slow: Slow, fast: Bao, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in the moment between making a key and certifying it."""
    folder = tmp_path / "keys"
    first, second = await authority(folder, slow), await authority(folder, fast)
    async with turning(slow, first, second, held="/sign/", monkeypatch=monkeypatch):
        await first.rotate()
        await second.refresh()
        assert await first.sign(b"a certificate")
        assert await second.sign(b"a certificate")


async def test_one_at_a_time_replaces_keys_that_seal(
    slow: Slow, fast: Bao, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one destroys what the other has replaced: every key that is left can be used at both."""
    clock, folder = WorldClock(), tmp_path / "keys"
    first = await BaoSealingKeys.open(folder, clock, Transit(slow))
    second = await BaoSealingKeys.open(folder, clock, Transit(fast))
    (oldest,) = first.held()
    async with turning(slow, first, second, held="/datakey/", monkeypatch=monkeypatch):
        # The second instance has not looked since.
        await first.retire(oldest.id)
        await second.refresh()
        assert len(first.held()) == 2
        for one in (first, second):
            assert one.held() == first.held()
            assert len({one.sealing_key(key.id) for key in one.held()}) == 2


async def test_a_version_that_nobody_could_use_is_not_kept_for_later(
    slow: Slow, fast: Bao, tmp_path: Path
) -> None:
    """A rotation fails after the first of its versions was made; another process drops all keys; the next
    rotation does not bring out what was destroyed with them.
    """
    clock, folder = WorldClock(), tmp_path / "keys"
    first = await BaoTokenKeys.open(folder, clock, Transit(slow))
    second = await BaoTokenKeys.open(folder, clock, Transit(fast))
    slow.loses, slow.spares = "/rotate", 1
    with pytest.raises(KeyUnavailable):
        await first.rotate(at_once=True)
    slow.loses = ""
    await second.rotate(at_once=True)
    for _ in range(2):
        await first.rotate()
        first.verify(await first.sign(CLAIMS, token_type="at+jwt"))


async def test_however_many_replace_keys_at_once_each_is_served(own_bao: BaoServer, tmp_path: Path) -> None:
    """OpenBao itself loses count of a key that is rotated and trimmed at once: it refuses to rotate it from
    then on.
    """
    token = own_bao.token_for(POLICY)
    connections = [Bao(own_bao.address, lambda: token, WorldClock()) for _ in range(3)]
    async with contextlib.AsyncExitStack() as stack:
        for one in connections:
            stack.push_async_callback(one.close)
        every = await asyncio.gather(
            *(BaoTokenKeys.open(tmp_path / "keys", WorldClock(), Transit(one)) for one in connections)
        )
        for turn in range(20):
            await asyncio.gather(
                *(keys.rotate(at_once=(turn + place) % 2 == 0) for place, keys in enumerate(every))
            )
            for keys in every:
                await keys.refresh()
                every[0].verify(await keys.sign(CLAIMS, token_type="at+jwt"))
