# SPDX-License-Identifier: Apache-2.0
"""Findings: what was seen that no record explains, what it reaches, what closes it, and its answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

from markupsafe import Markup
from starlette.responses import Response

from remit.api.console.event_sentences import sentence_of
from remit.api.console.evidence_rows import event_row
from remit.api.console.graphs import GraphEdge, GraphNode, drawn
from remit.api.console.page import ConsoleRequest, address_of
from remit.core.discovery.delivery import discovered_of
from remit.core.discovery.evidence_text import seen
from remit.core.discovery.fix_drafts import FixChoices, FixDraft, agent_of, drafted
from remit.core.discovery.groups import FindingGroup, grouped, short
from remit.core.discovery.scan import ScannedFinding
from remit.core.errors import Malformed, NotFound
from remit.core.evidence.event import EventKind
from remit.core.findings.finding import Finding, FindingState, basis_of
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.findings.meanings import DISCOVERED, FINDING_MEANINGS, REVIEWED
from remit.core.json_value import Json
from remit.core.safe_text import plain
from remit.services.evidence.event_search import EventSearch
from remit.services.identity.permissions import Duty, see_finding

#: Findings of one page; the store gives the 1,000 that were seen last.
SHOWN: Final = 50
#: The longest explanation of how a finding was resolved.
MOST_CHARS: Final = 2000
#: Subjects of findings that have a page, and the first part of its address.
PAGES: Final = {"agent": "agents", "person": "people"}
#: What findings are grouped by.
GROUPS: Final = {"severity": "Severity", "owner": "Owner", "subject": "Subject"}
#: Places, steps and things reached that a page shows; things that its picture shows.
LISTED: Final = 50
DRAWN: Final = 6
#: Agents and identities that the list begins with.
TOLD: Final = 6
#: Events among which a finding's history is sought, and those that are shown.
EVENTS: Final = 5_000
HISTORY: Final = 40
_HISTORY: Final = (
    EventKind.FINDING_SEEN,
    EventKind.FINDING_RESOLVED,
    EventKind.FINDING_ANSWERED,
    EventKind.FINDING_REOPENED,
    EventKind.FINDING_PROVEN,
)


class FindingRow(NamedTuple):
    """A finding in a list, with the heading of the group that begins with it."""

    finding: Finding
    heading: str
    says: str


class FindingHistory(NamedTuple):
    """One event of a finding's life."""

    at: datetime
    says: Markup


async def index(visit: ConsoleRequest) -> Response:
    """Show findings in groups; without a role, those about the agents that the person owns."""
    asked = visit.asked("state", FindingState.OPEN.value)
    state = FindingState(asked) if asked in set(FindingState) else FindingState.OPEN
    sought, kind, by = visit.asked("q").strip(), visit.asked("kind"), visit.asked("by")
    by = by if by in GROUPS else "severity"
    severity, owner = visit.asked("severity"), visit.asked("owner")
    wanted = Severity(severity) if severity in set(Severity) else None
    found = [one for one in await _visible(visit, state, owner) if sought.lower() in _text(one)]
    severities = Counter(one.severity for one in found)
    some = [one for one in found if wanted in (None, one.severity)]
    counts = Counter(one.kind for one in some)
    chosen = [one for one in some if kind in ("", one.kind.value)]
    chosen.sort(key=lambda one: (_group(one, by)[0], one.severity.rank))
    page = _page(visit.asked("page"))
    narrowed = any((page, sought, kind, wanted, owner)) or state is not FindingState.OPEN
    stories = [] if narrowed else _stories(found)
    return await visit.show(
        "findings.html",
        rows=_rows(chosen[page * SHOWN : (page + 1) * SHOWN], by),
        following=page + 1 if len(chosen) > (page + 1) * SHOWN else 0,
        stories=stories[:TOLD],
        more_stories=stories[TOLD:],
        counts=sorted(counts.items(), key=lambda one: (-one[1], one[0].value)),
        severities=[(one, severities[one]) for one in Severity],
        total=len(found),
        state=state.value,
        states=[one.value for one in FindingState],
        chosen={
            "state": state.value,
            "q": sought,
            "by": by,
            "severity": wanted.value if wanted else "",
            "owner": owner,
            "kind": kind if kind in set(FindingKind) else "",
        },
        groups=GROUPS,
        meanings=FINDING_MEANINGS,
        pages=PAGES,
    )


