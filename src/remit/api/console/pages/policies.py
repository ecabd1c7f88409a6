# SPDX-License-Identifier: Apache-2.0
"""The policies in force, their versions, what is proposed or shadowed, and what a change would do."""

from __future__ import annotations

import asyncio
import difflib
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from starlette.responses import Response

from remit.api.console.event_sentences import sentence_of
from remit.api.console.evidence_rows import event_row
from remit.api.console.page import ROOT, ConsoleRequest
from remit.api.rest.policy_simulation import SimulatedView, flip_views, simulated_view
from remit.api.rest.policy_versions import version_history
from remit.core.errors import Conflict, Malformed, NotFound
from remit.core.evidence.event import EventKind
from remit.core.policy.bundle import Bundle
from remit.ports.policy import RuleInForce
from remit.services.identity.permissions import Duty
from remit.services.policy.policy_changes import changes, widest

PAGE: Final = f"{ROOT}/policies"
#: Decisions that are read to count how often a rule decided, versions and proofs that the page lists.
DECISIONS: Final = 1_000
VERSIONS: Final = 20
PROOFS: Final = 8
#: Recorded decisions that one simulation decides again.
SIMULATED: Final = (500, 2_000, 10_000)
#: Rules that the page shows, and tools and agents that are tried for the places where a rule applies.
RULES: Final = 300
TOOLS: Final = 300
AGENTS: Final = 20
#: Lines of a difference.
LINES: Final = 400
#: The longest freeze that the form offers, in hours.
FREEZES: Final = (1, 4, 12, 24, 72, 168)


async def show(visit: ConsoleRequest) -> Response:
    """Show the rules in force, and all that may change them."""
    rooms = visit.rooms
    history = await version_history(rooms.policies, rooms.evidence, VERSIONS)
    size = await rooms.evidence.log.size()
    sought = visit.asked("q").strip()
    rules = [one for one in rooms.policies.applied.policy.rules() if _about(one, sought)]
    audits = visit.may(Duty.AUDIT)
    shadow = await rooms.decisions.shadow.report() if audits else None
    proven = await rooms.evidence.log.pages(before=size, limit=PROOFS, kinds=(EventKind.POLICY_PROVEN,))
    decided, looked = await _decided(visit, size)
    return await visit.show(
        "policies.html",
        applied=rooms.policies.applied,
        rules=[(one, decided[one.id]) for one in rules[:RULES]],
        hidden_rules=len(rules) - RULES,
        sought=sought,
        looked=looked,
        history=history,
        freezes=await rooms.decisions.freezes.in_force(),
        freeze_hours=FREEZES,
        shadow=shadow,
        shadow_flips=flip_views(shadow.replay) if shadow is not None else (),
        proven=[(one, sentence_of(one)) for one in map(event_row, reversed(proven))] if audits else [],
        simulated=SIMULATED,
    )


def _about(rule: RuleInForce, sought: str) -> bool:
    return not sought or any(sought.lower() in text.lower() for text in (rule.id, rule.reason, rule.text))


async def _decided(visit: ConsoleRequest, size: int) -> tuple[Counter[str], int]:
    """Return how often each rule decided among the last decisions, and how many were read."""
    found = await visit.rooms.evidence.log.pages(
        before=size, limit=DECISIONS, kinds=(EventKind.DECISION_MADE,)
    )
    decided: Counter[str] = Counter()
    for entry in found:
        decided.update({str(one[0]) for one in event_row(entry).facts.get("rules", ())})
    return decided, len(found)


async def rule(visit: ConsoleRequest) -> Response:
    """Show one rule: its text, what it reads, and the tools where it can speak."""
    name = visit.part("rule")
    policy = visit.rooms.policies.applied.policy
    found = next((one for one in policy.rules() if one.id == name), None)
    if found is None:
        raise NotFound(f"rule `{name[:80]}` is not in force", remediation="choose one of the rules in force")
    every = visit.rooms.tools.registry.all()
    tools = sorted(every, key=lambda one: one.id)[:TOOLS]
    agents = (await visit.rooms.identity.directory.agents())[:AGENTS]

    def reached() -> list[str]:
        if policy.served:
            return []
        return [
            tool.id
            for tool in tools
            if any(ref.id == name for agent in agents for ref in policy.applicable(tool, agent))
        ]

    return await visit.show(
        "policy_rule.html",
        rule=found,
        tools=await asyncio.to_thread(reached),
        tried_tools=len(tools),
        all_tools=len(every),
        tried_agents=len(agents),
        served=policy.served,
    )


