# SPDX-License-Identifier: Apache-2.0
"""The register of agents, and the page of one: who it is, what it may do, what it uses, and its end."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from starlette.responses import Response

from remit.api.console.page import ConsoleRequest, address_of
from remit.core.errors import Malformed
from remit.core.findings.finding import FindingState
from remit.core.findings.meanings import FINDING_MEANINGS
from remit.core.identity.principals import Agent, AgentState, LastProof
from remit.core.identity.workload import (
    Binding,
    ClientBinding,
    IssuerBinding,
    KeyBinding,
    LocalBinding,
    SpiffeBinding,
    workload_of,
)
from remit.core.scope import ScopeKind, scope
from remit.core.tasks.task import Task, TaskState
from remit.services.identity.accountability import owner_fault
from remit.services.identity.permissions import Duty, ask_about, may, move_agent, own_task
from remit.services.inspection.access_reviews import ReviewSheet, may_review

#: Agents of one page of the register, and open tasks that it looks at.
SHOWN: Final = 50
SEARCHED: Final = 10_000
#: Open tasks that the page of an agent reads, those that it shows, and those whose tiers it explains.
MOST_TASKS: Final = 1_000
TASKS: Final = 50
EXPLAINED: Final = 8
#: Tools of one list.
TOOLS: Final = 200
#: An agent that has not proven its identity for this long is idle.
IDLE: Final = timedelta(days=30)

#: A count over less than this says little about what an agent needs.
SETTLED: Final = timedelta(days=7)

#: What a form of the page may ask for, by its word, and what the page says then.
MOVES: Final = {
    "suspend": (AgentState.SUSPENDED, "suspended"),
    "activate": (AgentState.ACTIVE, "activated"),
    "retire": (AgentState.RETIRED, "retired"),
}
USES: Final = {
    "": "All",
    "open": "With open tasks",
    "findings": "With findings",
    "idle": "Idle for 30 days",
    "never": "Never seen",
}


#: Kinds of bindings, in words.
KINDS: Final[dict[type[Binding], str]] = {
    KeyBinding: "private key",
    SpiffeBinding: "SPIFFE ID",
    IssuerBinding: "token of an issuer",
    LocalBinding: "program of this machine",
    ClientBinding: "client document",
}


class AgentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One agent of the register: `tier` is the highest that its open tasks reach."""

    agent: Agent
    proof: LastProof | None
    tier: str
    tasks: int
    findings: int


class _Register(msgspec.Struct, frozen=True):
    """What the register knows beside the agents themselves."""

    proofs: dict[str, LastProof]
    tasks: dict[str, list[Task]]
    findings: Counter[str]


async def index(visit: ConsoleRequest) -> Response:
    """Show the register; without a role, the agents that the person owns."""
    rooms, someone = visit.rooms, visit.someone
    agents = await rooms.identity.directory.agents()
    if not visit.may(Duty.OVERSEE):
        agents = [one for one in agents if one.owned_by(someone)]
    known = await _known(visit)
    chosen = {name: visit.asked(name).strip() for name in ("q", "state", "owner", "use")}
    found = [one for one in agents if _wanted(one, chosen, known, visit.now)]
    after = visit.asked("after")
    rest = [one for one in found if one.name > after]
    due = await rooms.inspection.reviews.due(visit.now)
    return await visit.show(
        "agents.html",
        due=sum(1 for agent, _, _ in due if visit.may(Duty.OVERSEE) or agent.owned_by(someone)),
        rows=[await _row(visit, one, known) for one in rest[:SHOWN]],
        chosen=chosen,
        following=rest[SHOWN - 1].name if len(rest) > SHOWN else "",
        found=len(found),
        total=len(agents),
        states=[one.value for one in AgentState],
        uses=USES,
    )


async def _known(visit: ConsoleRequest) -> _Register:
    rooms, now = visit.rooms, visit.now
    tasks: dict[str, list[Task]] = {}
    for task in await rooms.tasks.tasks.newest(state=TaskState.ACTIVE, limit=SEARCHED, texts=False):
        if task.active_at(now):
            tasks.setdefault(task.agent, []).append(task)
    findings = await rooms.findings.findings.about(state=FindingState.OPEN)
    return _Register(
        await rooms.findings.sightings.last_proofs(), tasks, Counter(one.agent for one in findings)
    )


def _wanted(agent: Agent, chosen: dict[str, str], known: _Register, now: datetime) -> bool:
    texts = (agent.name, agent.owner, agent.purpose, agent.environment, agent.initiative)
    if not any(chosen["q"].lower() in text.lower() for text in texts):
        return False
    if chosen["state"] not in ("", agent.state.value) or chosen["owner"] not in ("", agent.owner):
        return False
    proof = known.proofs.get(agent.name)
    match chosen["use"]:
        case "never":
            return proof is None
        case "idle":
            return proof is not None and now - proof.at > IDLE
        case "open":
            return agent.name in known.tasks
        case "findings":
            return bool(known.findings[agent.name])
    return True


async def _row(visit: ConsoleRequest, agent: Agent, known: _Register) -> AgentRow:
    tasks = known.tasks.get(agent.name, [])
    whole = await _open_tasks(visit, agent) if tasks else []
    return AgentRow(
        agent=agent,
        proof=known.proofs.get(agent.name),
        tier=_tier(visit, whole),
        tasks=len(tasks),
        findings=known.findings[agent.name],
    )


