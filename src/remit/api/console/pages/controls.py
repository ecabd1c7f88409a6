# SPDX-License-Identifier: Apache-2.0
"""What is in force and holds right now, as the services know it: each state with its reason and where to act.

There is no score: a control holds, needs attention, or does not hold.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from starlette.responses import Response

from remit.api.console.formats import ago, clock, left, many
from remit.api.console.initiatives import programme_of
from remit.api.console.page import ROOT, ConsoleRequest, address_of
from remit.core.errors import RemitError
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.keys.own_keys import SERVES, KeyStanding
from remit.core.tools.tool import RESERVED_OPERATIONS, ToolState
from remit.ports.upstream import HttpUpstream
from remit.services.guard.heartbeat import holding
from remit.services.inspection.replica_status import Enforcer

#: Rows of one group.
SHOWN: Final = 100
#: The digits of a digest that people compare by eye.
DIGITS: Final = 19

#: `good`: it holds; `warn`: a person should look; `bad`: it does not hold; empty: a fact.
Standing = Literal["good", "warn", "bad", ""]


class ControlRow(msgspec.Struct, frozen=True, kw_only=True):
    """One control: its state, why, and the page where a person acts."""

    name: str
    state: str
    standing: Standing = ""
    why: str = ""
    at: str = ""
    act: str = ""


class ControlGroup(msgspec.Struct, frozen=True):
    """Controls of one kind; what needs attention is first."""

    title: str
    rows: list[ControlRow]
    more: int = 0


async def show(visit: ConsoleRequest) -> Response:
    """Show what is in force and holds."""
    groups = [
        _group("Decisions", [await _policies(visit), await _shadow(visit), _second(visit)]),
        _group("Upstreams", _upstreams(visit)),
        _group("Stops in force", await _stops(visit)),
        _group("Evidence", [await _log(visit), _reading(visit), *_told(visit)]),
        _group("Keys and secrets", [*_keys(visit), *await _secrets(visit), _revoking(visit)]),
        _group("Coding assistants under guard", _guards(visit)),
        _group("Replicas", await _replicas(visit)),
    ]
    counts = Counter(row.standing for group in groups for row in group.rows)
    return await visit.show(
        "controls.html",
        groups=[one for one in groups if one.rows],
        bad=counts["bad"],
        warned=counts["warn"],
        programme=await programme_of(visit),
    )


def _group(title: str, rows: list[ControlRow]) -> ControlGroup:
    order = {"bad": 0, "warn": 1}
    rows = sorted(rows, key=lambda one: order.get(one.standing, 2))
    return ControlGroup(title, rows[:SHOWN], max(0, len(rows) - SHOWN))


async def _policies(visit: ConsoleRequest) -> ControlRow:
    name, at = "Policies", f"{ROOT}/policies"
    try:
        applied = visit.rooms.policies.applied
    except RemitError as fault:
        return ControlRow(
            name=name, state="none in force", standing="bad", why=fault.message, at=at, act="Policies"
        )
    in_force = await visit.rooms.policies.in_force()
    held = in_force in ("", applied.digest)
    return ControlRow(
        name=name,
        state=f"version {applied.version} in force",
        standing="good" if held else "bad",
        why=applied.digest[:DIGITS] if held else "another replica has applied another bundle",
        at=at,
        act="Policies",
    )


async def _shadow(visit: ConsoleRequest) -> ControlRow:
    name = "Shadow"
    report = await visit.rooms.decisions.shadow.report()
    if report is None:
        return ControlRow(
            name=name, state="no candidate runs beside the policies", at=f"{ROOT}/policies", act="Policies"
        )
    return ControlRow(
        name=name,
        state=f"a candidate of {report.shadow.by} is only watched",
        why=f"{report.shadow.reason[:200]} {report.shadow.digest[:DIGITS]}".strip(),
        at=f"{ROOT}/policies",
        act="Look at the difference",
    )


def _second(visit: ConsoleRequest) -> ControlRow:
    wanted = visit.rooms.policies.second_person
    return ControlRow(
        name="Two administrators",
        state="needed for sensitive acts" if wanted else "not needed",
        standing="good" if wanted else "",
        why="" if wanted else "`people.second_person: true` asks for a second one",
    )


def _upstreams(visit: ConsoleRequest) -> list[ControlRow]:
    rooms, rows = visit.rooms, []
    for name, upstream in rooms.upstreams.items():
        contact = rooms.tools.reached.of(name)
        observed = rooms.decisions.authorizer.observes(name)
        tools = [one for one in rooms.tools.registry.of(name) if one.name not in RESERVED_OPERATIONS]
        changed = sum(one.state is ToolState.CHANGED for one in tools)
        bare = sum(not one.described for one in tools if one.state is not ToolState.GONE)
        facts = [many(len(tools), "tool")]
        facts += [f"{changed} suspended because they changed"] if changed else []
        facts += [f"{bare} not described, so the worst is assumed"] if bare else []
        if contact.up is False:
            facts.append(f"not reached since {clock(contact.since, visit.now)} UTC: {contact.why[:200]}")
        elif contact.up is None and not isinstance(upstream, HttpUpstream):
            facts.append("not tried yet")
        standing: Standing = "warn" if observed or changed or bare or contact.up is False else "good"
        rows.append(
            ControlRow(
                name=name,
                state="only observed: nothing is refused" if observed else "enforced",
                standing=standing,
                why=", ".join(facts),
                at=f"{ROOT}/onboard",
                act="Onboard",
            )
        )
    return rows or [
        ControlRow(name="Upstreams", state="none configured", at=f"{ROOT}/onboard", act="Onboard")
    ]


async def _stops(visit: ConsoleRequest) -> list[ControlRow]:
    rooms, now = visit.rooms, visit.now
    rows = [
        ControlRow(
            name=one.scope.partition(":")[0] if one.name == "*" else one.scope.replace(":", " ", 1),
            state="locked",
            standing="warn",
            why=" ".join(
                filter(
                    None,
                    (f"by {one.by}" if one.by else "", ago(one.at, now) if one.at else "", one.reason[:200]),
                )
            ),
            at=ROOT,
            act="Now",
        )
        for one in await rooms.endings.locks.all()
    ]
    rows += [
        ControlRow(
            name="Change freeze",
            state=f"{left(one.until, now)} left",
            standing="warn",
            why=f"by {one.by}: {one.reason[:200]}",
        )
        for one in await rooms.decisions.freezes.in_force()
    ]
    return rows or [ControlRow(name="Locks and freezes", state="none", standing="good")]


async def _log(visit: ConsoleRequest) -> ControlRow:
    log = visit.rooms.evidence.log
    size = await log.size()
    at, act = f"{ROOT}/evidence", "Evidence"
    try:
        head = await asyncio.to_thread(log.signed)
    except RemitError as fault:
        return ControlRow(
            name="Signed head", state="cannot be read", standing="bad", why=fault.message, at=at, act=act
        )
    if log.forked:
        return ControlRow(
            name="Signed head",
            state="of another history",
            standing="bad",
            why="another remit signs it from a copy of the store, or the store was rolled back",
            at=at,
            act=act,
        )
    if head is None:
        return ControlRow(
            name="Signed head", state="none yet", standing="warn", why=many(size, "event"), at=at, act=act
        )
    waiting = size - head.size
    return ControlRow(
        name="Signed head",
        state=f"{head.size:,} of {many(size, 'event')} signed",
        standing="good",
        why=f"the last {waiting:,} will be with the next signature" if waiting > 0 else "",
        at=at,
        act=act,
    )


def _reading(visit: ConsoleRequest) -> ControlRow:
    state = visit.rooms.evidence.log_reading.state
    says, standing = _READING[state]
    return ControlRow(
        name="Log read again since the start",
        state=says,
        standing=standing,
        at=f"{ROOT}/findings",
        act="Findings" if state == "changed" else "",
    )


_READING: Final[Mapping[str, tuple[str, Standing]]] = {
    "holds": ("as it was signed", "good"),
    "reading": ("goes on", ""),
    "changed": ("an event differs from what was signed", "bad"),
}


def _told(visit: ConsoleRequest) -> list[ControlRow]:
    """Return the receivers and the senders of events, with what fails."""
    signals = visit.rooms.signals
    names: dict[str, Mapping[str, str]] = {
        **{
            f"Notification of {one}": signals.notifications.failing
            for one in signals.notifications.addressees
        },
        **{f"Signals to {one}": signals.transmitter.failing for one in signals.streams.receivers},
        **{f"Signals from {one}": signals.polling.failing for one in signals.polling.sources},
    }
    rows = [_follower(name, failing.get(name.split(" ", 2)[2])) for name, failing in names.items()]
    return rows or [
        ControlRow(
            name="Notifications", state="no one is notified", why="`notify` in remit.yaml names who is"
        )
    ]


def _follower(name: str, why: str | None) -> ControlRow:
    if why is None:
        return ControlRow(name=name, state="up to date, as far as is known", standing="good")
    return ControlRow(name=name, state="fails and is tried again", standing="warn", why=why[:300])


def _keys(visit: ConsoleRequest) -> list[ControlRow]:
    held = visit.rooms.identity.rotations.held()
    previous = Counter(one.kind for one in held if one.standing is KeyStanding.PREVIOUS)
    return [
        ControlRow(
            name=f"Key: {one.kind.value}",
            state=f"made {ago(one.made, visit.now)}",
            standing="good",
            why=SERVES[one.kind]
            + (f"; {many(previous[one.kind], 'previous key')} still accepted" if previous[one.kind] else ""),
        )
        for one in held
        if one.standing is KeyStanding.CURRENT
    ]


async def _secrets(visit: ConsoleRequest) -> list[ControlRow]:
    found = Counter(one.kind for one in await visit.rooms.findings.findings.about(state=FindingState.OPEN))
    words: dict[FindingKind, tuple[str, Standing]] = {
        FindingKind.STANDING_SECRET: ("Secrets that outlive tasks", "warn"),
        FindingKind.OLD_SECRET: ("Old secrets", "warn"),
        FindingKind.SECRET_STUCK: ("Secrets that cannot be rotated", "bad"),
        FindingKind.CREDENTIAL_LEAKED: ("Leaked credentials", "bad"),
    }
    rows = [
        ControlRow(
            name=name,
            state=many(found[kind], "open finding"),
            standing=standing,
            at=f"{ROOT}/findings?kind={kind.value}",
            act="Findings",
        )
        for kind, (name, standing) in words.items()
        if found[kind]
    ]
    return rows or [ControlRow(name="Secrets", state="no open finding", standing="good")]


def _revoking(visit: ConsoleRequest) -> ControlRow:
    sinks = visit.rooms.credentials.leases.open_sinks()
    alarmed = sum(one.alarmed for one in sinks)
    return ControlRow(
        name="Credentials of ended tasks",
        state=f"{len(sinks)} may still work" if sinks else "none may still work",
        standing="bad" if alarmed else "warn" if sinks else "good",
        why=sinks[0].why[:200] if sinks else "",
        at=f"{ROOT}/findings?kind={FindingKind.SINK_OPEN.value}" if sinks else "",
        act="Findings" if sinks else "",
    )


def _guards(visit: ConsoleRequest) -> list[ControlRow]:
    guard, rows = visit.rooms.guard, []
    words: dict[str, tuple[str, Standing]] = {
        "enforced": ("a refused call does not happen", "good"),
        "not-enforced": ("its user could switch the hooks off", "warn"),
        "observed": ("only observed: nothing is refused", "warn"),
    }
    for name, client in guard.clients.items():
        activity = guard.activity[name]
        says, standing = words[holding(client)]
        open_now = sum(one.client.name == name for one in guard.sessions.open.values())
        facts = [many(open_now, "open session"), f"last event {ago(activity.last, visit.now)}"]
        facts += [activity.fault[:200]] if activity.fault else []
        rows.append(
            ControlRow(
                name=name,
                state=says,
                standing="warn" if activity.fault else standing,
                why=", ".join(facts),
                at=address_of("agents", client.agent),
                act=client.agent,
            )
        )
    return rows


async def _replicas(visit: ConsoleRequest) -> list[ControlRow]:
    membership = visit.rooms.replicas.membership
    roll = await visit.rooms.inspection.roster.call()
    if not roll.enforcers:
        return [ControlRow(name="This process", state="the only one that decides", standing="good")]
    rows = [_replica(one) for one in roll.enforcers]
    rows += [
        ControlRow(name=one, state="gone", standing="warn", why="what it left is not yet looked after")
        for one in roll.gone
    ]
    if membership.lapses:
        lost = f"lost the right to act {many(membership.lapses, 'time')} since its start"
        rows.append(ControlRow(name="This process", state=lost, standing="warn"))
    return rows


def _replica(one: Enforcer) -> ControlRow:
    facts = [many(one.tasks, "task"), f"remit {one.replica.version}"]
    facts += ["it answers you"] if one.me else []
    facts += ["it does the shared chores"] if one.tends else []
    state, standing = _standing(one)
    return ControlRow(name=one.replica.host, state=state, standing=standing, why=", ".join(facts))


def _standing(one: Enforcer) -> tuple[str, Standing]:
    if one.late:
        return "its lease has expired: it refuses everything", "bad"
    if one.differs:
        return "decides by another bundle than the one in force", "bad"
    return "enforces", "good"
