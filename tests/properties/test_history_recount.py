# SPDX-License-Identifier: Apache-2.0
"""What policies are told of the history is what a naive recount of the evidence gives, call by call."""

from __future__ import annotations

import asyncio
import json
import math
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import msgspec
from hypothesis import HealthCheck, Phase, given, settings

from remit.core.errors import RemitError
from remit.core.tasks.history import SPANS, CountedOutcome, CountOf, HistoryCounter
from remit.core.tools.tool import Effect
from tests.worlds.calls import call_world
from tests.worlds.history import CountingDesk, counting
from tests.worlds.values import WorldClock

Json = Any

#: A failing walk is short as it is, and shrinking it takes minutes.
FAST = (Phase.explicit, Phase.reuse, Phase.generate)
TOOLS = ("read", "write", "pay", "odd")
EFFECTS = {"desk/read": "none", "desk/write": "reversible", "desk/pay": "irreversible"}
TEXTS: tuple[Json, ...] = ("a", "b", ["a", "c"], ["b", "b"], {"to": "a"}, None)
AMOUNTS: tuple[Json, ...] = (1, 2.5, 0.000_000_1, 40, -3, None)


def _with_argument(counter: HistoryCounter) -> HistoryCounter:
    argument = {CountOf.DISTINCT: "text", CountOf.SUM: "amount"}.get(counter.of, "")
    return msgspec.structs.replace(counter, argument=argument)


counters = st.builds(
    HistoryCounter,
    name=st.just("counted"),
    of=st.sampled_from(CountOf),
    argument=st.just(""),
    tools=st.sampled_from([(), ("desk/read",), ("desk/write", "desk/pay"), ("desk/*",)]),
    effects=st.sampled_from([(), (Effect.NONE,), (Effect.REVERSIBLE, Effect.IRREVERSIBLE)]),
    outcome=st.sampled_from(CountedOutcome),
    window_s=st.sampled_from([0, 0, 2, 20, 60]),
    family=st.booleans(),
    same=st.sampled_from([(), (("text", "text"),), (("amount", "amount"), ("text", "text"))]),
    this_call=st.just(False),
).map(_with_argument)
calls = st.fixed_dictionaries(
    {
        "task": st.integers(0, 2),
        "tool": st.sampled_from(TOOLS),
        "text": st.sampled_from(TEXTS),
        "amount": st.sampled_from(AMOUNTS),
        "wait_s": st.sampled_from([0, 0, 0.4, 1, 3, 30]),
        "works": st.booleans(),
        "approve": st.booleans(),
    }
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=FAST)
@given(
    declared=st.lists(counters, min_size=1, max_size=6),
    made=st.lists(calls, min_size=1, max_size=12),
    restart=st.integers(0, 12),
)
def test_every_fact_equals_a_recount_of_the_evidence(
    declared: list[HistoryCounter], made: list[dict[str, Json]], restart: int
) -> None:
    """For every counter, caller and outcome, and though remit restarts in between."""
    named = [msgspec.structs.replace(one, name=f"c{number}") for number, one in enumerate(declared)]
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_walk(Path(folder), named, made, restart))


async def _walk(
    folder: Path, declared: list[HistoryCounter], made: list[dict[str, Json]], restart: int
) -> None:
    tokens: list[str] = []
    events: list[dict[str, Json]] = []
    clock = WorldClock()
    for part, some in enumerate((made[:restart], made[restart:])):
        if not some:
            continue
        async with call_world(folder, seed=f"part {part}", settle=not tokens, clock=clock) as world:
            if tokens:
                await world.reopen()
            desk = await counting(world, declared)
            if not tokens:
                task, token = await desk.open()
                tokens = [token, *[(await desk.hand_down(task))[1] for _ in range(2)]]
            for one in some:
                await _call(desk, tokens[one["task"]], one)
            events = await desk.events()
    checked = 0
    for at, event in enumerate(events):
        if event["kind"] != "decision.made":
            continue
        told = event["facts"]["facts"]["history"]
        for counter in declared:
            expected = recounted(counter, event, events[:at])
            assert told[counter.name] == expected, (counter, event, told)
            checked += 1
    assert checked >= len(made) * len(declared)


