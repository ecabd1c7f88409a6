# SPDX-License-Identifier: Apache-2.0
"""Anomalies of an agent's calls: new tools, new destinations, unusual volume, refused and tried again.

The habits of an agent are what it was permitted to do. They are bounded; what is dropped is unknown again,
so a full memory finds more, never less.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeVar

import msgspec

from remit.core.findings.anomaly_rules import DAY_S, HOUR_S, MOST_NAMED, Anomaly, AnomalyRules, counted, span
from remit.core.findings.kinds import FindingKind, Severity

T = TypeVar("T")

MOST_TOOLS: Final = 512
MOST_PLACES: Final = 1024
MOST_REFUSED: Final = 64
#: For how long an agent's own findings count before further ones share one.
WEEK_S: Final = 7 * DAY_S
#: Days whose busiest hours count.
DAYS: Final = 28


class WatchedCall(msgspec.Struct, frozen=True, kw_only=True):
    """One decided call. `at` is in seconds since 1970, `index` that of its event.

    `places` are its destinations: a digest, and the name that is shown. `times` is above 1 for refusals that
    were only counted. `described` is whether the tool has a description, and is no name that an agent
    invented.
    """

    index: int
    at: float
    agent: str
    tool: str
    permitted: bool
    effect: str = "none"
    external: bool = False
    places: tuple[tuple[str, str], ...] = ()
    times: int = 1
    described: bool = True


class RecentRefusals(msgspec.Struct):
    """The refusals of one tool: time, event and number of each; and whether it has a description."""

    seen: list[tuple[float, int, int]] = []
    described: bool = True


class SharedFinding(msgspec.Struct):
    """What the shared finding of a week stands for: since event `first`, and of its names and events the
    first ones and the last ones.
    """

    first: int = 0
    number: int = 0
    names: list[str] = []
    events: list[int] = []


class Habits(msgspec.Struct):
    """What is known of an agent: since when, and what it was permitted to do.

    `tools` and `places` have the time of the last use, the longest unused first. `busiest` is each day's
    busiest hour. `told` are the times of its own findings by kind and weight, `shared` what came beyond.
    """

    since: float
    last: float
    calls: int = 0
    known: bool = False
    varied: bool = False
    tools: dict[str, float] = {}
    places: dict[str, float] = {}
    busiest: dict[int, int] = {}
    hour: int = 0
    in_hour: int = 0
    refused: dict[str, RecentRefusals] = {}
    told: dict[str, list[float]] = {}
    shared: dict[str, SharedFinding] = {}


def anomalies_of(habits: Habits, call: WatchedCall, rules: AnomalyRules) -> list[Anomaly]:
    """Return what is odd about a call, and take it into the agent's habits."""
    # Replicas' clocks differ: time goes on, and never back.
    now = habits.last = max(habits.last, call.at)
    if not call.permitted:
        found = list(_refused(habits, call, rules, now))
    else:
        if not habits.known and habits.calls >= rules.learning_calls:
            habits.known = now - habits.since >= rules.learning_s
            habits.varied = len(habits.places) > rules.few_destinations
        found = [
            *_until_permitted(habits, call, rules, now),
            *_new_tool(habits, call, now),
            *_new_places(habits, call, now),
            *_volume(habits, call, rules, now),
        ]
        habits.calls += 1
    return [_own_or_shared(habits, one, call, rules, now) for one in found if one.kind in rules.on]


def _worth(call: WatchedCall) -> Severity:
    if call.effect == "irreversible" or (call.external and call.effect != "none"):
        return Severity.HIGH
    return Severity.LOW if call.effect == "none" and not call.external else Severity.MEDIUM


def _anomaly(
    kind: FindingKind, call: WatchedCall, which: str, says: str, **facts: list[str] | int
) -> Anomaly:
    return Anomaly(
        kind=kind,
        about=f"agent:{call.agent}",
        which=which,
        says=says,
        severity=_worth(call),
        events=(call.index,),
        facts=facts,
    )


def _before(habits: Habits, now: float) -> str:
    return f"for the first time in {span(now - habits.since)} and {counted(habits.calls, 'call')}"


def _new_tool(habits: Habits, call: WatchedCall, now: float) -> Iterator[Anomaly]:
    new = habits.tools.pop(call.tool, None) is None
    _keep(habits.tools, call.tool, now, MOST_TOOLS)
    if new and habits.known:
        says = f"called `{call.tool}` {_before(habits, now)}"
        yield _anomaly(FindingKind.NEW_TOOL, call, call.tool, says, tools=[call.tool])


def _new_places(habits: Habits, call: WatchedCall, now: float) -> Iterator[Anomaly]:
    for mark, name in call.places:
        new = habits.places.pop(mark, None) is None
        before = len(habits.places)
        _keep(habits.places, mark, now, MOST_PLACES)
        if new and habits.known and not habits.varied:
            says = (
                f"sent to `{name}` with `{call.tool}` {_before(habits, now)}, after "
                f"{counted(before, 'other destination')}"
            )
            one = _anomaly(FindingKind.NEW_DESTINATION, call, mark, says, places=[name], tools=[call.tool])
            yield msgspec.structs.replace(one, severity=min(one.severity, Severity.MEDIUM, key=_rank))


