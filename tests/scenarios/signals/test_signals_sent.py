# SPDX-License-Identifier: Apache-2.0
"""Others are told exactly what the log says: none of it is lost, and none is told that is not theirs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from remit.core.evidence.event import EventKind
from remit.core.identity.principals import AgentState
from remit.core.identity.workload import KeyBinding
from remit.core.signals.signal import SignalKind
from remit.services.signals.streams import Receiver
from remit.services.signals.transmitter import PushTarget
from tests.clients.strict_receiver import StrictReceiver
from tests.worlds.services import PUBLIC_URL, ServiceWorld

Json = Any

SIEM = "https://siem.example"


def receiver(**changes: Any) -> Receiver:
    """Return a receiver that learns of contract-bot."""
    known: Json = {"name": "siem", "audience": SIEM, "agents": frozenset({"contract-bot"})}
    return Receiver(**(known | changes))


class Listened:
    """A gateway, and one who listens to it."""

    def __init__(self, world: ServiceWorld, siem: StrictReceiver) -> None:
        self.world = world
        self.siem = siem

    async def ended(self, agent: str = "contract-bot") -> str:
        """Open a task and end it; gives its id."""
        lena = await self.world.session("lena")
        task = await self.world.open(lena, agent=agent)
        await self.world.services.endings.revocations.end_task(task, reason="secret of lena", by="lena")
        return task

    async def ask(self, method: str, path: str, body: Json = None, agent: str = "other-bot") -> Any:
        """Ask as an agent."""
        return await self.world.ask(method, path, body, by=await self.world.agent_token(agent))


@asynccontextmanager
async def listened(
    folder: Path, *, settle: bool = True, seed: str = "house", **changes: Any
) -> AsyncIterator[Listened]:
    """Provide a gateway with a receiver that is pushed to, or polls as `other-bot`."""

    def keys() -> Json:
        return world.services.keys.tokens.jwks()

    siem = StrictReceiver(PUBLIC_URL, SIEM, keys)
    one = receiver(**changes)
    target = PushTarget(
        url="https://siem.example/in", deliver=siem, headers=lambda: {"Authorization": "Bearer x"}
    )
    world = ServiceWorld(
        folder, receivers={"siem": one}, push_targets={"siem": target} if one.push else {}, seed=seed
    )
    if settle:
        await world.settle_in()
    await world.services.signals.streams.begin()
    try:
        yield Listened(world, siem)
    finally:
        await world.services.store.close()


PUSHED: Json = {"push": "https://siem.example/in"}


@pytest.fixture
async def pushed(tmp_path: Path) -> AsyncIterator[Listened]:
    """Provide a receiver to which events are pushed."""
    async with listened(tmp_path, **PUSHED) as made:
        yield made


@pytest.fixture
async def polled(tmp_path: Path) -> AsyncIterator[Listened]:
    """Provide a receiver that polls."""
    async with listened(tmp_path, agent="other-bot") as made:
        yield made


async def test_the_end_of_a_task_is_a_revoked_session(pushed: Listened) -> None:
    """A complex subject: the task as session, the agent as application; no person, and no person's words."""
    task = await pushed.ended()
    assert await pushed.world.services.signals.transmitter.turn() == 1
    (claims,) = pushed.siem.taken
    assert claims["sub_id"] == {
        "format": "complex",
        "session": {"format": "opaque", "id": task},
        "application": {"format": "iss_sub", "iss": PUBLIC_URL, "sub": "contract-bot"},
    }
    payload = claims["events"][SignalKind.SESSION_REVOKED.uri]
    assert payload["initiating_entity"] == "admin"
    assert payload["reason_admin"] == {"en": "asked"}
    assert "lena" not in str(claims)
    assert pushed.siem.shown == ["Bearer x"]
    assert await pushed.world.services.signals.transmitter.turn() == 0


async def test_who_may_learn_of_people_does(tmp_path: Path) -> None:
    """It learns for which person the agent acted, and what becomes of people."""
    async with listened(tmp_path, people=True, **PUSHED) as made:
        await made.ended()
        await made.world.services.identity.personnel.deactivate("leo", by="root", reason="left")
        await made.world.services.signals.transmitter.turn()
        first, *_ = made.siem.taken
        assert first["sub_id"]["user"] == {"format": "iss_sub", "iss": PUBLIC_URL, "sub": "lena"}
        assert ("account-disabled", "leo") in made.siem.told


