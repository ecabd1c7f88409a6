# SPDX-License-Identifier: Apache-2.0
"""Events that are asked for: none is acknowledged before what follows is durable, and none is lost."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.api.health import Health
from remit.api.rooms import health_rooms
from remit.core.decisions.decision import Outcome
from remit.core.errors import Fenced, SourceUnavailable, StoreUnavailable
from remit.core.signals.signal import SignalKind
from remit.services.signals.polling import PolledSource
from tests.servers.scripted_poll import ScriptedPoll
from tests.worlds.signals import SignalsWorld, signals_world, user

Json = Any


@pytest.fixture
def poll() -> ScriptedPoll:
    """The provider's poll endpoint."""
    return ScriptedPoll()


def source(poll: ScriptedPoll) -> PolledSource:
    """Return it as the configuration does."""
    shown = {"Authorization": "Bearer poll-me"}
    return PolledSource(
        name="idp", url="https://login.example/poll", deliver=poll, headers=lambda: shown, every_s=5
    )


@pytest.fixture
async def world(tmp_path: Path, poll: ScriptedPoll) -> AsyncIterator[SignalsWorld]:
    """A desk that asks."""
    async with signals_world(tmp_path, polled={"idp": source(poll)}) as made:
        yield made


async def test_what_waits_is_taken_in_and_acknowledged(world: SignalsWorld, poll: ScriptedPoll) -> None:
    """All of it, however much: the end of a person among it is done by then."""
    _, token = await world.open()
    for number in range(25):
        poll.waiting[f"e{number}"] = world.event(SignalKind.SESSION_ESTABLISHED)
    poll.waiting["end"] = world.event(SignalKind.SESSION_REVOKED)
    assert await world.services.signals.polling.turn() == 26
    with pytest.raises(Fenced):
        await world.call(token, "read")
    assert poll.waiting == {}
    assert poll.acknowledged[-1] == "end"
    assert set(poll.shown) == {"Bearer poll-me"}
    asked = poll.asked
    assert await world.services.signals.polling.turn() == 0
    assert poll.asked == asked
    world.clock.advance(5)
    assert await world.services.signals.polling.turn() == 0
    assert poll.asked == asked + 1


async def test_what_does_not_hold_is_told(world: SignalsWorld, poll: ScriptedPoll) -> None:
    """An error is an acknowledgement, too, and holds up nothing behind it."""
    poll.waiting["bad"] = "a.b.c"
    poll.waiting["foreign"] = world.event(SignalKind.SESSION_REVOKED, aud="https://elsewhere.example")
    poll.waiting["good"] = world.event(SignalKind.SESSION_REVOKED)
    assert await world.services.signals.polling.turn() == 1
    assert {key: one["err"] for key, one in poll.errors.items()} == {
        "bad": "invalid_request",
        "foreign": "invalid_audience",
    }
    assert poll.acknowledged == ["good"]


async def test_what_cannot_be_taken_in_now_stays(world: SignalsWorld, poll: ScriptedPoll) -> None:
    """A store that takes nothing: neither acknowledged nor refused, and done later."""
    _, token = await world.open()
    poll.waiting["end"] = world.event(SignalKind.SESSION_REVOKED)
    commit = world.services.store.commit

    async def full(*_: Json) -> Json:
        raise StoreUnavailable("the disk is full")

    world.services.store.commit = full  # type: ignore[method-assign, assignment]
    assert await world.services.signals.polling.turn() == 0
    assert (poll.acknowledged, poll.errors) == ([], {})
    world.services.store.commit = commit  # type: ignore[method-assign]
    assert await world.outcome(token, "read") is Outcome.PERMIT
    world.clock.advance(5)
    assert await world.services.signals.polling.turn() == 1
    with pytest.raises(Fenced):
        await world.call(token, "read")
    assert poll.acknowledged == ["end"]


async def test_lost_answers_lose_nothing(tmp_path: Path, poll: ScriptedPoll) -> None:
    """Acknowledgements whose answer is lost, and a process that stops before it could acknowledge."""
    async with signals_world(tmp_path, polled={"idp": source(poll)}) as world:
        provider = world.provider
        poll.waiting["one"] = world.event(SignalKind.SESSION_REVOKED)
        # Taken in; remit stops before it has acknowledged.
        answer = await world.services.signals.polling._ask(source(poll))
        await world.services.signals.heard.receive("idp", answer.sets["one"])
    async with signals_world(tmp_path, seed="again", settle=False, polled={"idp": source(poll)}) as world:
        world.provider.keys = provider.keys
        _, token = await world.open()
        await world.services.signals.polling.turn()
        assert poll.acknowledged == ["one"]
        # It had been done: what was opened since then goes on.
        assert await world.outcome(token, "read") is Outcome.PERMIT
        world.provider.sent = provider.sent
        poll.waiting["two"] = world.event(SignalKind.SESSION_ESTABLISHED, user())
        poll.lose = 1
        world.clock.advance(5)
        await world.services.signals.polling.turn()
        world.clock.advance(5)
        await world.services.signals.polling.turn()
        assert poll.acknowledged == ["one", "two"]


@pytest.mark.parametrize(
    "answer", [b"[]", b"{", b'{"sets": []}', b'{"sets": {"a": 1}}', b'{"sets": {}, "sets": {}}']
)
async def test_answers_that_are_none(world: SignalsWorld, poll: ScriptedPoll, answer: bytes) -> None:
    """Whatever a transmitter answers, polling goes on with the next turn."""
    poll.answer = answer
    with pytest.raises(SourceUnavailable):
        await world.services.signals.polling.poll(source(poll))
    assert await world.services.signals.polling.turn() == 0
    poll.answer, poll.status = None, 500
    world.clock.advance(5)
    assert await world.services.signals.polling.turn() == 0
    assert list(world.services.signals.polling.failing) == ["idp"]
    assert b'"signals_failing":1' in bytes((await Health(health_rooms(world.services)).ready()).body)
    poll.status = 200
    world.clock.advance(5)
    assert await world.services.signals.polling.turn() == 0
    assert world.services.signals.polling.failing == {}


async def test_a_transmitter_that_never_ends_is_left_for_a_while(
    world: SignalsWorld, poll: ScriptedPoll
) -> None:
    """More is always there: a turn ends all the same."""
    poll.most = 1
    for number in range(100):
        poll.waiting[f"e{number}"] = world.event(SignalKind.SESSION_ESTABLISHED)
    assert 0 < await world.services.signals.polling.turn() < 100
