# SPDX-License-Identifier: Apache-2.0
"""Threat: signals are kept from arriving, and no one notices that nothing would end."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from remit.core.errors import SourceUnavailable
from remit.core.findings.finding import Finding, FindingState
from remit.core.signals.signal import SignalKind
from remit.ports.fetch import Fetched
from remit.services.signals.silence import WatchedTransmitter
from tests.worlds.signals import SignalsWorld, signals_world

Json = Any
STREAM: Json = {"format": "opaque", "id": "stream-1"}


class Transmitter:
    """The verification endpoint of a transmitter: `ports.delivery.Deliver`. It keeps what it was asked."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.status = 204
        self.lost = False

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        media: str,
        headers: Mapping[str, str] | None = None,
        accept: str = "application/json",
        max_bytes: int = 262_144,
        timeout_s: float = 10.0,
    ) -> Fetched:
        """Take a question (SSF 1.0 section 8.1.4.2)."""
        assert (url, media) == ("https://login.example/verify", "application/json")
        assert (headers or {})["Authorization"] == "Bearer verify-me"
        asked = json.loads(body)
        assert set(asked) == {"stream_id", "state"}
        assert asked["stream_id"] == "stream-1"
        if self.lost:
            raise SourceUnavailable("it does not answer", code="fetch-failed")
        self.states.append(asked["state"])
        return Fetched(url=url, status=self.status)


def asking(transmitter: Transmitter) -> dict[str, WatchedTransmitter]:
    """Return it as the configuration does."""
    shown = {"Authorization": "Bearer verify-me"}
    one = WatchedTransmitter(
        name="idp",
        silent_after_s=3600,
        url="https://login.example/verify",
        stream="stream-1",
        every_s=900,
        deliver=transmitter,
        headers=lambda: shown,
    )
    return {"idp": one}


async def passes(world: SignalsWorld, seconds: int) -> list[Finding]:
    """Let time pass, looking as often as remit does; give what is open then."""
    for _ in range(seconds // 300):
        world.clock.advance(300)
        await world.services.signals.silence.turn()
    return await world.services.findings.findings.about(state=FindingState.OPEN)


async def test_one_that_tells_of_nothing_is_a_finding(tmp_path: Path) -> None:
    """Over restarts, until something is heard; what is heard in time is none."""
    watched = {"idp": WatchedTransmitter(name="idp", silent_after_s=3600)}
    async with signals_world(tmp_path, watched=watched) as world:
        await world.services.signals.silence.turn()
        assert await passes(world, 3300) == []
        assert (await world.push(world.event(SignalKind.SESSION_ESTABLISHED))).status == 202
        heard = world.clock.now()
        assert await passes(world, 3300) == []
        (found,) = await passes(world, 300)
        assert (found.kind, found.about) == ("signals-silent", "transmitter:idp")
        assert found.facts["since"][:19] == heard.isoformat()[:19]
    async with signals_world(tmp_path, watched=watched, settle=False, seed="again") as world:
        world.clock.advance(7200)
        await world.services.signals.silence.turn()
        assert await passes(world, 300) == [found]
        one = world.event(SignalKind.SESSION_ESTABLISHED, jti="another")
        assert (await world.push(one)).status == 202
        assert await passes(world, 300) == []


async def test_one_that_answers_is_not_silent(tmp_path: Path) -> None:
    """It is asked again and again, each time with a new state."""
    transmitter = Transmitter()
    async with signals_world(tmp_path, watched=asking(transmitter)) as world:
        await world.services.signals.silence.turn()
        for _ in range(8):
            payload = {"state": transmitter.states[-1]}
            one = world.event(SignalKind.VERIFICATION, STREAM, payload=payload)
            assert (await world.push(one)).status == 202
            assert await passes(world, 900) == []
        assert len(set(transmitter.states)) == len(transmitter.states) == 9
        assert [told["reactions"] for told in await world.received()] == [[]] * 8


async def test_an_answer_that_was_not_asked_for_is_no_sign_of_life(tmp_path: Path) -> None:
    """Another state, an older one, none: an attacker who lets verification alone pass gains nothing by old
    ones.
    """
    transmitter = Transmitter()
    async with signals_world(tmp_path, watched=asking(transmitter)) as world:
        await world.services.signals.silence.turn()
        for payload in ({"state": "other"}, {}, {"state": transmitter.states[-1]}):
            # Each comes when another question has been asked since.
            await passes(world, 900)
            one = world.event(SignalKind.VERIFICATION, STREAM, payload=payload)
            assert (await world.push(one)).status == 202
        (found,) = await passes(world, 900)
        assert found.facts["since"] == ""


async def test_what_was_held_back_counts_for_when_it_was_issued(tmp_path: Path) -> None:
    """An old event that an attacker lets through late does not show that new ones would arrive; nor does a
    replay.
    """
    watched = {"idp": WatchedTransmitter(name="idp", silent_after_s=1800)}
    async with signals_world(tmp_path, watched=watched) as world:
        await world.services.signals.silence.turn()
        held = [world.event(SignalKind.SESSION_ESTABLISHED) for _ in range(3)]
        for one in held:
            assert await passes(world, 300) == []
            assert (await world.push(one)).status == 202
            assert (await world.push(held[0])).status == 202
        assert len(await passes(world, 900)) == 1


async def test_one_that_cannot_be_asked_is_told_of_with_the_reason(tmp_path: Path) -> None:
    """It refuses, or is not there; that is no answer."""
    transmitter = Transmitter()
    transmitter.status = 403
    async with signals_world(tmp_path, watched=asking(transmitter)) as world:
        await world.services.signals.silence.turn()
        (found,) = await passes(world, 3600)
        assert found.facts["why"] == "it answered 403"
        transmitter.lost, transmitter.status = True, 204
        await passes(world, 900)
        assert world.services.signals.silence.failing == {"idp": "it does not answer"}
        transmitter.lost = False
        await passes(world, 900)
        assert world.services.signals.silence.failing == {}
        one = world.event(SignalKind.VERIFICATION, STREAM, payload={"state": transmitter.states[-1]})
        assert (await world.push(one)).status == 202
        assert await passes(world, 300) == []
