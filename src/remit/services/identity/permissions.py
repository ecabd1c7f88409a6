# SPDX-License-Identifier: Apache-2.0
"""Permissions for managing remit: the duties of people, and what belongs to a person.

Every endpoint for management asks here. What an approver or an administrator may not do (approve a request
that was made for them, change their own account) is defined with the value that it protects.
"""

from __future__ import annotations

import enum

from remit.core.decisions.approval import Approval
from remit.core.endings.closure import Closure
from remit.core.errors import Forbidden, NotFound
from remit.core.findings.finding import Finding
from remit.core.identity.principals import Agent, AgentState, Person, Role
from remit.core.tasks.task import Task


class Duty(enum.StrEnum):
    """A kind of management action. `own`: everyone who is signed in, for what belongs to that person
    alone.
    """

    OWN = "own"
    OVERSEE = "oversee"
    ADMINISTER = "administer"
    APPROVE = "approve"
    END = "end"
    AUDIT = "audit"
    DELIVER = "deliver"


#: The roles that carry each duty. Ending only removes authority, so the most roles carry it.
ROLES: dict[Duty, frozenset[Role]] = {
    Duty.OWN: frozenset(),
    Duty.OVERSEE: frozenset(Role),
    Duty.ADMINISTER: frozenset({Role.ADMINISTRATOR}),
    Duty.APPROVE: frozenset({Role.APPROVER}),
    Duty.END: frozenset({Role.OPERATOR, Role.ADMINISTRATOR}),
    Duty.AUDIT: frozenset({Role.AUDITOR, Role.ADMINISTRATOR}),
    Duty.DELIVER: frozenset({Role.OPERATOR, Role.ADMINISTRATOR}),
}


def may(person: Person, duty: Duty) -> bool:
    """Return whether a person carries a duty."""
    return person.active and (duty is Duty.OWN or bool(ROLES[duty] & person.roles))


def require(person: Person, duty: Duty) -> None:
    """Raise `Forbidden` unless a person carries a duty."""
    if not may(person, duty):
        *others, last = sorted(role.value for role in ROLES[duty])
        roles = f"{', '.join(others)} or {last}" if others else last
        raise Forbidden(
            f"`{person.name}` has no role for this",
            code="role",
            remediation=f"ask someone with the role {roles}",
        )


def own_task(task: Task, person: Person) -> bool:
    """Return whether a task is a person's own: with the person's intent, or acting for the person."""
    return task.belongs_to(person.name)


def see_task(task: Task, person: Person) -> Task:
    """Return a task to a person who may see it; for others raise `NotFound`."""
    if not own_task(task, person) and not may(person, Duty.OVERSEE):
        raise NotFound(f"task `{task.id}` does not exist", remediation="see `remit task list`")
    return task


def end_task(task: Task, person: Person) -> Task:
    """Return a task to a person who may end it.

    Raises `Forbidden`, or `NotFound` where the person may not see the task.
    """
    see_task(task, person)
    if not own_task(task, person):
        require(person, Duty.END)
    return task


def see_closure(closure: Closure, task: Task | None, person: Person) -> Closure:
    """Return a closure to a person who may see it; for others raise `NotFound`.

    A person may see it with a role, or because the ended `task` is the person's own.
    """
    if not (task is not None and own_task(task, person)) and not may(person, Duty.OVERSEE):
        raise NotFound(f"closure `{closure.id}` does not exist", remediation="see `remit audit log`")
    return closure


def see_approval(approval: Approval, task: Task | None, person: Person) -> bool:
    """Return whether a person may see an approval request with its arguments.

    Approvers, auditors, and the person whose task it is may see it.
    """
    return (
        may(person, Duty.APPROVE)
        or may(person, Duty.AUDIT)
        or person.name in (approval.requested_for, approval.requested_by)
        or (task is not None and own_task(task, person))
    )


def see_data(person: Person) -> None:
    """Raise `Forbidden` unless a person may see which resources hold which data.

    Those who may see the arguments of calls, which name the resources, may see this too.
    """
    if not may(person, Duty.APPROVE):
        require(person, Duty.AUDIT)


def ask_about(person: Person, name: str, task: Task | None, agent: Agent | None) -> None:
    """Raise `NotFound` unless a person may ask who `name` is and what it may do."""
    own = (
        # A task or an agent that has a person's name is not that person.
        (name == person.name and task is None and agent is None)
        or (task is not None and own_task(task, person))
        or (agent is not None and agent.owned_by(person))
    )
    if not own and not may(person, Duty.OVERSEE):
        raise NotFound(
            f"`{name[:80]}` is not known here", remediation="give an agent, a task, a person or a token"
        )


def move_agent(agent: Agent, state: AgentState, person: Person) -> None:
    """Raise `Forbidden` unless a person may move an agent to a state.

    Its owner may take it out of service; only an administrator activates it.
    """
    if state is AgentState.ACTIVE or not agent.owned_by(person):
        require(person, Duty.ADMINISTER)


def see_finding(finding: Finding, agent: Agent | None, person: Person) -> bool:
    """Return whether a person may see a finding: with a role, or as the owner of the `agent` that it is
    about.
    """
    own = agent is not None and agent.name == finding.agent and agent.owned_by(person)
    return own or may(person, Duty.OVERSEE)
