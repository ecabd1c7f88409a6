# SPDX-License-Identifier: Apache-2.0
"""The watch for anomalies: reads committed events in order, beside the calls, and finds what is odd.

1. read the next events after the stored position, with the habits of their agents
2. apply the rules (`core.findings.anomalies_of_calls`, `anomalies_of_approvals`)
3. commit the findings, the habits and the new position together, if the position is still the same

So each event counts once, over restarts and whichever replica watches. Nothing is kept in memory. An event
that cannot be read is a finding, and stops nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import msgspec

from remit.core.errors import ChangedMeanwhile
from remit.core.evidence.event import EventKind, timestamp
from remit.core.findings.anomalies_of_approvals import Questions, after_answer, after_question
from remit.core.findings.anomalies_of_calls import Habits, WatchedCall, anomalies_of
from remit.core.findings.anomaly_rules import MOST_NAMED, Anomaly, AnomalyRules
from remit.core.findings.finding import finding_id
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import person_of
from remit.core.json_value import Json
from remit.core.safe_text import plain
from remit.core.tools.json_path import path_of, take
from remit.core.tools.tool import ArgumentRole, Tool
from remit.ports.runtime import Clock
from remit.ports.store.changes import Change, CheckValue, PutValue
from remit.ports.store.log import Entry, LogStore
from remit.ports.store.principals import PrincipalStore
from remit.ports.store.units import Unit
from remit.services.findings.findings import Findings, Sighting

log = logging.getLogger("remit.findings")

POSITION: Final = "anomalies:position"
QUESTIONS: Final = "anomalies:questions"
HABITS: Final = "anomalies:agent:"
#: Events of one step, and steps of one turn.
PAGE: Final = 100
PAGES: Final = 50
#: Events that are read before calls get their turn.
_AT_ONCE: Final = 20
#: How often a watch that has nothing new to read says that it is at the end of the log.
TOLD_EVERY: Final = timedelta(seconds=30)
#: A watch that was not at the end of the log for this long sees nothing, for policies.
MAX_BEHIND: Final = timedelta(minutes=5)
#: Different destinations of one call that are looked at.
MOST_PLACES: Final = 50
#: The domain after each `@`, and what programs read in different ways inside a URL.
_DOMAIN: Final = re.compile(r"@([^@,;:\s<>\"'?&/()]+)")
#: What reading an event of another form raises.
_UNREADABLE: Final = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError),
    msgspec.MsgspecError,
)
_UNCLEAR: Final = re.compile(r"[\s\\]")
_KINDS: Final = tuple(
    one.value
    for one in (
        EventKind.DECISION_MADE,
        EventKind.REFUSALS_COUNTED,
        EventKind.APPROVAL_REQUESTED,
        EventKind.APPROVAL_ANSWERED,
        EventKind.APPROVAL_DECIDED,
    )
)


class _Rooms(LogStore, PrincipalStore, Protocol):
    """The rooms of the store that the watch reads."""


class WatchPosition(msgspec.Struct, frozen=True):
    """Where the watch stands: the next event, when it last was at the end of the log, and when it began.

    What happened before it began is learned and not told.
    """

    next: int
    at: str
    began: str


def is_blind(kept: Json, now: datetime) -> bool:
    """Return whether the watch, at the stored position, was not at the end of the log lately."""
    at = msgspec.convert(kept, WatchPosition).at if kept else ""
    # A time that is still to come is a clock that was set back: no one knows how long ago it was.
    return not at or not -MAX_BEHIND <= now - datetime.fromisoformat(at) <= MAX_BEHIND


class AnomalyWatch:
    """Watches the log of one tenant. For one event loop; of several replicas, one does it."""

    def __init__(
        self,
        *,
        store: _Rooms,
        clock: Clock,
        findings: Findings,
        tools: Callable[[], dict[str, Tool]],
        tenant: str,
        rules: AnomalyRules,
    ) -> None:
        """Take the dependencies; `tools` returns the described tools of the bundle in force."""
        self._store = store
        self._clock = clock
        self._findings = findings
        self._tools = tools
        self._tenant = tenant
        self.rules = rules

    async def turn(self) -> None:
        """Read what is new. For a background loop."""
        for _ in range(PAGES):
            try:
                if not await self._page():
                    return
            except ChangedMeanwhile:
                # Another replica has read these events, or a person has just answered a finding.
                return

    async def _page(self) -> bool:
        """Do the three steps once; return whether there may be more."""
        kept = await self._store.value(self._tenant, POSITION)
        now = self._clock.now()
        before = msgspec.convert(kept, WatchPosition) if kept else WatchPosition(0, "", timestamp(now))
        entries = await self._store.entries(
            self._tenant, start=before.next, limit=PAGE, kinds=_KINDS, opened=True
        )
        full = len(entries) == PAGE
        if kept and not entries and now - datetime.fromisoformat(before.at or before.began) < TOLD_EVERY:
            return False
        step = _Step(self._store, self._tenant, self.rules, self._tools(), now)
        found: list[tuple[datetime, Anomaly]] = []
        unread: list[int] = []
        for number, entry in enumerate(entries):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            try:
                found += await step.of(entry)
            except _UNREADABLE as fault:
                log.error("the watch for anomalies cannot read event %d: %r", entry.index, fault)
                unread.append(entry.index)
        sightings = [
            await self._sighting(one) for one in _together(found, datetime.fromisoformat(before.began))
        ]
        after = WatchPosition(
            entries[-1].index + 1 if entries else before.next,
            before.at if full else timestamp(now),
            before.began,
        )
        changes: list[Change] = [
            CheckValue(self._tenant, POSITION, kept),
            PutValue(self._tenant, POSITION, msgspec.to_builtins(after)),
            *step.changes(),
            *(change for one in sightings for change in one.unit.changes),
        ]
        events = tuple(event for one in sightings for event in one.unit.events)
        await self._store.commit(Unit(tuple(changes), events, self._tenant))
        for one in sightings:
            await self._findings.written(one)
        if unread:
            told = {"says": "events that could not be read were not watched", "events": unread[-MOST_NAMED:]}
            await self._findings.see(FindingKind.ANOMALIES_UNSEEN, "log:anomalies", "unread", told)
        return full

    async def _sighting(self, one: Anomaly) -> Sighting:
        kind, _, name = one.about.partition(":")
        agent = await self._store.agent(self._tenant, name) if kind == "agent" else None
        facts: dict[str, Json] = {"says": one.says, "events": list(one.events), **one.facts}
        owner = agent.owner if agent else ""
        return await self._findings.sighting(
            one.kind, one.about, one.which, facts, stated=one.severity, owner=owner
        )


class _Step:
    """The events of one step, and the habits that they change."""

    def __init__(
        self, store: _Rooms, tenant: str, rules: AnomalyRules, tools: dict[str, Tool], now: datetime
    ) -> None:
        self._now = now
        self._store = store
        self._tenant = tenant
        self._rules = rules
        self._tools = tools
        self._habits: dict[str, Habits] = {}
        self._questions: Questions | None = None

    async def of(self, entry: Entry) -> list[tuple[datetime, Anomaly]]:
        """Return what is odd about an event, each with the event's time."""
        leaf: dict[str, Any] = msgspec.json.decode(entry.leaf)
        when = datetime.fromisoformat(leaf["at"])
        # An event from the future would end every window of its agent, and no later one would count.
        facts, values, at = leaf["facts"], entry.opened or {}, min(when, self._now).timestamp()
        agent = str(leaf.get("agent", ""))
        if entry.kind in (EventKind.DECISION_MADE.value, EventKind.REFUSALS_COUNTED.value):
            found = [
                one
                for call in self._calls(entry, facts, values, agent, at)
                for one in anomalies_of(await self._known(agent, at), call, self._rules)
            ]
        else:
            found = await self._answers(entry, facts, values, agent, at)
        return [(when, one) for one in found]

    def _calls(
        self, entry: Entry, facts: dict[str, Any], values: dict[str, Json], agent: str, at: float
    ) -> Iterator[WatchedCall]:
        if entry.kind == EventKind.REFUSALS_COUNTED.value:
            tools, counts = facts.get("tools", []), facts.get("times", [])
            for place, tool in enumerate(tools):
                # Before there were counts of each tool, one tool alone had that of all.
                times = counts[place] if place < len(counts) else facts["count"] if len(tools) == 1 else 1
                yield WatchedCall(
                    index=entry.index,
                    at=at,
                    agent=agent,
                    tool=plain(tool),
                    permitted=False,
                    times=times,
                    described=tool in self._tools,
                )
            return
        permitted = facts["outcome"] == "permit" or bool(facts.get("observed"))
        # A question is no refusal, and input that a call asked for is no further call.
        if facts.get("follows") or (not permitted and facts["outcome"] != "deny"):
            return
        yield WatchedCall(
            index=entry.index,
            at=at,
            agent=agent,
            tool=plain(facts["tool"]),
            permitted=permitted,
            effect=facts["effect"],
            external=facts["audience"] == "external",
            described=facts["tool"] in self._tools,
            places=tuple(self._places(self._tools.get(facts["tool"]), values)) if permitted else (),
        )

    def _places(self, tool: Tool | None, values: dict[str, Json]) -> Iterator[tuple[str, str]]:
        arguments = values.get("arguments")
        if tool is None or not isinstance(arguments, dict):
            return
        names = [
            name
            for name, one in tool.arguments.items()
            if one.in_call(arguments).role is ArgumentRole.DESTINATION
        ]
        texts = (text for name in names for text in _texts(take(arguments, path_of(name))[0]))
        places = (one for text in texts for one in places_of(text, whole=self._rules.whole_addresses))
        # Without repetitions: a known place that is named often hides no other.
        yield from islice(dict.fromkeys(places), MOST_PLACES)

    async def _answers(
        self, entry: Entry, facts: dict[str, Any], values: dict[str, Json], agent: str, at: float
    ) -> list[Anomaly]:
        if self._questions is None:
            self._questions = msgspec.convert(
                await self._store.value(self._tenant, QUESTIONS) or {}, Questions
            )
        if entry.kind == EventKind.APPROVAL_REQUESTED.value:
            return after_question(self._questions, facts["approval"], agent, at, entry.index, self._rules)
        state = "approved" if entry.kind == EventKind.APPROVAL_ANSWERED.value else facts["state"]
        by = values.get("by")
        # What expired or was withdrawn is no look; of who was forgotten nothing is known.
        if state not in ("approved", "denied", "narrowed") or not isinstance(by, str) or not person_of(by):
            return []
        yes = state == "approved"
        return after_answer(self._questions, facts["approval"], by, yes, at, entry.index, self._rules)

    async def _known(self, agent: str, at: float) -> Habits:
        if agent not in self._habits:
            kept = await self._store.value(self._tenant, HABITS + agent)
            habits = msgspec.convert(kept, Habits, str_keys=True) if kept else Habits(since=at, last=at)
            habits.last = min(habits.last, self._now.timestamp())
            self._habits[agent] = habits
        return self._habits[agent]

    def changes(self) -> Iterator[PutValue]:
        """Yield what is to be stored."""
        for agent, habits in self._habits.items():
            yield PutValue(self._tenant, HABITS + agent, msgspec.to_builtins(habits, str_keys=True))
        if self._questions is not None:
            yield PutValue(self._tenant, QUESTIONS, msgspec.to_builtins(self._questions))


