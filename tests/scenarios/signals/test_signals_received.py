# SPDX-License-Identifier: Apache-2.0
"""An identity provider reports an event, and what it concerns ends here; no other sender ends anything."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.endings.closure import Cause
from remit.core.errors import Fenced, RemitError, StoreUnavailable, Unauthenticated
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import AgentState
from remit.core.signals.signal import Reaction, SignalKind
from remit.services.signals.subjects import SubjectRules
from tests.worlds.calls import full_disk
from tests.worlds.signals import PUSH_TOKEN, SignalsWorld, signals_world, user

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SignalsWorld]:
    """A desk that hears."""
    async with signals_world(tmp_path) as made:
        yield made


async def over(world: SignalsWorld, token: str) -> None:
    """A task's token opens nothing any more."""
    with pytest.raises(Fenced):
        await world.call(token, "read")


async def test_a_revoked_session_ends_tasks_and_sessions(world: SignalsWorld) -> None:
    """202, and by then nothing of the person lives here; the closure and the evidence say why."""
    task, token = await world.open()
    secret = await world.session()
    told = await world.push(world.event(SignalKind.SESSION_REVOKED))
    assert (told.status, told.content) == (202, b"")
    await over(world, token)
    with pytest.raises(Unauthenticated):
        await world.services.identity.authenticator.person(secret)
    closures = await world.services.store.closures(world.services.tenant)
    (closure,) = [one for one in closures if task.id in one.tasks]
    assert (closure.cause, closure.ended_by) == (Cause.SIGNAL, "signal:idp")
    (received,) = await world.received()
    assert received["reactions"] == ["end-tasks", "sign-out"]
    assert (received["people"], received["closures"]) == (1, [closure.id])
    assert "lena" not in str(received)
    # And the person may begin again.
    _, token = await world.open()
    assert await world.outcome(token, "read") is Outcome.PERMIT