def _stories(found: Sequence[Finding]) -> list[FindingGroup]:
    """Return who is at work and worth a few lines, where scans have told of more than one."""
    ones = [one for one in found if one.kind in DISCOVERED]
    groups = grouped(
        ScannedFinding(finding=discovered_of(one), first_seen=one.first_seen, last_seen=one.last_seen)
        for one in ones
    )
    told = [one for one in groups if one.told]
    return told if len(told) > 1 else []


def _rows(found: Sequence[Finding], by: str) -> list[FindingRow]:
    rows, before = [], None
    for one in found:
        _, heading = _group(one, by)
        says = one.facts.get("says")
        rows.append(
            FindingRow(
                one,
                heading if heading != before else "",
                says if isinstance(says, str) else FINDING_MEANINGS[one.kind].says,
            )
        )
        before = heading
    return rows


def _group(finding: Finding, by: str) -> tuple[object, str]:
    """Return the order and the heading of a finding's group."""
    if by == "owner":
        # Those without an owner come first: someone must be found for them.
        return finding.owner.lower(), finding.owner or "No owner known"
    if by == "subject":
        kind, _, name = finding.about.partition(":")
        return finding.about.lower(), f"{kind} {name[:8] + '…' if kind == 'credential' else short(name)}"
    return finding.severity.rank, finding.severity.value.capitalize()


def _text(finding: Finding) -> str:
    return f"{finding.about} {finding.kind.value} {finding.id} {finding.owner}".lower()


def _page(asked: str) -> int:
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 4 else 0


async def _visible(visit: ConsoleRequest, state: FindingState, owner: str) -> list[Finding]:
    findings = visit.rooms.findings.findings
    if visit.may(Duty.OVERSEE):
        return await findings.about(state=state, owner=owner)
    agents = await visit.rooms.identity.directory.agents()
    return await findings.about_agents(
        (one.name for one in agents if one.owned_by(visit.someone)), state, owner=owner
    )


async def show(visit: ConsoleRequest) -> Response:
    """Show a finding."""
    found = await _finding(visit)
    meaning = FINDING_MEANINGS[found.kind]
    discovered = found.kind in DISCOVERED
    shown = ("places", "steps", "reach", "evidence", "advice") if discovered else ()
    apart = ("says", "events", *shown)
    known = [
        (says, found.facts[name])
        for name, says in meaning.facts.items()
        if name in found.facts and name not in apart
    ]
    more = [(plain(name)[:80], one) for name, one in found.facts.items() if name not in meaning.facts]
    task = found.facts.get("task")
    return await visit.show(
        "finding.html",
        finding=found,
        meaning=meaning,
        facts=[*_evidence(found), *known, *more][:40],
        says=_one(found.facts.get("says")).rstrip("."),
        events=_events(found),
        advice=_one(found.facts.get("advice")).rstrip(".") if discovered else "",
        places=_places(found) if discovered else [],
        steps=_lines(found.facts.get("steps")) if discovered else [],
        reach=_lines(found.facts.get("reach")) if discovered else [],
        picture=_picture(found) if discovered else "",
        draft=_draft(found) if discovered else None,
        history=await _history(visit, found),
        task=task if isinstance(task, str) else "",
        pages=PAGES,
        most_chars=MOST_CHARS,
        answers=found.kind not in REVIEWED,
        basis=basis_of(found),
        until=(visit.now + timedelta(days=30)).date().isoformat(),
    )


def _evidence(found: Finding) -> list[tuple[str, Json]]:
    evidence = found.facts.get("evidence")
    if not isinstance(evidence, dict) or found.kind not in DISCOVERED:
        return []
    return [(plain(name)[:80], one) for name, one in seen(evidence).items()]