def places_of(text: str, *, whole: bool) -> list[tuple[str, str]]:
    """Return the digests and the shown names of the destinations in a text.

    The host of a URL and the domains of all addresses stand for them, unless `whole`. Other values are shown
    as their kind alone: they may be personal. A URL that programs read in different ways is such a value.
    """
    value = text.strip().lower()
    hosts: list[str] = []
    if "://" in value:
        try:
            if value.count("://") == 1 and not _UNCLEAR.search(value):
                hosts = [urlsplit(value).hostname or ""]
        except ValueError:
            hosts = []
    elif "@" in value:
        hosts = _DOMAIN.findall(value)
    shown = dict.fromkeys(one.strip(".") for one in hosts) or {"": None}
    return [
        (
            hashlib.sha256(
                (value if whole or not host else host).encode("utf-8", "surrogatepass")
            ).hexdigest()[:24],
            plain(host[:253]) if host else "a value without a domain",
        )
        for host in shown
    ]


def _texts(values: Iterable[Json]) -> Iterator[str]:
    for one in values:
        if isinstance(one, str):
            yield one
        elif isinstance(one, list):
            yield from _texts(one)
        elif isinstance(one, dict):
            yield from _texts(one.values())


def _together(found: Iterable[tuple[datetime, Anomaly]], began: datetime) -> Iterator[Anomaly]:
    """Yield the anomalies since the watch began, those of one finding as one with the events of all."""
    by_id: dict[str, Anomaly] = {}
    for when, one in found:
        if when < began:
            continue
        name = finding_id(one.kind, one.about, one.which)
        events = (*by_id[name].events, *one.events) if name in by_id else one.events
        by_id[name] = msgspec.structs.replace(one, events=tuple(dict.fromkeys(events))[-MOST_NAMED:])
    yield from by_id.values()