async def test_the_life_of_an_agent(pushed: Listened) -> None:
    """Suspended, brought back, retired; in the order of the log, its tasks' ends after it."""
    lena = await pushed.world.session("lena")
    task = await pushed.world.open(lena)
    directory = pushed.world.services.identity.directory
    for state in (AgentState.SUSPENDED, AgentState.ACTIVE, AgentState.RETIRED):
        await directory.move("contract-bot", state, by="root", reason="odd")
    await pushed.world.services.signals.transmitter.turn()
    assert pushed.siem.told == [
        ("account-disabled", "contract-bot"),
        ("session-revoked", task),
        ("account-enabled", "contract-bot"),
        ("account-purged", "contract-bot"),
    ]


async def test_nobody_learns_of_agents_that_are_not_theirs(pushed: Listened) -> None:
    """Nor of anything that the configuration does not let them learn."""
    await pushed.world.services.identity.directory.move(
        "other-bot", AgentState.SUSPENDED, by="root", reason="odd"
    )
    await pushed.world.services.identity.personnel.deactivate("leo", by="root", reason="left")
    assert await pushed.world.services.signals.transmitter.turn() == 0


async def test_what_fails_is_told_later_and_in_order(pushed: Listened) -> None:
    """Errors of every kind, and answers that are lost: nothing is lost, and the pauses grow."""
    transmitter, clock = pushed.world.services.signals.transmitter, pushed.world.clock
    tasks = [await pushed.ended() for _ in range(3)]
    pushed.siem.answers = [503, 401, 500]
    for pause_s in (1, 2, 4):
        assert await transmitter.turn() == 0
        assert "siem" in transmitter.failing
        clock.advance(pause_s - 0.1)
        assert await transmitter.turn() == 0
        clock.advance(0.1)
    pushed.siem.lose = 1
    assert await transmitter.turn() == 0
    clock.advance(10)
    assert await transmitter.turn() == 3
    assert [name for _, name in pushed.siem.told] == tasks
    assert len(pushed.siem.again) == 1
    assert transmitter.failing == {}


async def test_what_a_receiver_refuses_is_recorded_and_passed_over(pushed: Listened) -> None:
    """One that it can never take does not keep the others from it."""
    tasks = [await pushed.ended() for _ in range(3)]
    pushed.siem.answers = ["invalid_request"]
    await pushed.world.services.signals.transmitter.turn()
    assert [name for _, name in pushed.siem.told] == tasks[1:]
    entries = await pushed.world.services.evidence.log.pages(limit=1000)
    assert [one.kind for one in entries].count(EventKind.SIGNAL_UNDELIVERED.value) == 1


async def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    """The next process reports what happened before the restart, and while no process reported."""
    async with listened(tmp_path, **PUSHED) as made:
        tasks = [await made.ended()]
        await made.world.services.signals.transmitter.turn()
        tasks.append(await made.ended())
        taken = made.siem.taken
    async with listened(tmp_path, settle=False, seed="again", **PUSHED) as made:
        made.siem.taken = taken
        await made.world.services.signals.transmitter.turn()
        assert [name for _, name in made.siem.told] == tasks
        assert made.siem.again == []


# Polling, and managing a stream.


async def test_a_receiver_polls_and_acknowledges(polled: Listened) -> None:
    """Out of order, twice, and things that were never given: what was not acknowledged is given again."""
    made = await polled.ask("POST", "/ssf/streams", {"delivery": {"method": "urn:ietf:rfc:8936"}})
    assert made.status == 201
    stream = made.json["stream_id"]
    place = made.json["delivery"]["endpoint_url"].removeprefix(PUBLIC_URL)
    assert place == f"/ssf/poll/{stream}"
    tasks = [await polled.ended() for _ in range(5)]
    told = (await polled.ask("POST", place, {"maxEvents": 3, "returnImmediately": True})).json
    assert (len(told["sets"]), told["moreAvailable"]) == (3, True)
    first = [polled.siem.take(one) for one in told["sets"].values()]
    assert [one["sub_id"]["session"]["id"] for one in first] == tasks[:3]
    # The second alone: the first and the third come again, and the id of each is the same.
    told = (await polled.ask("POST", place, {"ack": [first[1]["jti"], "never-given"], "maxEvents": 2})).json
    assert list(told["sets"]) == [first[0]["jti"], first[2]["jti"]]
    again = (await polled.ask("POST", place, {"ack": [first[1]["jti"]], "maxEvents": 0})).json
    assert (again["sets"], again["moreAvailable"]) == ({}, True)
    told = (await polled.ask("POST", place, {"ack": [first[0]["jti"]]})).json
    for one in told["sets"].values():
        polled.siem.take(one)
    assert {name for _, name in polled.siem.told} == set(tasks)
    errors = {name: {"err": "invalid_request", "description": "no"} for name in told["sets"]}
    told = (await polled.ask("POST", place, {"setErrs": errors})).json
    assert (told["sets"], told["moreAvailable"]) == ({}, False)
    entries = await polled.world.services.evidence.log.pages(limit=1000)
    assert [one.kind for one in entries].count(EventKind.SIGNAL_UNDELIVERED.value) == 3


