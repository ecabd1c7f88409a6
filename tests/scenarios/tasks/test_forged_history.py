# SPDX-License-Identifier: Apache-2.0
"""An agent that wants more than a rule about its history permits: it makes its calls at once, spreads them
over child tasks, replicas and restarts, and hides them between refused and failed ones.
"""

import asyncio
from pathlib import Path

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.decisions.mediation import Answered, End
from remit.core.errors import UpstreamUnreachable
from remit.core.tasks.history import CountedOutcome, CountOf, HistoryCounter
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import call_world
from tests.worlds.desk_replicas import bury_others, desk_replicas
from tests.worlds.history import CountingDesk, counting

WRITES = HistoryCounter(name="writes", of=CountOf.CALLS, tools=("desk/write",))
REFUSALS = HistoryCounter(name="refusals", of=CountOf.CALLS, outcome=CountedOutcome.REFUSED)
PAID = HistoryCounter(
    name="paid", of=CountOf.SUM, argument="amount", tools=("desk/pay",), outcome=CountedOutcome.APPROVED
)
SUCCEEDED = HistoryCounter(name="succeeded", of=CountOf.CALLS, outcome=CountedOutcome.SUCCEEDED)
FAILED = HistoryCounter(name="failed", of=CountOf.CALLS, outcome=CountedOutcome.FAILED)
ADDRESSEES = HistoryCounter(
    name="addressees", of=CountOf.DISTINCT, argument="text", tools=("desk/write",), this_call=True
)
HANDS = HistoryCounter(name="hands", of=CountOf.TASKS, tools=("desk/write",))
EVERY = (WRITES, REFUSALS, PAID, SUCCEEDED, FAILED, ADDRESSEES, HANDS)

THREE = (
    '@id("three-writes")\nforbid (principal, action == Action::"desk/write", resource)'
    " when { context.history.writes >= 3 };\n"
)
FEW = (
    '@id("few-addressees")\nforbid (principal, action == Action::"desk/write", resource)'
    " when { context.history.addressees > 2 };\n"
)
STUBBORN = (
    '@id("stubborn")\nforbid (principal, action == Action::"desk/read", resource)'
    " when { context.history.refusals >= 2 };\n"
)


def passed(ends: list[End]) -> int:
    """Count the calls that went upstream."""
    return sum(isinstance(one, Answered) for one in ends)


async def test_of_calls_made_at_once_only_as_many_pass_as_the_rule_permits(tmp_path: Path) -> None:
    """Whichever tasks of the family make them: no two of them see the same count."""
    async with call_world(tmp_path) as world:
        desk = await counting(world, EVERY, THREE)
        for _ in range(5):
            world.desk.arrived.clear()
            task, token = await desk.open()
            tokens = [token, *[(await desk.hand_down(task))[1] for _ in range(3)]]
            ends = await asyncio.gather(
                *(world.call(one, "write", text=f"{number}") for number in range(4) for one in tokens)
            )
            assert passed(ends) == 3
            assert len(world.desk.arrived) == 3
            seen = sorted([(await desk.told(one))["writes"] for one in ends if isinstance(one, Answered)])
            assert seen == [0, 1, 2]


async def test_child_tasks_and_their_parent_share_one_count(tmp_path: Path) -> None:
    """Each hand makes one call; the fourth is refused, and the evidence says through how many hands."""
    async with call_world(tmp_path) as world:
        desk = await counting(world, EVERY, THREE)
        task, token = await desk.open()
        (_, first), (_, second), (_, third) = [await desk.hand_down(task) for _ in range(3)]
        assert [await world.outcome(one, "write") for one in (first, second, token, third)] == [
            Outcome.PERMIT, Outcome.PERMIT, Outcome.PERMIT, Outcome.DENY,
        ]  # fmt: skip
        told = await desk.told(await world.call(token, "read"))
        assert (told["hands"], told["writes"], told["refusals"]) == (3, 3, 1)
        _, other = await desk.open()
        assert (await desk.told(await world.call(other, "write")))["writes"] == 0, "of another family"


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    """Counts, sums, values and refusals are there again, and so is what is left."""
    async with call_world(tmp_path) as world:
        desk = await counting(world, EVERY, THREE + FEW)
        task, token = await desk.open()
        await world.call(token, "write", text="a")
        await world.approve(await world.asked(token, amount=7))
        await world.call(token, "pay", amount=7)
        await world.call(token, "write", text=["a", "b", "c"])
        before = await desk.told(await world.call(token, "read"))
        await desk.events()
    async with call_world(tmp_path, seed="again", settle=False) as world:
        await world.reopen()
        desk = await counting(world, EVERY, THREE + FEW)
        after = await desk.told(await world.call(token, "read"))
        assert {**after, "calls": before["calls"], "succeeded": before["succeeded"]} == before
        assert (after["calls"], after["succeeded"]) == (before["calls"] + 1, before["succeeded"] + 1)
        assert (after["paid"], after["addressees"], after["refusals"]) == (7, 1, 1)
        _, hand = await desk.hand_down(task)
        outcomes = [await world.outcome(hand, "write", text=one) for one in ("b", "c", "a", "a")]
        assert outcomes == [Outcome.PERMIT, Outcome.DENY, Outcome.PERMIT, Outcome.DENY]


