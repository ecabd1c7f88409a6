# SPDX-License-Identifier: Apache-2.0
"""The page of one decision: what was asked, how and by which rules it was decided, what would change that."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.responses import Response

from remit.api.console.chain_graph import chain_graph
from remit.api.console.event_sentences import sentence_of
from remit.api.console.evidence_rows import EventRow, checked_row
from remit.api.console.page import ROOT, ConsoleRequest
from remit.core.decisions.mediation import Step
from remit.core.errors import Busy, NotFound
from remit.core.evidence.event import EventKind
from remit.core.tasks.task import Task
from remit.services.evidence.event_search import EventSearch
from remit.services.identity.permissions import Duty, own_task

#: Events of the log that are looked at for a decision of which the id alone is known; by those who see only
#: some decisions, fewer, as anyone can ask for an id that does not exist.
LOOKED_AT: Final = 200_000
FEWER: Final = 10_000
#: Events from a decision on, of its task, among which its end is sought.
NEAR: Final = 5_000
#: Events of one task that are read for the chain; a later call of it has none here.
CHAINED: Final = 2_000
#: Events of one call that the page shows.
EVENTS: Final = 40
#: What the steps do, in words for people.
STEPS: Final = {
    Step.IDENTIFY: "Who asks was proven",
    Step.BIND: "The task and its grant were found",
    Step.DESCRIBE: "The call was described: effect, audience, data, where each value came from",
    Step.DECIDE: "Policies, grants, budgets and approvals were asked",
    Step.RECORD: "The decision was recorded before anything happened",
    Step.LEASE: "The credential of the upstream was obtained",
    Step.FORWARD: "The call went to the upstream",
    Step.OBSERVE: "The answer was looked at, and its labels joined the task",
    Step.CLOSE: "The outcome was recorded",
}


class CallStep(msgspec.Struct, frozen=True):
    """One of the nine steps of a call: `result` is `done`, `refused`, `asked`, `open` or empty."""

    step: Step
    words: str
    result: str


async def show(visit: ConsoleRequest) -> Response:
    """Show the decision and how its call ended."""
    row, task = await _decision(visit)
    audits = visit.may(Duty.AUDIT)
    rooms = visit.rooms
    found = await rooms.evidence.searches.search(
        EventSearch(task=row.task, call=row.call), start=row.index, limit=EVENTS, most=NEAR
    )
    events = [checked_row(rooms.evidence.log_reading.shown(one)) for one in found.entries]
    events = [one for one in events if not one.damaged]
    rules = {one.id: one for one in rooms.policies.applied.policy.rules()} if visit.may(Duty.OVERSEE) else {}
    end = next((one for one in events if one.kind == EventKind.TOOL_CALLED), None)
    return await visit.show(
        "decision.html",
        row=row,
        task=task,
        audits=audits,
        reasons=_reasons(row, audits=audits),
        rules=[(name, rules.get(name)) for name, _ in row.facts["rules"]],
        arguments=row.values.get("arguments") if audits else None,
        sources=_sources(row.facts.get("flow") or ()),
        steps=_steps(row.facts, end),
        end=end,
        events=[(one, sentence_of(one)) for one in events if one.index != row.index] if audits else [],
        explained=f"{ROOT}/decisions/{row.call}/explanation?at={row.index}",
    )


async def explanation(visit: ConsoleRequest) -> Response:
    """Show what the rules read, what would change the answer, and what led to the call."""
    row, _ = await _decision(visit)
    rooms, told, missing = visit.rooms, None, ""
    try:
        told = await rooms.inspection.explanations.of(row.call, by=visit.someone.name, before=row.index + 1)
    except Busy as fault:
        missing = f"{fault.message}: {fault.remediation}"
    try:
        chain = await rooms.evidence.chains.of(str(row.index), most=CHAINED) if row.task else None
    except NotFound:
        chain = None
    return await visit.show(
        "decision_explanation.html",
        row=row,
        told=told,
        missing=missing,
        chain=chain,
        graph=chain_graph(chain) if chain is not None and len(chain.calls) > 1 else "",
    )


async def _decision(visit: ConsoleRequest) -> tuple[EventRow, Task | None]:
    """Return a decision's event and task to a person who may see it; for others raise `NotFound`."""
    name = visit.part("decision")
    rooms = visit.rooms
    gone = NotFound(
        f"decision `{name[:80]}` does not exist",
        remediation="open it from its task; in a flood of refusals only the first ones are recorded singly",
    )
    if not name.startswith("dec_") or len(name) > 80:
        raise gone
    row = await _hinted(visit, name)
    if row is None:
        # A link from its event says where it is; without that the log is searched backwards.
        found = await rooms.evidence.searches.search(
            EventSearch(call=name, kinds=(EventKind.DECISION_MADE,)),
            before=await rooms.evidence.log.size(),
            limit=1,
            most=LOOKED_AT if visit.may(Duty.OVERSEE) else FEWER,
        )
        row = _named(name, [checked_row(rooms.evidence.log_reading.shown(one)) for one in found.entries])
    if row is None:
        raise gone
    task = await rooms.tasks.tasks.find(row.task)
    if not visit.may(Duty.OVERSEE) and not (task is not None and own_task(task, visit.someone)):
        raise gone
    return row, task