def _tier(visit: ConsoleRequest, tasks: list[Task]) -> str:
    """Return the highest tier that calls of these tasks reach."""
    registry = visit.rooms.tools.registry
    names = {grant.tool for task in tasks for grant in task.grants}
    tiers = [tool.tier for name in names if (tool := registry.get(name)) is not None]
    return max(tiers).word if tiers else ""


async def show(visit: ConsoleRequest) -> Response:
    """Show an agent: who it is, what it may do now, and what it uses of that."""
    rooms, now = visit.rooms, visit.now
    agent = await _agent(visit)
    told = await rooms.inspection.who.of(agent.name)
    tasks = await _open_tasks(visit, agent)
    findings = await rooms.findings.findings.about(f"agent:{agent.name}", FindingState.OPEN)
    scopes = {scope(ScopeKind.AGENT, agent.name), scope(ScopeKind.OWNER, agent.owner)}
    closures = await rooms.evidence.receipts.closures(scope(ScopeKind.AGENT, agent.name), 1)
    sheet = await rooms.inspection.reviews.sheet(agent, tasks)
    use = sheet.use
    proof = await rooms.findings.sightings.last_proof(agent.name)
    return await visit.show(
        "agent.html",
        agent=agent,
        who=told,
        meanings=FINDING_MEANINGS,
        tasks=[
            await _task(visit, one, explained=place < EXPLAINED) for place, one in enumerate(tasks[:TASKS])
        ],
        total_tasks=len(tasks),
        tier=_tier(visit, tasks),
        findings=findings[:SHOWN],
        locks=await rooms.endings.locks.over(scopes),
        closure=closures[0] if closures else None,
        use=use,
        settled=now - use.since > SETTLED,
        unused_types=sorted({name for one in use.unused for name in one.task_types}),
        most_tools=TOOLS,
        sheet=sheet,
        review=await _review(visit, sheet),
        bindings=_bindings(agent, proof),
        owner_fault=await _owner_fault(visit, agent),
        seen=proof.at if proof is not None else None,
        idle=proof is None or now - proof.at > IDLE,
        removable=agent.owned_by(visit.someone) or visit.may(Duty.ADMINISTER),
    )


async def _review(visit: ConsoleRequest, sheet: ReviewSheet) -> dict[str, Any]:
    """Return what the form of a review needs beside its sheet."""
    reviews = visit.rooms.inspection.reviews
    return {
        "may": may_review(sheet.agent, visit.someone) and sheet.agent.state is not AgentState.RETIRED,
        "second": reviews.second_person,
        "drafts": await reviews.drafts(sheet.agent, sheet.record),
        "window": msgspec.json.encode(sheet.use.window).decode(),
        "unused": frozenset(one.tool for one in sheet.use.unused),
    }


async def _open_tasks(visit: ConsoleRequest, agent: Agent) -> list[Task]:
    newest = visit.rooms.tasks.tasks.newest
    found = await newest(agent=agent.name, state=TaskState.ACTIVE, limit=MOST_TASKS)
    return [one for one in found if one.active_at(visit.now)]


async def _agent(visit: ConsoleRequest) -> Agent:
    directory, name = visit.rooms.identity.directory, visit.part("name")
    # Asked first, so that an agent of others reads like one that does not exist.
    ask_about(visit.someone, name, None, await directory.find_agent(name))
    return await directory.agent(name)


async def _task(visit: ConsoleRequest, task: Task, *, explained: bool) -> dict[str, Any]:
    """Return an open task with its tier, and what lifts it there."""
    lifts: list[Any] = []
    if explained:
        told = await visit.rooms.inspection.reports.can(task.id)
        lifts = [one for report in told["tasks"] for one in report.get("tiers", ()) if one["because"]]
    person = visit.someone
    return {
        "task": task,
        "tier": _tier(visit, [task]),
        "lifts": lifts,
        "endable": own_task(task, person) or may(person, Duty.END),
    }


def _bindings(agent: Agent, proof: LastProof | None) -> list[tuple[str, str, LastProof | None]]:
    """Return the kind and the workload of each binding, and the last proof if it came through it."""
    return [
        (KINDS[type(one)], workload, proof if proof is not None and proof.workload == workload else None)
        for one in agent.bindings
        for workload in (workload_of(one),)
    ]


async def _owner_fault(visit: ConsoleRequest, agent: Agent) -> str:
    directory = visit.rooms.identity.directory
    return owner_fault(agent.owner, [directory.with_groups(one) for one in await directory.people()])


async def act(visit: ConsoleRequest) -> Response:
    """Move an agent to another state, remove one of its bindings, or give it another owner."""
    form = await visit.act()
    agent = await _agent(visit)
    directory, by = visit.rooms.identity.directory, visit.someone.name
    reason, asked = form.get("reason")[:500], form.get("act")
    address = address_of("agents", agent.name)
    if asked in MOVES:
        state, done = MOVES[asked]
        move_agent(agent, state, visit.someone)
        # A second click asks for what is already so.
        if agent.state is not state:
            await directory.move(agent.name, state, by=by, reason=reason)
        return visit.then(address, done)
    visit.require(Duty.ADMINISTER)
    if asked == "unbind":
        await directory.unbind(agent.name, form.get("workload"), by=by, reason=reason)
        return visit.then(address, "unbound")
    if asked == "owner":
        await directory.set_owner(agent.name, form.get("owner").strip(), by=by)
        return visit.then(address, "saved")
    raise Malformed("this cannot be done to an agent", remediation="go back and reload the page")
