# SPDX-License-Identifier: Apache-2.0
"""Several replicas whose keys are in one OpenBao: each kind is replaced at one of them, or at all of them at
once, under calls.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.clients.http_line import Line
from tests.gateways.several_replicas import (
    Replica,
    Replicas,
    keys_of,
    replicas,
    rotate,
    sent,
    until,
    until_sent,
)
from tests.servers.bao_server import POLICY, BaoServer
from tests.servers.postgres_server import PostgresServer

Json = Any

pytestmark = pytest.mark.slow

KINDS = ("token", "checkpoint", "sealing")
#: What a call may meet on a busy machine, whatever becomes of keys.
BUSY = {"replica-fenced"}


@pytest.fixture
async def world(
    tmp_path: Path,
    postgres: str,
    postgres_server: PostgresServer,
    own_bao: BaoServer,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Replicas]:
    """Three of them."""
    monkeypatch.setenv("TOKEN_OF_THE_TEST", own_bao.token_for(POLICY))
    keys = {
        "kind": "openbao",
        "path": str(tmp_path / "shared" / "keys"),
        "openbao": {"address": own_bao.address, "token": "env:TOKEN_OF_THE_TEST"},
    }
    async with replicas(tmp_path, postgres, postgres_server.port, count=3, keys=keys) as made:
        yield made


class Traffic:
    """Calls of one task through one replica, one after another, for as long as the block runs.

    `found` is what came of them: empty where a call was permitted, else why not.
    """

    def __init__(self, one: Replica, token: str) -> None:
        self.one = one
        self.token = token
        self.found: list[str] = []

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        with contextlib.closing(await Line.to(self.one.port)) as line:
            while True:
                told = await self.one.send(line, self.token, "-")
                self.found.append("" if told.result is not None else told.code)

    async def more(self, count: int = 5) -> None:
        """Wait for some more calls."""
        most = len(self.found) + count

        async def made() -> bool:
            return len(self.found) >= most

        await until(made)

    @property
    def refused(self) -> list[str]:
        """Why calls were refused that are no matter of a busy machine."""
        return [why for why in self.found if why and why not in BUSY]


async def agreed(world: Replicas, kind: str) -> None:
    """Wait until all replicas have the same keys of a kind."""

    async def same() -> bool:
        first, *others = [await keys_of(one, kind) for one in world.all]
        return all(one == first for one in others)

    await until(same)


async def whole(one: Replica) -> None:
    """The evidence verifies, and every value that was sealed can be read."""
    report = await one.verified()
    assert report.complete, report
    assert not report.faults, report
    told = await one.events()
    assert all(event["values"].keys() == event["sealed"].keys() for event in told if event.get("sealed"))
    assert len([event for event in told if event.get("sealed")]) > len(KINDS)


async def started_anew(one: Replica) -> None:
    """Kill a replica and start it again: it has what the folder and OpenBao give, and nothing else."""
    await one.kill()
    await one.start()


async def test_a_rotation_in_order_refuses_no_call(world: Replicas) -> None:
    """Every kind, one after another, at one replica: tokens from before stay good at the others all the
    while, and what was sealed from before is readable at one that starts afterwards.
    """
    first, second, third = world.all
    tokens = [(await first.open_task())[1] for _ in range(2)]
    for one, token in zip((second, third), tokens, strict=True):
        await until_sent(one, token, "before")
    async with Traffic(second, tokens[0]) as there, Traffic(third, tokens[1]) as elsewhere:
        for kind in KINDS:
            new = await rotate(first, kind)
            await agreed(world, kind)
            assert (new, "current") in await keys_of(third, kind)
            for traffic in (there, elsewhere):
                await traffic.more()
    assert not there.refused
    assert not elsewhere.refused
    await started_anew(third)
    for one in world.all:
        await whole(one)


async def test_a_dropped_key_is_out_everywhere_and_fresh_tokens_are_good_everywhere(world: Replicas) -> None:
    """Every kind at once, under calls: what a dropped key has signed is refused from some moment on and never
    again taken; what the new one signs is taken from some moment on and never again refused.
    """
    first, second, third = world.all
    _, token = await first.open_task()
    await until_sent(second, token, "before")
    async with Traffic(second, token) as there, Traffic(third, token) as elsewhere:
        for kind in ("checkpoint", "sealing", "token"):
            assert not {*there.refused, *elsewhere.refused} - {"passed-on"}
            await rotate(first, kind, at_once=True)
            await agreed(world, kind)
        for traffic in (there, elsewhere):
            await traffic.more()
    for traffic in (there, elsewhere):
        assert traffic.found[-1] == "token-key"
        beginning = traffic.found.index("token-key")
        assert set(traffic.found[beginning:]) <= {"token-key"} | BUSY
    for issuer in world.all:
        _, fresh = await issuer.open_task()
        for one in world.all:
            await until_sent(one, fresh, "after")
            async with Traffic(one, fresh) as traffic:
                await traffic.more()
            assert not traffic.refused
    await started_anew(second)
    for one in world.all:
        await whole(one)


async def test_keys_that_all_replace_at_once_serve_all(world: Replicas) -> None:
    """Each replica replaces each kind in the same moment, some of them at once, time and again. The key that
    comes last is the same for all, no replica has a key that another has had destroyed, and nothing is lost.
    """
    for turn in range(2):
        await asyncio.gather(
            *(
                rotate(one, kind, at_once=(turn + place) % 2 == 0)
                for place, one in enumerate(world.all)
                for kind in KINDS
            )
        )
        for kind in KINDS:
            await agreed(world, kind)
        # The key that is to come next is as good as the one that signs now.
        for _ in range(2):
            for issuer, one in zip(world.all, (*world.all[1:], world.all[0]), strict=True):
                _, fresh = await issuer.open_task()
                assert await sent(one, fresh, "-") in {"", *BUSY}
            await rotate(world.all[turn], "token")
            await agreed(world, "token")
    await started_anew(world.all[1])
    for one in world.all:
        await whole(one)