async def _hinted(visit: ConsoleRequest, name: str) -> EventRow | None:
    """Return the event of a decision where the address says that it is, if it is there."""
    at = visit.asked("at")
    if not (at.isascii() and at.isdigit() and len(at) < 16):
        return None
    evidence = visit.rooms.evidence
    try:
        entry = await evidence.log.entry(int(at))
    except NotFound:
        return None
    return _named(name, [checked_row(evidence.log_reading.shown(entry))])


def _named(name: str, rows: list[EventRow]) -> EventRow | None:
    return next((one for one in rows if (one.call, one.kind) == (name, EventKind.DECISION_MADE)), None)


def _reasons(row: EventRow, *, audits: bool) -> list[dict[str, str]]:
    """Return the reasons; their texts and remedies are sealed, so only auditors read them."""
    texts = row.values.get("reasons") or [] if audits else []
    remedies = row.values.get("remedies") or [] if audits else []
    return [
        {
            "code": one.get("code", ""),
            "rule": one.get("rule", ""),
            "text": str(texts[place]) if place < len(texts) else "",
            "remedy": str(remedies[place]) if place < len(remedies) else "",
        }
        for place, one in enumerate(row.facts.get("reasons") or ())
    ]


def _sources(flow: Any) -> dict[str, dict[str, Any]]:
    """Return where the value of each argument came from, by the argument's name."""
    return {str(one.get("argument", "")): one for one in flow}


def _steps(facts: dict[str, Any], end: EventRow | None) -> list[CallStep]:
    outcome = facts["outcome"]
    if outcome != "permit" and not facts.get("observed"):
        decided = "asked" if outcome == "defer" else "refused"
        results = {Step.DECIDE: decided, Step.RECORD: "done", **dict.fromkeys(list(Step)[:3], "done")}
    else:
        sent = end is not None and end.facts["outcome"] != "not-sent"
        results = dict.fromkeys(list(Step)[:5], "done")
        if end is None:
            elsewhere = bool(facts.get("enforced_by"))
            results |= {} if elsewhere else {Step.LEASE: "open"}
        elif sent:
            unknown = end.facts["outcome"] == "unknown"
            results |= dict.fromkeys((Step.LEASE, Step.FORWARD), "done")
            results |= {Step.OBSERVE: "open" if unknown else "done", Step.CLOSE: "done"}
        else:
            results |= {Step.LEASE: "refused", Step.CLOSE: "done"}
        if outcome != "permit":
            results[Step.DECIDE] = "observed"
    return [CallStep(step, words, results.get(step, "")) for step, words in STEPS.items()]