async def _call(desk: CountingDesk, token: str, one: dict[str, Json]) -> None:
    world = desk.world
    world.clock.advance(one["wait_s"])
    world.desk.refuses = not one["works"]
    given = {name: one[name] for name in ("text", "amount") if one[name] is not None}
    try:
        end = await world.call(token, one["tool"], **given)
        if one["approve"] and end.decision.approval:
            await world.approve(end.decision.approval)
            await world.call(token, one["tool"], **given)
    except RemitError:
        pass
    finally:
        await desk.events()


def recounted(counter: HistoryCounter, asked: dict[str, Json], before: list[dict[str, Json]]) -> Json:
    """Count the events before a decision again, one by one."""
    now_s = seconds(asked["at"])
    decisions = {one["call"]: one for one in before if one["kind"] == "decision.made"}
    met = []
    for event in before:
        if event["kind"] not in ("decision.made", "tool.called"):
            continue
        made = decisions[event["call"]]
        if not counts(counter, event, made) or (not counter.family and made["task"] != asked["task"]):
            continue
        given, wanted = arguments(made), arguments(asked)
        if any(key(given.get(one)) != key(wanted.get(other)) for one, other in counter.same):
            continue
        if counter.window_s and not recent(counter, seconds(made["at"]), now_s):
            continue
        met.append(made)
    if counter.of is CountOf.CALLS:
        return len(met)
    if counter.of is CountOf.TASKS:
        return len({one["task"] for one in met})
    if counter.of is CountOf.SINCE:
        return math.floor(now_s - max(seconds(one["at"]) for one in met)) if met else None
    values = [arguments(one).get(counter.argument) for one in met]
    if counter.of is CountOf.SUM:
        return math.ceil(sum(math.ceil(max(one or 0, 0) * 1_000_000) for one in values) / 1_000_000)
    flat = [item for one in values if one is not None for item in (one if isinstance(one, list) else [one])]
    return len({key(one) for one in flat})


def counts(counter: HistoryCounter, event: dict[str, Json], made: dict[str, Json]) -> bool:
    """Return whether an event is one of a counter."""
    tool = made["facts"]["tool"]
    if counter.tools and tool not in counter.tools and "desk/*" not in counter.tools:
        return False
    if counter.effects and made["facts"]["effect"] not in counter.effects:
        return False
    permitted = made["facts"]["outcome"] == "permit"
    if event["kind"] == "tool.called":
        wanted = "succeeded" if event["facts"]["outcome"] == "ok" else "failed"
        return counter.outcome.value == wanted
    if counter.outcome is CountedOutcome.APPROVED:
        return permitted and bool(made["facts"].get("approval"))
    words = {CountedOutcome.PERMITTED: "permit", CountedOutcome.REFUSED: "deny"}
    return bool(words.get(counter.outcome) == made["facts"]["outcome"])


def recent(counter: HistoryCounter, then_s: float, now_s: float) -> bool:
    """Return whether a time is in a window. Calls and sums are kept by spans of a 2048th, whole seconds."""
    if counter.of not in (CountOf.CALLS, CountOf.SUM):
        return round((now_s - then_s) * 1000) <= counter.window_s * 1000
    span_s = math.ceil(counter.window_s / SPANS)
    return (math.floor(then_s / span_s) + 1) * span_s > now_s - counter.window_s


def arguments(made: dict[str, Json]) -> dict[str, Json]:
    """Return the arguments of a call, from the sealed part of its event."""
    found: dict[str, Json] = made["values"]["arguments"]
    return found


def key(value: Json) -> str:
    """Return a text that equal values share."""
    return json.dumps(value, sort_keys=True)


def seconds(at: str) -> float:
    """Return a time in seconds."""
    return datetime.fromisoformat(at).timestamp()
