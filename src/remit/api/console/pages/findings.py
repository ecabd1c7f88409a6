# SPDX-License-Identifier: Apache-2.0
"""Findings: what was seen that no record explains, what it means, what to do, and how it was resolved."""

from __future__ import annotations

from collections import Counter
from typing import Final

from starlette.responses import Response

from remit.api.console.page import ConsoleRequest, address_of
from remit.core.errors import Malformed, NotFound
from remit.core.findings.finding import FINDING_MEANINGS, Finding, FindingKind, FindingState
from remit.core.safe_text import plain
from remit.services.identity.permissions import Duty, see_finding

#: Findings of one page; the store gives the 1,000 that were seen last.
SHOWN: Final = 50
#: The longest explanation of how a finding was resolved.
MOST_CHARS: Final = 2000
#: Subjects of findings that have a page, and the first part of its address.
PAGES: Final = {"agent": "agents", "person": "people"}


async def index(visit: ConsoleRequest) -> Response:
    """Show findings by kind; without a role, those about the agents that the person owns."""
    asked = visit.asked("state", FindingState.OPEN.value)
    state = FindingState(asked) if asked in set(FindingState) else FindingState.OPEN
    sought, kind = visit.asked("q").strip(), visit.asked("kind")
    found = [one for one in await _visible(visit, state) if sought.lower() in _text(one)]
    counts = Counter(one.kind for one in found)
    chosen = [one for one in found if kind in ("", one.kind.value)]
    page = _page(visit.asked("page"))
    return await visit.show(
        "findings.html",
        rows=chosen[page * SHOWN : (page + 1) * SHOWN],
        following=page + 1 if len(chosen) > (page + 1) * SHOWN else 0,
        counts=sorted(counts.items(), key=lambda one: (-one[1], one[0].value)),
        total=len(found),
        state=state.value,
        states=[one.value for one in FindingState],
        sought=sought,
        kind=kind if kind in set(FindingKind) else "",
        meanings=FINDING_MEANINGS,
        pages=PAGES,
    )


def _text(finding: Finding) -> str:
    return f"{finding.about} {finding.kind.value} {finding.id}".lower()


def _page(asked: str) -> int:
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 4 else 0


async def _visible(visit: ConsoleRequest, state: FindingState) -> list[Finding]:
    found = await visit.rooms.findings.findings.about(state=state)
    if visit.may(Duty.OVERSEE):
        return found
    agents = {one.name: one for one in await visit.rooms.identity.directory.agents()}
    return [one for one in found if see_finding(one, agents.get(one.agent), visit.someone)]


async def show(visit: ConsoleRequest) -> Response:
    """Show a finding."""
    found = await _finding(visit)
    meaning = FINDING_MEANINGS[found.kind]
    known = [(says, found.facts[name]) for name, says in meaning.facts.items() if name in found.facts]
    more = [(plain(name)[:80], one) for name, one in found.facts.items() if name not in meaning.facts]
    task = found.facts.get("task")
    return await visit.show(
        "finding.html",
        finding=found,
        meaning=meaning,
        facts=[*known, *more][:40],
        task=task if isinstance(task, str) else "",
        pages=PAGES,
        most_chars=MOST_CHARS,
    )


async def _finding(visit: ConsoleRequest) -> Finding:
    rooms = visit.rooms
    found = await rooms.findings.findings.get(visit.part("id"))
    agent = await rooms.identity.directory.find_agent(found.agent) if found.agent else None
    if not see_finding(found, agent, visit.someone):
        raise NotFound(f"finding `{found.id}` does not exist", remediation="see `remit finding list`")
    return found


async def resolve(visit: ConsoleRequest) -> Response:
    """Mark a finding as resolved, with an explanation."""
    form = await visit.act()
    found = await _finding(visit)
    visit.require(Duty.ADMINISTER)
    resolution = form.get("resolution").strip()
    if not 1 <= len(resolution) <= MOST_CHARS:
        raise Malformed(
            f"an explanation has 1 to {MOST_CHARS} characters",
            remediation="go back and say how it was resolved",
        )
    await visit.rooms.findings.findings.resolve(found.id, by=visit.someone.name, resolution=resolution)
    return visit.then(address_of("findings", found.id), "resolved")
