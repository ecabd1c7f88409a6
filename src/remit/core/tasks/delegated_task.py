# SPDX-License-Identifier: Apache-2.0
"""Hand-downs: the part of a task that another agent gets as its own child task.

INVARIANT: each ancestor of a child may do everything that the child may. The child's grants are the
conjunction of its ancestors' grants and the requested ones. Its plan lies within theirs. Its deadline and
budgets are the least of all. Its label starts as its parent's. It lies in every scope of its ancestors, under
the fence epochs that these remember. The actors form a chain without repetition and of bounded length. The
intent stays the person's: the handing agent's request only narrows, and never becomes intent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from remit.core.errors import Forbidden
from remit.core.identity.principals import Agent
from remit.core.label import Label
from remit.core.scope import ScopeKind, scope
from remit.core.tasks.grant import Grant
from remit.core.tasks.plan import narrowed
from remit.core.tasks.task import MAX_CHAIN, Ancestor, Budgets, HandDown, Task, TaskType

#: The most grants of a child: where a parent holds several of one tool, each is narrowed.
MAX_GRANTS = 512


class BudgetShare(msgspec.Struct, frozen=True, kw_only=True):
    """The requested part of a task for a hand-down; an omitted field is as in the parent.

    `grants` are narrowed by the parent's; `tools` restricts to the tools listed. `task_type` is the child's
    own type, if any: its grants (in `grants`, instantiated), budgets and deadline bind, too.
    """

    grants: tuple[Grant, ...] | None = None
    tools: tuple[str, ...] | None = None
    budgets: Budgets = Budgets()
    deadline: datetime | None = None
    lease_s: int = 0
    task_type: TaskType | None = None


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Further inputs for a child: its id, the time, its label, the current fence epochs, the bundle."""

    task_id: str
    now: datetime
    label: Label
    epochs: Mapping[str, int]
    bundle: str


def child_of(parent: Task, agent: Agent, wanted: BudgetShare, moment: Moment) -> Task:
    """Return the child task of an active parent; raise `Forbidden` for anything that the parent could not
    do.
    """
    check_heir(parent, agent)
    grants, drawn_from = _grants(parent, wanted)
    own = wanted.task_type
    limits = [parent.deadline]
    budgets = parent.budgets.narrow(wanted.budgets)
    if wanted.deadline is not None:
        limits.append(wanted.deadline)
    if own is not None:
        limits.append(moment.now + timedelta(seconds=own.deadline_s))
        budgets = budgets.narrow(own.budgets)
    deadline = min(limits)
    if deadline <= moment.now:
        raise Forbidden(
            "the child's deadline would be in the past", code="deadline", remediation="ask for a later one"
        )
    child = Task(
        tenant=parent.tenant,
        id=moment.task_id,
        type=own.name if own else parent.type,
        agent=agent.name,
        owner=agent.owner,
        on_behalf_of=parent.on_behalf_of,
        initiative=agent.initiative,
        environment=agent.environment,
        intent=parent.intent,
        grants=grants,
        budgets=budgets,
        label=moment.label,
        plan=narrowed(parent.plan, wanted.tools),
        lineage=(Ancestor(parent.id, parent.agent, parent.owner), *parent.lineage),
        delegation=parent.delegation,
        delegates=(*((own.delegates,) if own else ()), *(rule.below() for rule in parent.delegates)),
        drawn_from=drawn_from,
        coded_by=parent.coded_by,
        ends_after=own.ends_after if own else (),
        ends_with_parent=parent.ends_with_work,
        runbook=parent.runbook if own is None or own.runbook else None,
        opened=moment.now,
        deadline=deadline,
        lease_s=wanted.lease_s,
        bundle=moment.bundle,
    )
    return msgspec.structs.replace(child, epochs=inherited_epochs(parent, child, moment.epochs))


def check_heir(parent: Task, agent: Agent) -> None:
    """Refuse an agent that the task, or one of its ancestors, may not be handed down to."""
    if agent.name in parent.actors:
        raise Forbidden(
            f"`{agent.name}` acts in this chain already, and a chain cannot return to an agent",
            code="delegation-cycle",
            remediation="delegate the task to another agent",
        )
    if len(parent.actors) >= MAX_CHAIN:
        raise Forbidden(
            f"a chain has at most {MAX_CHAIN} agents",
            code="delegation-depth",
            remediation="delegate less deeply",
        )
    if not parent.delegates or not all(_allows(rule, agent) for rule in parent.delegates):
        deep = parent.delegates and all(rule.names(agent) for rule in parent.delegates)
        raise Forbidden(
            f"task `{parent.id}` may not be delegated to `{agent.name}`{' any deeper' if deep else ''}",
            code="delegation-depth" if deep else "delegate",
            remediation=f"let `delegates` of task type `{parent.type}` allow it",
        )


def _allows(rule: HandDown, agent: Agent) -> bool:
    return rule.max_depth >= 1 and rule.names(agent)


def _grants(parent: Task, wanted: BudgetShare) -> tuple[tuple[Grant, ...], dict[str, tuple[str, ...]]]:
    """Return the child's grants, and for each the parent's grants that it is drawn from."""
    drawn: dict[Grant, tuple[str, ...]] = {}
    for held in _kept(parent.grants, wanted.tools):
        for grant in _narrowed(held, wanted.grants):
            accounts = (account_of(parent, held), *parent.drawn_from.get(held.digest, ()))
            drawn[grant] = tuple(dict.fromkeys((*drawn.get(grant, ()), *accounts)))
    asked = {grant.tool for grant in wanted.grants or ()} if wanted.task_type is None else set()
    missing = sorted((asked | set(wanted.tools or ())) - {grant.tool for grant in drawn})
    if missing or not drawn:
        what = f"`{missing[0][:80]}`" if missing else "any of the requested grants"
        names = ", ".join(sorted({grant.tool for grant in parent.grants})) or "nothing"
        raise Forbidden(
            f"the parent task does not have {what}",
            code="tool-not-granted",
            remediation=f"ask for its grants: {names}",
        )
    if len(drawn) > MAX_GRANTS:
        raise Forbidden(
            f"a child task has at most {MAX_GRANTS} grants",
            code="too-many-grants",
            remediation="ask for fewer",
        )
    return tuple(drawn), {grant.digest: accounts for grant, accounts in drawn.items()}


def _kept(held: Iterable[Grant], tools: tuple[str, ...] | None) -> list[Grant]:
    return [grant for grant in held if tools is None or grant.tool in tools]


def _narrowed(held: Grant, wanted: tuple[Grant, ...] | None) -> list[Grant]:
    if wanted is None:
        return [held]
    return [held.attenuate(want).simplified() for want in wanted if want.tool == held.tool]


def account_of(task: Task, grant: Grant) -> str:
    """Return the name of the account of a grant's ceilings within its task."""
    return f"{task.id}#{task.counted_as.get(grant.digest, grant.digest)[7:23]}"


def inherited_epochs(parent: Task, child: Task, current: Mapping[str, int]) -> dict[str, int]:
    """Return the epochs that a child remembers: its parent's, and the current ones of the child's own scopes.

    INVARIANT: a scope that has ended since the parent was opened stays ended for the child, including tools
    and upstreams. Only the child's own agent and owner start with current epochs.
    """
    own = {scope(ScopeKind.AGENT, child.agent), scope(ScopeKind.OWNER, child.owner)} - set(parent.scopes)
    epochs = {name: epoch for name, epoch in parent.epochs.items() if name not in own}
    return epochs | {name: current[name] for name in own if current.get(name)}