def _one(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _events(found: Finding) -> list[int]:
    """Return the indexes of the events that an anomaly rests on."""
    events = found.facts.get("events")
    return [one for one in events if isinstance(one, int)] if isinstance(events, list) else []


def _lines(value: Json) -> list[str]:
    return [str(one) for one in value[:LISTED]] if isinstance(value, list) else []


def _places(found: Finding) -> list[dict[str, str]]:
    places = found.facts.get("places")
    return [
        {
            "scope": str(one.get("scope", "")),
            "file": str(one.get("file", "")),
            "line": str(one.get("line", "")),
            "inside": str(one.get("inside", "")),
            "commit": str(one.get("commit", ""))[:12],
        }
        for one in (places[:LISTED] if isinstance(places, list) else [])
        if isinstance(one, dict)
    ]


def _picture(found: Finding) -> Markup | str:
    """Return who has it and what can be reached, drawn; empty where nothing is known."""
    reach = _lines(found.facts.get("reach"))
    if not reach:
        return ""
    kind, _, name = found.about.partition(":")
    agent = agent_of(found)
    nodes = [GraphNode(key="owner", kind="person", title=found.owner, note="owner")] if found.owner else []
    if agent:
        nodes.append(GraphNode(key="agent", kind="agent", title=agent, note="uses it"))
    # A fingerprint is long, and says nothing to people.
    name = f"{name[:8]}…" if kind == "credential" else short(name)
    nodes.append(GraphNode(key="subject", kind="others", title=f"{kind} {name}", note=found.kind.value))
    edges = [GraphEdge(start=one.key, end=two.key) for one, two in pairwise(nodes)]
    for number, one in enumerate(reach[:DRAWN]):
        rest = len(reach) - DRAWN if number == DRAWN - 1 else 0
        note = f"and {rest} more" if rest > 0 else "can be reached"
        nodes.append(GraphNode(key=f"reach {number}", kind="asked", title=one.replace("`", ""), note=note))
        edges.append(GraphEdge(start="subject", end=f"reach {number}"))
    return drawn(nodes, edges, "What can be reached: ")


def _draft(found: Finding) -> FixDraft:
    return drafted(found, FixChoices())


async def _history(visit: ConsoleRequest, found: Finding) -> list[FindingHistory]:
    """Return the last events of a finding, newest first; only auditors read the evidence."""
    if not visit.may(Duty.AUDIT):
        return []
    evidence = visit.rooms.evidence
    wanted = EventSearch(kinds=tuple(one.value for one in _HISTORY), since=found.first_seen)
    size = await evidence.log.size()
    entries = (await evidence.searches.search(wanted, before=size, limit=1_000, most=EVENTS)).entries
    rows = [event_row(one) for one in entries]
    return [FindingHistory(one.at, sentence_of(one)) for one in rows if one.facts.get("finding") == found.id][
        : -HISTORY - 1 : -1
    ]


async def _finding(visit: ConsoleRequest) -> Finding:
    rooms = visit.rooms
    found = await rooms.findings.findings.get(visit.part("id"))
    agent = await rooms.identity.directory.find_agent(found.agent) if found.agent else None
    if not see_finding(found, agent, visit.someone):
        raise NotFound(f"finding `{found.id}` does not exist", remediation="see `remit finding list`")
    return found


async def answer(visit: ConsoleRequest) -> Response:
    """Resolve, accept, reject or reopen a finding, with an explanation."""
    form = await visit.act()
    found = await _finding(visit)
    visit.require(Duty.ADMINISTER)
    why, by = form.get("resolution").strip(), visit.someone.name
    if not 1 <= len(why) <= MOST_CHARS:
        raise Malformed(f"an explanation has 1 to {MOST_CHARS} characters", remediation="go back and say why")
    findings = visit.rooms.findings.findings
    match form.get("answer"):
        case "accepted":
            until, basis = _until(form.get("until")), form.get("basis")
            await findings.accept(found.id, by=by, reason=why, until=until, basis=basis)
        case "false":
            await findings.reject(found.id, by=by, reason=why, basis=form.get("basis"))
        case "open":
            await findings.reopen(found.id, by=by, reason=why)
        case "" | "resolved":
            await findings.resolve(found.id, by=by, resolution=why)
        case _:
            raise Malformed("that is no answer to a finding", remediation="go back and choose one")
    return visit.then(address_of("findings", found.id), _DONE.get(form.get("answer"), "resolved"))


_DONE: Final = {"accepted": "accepted-finding", "false": "false-finding", "open": "reopened"}


def _until(text: str) -> datetime:
    """Return the end of a day of a form."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        return day + timedelta(days=1)
    except (ValueError, OverflowError):
        raise Malformed(
            "an acceptance has a last day", remediation="go back and give it as `2027-01-31`"
        ) from None