async def test_a_replay_ends_nothing(world: SignalsWorld, tmp_path: Path) -> None:
    """The same token is acknowledged again and again, at once or later, and does no more than once."""
    token = world.event(SignalKind.SESSION_REVOKED)
    assert (await world.push(token)).status == 202
    _, fresh = await world.open()
    for told in await asyncio.gather(*(world.push(token) for _ in range(8))):
        assert told.status == 202
    assert await world.outcome(fresh, "read") is Outcome.PERMIT
    assert len(await world.received()) == 1
    assert world.services.signals.heard.counts == {"taken": 1, "known": 8, "refused": 0}
    # Later than its id is remembered it is too old.
    world.clock.advance(3600 + 120)
    told = await world.push(token)
    assert (told.status, told.json["err"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("kind", "worse", "better"),
    [
        (SignalKind.CREDENTIAL_CHANGE, {"change_type": "revoke"}, {"change_type": "create"}),
        (
            SignalKind.ASSURANCE_LEVEL_CHANGE,
            {"change_direction": "decrease"},
            {"change_direction": "increase"},
        ),
        (
            SignalKind.DEVICE_COMPLIANCE_CHANGE,
            {"current_status": "not-compliant"},
            {"current_status": "compliant"},
        ),
        (SignalKind.RISK_LEVEL_CHANGE, {"current_level": "HIGH"}, {"current_level": "LOW"}),
        (SignalKind.RISK_LEVEL_CHANGE, {"current_level": "never heard of"}, {"current_level": "MEDIUM"}),
        (SignalKind.ASSURANCE_LEVEL_CHANGE, {}, {"change_direction": "increase"}),
    ],
)
async def test_what_got_worse_ends_and_what_got_better_does_not(
    world: SignalsWorld, kind: SignalKind, worse: Json, better: Json
) -> None:
    """What is not known counts as worse."""
    _, token = await world.open()
    assert (await world.push(world.event(kind, payload=better))).status == 202
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert (await world.push(world.event(kind, payload=worse))).status == 202
    await over(world, token)
    assert [bool(one["reactions"]) for one in await world.received()] == [False, True]


async def test_what_nobody_knows_is_only_recorded(world: SignalsWorld) -> None:
    """Other events, other people: acknowledged, for the sender is not to learn who is here."""
    _, token = await world.open()
    for one in (
        world.event("https://schemas.example/odd"),
        world.event(SignalKind.SESSION_ESTABLISHED),
        world.event(SignalKind.SESSION_REVOKED, user("somebody")),
        world.event(SignalKind.SESSION_REVOKED, {"format": "phone_number", "phone_number": "+1"}),
        world.event(SignalKind.SESSION_REVOKED, {"format": "never-heard-of", "x": 1}),
        world.event(SignalKind.VERIFICATION, {"format": "opaque", "id": "stream"}, payload={"state": "x"}),
    ):
        assert (await world.push(one)).status == 202
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert len(await world.received()) == 6


@pytest.mark.parametrize("effects", [(), (Reaction.SIGN_OUT,), (Reaction.DEACTIVATE,)])
async def test_the_configuration_says_what_follows(tmp_path: Path, effects: tuple[Reaction, ...]) -> None:
    """Nothing, a sign-out alone, or the end of a person's time here."""
    async with signals_world(tmp_path, on={SignalKind.SESSION_REVOKED: effects}) as world:
        _, token = await world.open()
        await world.session()
        assert (await world.push(world.event(SignalKind.SESSION_REVOKED))).status == 202
        if Reaction.DEACTIVATE in effects:
            await over(world, token)
            assert not (await world.person("lena")).active
        else:
            assert await world.outcome(token, "read") is Outcome.PERMIT
        assert (await world.received())[0]["reactions"] == [one.value for one in effects]


async def test_a_disabled_account_is_out_of_service(world: SignalsWorld) -> None:
    """The event ends open tasks, and no agent opens a task for that person, whatever records exist."""
    _, token = await world.open()
    assert (await world.push(world.event(SignalKind.ACCOUNT_DISABLED))).status == 202
    await over(world, token)
    assert not (await world.person("lena")).active
    with pytest.raises(RemitError):
        await world.open()
    # What gives authority back is for an administrator, and for no signal.
    assert (await world.push(world.event(SignalKind.ACCOUNT_ENABLED))).status == 202
    assert not (await world.person("lena")).active


async def test_the_last_administrator_stays(tmp_path: Path) -> None:
    """The services cannot be locked up from outside; the administrator's sessions end all the same."""
    async with signals_world(tmp_path, rules=SubjectRules(names=True)) as world:
        secret = await world.session("root")
        assert (await world.push(world.event(SignalKind.ACCOUNT_DISABLED, user("root")))).status == 202
        assert (await world.person("root")).active
        with pytest.raises(Unauthenticated):
            await world.services.identity.authenticator.person(secret)


async def test_subjects_are_found_as_the_configuration_says(tmp_path: Path) -> None:
    """By address, by name, by a task of ours; never by what is not configured."""
    rules = SubjectRules(email_domain="acme.example", opaque="task", tasks=frozenset({"work"}))
    async with signals_world(tmp_path, rules=rules) as world:
        for sub_id in (
            {"format": "email", "email": "Lena@ACME.example"},
            {"format": "account", "uri": "acct:lena@acme.example"},
            {
                "format": "aliases",
                "identifiers": [user("x"), {"format": "email", "email": "lena@acme.example"}],
            },
            {"format": "complex", "user": user(), "device": {"format": "opaque", "id": "laptop"}},
            {"user": user()},
        ):
            _, token = await world.open()
            assert (await world.push(world.event(SignalKind.SESSION_REVOKED, sub_id))).status == 202
            await over(world, token)
        task, token = await world.open()
        other, untouched = await world.open()
        for sub_id in (
            {"format": "email", "email": "lena@elsewhere.example"},
            {"format": "email", "email": "lena@acme.example.evil.example"},
            user("lena"),
        ):
            assert (await world.push(world.event(SignalKind.SESSION_REVOKED, sub_id))).status == 202
        one = {"format": "opaque", "id": task.id}
        assert (await world.push(world.event(SignalKind.SESSION_REVOKED, one))).status == 202
        await over(world, token)
        assert await world.outcome(untouched, "read") is Outcome.PERMIT
        session = {"format": "complex", "user": user(), "session": {"format": "opaque", "id": other.id}}
        assert (await world.push(world.event(SignalKind.SESSION_REVOKED, session))).status == 202
        await over(world, untouched)


async def test_a_session_that_is_unknown_here_is_about_its_person(tmp_path: Path) -> None:
    """The configuration can make such a session count for no person."""
    session = {"format": "complex", "user": user(), "session": {"format": "opaque", "id": "sid-1"}}
    async with signals_world(tmp_path / "one") as world:
        _, token = await world.open()
        assert (await world.push(world.event(SignalKind.SESSION_REVOKED, session))).status == 202
        await over(world, token)
    rules = SubjectRules(unknown_session="ignore")
    async with signals_world(tmp_path / "two", rules=rules) as world:
        _, token = await world.open()
        assert (await world.push(world.event(SignalKind.SESSION_REVOKED, session))).status == 202
        assert await world.outcome(token, "read") is Outcome.PERMIT


async def test_an_agent_can_be_suspended_from_outside(tmp_path: Path) -> None:
    """Where the configuration says so."""
    rules = SubjectRules(opaque="agent", agents=frozenset({"clerk"}))
    on = {SignalKind.RISK_LEVEL_CHANGE: (Reaction.SUSPEND,)}
    async with signals_world(tmp_path, rules=rules, on=on) as world:
        _, token = await world.open()
        risk = world.event(
            SignalKind.RISK_LEVEL_CHANGE,
            {"format": "opaque", "id": "clerk"},
            payload={"current_level": "HIGH"},
        )
        assert (await world.push(risk)).status == 202
        await over(world, token)
        assert (await world.services.identity.directory.agent("clerk")).state is AgentState.SUSPENDED


# Who may not.


async def test_a_push_without_the_token_is_nobodys(world: SignalsWorld) -> None:
    """Wrong, none, for a transmitter that does not push, or that is not known: all the same answer."""
    one = world.event(SignalKind.SESSION_REVOKED)
    _, token = await world.open()
    answers = [
        await world.push(one, shown="Bearer other"),
        await world.push(one, shown=""),
        await world.push(one, name="other"),
        await world.push(one, name="other", shown=""),
        await world.push(one, name="nobody"),
        await world.push(one, shown="-", name="nobody"),
    ]
    for told in answers:
        assert (told.status, told.json["err"]) == (401, "authentication_failed")
        assert told.headers["WWW-Authenticate".lower()] == "Bearer"
    assert len({told.content for told in answers}) == 1
    assert await world.outcome(token, "read") is Outcome.PERMIT


@pytest.mark.parametrize(
    ("changes", "err"),
    [
        ({"header": {"typ": "JWT"}}, "invalid_request"),
        ({"header": {"typ": "at+jwt"}}, "invalid_request"),
        ({"header": {"typ": None}}, "invalid_request"),
        ({"header": {"alg": "none"}}, "invalid_key"),
        ({"header": {"kid": "other"}}, "invalid_key"),
        ({"header": {"crit": ["b64"]}}, "invalid_request"),
        ({"aud": "https://elsewhere.example"}, "invalid_audience"),
        ({"aud": []}, "invalid_audience"),
        ({"iss": "https://elsewhere.example"}, "invalid_issuer"),
        ({"iss": "https://other.example/acme"}, "invalid_key"),
        ({"exp": 2_000_000_000}, "invalid_request"),
        ({"sub": "lena-there"}, "invalid_request"),
        ({"iat": 2_000_000_000}, "invalid_request"),
        ({"iat": 1}, "invalid_request"),
        ({"iat": None}, "invalid_request"),
        ({"jti": ""}, "invalid_request"),
        ({"jti": None}, "invalid_request"),
        ({"jti": "x" * 2000}, "invalid_request"),
        ({"events": {}}, "invalid_request"),
        ({"events": []}, "invalid_request"),
        ({"events": {f"urn:{n}": {} for n in range(9)}}, "invalid_request"),
        ({"sub_id": {"format": "iss_sub", "iss": "x"}}, "invalid_request"),
        ({"sub_id": {"id": "x"}}, "invalid_request"),
        ({"sub_id": {"format": "aliases", "identifiers": []}}, "invalid_request"),
        ({"sub_id": {"format": "complex"}}, "invalid_request"),
        ({"payload": {"subject": {"format": "opaque", "id": "lena"}}}, "invalid_request"),
    ],
)
async def test_what_does_not_hold_is_refused(world: SignalsWorld, changes: Json, err: str) -> None:
    """With the error code of the standard, recorded, and without any effect."""
    _, token = await world.open()
    told = await world.push(world.event(SignalKind.SESSION_REVOKED, **changes))
    assert (told.status, told.json["err"]) == (400, err), told.content
    assert await world.outcome(token, "read") is Outcome.PERMIT
    refused = await world.facts(EventKind.SIGNAL_REFUSED)
    assert [(one["transmitter"], one["code"]) for one in refused] == [("idp", err)]


async def test_one_transmitter_does_not_speak_for_another(world: SignalsWorld) -> None:
    """A token that holds, of another transmitter than the one whose endpoint it comes through."""
    _, token = await world.open()
    foreign = world.stranger.event(SignalKind.SESSION_REVOKED, user(), world.clock.now())
    told = await world.push(foreign)
    assert (told.status, told.json["err"]) == (400, "invalid_issuer")
    assert await world.outcome(token, "read") is Outcome.PERMIT


async def test_other_bodies_are_refused(world: SignalsWorld) -> None:
    """Another media type, too much, no token at all."""
    one = world.event(SignalKind.SESSION_REVOKED)
    assert (await world.push(one, media="application/json")).status == 415
    assert (await world.push("x" * 20_000)).status == 413
    assert (await world.push("a.b.c")).status == 400
    assert (await world.push("")).status == 400
    assert (await world.push("Ü")).status == 400


async def test_a_flood_is_bounded(world: SignalsWorld) -> None:
    """More at once than are worked on are told to come later, and refusals fill no log."""
    tokens = [world.event(SignalKind.SESSION_REVOKED) for _ in range(60)]
    told = await asyncio.gather(*(world.push(one) for one in tokens))
    assert {one.status for one in told} <= {202, 429}
    assert any(one.status == 429 for one in told)
    assert all(one.headers["retry-after"] for one in told if one.status == 429)
    for _ in range(100):
        await world.push("a.b.c")
    assert len(await world.facts(EventKind.SIGNAL_REFUSED)) <= 20


# What fails.


async def test_nothing_is_acknowledged_that_is_not_durable(world: SignalsWorld) -> None:
    """With a full disk the answer is 503; sent again, it ends what it is about."""
    _, token = await world.open()
    one = world.event(SignalKind.SESSION_REVOKED)
    with full_disk(world):
        statuses = []
        for _ in range(200):
            filler = world.event(SignalKind.SESSION_ESTABLISHED, user("x" * 900))
            statuses.append((await world.push(filler)).status)
            if statuses[-1] == 503:
                break
        assert statuses[-1] == 503
        assert (await world.push(one)).status in (202, 503)
    assert (await world.push(one)).status == 202
    await over(world, token)


async def test_what_a_crash_left_is_done_by_the_next_start(tmp_path: Path) -> None:
    """Taken in, not done, not acknowledged: the next start does it, and what comes again does no more."""
    async with signals_world(tmp_path) as world:
        _, token = await world.open()
        one = world.event(SignalKind.SESSION_REVOKED)

        async def lost(*_: Json, **__: Json) -> tuple[str, ...]:
            raise StoreUnavailable("the power is gone")

        world.services.signals.heard._taking_away.react = lost  # type: ignore[method-assign]
        assert (await world.push(one)).status == 503
        assert await world.outcome(token, "read") is Outcome.PERMIT
        provider = world.provider
    async with signals_world(tmp_path, seed="again", settle=False) as world:
        world.provider.keys = provider.keys
        assert await world.services.signals.heard.resume() == 1
        await over(world, token)
        assert (await world.push(one)).status == 202
        assert await world.services.signals.heard.resume() == 0
        assert len(await world.received()) == 1


async def test_keys_that_cannot_be_had_are_no_refusal(world: SignalsWorld) -> None:
    """The transmitter is told to come again, and the event is not lost."""
    world.fetch.down = True
    one = world.event(SignalKind.SESSION_REVOKED)
    assert (await world.push(one)).status == 503
    world.fetch.down = False
    world.told_clock.advance(60)
    _, token = await world.open()
    assert (await world.push(one, shown=PUSH_TOKEN)).status == 202
    await over(world, token)