async def test_a_stream_is_managed_as_ssf_says(polled: Listened) -> None:
    """Created once, shown, changed, paused, verified, deleted."""
    assert (await polled.ask("GET", "/ssf/streams")).json == []
    asked = {"events_requested": [SignalKind.SESSION_REVOKED.uri, "urn:other"], "description": "ours"}
    made = (await polled.ask("POST", "/ssf/streams", asked)).json
    stream = made["stream_id"]
    assert (made["iss"], made["aud"]) == (PUBLIC_URL, SIEM)
    assert made["events_delivered"] == [SignalKind.SESSION_REVOKED.uri]
    assert len(made["events_supported"]) == 6
    assert (await polled.ask("POST", "/ssf/streams", asked)).status == 409
    shown = await polled.ask("GET", f"/ssf/streams?stream_id={stream}")
    assert shown.json == made == (await polled.ask("GET", "/ssf/streams")).json[0]
    changed = await polled.ask("PATCH", "/ssf/streams", {"stream_id": stream, "description": "changed"})
    assert (changed.json["description"], changed.json["events_requested"]) == (
        "changed",
        asked["events_requested"],
    )
    changed = await polled.ask("PUT", "/ssf/streams", {"stream_id": stream})
    assert (changed.json["description"], changed.json["events_requested"]) == ("", [])
    assert (await polled.ask("PATCH", "/ssf/streams", {"description": "x"})).status == 400
    place = f"/ssf/poll/{stream}"
    # Paused: what happens is kept. Disabled: it is not.
    paused = {"stream_id": stream, "status": "paused", "reason": "night"}
    assert (await polled.ask("POST", "/ssf/status", paused)).json == paused
    one = await polled.ended()
    assert (await polled.ask("POST", place, {})).json["sets"] == {}
    await polled.ask("POST", "/ssf/status", {"stream_id": stream, "status": "enabled"})
    assert (await polled.ask("GET", f"/ssf/status?stream_id={stream}")).json["status"] == "enabled"
    (token,) = (await polled.ask("POST", place, {})).json["sets"].values()
    claims = polled.siem.take(token)
    assert claims["sub_id"]["session"]["id"] == one
    await polled.ask("POST", "/ssf/status", {"stream_id": stream, "status": "disabled"})
    await polled.ended()
    await polled.ask("POST", "/ssf/status", {"stream_id": stream, "status": "enabled"})
    assert (await polled.ask("POST", place, {"ack": [claims["jti"]]})).json["sets"] == {}
    # Verification.
    wanted = {"stream_id": stream, "state": "abc"}
    assert (await polled.ask("POST", "/ssf/verify", wanted)).status == 204
    assert (await polled.ask("POST", "/ssf/verify", wanted)).status == 429
    (token,) = (await polled.ask("POST", place, {})).json["sets"].values()
    claims = polled.siem.take(token)
    assert claims["events"] == {SignalKind.VERIFICATION.uri: {"state": "abc"}}
    assert claims["sub_id"] == {"format": "opaque", "id": stream}
    assert (await polled.ask("POST", place, {"ack": [claims["jti"]]})).json["sets"] == {}
    assert (await polled.ask("DELETE", f"/ssf/streams?stream_id={stream}")).status == 204
    assert (await polled.ask("POST", place, {})).status == 404
    assert (await polled.ask("GET", f"/ssf/streams?stream_id={stream}")).status == 404