def _volume(habits: Habits, call: WatchedCall, rules: AnomalyRules, now: float) -> Iterator[Anomaly]:
    hour = int(now // HOUR_S)
    if hour != habits.hour:
        day = int(habits.hour // 24)
        habits.busiest[day] = max(habits.busiest.get(day, 0), habits.in_hour)
        habits.busiest = {
            one: most for one, most in habits.busiest.items() if one > hour // 24 - DAYS and most
        }
        habits.hour, habits.in_hour = hour, 0
    habits.in_hour += 1
    before = [most for day, most in habits.busiest.items() if day != hour // 24]
    if not habits.known:
        return
    usual = sorted(before)[(len(before) - 1) // 2] if before else 0
    if habits.in_hour == max(rules.volume_calls, rules.volume_factor * usual) + 1:
        says = (
            f"made {counted(habits.in_hour, 'call')} in an hour; its usual busiest hour of "
            f"{counted(len(before), 'day')} with work is {usual:,}"
        )
        yield _anomaly(
            FindingKind.UNUSUAL_VOLUME, call, f"{hour // 24}", says, calls=habits.in_hour, usual=usual
        )


def _refused(habits: Habits, call: WatchedCall, rules: AnomalyRules, now: float) -> Iterator[Anomaly]:
    seen = _recent(habits, call.tool, rules, now)
    before = sum(times for _, _, times in seen)
    seen.append((now, call.index, call.times))
    del seen[: -max(rules.refusals, MOST_NAMED)]
    habits.refused.pop(call.tool, None)
    habits.refused[call.tool] = RecentRefusals(seen, described=call.described or call.tool in habits.tools)
    # INVARIANT: names that an agent invents take no place from tools that exist.
    for described in (False, True):
        names = [name for name, one in habits.refused.items() if one.described is described]
        for name in names[: max(0, len(habits.refused) - MOST_REFUSED)]:
            del habits.refused[name]
    if before < rules.refusals <= before + call.times:
        number = counted(before + call.times, "time")
        says = f"was refused `{call.tool}` {number} within {span(now - seen[0][0])}"
        yield _resting(_anomaly(FindingKind.REFUSED_RETRIED, call, call.tool, says, tools=[call.tool]), seen)


def _until_permitted(habits: Habits, call: WatchedCall, rules: AnomalyRules, now: float) -> Iterator[Anomaly]:
    seen = _recent(habits, call.tool, rules, now)
    number = sum(times for _, _, times in seen)
    habits.refused.pop(call.tool, None)
    if number >= rules.refusals_before_permit:
        says = (
            f"was permitted `{call.tool}` after {counted(number, 'refusal')} within {span(now - seen[0][0])}"
        )
        one = _anomaly(FindingKind.REFUSED_RETRIED, call, call.tool, says, tools=[call.tool])
        yield _resting(one, [*seen, (now, call.index, 1)])


def _recent(habits: Habits, tool: str, rules: AnomalyRules, now: float) -> list[tuple[float, int, int]]:
    known = habits.refused.get(tool)
    return [one for one in known.seen if now - one[0] <= rules.refusals_within_s] if known else []


def _resting(one: Anomaly, seen: list[tuple[float, int, int]]) -> Anomaly:
    return msgspec.structs.replace(one, events=tuple(index for _, index, _ in seen[-MOST_NAMED:]))


def _own_or_shared(
    habits: Habits, one: Anomaly, call: WatchedCall, rules: AnomalyRules, now: float
) -> Anomaly:
    """Return an anomaly, or the week's shared one where the agent has had its own findings.

    INVARIANT: calls without effect never use up the findings of calls with one, so that no harmless anomaly
    hides a harmful one.
    """
    weight = f"{one.kind.value}:{one.severity.value}"
    told = [at for at in habits.told.get(weight, ()) if now - at < WEEK_S]
    if len(told) < rules.own_findings:
        habits.told[weight] = [*told, now]
        habits.shared.pop(weight, None)
        return one
    habits.told[weight] = told
    shared = habits.shared.setdefault(weight, SharedFinding())
    shared.first = shared.first if shared.number else min(one.events)
    shared.number += 1
    names = one.facts.get("places") or one.facts.get("tools")
    name = str(names[0]) if isinstance(names, list) and names else one.which
    shared.names = _ends([*(known for known in shared.names if known != name), name])
    shared.events = _ends([*shared.events, *one.events])
    listed = ", ".join(f"`{known}`" for known in reversed(shared.names))
    return msgspec.structs.replace(
        one,
        which=f"more {weight}",
        says=f"{one.says}; within a week {counted(shared.number, 'anomaly', 'anomalies')} beyond the first "
        f"{rules.own_findings}, from event {shared.first} on: {listed}",
        events=tuple(shared.events),
        facts={("places" if "places" in one.facts else "tools"): list(shared.names), "number": shared.number},
    )


def _ends(listed: list[T]) -> list[T]:
    """Return the first and the last ones of a list: what came before a flood stays beside its newest."""
    half = MOST_NAMED // 2
    return listed if len(listed) <= MOST_NAMED else listed[:half] + listed[-half:]


def _rank(severity: Severity) -> int:
    return severity.rank


def _keep(known: dict[str, float], name: str, now: float, most: int) -> None:
    """Keep a name as the last used one; drop the longest unused beyond the bound."""
    known[name] = now
    if len(known) > most:
        known.pop(next(iter(known)))