async def test_the_replica_that_takes_a_family_over_goes_on_counting(tmp_path: Path, postgres: str) -> None:
    """Two writes at a replica that dies, and the third at another one, are three."""
    broker = ScriptedBroker()
    async with desk_replicas(tmp_path, postgres, broker, broker) as (gone, other):
        desks = [await counting(one, EVERY, THREE) for one in (gone, other)]
        task, token = await desks[0].open()
        _, hand = await desks[0].hand_down(task)
        for one in (token, hand):
            assert await gone.outcome(one, "write") is Outcome.PERMIT
        await desks[0].events()
        await gone.die()
        await bury_others(other)
        for desk in desks[1:]:
            await desk.count()
        assert [await other.outcome(one, "write") for one in (hand, token)] == [Outcome.PERMIT, Outcome.DENY]


async def test_refused_and_failed_calls_reset_nothing(tmp_path: Path) -> None:
    """They are counted for themselves, and what was permitted stays counted."""
    async with call_world(tmp_path) as world:
        desk = await counting(world, EVERY, THREE + STUBBORN)
        _, token = await desk.open()
        await world.call(token, "write")
        world.desk.refuses = True
        with pytest.raises(UpstreamUnreachable):
            await world.call(token, "write")
        world.desk.refuses = False
        await world.call(token, "write")
        assert await world.outcome(token, "write") is Outcome.DENY
        end = await world.call(token, "read")
        told = await desk.told(end)
        assert (told["writes"], told["failed"], told["succeeded"], told["refusals"]) == (3, 1, 2, 1)
        assert await world.outcome(token, "unknown") is Outcome.DENY
        end = await world.call(token, "read")
        assert end.decision.outcome is Outcome.DENY
        assert (await desk.told(end))["refusals"] == 2


async def test_a_flood_of_refusals_is_counted_to_the_last(tmp_path: Path) -> None:
    """Also those that the evidence only counts, and also after a restart."""
    async with call_world(tmp_path) as world:
        desk = await counting(world, EVERY)
        _, token = await desk.open()
        for _ in range(230):
            await world.call(token, "unknown")
        assert (await desk.told(await world.call(token, "read")))["refusals"] == 230
        await desk.events()
    async with call_world(tmp_path, seed="again", settle=False) as world:
        await world.reopen()
        desk = await counting(world, EVERY)
        assert (await desk.told(await world.call(token, "read")))["refusals"] == 230


async def test_an_approved_call_counts_once(tmp_path: Path) -> None:
    """The question counts nothing, however often it is asked; of retries at once, one counts."""
    async with call_world(tmp_path) as world:
        desk = await counting(world, EVERY)
        _, token = await desk.open()
        (approval,) = {await world.asked(token, amount=5) for _ in range(3)}
        told = await desk.told(await world.call(token, "read"))
        assert (told["paid"], told["refusals"], told["calls"]) == (0, 0, 0)
        await world.approve(approval)
        await asyncio.gather(*(world.call(token, "pay", amount=5) for _ in range(4)), return_exceptions=True)
        told = await desk.told(await world.call(token, "read"))
        assert told["paid"] == 5


async def test_what_cannot_be_counted_is_refused_by_the_rules_that_read_it(tmp_path: Path) -> None:
    """An amount that is no number, and more values than are kept: the answer says which counter it is."""
    spent = (
        '@id("spent")\nforbid (principal, action == Action::"desk/write", resource)'
        " when { context.history.spent > 100 };\n"
    )
    counter = HistoryCounter(name="spent", of=CountOf.SUM, argument="amount", tools=("desk/write",))
    async with call_world(tmp_path) as world:
        desk = await counting(world, (counter, ADDRESSEES), spent)
        _, token = await desk.open()
        assert await world.outcome(token, "write", amount="free") is Outcome.PERMIT
        end = await world.call(token, "write", amount=1)
        assert end.decision.outcome is Outcome.DENY
        assert "`history.spent` has met a value of `amount` that is no amount" in str(end.decision.reasons)
        assert await world.outcome(token, "read") is Outcome.PERMIT, "no rule on `read` reads it"
    many = [str(number) for number in range(250)]
    (tmp_path / "few").mkdir()
    async with call_world(tmp_path / "few") as world:
        desk = await counting(world, (ADDRESSEES,), FEW.replace("> 2", "> 100000"))
        _, token = await desk.open()
        ends = [
            await world.call(token, "write", text=[f"{turn}-{one}" for one in many]) for turn in range(17)
        ]
        assert [isinstance(one, Answered) for one in ends] == [True] * 16 + [False]
        assert "more than the 4096 values" in str(ends[-1].decision.reasons)


async def test_a_bundle_without_counters_keeps_nothing(tmp_path: Path) -> None:
    """No row, no fact in the evidence, no turn that calls wait for."""
    async with call_world(tmp_path) as world:
        task, token = await world.open()
        end = await world.call(token, "write")
        desk = CountingDesk(world, ())
        (made,) = [one for one in await desk.events("decision.made") if one["call"] == end.decision.id]
        assert "history" not in made["facts"]["facts"]
        live = world.services.tasks.live.get(task.id)
        assert live is not None
        assert live.family is None