async def test_subjects_are_taken_out_and_put_back(tmp_path: Path) -> None:
    """Never further than the receiver may see."""
    async with listened(tmp_path, agent="other-bot", agents=frozenset({"contract-bot"})) as made:
        stream = (await made.ask("POST", "/ssf/streams", {})).json["stream_id"]
        place = f"/ssf/poll/{stream}"
        subject = {"format": "iss_sub", "iss": PUBLIC_URL, "sub": "contract-bot"}
        form = {"stream_id": stream, "subject": subject}
        assert (await made.ask("POST", "/ssf/subjects:remove", form)).status == 204
        await made.ended()
        assert (await made.ask("POST", place, {})).json["sets"] == {}
        assert (await made.ask("POST", "/ssf/subjects:add", form)).status == 200
        assert len((await made.ask("POST", place, {})).json["sets"]) == 1
        other = {"format": "iss_sub", "iss": PUBLIC_URL, "sub": "other-bot"}
        assert (
            await made.ask("POST", "/ssf/subjects:add", {"stream_id": stream, "subject": other})
        ).status == 200
        await made.world.services.identity.directory.bind("other-bot", _another(), by="root")
        assert len((await made.ask("POST", place, {})).json["sets"]) == 1
        bad = {"stream_id": stream, "subject": {"id": "x"}}
        assert (await made.ask("POST", "/ssf/subjects:remove", bad)).status == 400


def _another() -> KeyBinding:
    key = ECKey.generate_key("P-256").as_dict(private=False)
    return KeyBinding({name: str(value) for name, value in key.items()})


async def test_only_receivers_manage_and_only_their_own(polled: Listened) -> None:
    """No agent that the configuration does not name, no person, and no caller without a token may manage."""
    stream = (await polled.ask("POST", "/ssf/streams", {})).json["stream_id"]
    for method, path, body in (
        ("GET", "/ssf/streams", None),
        ("POST", "/ssf/streams", {}),
        ("POST", f"/ssf/poll/{stream}", {}),
        ("POST", "/ssf/verify", {"stream_id": stream}),
    ):
        assert (await polled.ask(method, path, body, agent="contract-bot")).status == 403
        assert (await polled.world.ask(method, path, body)).status == 401
        root = await polled.world.session("root")
        assert (await polled.world.ask(method, path, body, by=root)).status == 403
    push = {"delivery": {"method": "urn:ietf:rfc:8935", "endpoint_url": "https://169.254.169.254/"}}
    refused = await polled.ask("PATCH", "/ssf/streams", {"stream_id": stream, **push})
    assert refused.status == 400
    assert (await polled.ask("POST", "/ssf/poll/str_other", {})).status == 404


async def test_where_receivers_find_it(polled: Listened) -> None:
    """The metadata of SSF 1.0."""
    told = (await polled.world.ask("GET", "/.well-known/ssf-configuration")).json
    assert told["issuer"] == PUBLIC_URL
    assert told["jwks_uri"] == f"{PUBLIC_URL}/oauth/jwks.json" or told["jwks_uri"].startswith(PUBLIC_URL)
    assert told["spec_version"] == "1_0"
    assert set(told["delivery_methods_supported"]) == {"urn:ietf:rfc:8935", "urn:ietf:rfc:8936"}


async def test_a_token_for_events_opens_no_endpoint(pushed: Listened) -> None:
    """A security event token of ours, shown as an access token, is none."""
    await pushed.ended()
    kept: list[str] = []
    take = pushed.siem.take

    def keep(token: str) -> Json:
        kept.append(token)
        return take(token)

    pushed.siem.take = keep  # type: ignore[method-assign]
    await pushed.world.services.signals.transmitter.turn()
    assert (await pushed.world.ask("GET", "/api/v1/tasks", by=kept[0])).status == 401


async def test_very_many_events_are_told_in_windows(polled: Listened) -> None:
    """More than are out at once: all of them, in order, each once."""
    stream = (await polled.ask("POST", "/ssf/streams", {})).json["stream_id"]
    agent = await polled.world.services.identity.directory.agent("contract-bot")
    assert agent.usable
    for _ in range(60):
        for state in (AgentState.SUSPENDED, AgentState.ACTIVE):
            await polled.world.services.identity.directory.move("contract-bot", state, by="root", reason="x")
    acks: list[str] = []
    for _ in range(20):
        told = (await polled.ask("POST", f"/ssf/poll/{stream}", {"ack": acks})).json
        acks = [polled.siem.take(one)["jti"] for one in told["sets"].values()]
        if not acks:
            break
    assert [kind for kind, _ in polled.siem.told] == ["account-disabled", "account-enabled"] * 60
    assert polled.siem.again == []