async def version(visit: ConsoleRequest) -> Response:
    """Show what a version, or the proposal, changes; and what it would do to open tasks."""
    number, bundle = await _named(visit, visit.part("version"))
    now = visit.rooms.policies.applied
    beside = visit.asked("beside", "force")
    previous = await _kept(visit, number - 1) if number > 1 else None
    before = previous if beside == "previous" and previous is not None else now.bundle
    # Read from the earlier to the later one: from the version before, else from what is in force.
    tried = visit.rooms.policies.tried
    old, new = await tried(before, by=visit.someone.name), await tried(bundle, by=visit.someone.name)
    found = changes(before, bundle, old.rules(), new.rules())
    proposal = await visit.rooms.policies.versions.proposal()
    return await visit.show(
        "policy_version.html",
        number=number,
        bundle=bundle,
        before=before,
        beside=beside if previous is not None else "force",
        previous=number - 1 if previous is not None else 0,
        in_force=bundle.digest == now.digest,
        changes=[(one, _difference(one.before, one.after)) for one in found],
        wider=widest(found),
        tasks=await visit.rooms.endings.rebundling.preview(bundle) if bundle.digest != now.digest else [],
        current=(await visit.rooms.policies.versions.in_force()).bundle,
        proposal=proposal if number == 0 else None,
        second_person=visit.rooms.policies.second_person,
    )


async def _named(visit: ConsoleRequest, name: str) -> tuple[int, Bundle]:
    """Return a version's number and bundle; 0 for the bundle that is `proposed`."""
    versions = visit.rooms.policies.versions
    if name == "proposed":
        proposal = await versions.proposal()
        bundle = await versions.bundle(proposal.bundle) if proposal is not None else None
        if bundle is None:
            raise NotFound("nothing is proposed", remediation="see the versions")
        return 0, bundle
    if not (name.isascii() and name.isdigit() and 0 < len(name) < 10):
        raise NotFound("this is no version", remediation="choose one of the versions")
    return int(name), await versions.of(int(name))


async def _kept(visit: ConsoleRequest, number: int) -> Bundle | None:
    digest = (await visit.rooms.policies.versions.numbers()).get(number, "")
    return await visit.rooms.policies.versions.bundle(digest) if digest else None


def _difference(before: str, after: str) -> list[tuple[str, str]]:
    """Return the lines of two texts: what was removed, what was added, and what stands around it."""
    lines: Iterable[str] = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)
    marks = {"+": "added", "-": "removed", "@": "place"}
    return [
        (marks.get(line[:1], ""), line) for line in list(lines)[2 : LINES + 2] if not line.startswith("@@")
    ]


async def confirm(visit: ConsoleRequest) -> Response:
    """Put the proposed bundle in force, as a second administrator."""
    form = await visit.act()
    await visit.rooms.policies.confirm(form.get("bundle"), by=visit.someone.name)
    await _settle(visit)
    return visit.then(PAGE, "saved")


async def roll_back(visit: ConsoleRequest) -> Response:
    """Put an earlier version in force, or propose it where two administrators must agree."""
    form = await visit.act()
    policies = visit.rooms.policies
    number, bundle = await _named(visit, visit.part("version"))
    now = await policies.versions.in_force()
    if form.get("bundle") != bundle.digest or not number:
        raise Conflict(f"version {number} is not the one that was shown", remediation="reload the page")
    if bundle.digest == now.bundle or form.get("instead_of") != now.bundle:
        raise Conflict(
            "another bundle came into force since the page was shown", remediation="reload the page"
        )
    reason, by = form.get("reason")[:500], visit.someone.name
    if policies.second_person:
        await policies.propose(bundle, by=by, reason=reason, back_to=number)
    else:
        await policies.apply(bundle, by=by, reason=reason, back_to=number, held=True)
        await _settle(visit)
    return visit.then(PAGE, "saved")


async def _settle(visit: ConsoleRequest) -> None:
    await visit.rooms.tools.registry.described()
    await visit.rooms.endings.rebundling.look()


async def simulate(visit: ConsoleRequest) -> Response:
    """Decide recorded calls again under a kept version or the proposal; nothing changes."""
    form = await visit.act()
    limit = form.get("limit")
    if limit not in {str(one) for one in SIMULATED}:
        raise Malformed("this many decisions are not offered", remediation="choose one of the list")
    number, bundle = await _named(visit, form.get("version"))
    found = await visit.rooms.inspection.simulations.run(bundle, limit=int(limit), by=visit.someone.name)
    view: SimulatedView = simulated_view(found)
    return await visit.show("policy_simulation.html", number=number, bundle=bundle, view=view)


async def stop_shadow(visit: ConsoleRequest) -> Response:
    """Stop the candidate that is shadowed."""
    form = await visit.act()
    await visit.rooms.decisions.shadow.stop(by=visit.someone.name, reason=form.get("reason")[:500])
    return visit.then(PAGE, "saved")


async def freeze(visit: ConsoleRequest) -> Response:
    """Declare a change freeze for some hours, which policies read."""
    form = await visit.act()
    hours = form.get("hours")
    if hours not in {str(one) for one in FREEZES}:
        raise Malformed("this duration is not offered", remediation="choose one of the list")
    until = visit.now + timedelta(hours=int(hours))
    decisions = visit.rooms.decisions
    await decisions.freezes.declare(until, reason=form.get("reason")[:500], by=visit.someone.name)
    decisions.surroundings.changed()
    return visit.then(PAGE, "saved")


async def lift(visit: ConsoleRequest) -> Response:
    """End a change freeze before its time."""
    form = await visit.act()
    decisions = visit.rooms.decisions
    await decisions.freezes.lift(form.get("freeze"), reason=form.get("reason")[:500], by=visit.someone.name)
    decisions.surroundings.changed()
    return visit.then(PAGE, "saved")
