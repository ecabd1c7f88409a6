# SPDX-License-Identifier: Apache-2.0
"""Threat: a transmitter ends what lies outside its responsibility: others' people, agents and tasks."""

from pathlib import Path
from typing import Any

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.errors import Fenced
from remit.core.identity.passkey import Link
from remit.core.identity.principals import AgentState, Memberships
from remit.core.signals.signal import Reaction, SignalKind
from remit.ports.store.changes import PutLink
from remit.ports.store.units import Unit
from remit.services.signals.subjects import SubjectRules
from tests.worlds.signals import IDP, SignalsWorld, signals_world, user
from tests.worlds.values import TENANT

Json = Any
ELSEWHERE = "https://login.elsewhere.example"


async def goes_on(world: SignalsWorld, token: str, sub_id: Json, **more: Json) -> None:
    """An event about it is acknowledged as any other, ends nothing, and the record says that it wanted to."""
    assert (await world.push(world.event(SignalKind.SESSION_REVOKED, sub_id, **more))).status == 202
    assert await world.outcome(token, "read") is Outcome.PERMIT
    told = (await world.received())[-1]
    assert told["beyond"] >= 1
    assert (told["closures"], told["agents"], told["tasks"]) == ([], [], [])


async def ends(world: SignalsWorld, token: str, sub_id: Json) -> None:
    """An event about it ends it."""
    assert (await world.push(world.event(SignalKind.SESSION_REVOKED, sub_id))).status == 202
    with pytest.raises(Fenced):
        await world.call(token, "read")


async def linked(world: SignalsWorld) -> None:
    """Lena has signed in with another issuer, too."""
    link = Link(tenant=TENANT, issuer=ELSEWHERE, subject="l-1", person="lena", made=world.clock.now())
    await world.services.store.commit(Unit((PutLink(link),)))


async def test_a_transmitter_speaks_of_people_of_its_own_issuer(tmp_path: Path) -> None:
    """It does not speak for people of another issuer, also not by their names, unless that issuer is
    configured for it.
    """
    there = {"format": "iss_sub", "iss": ELSEWHERE, "sub": "l-1"}
    named = {"format": "iss_sub", "iss": ELSEWHERE, "sub": "lena"}
    async with signals_world(tmp_path / "one", rules=SubjectRules(names=True)) as world:
        await linked(world)
        _, token = await world.open()
        await goes_on(world, token, there)
        await goes_on(world, token, named)
        await goes_on(world, token, {"format": "aliases", "identifiers": [there, named]})
        await ends(world, token, user())
    for issuers in (frozenset({ELSEWHERE}), frozenset({"*"})):
        rules = SubjectRules(issuers=issuers)
        async with signals_world(tmp_path / str(len(issuers) + ("*" in issuers)), rules=rules) as world:
            await linked(world)
            _, token = await world.open()
            await ends(world, token, there)


async def test_a_task_is_not_ended_by_its_id_alone(tmp_path: Path) -> None:
    """Ids are no secrets. The id of a task that the transmitter may not name counts as an unknown session."""
    async with signals_world(tmp_path / "one") as world:
        task, token = await world.open()
        one = {"format": "opaque", "id": task.id}
        await goes_on(world, token, {"format": "complex", "session": one})
        somebody = {"format": "iss_sub", "iss": IDP, "sub": "somebody"}
        await goes_on(world, token, {"format": "complex", "user": somebody, "session": one})
        # A transmitter that may speak of the person may end what is done for them.
        await ends(world, token, {"format": "complex", "user": user(), "session": one})
    rules = SubjectRules(opaque="task", tasks=frozenset({"hello"}))
    async with signals_world(tmp_path / "two", rules=rules) as world:
        task, token = await world.open()
        await goes_on(world, token, {"format": "opaque", "id": task.id})
        other, theirs = await world.open("hello")
        await ends(world, theirs, {"format": "opaque", "id": other.id})


@pytest.mark.parametrize(
    ("named", "may"),
    [((), False), (("other",), False), (("clerk",), True), (("group:desk",), True), (("*",), True)],
)
async def test_agents_are_named_for_it_or_out_of_its_reach(
    tmp_path: Path, named: tuple[str, ...], may: bool
) -> None:
    """By whatever name it calls them: as an application, or by an id."""
    rules = SubjectRules(opaque="agent", names=True, agents=frozenset(named))
    members = Memberships(groups={"desk": ("agent:clerk",)})
    async with signals_world(tmp_path, rules=rules, members=members) as world:
        for sub_id in (
            {"format": "opaque", "id": "clerk"},
            {"application": {"format": "opaque", "id": "clerk"}},
            {"application": {"format": "iss_sub", "iss": IDP, "sub": "clerk"}},
        ):
            _, token = await world.open()
            await (ends if may else goes_on)(world, token, sub_id)


async def test_no_more_follows_than_the_configuration_lets(tmp_path: Path) -> None:
    """Whatever the usual is, and whatever is said for one kind of event."""
    on = {SignalKind.RISK_LEVEL_CHANGE: (Reaction.SUSPEND, Reaction.END_TASKS)}
    rules = SubjectRules(opaque="agent", agents=frozenset({"*"}))
    may = frozenset({Reaction.END_TASKS})
    async with signals_world(tmp_path, rules=rules, on=on, may=may) as world:
        _, token = await world.open()
        secret = await world.session()
        assert (await world.push(world.event(SignalKind.ACCOUNT_DISABLED))).status == 202
        with pytest.raises(Fenced):
            await world.call(token, "read")
        assert (await world.person("lena")).active
        assert (await world.services.identity.authenticator.person(secret)).name == "lena"
        one = {"format": "opaque", "id": "clerk"}
        risk = world.event(SignalKind.RISK_LEVEL_CHANGE, one, payload={"current_level": "HIGH"})
        assert (await world.push(risk)).status == 202
        assert (await world.services.identity.directory.agent("clerk")).state is AgentState.ACTIVE
        assert [told["reactions"] for told in await world.received()] == [["end-tasks"], ["end-tasks"]]
