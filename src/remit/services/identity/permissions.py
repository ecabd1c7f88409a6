# SPDX-License-Identifier: Apache-2.0
"""Who may manage what: the duties of people, and what is a person's own.

Every door that lets people manage remit asks here. What an approver or an administrator may not do
(approve what was asked for them, change who they are) stands with the value that it protects.
"""

from __future__ import annotations

import enum

from remit.core.decisions.approval import Approval
from remit.core.endings.closure import Closure
from remit.core.errors import Forbidden, NotFound
from remit.core.identity.principals import Agent, Person, Role
from remit.core.tasks.task import Task


class Duty(enum.StrEnum):
    """A kind of management action. `own`: everybody who is signed in, about what is theirs alone."""

    OWN = "own"
    OVERSEE = "oversee"
    ADMINISTER = "administer"
    APPROVE = "approve"
    END = "end"
    AUDIT = "audit"


#: The roles that carry each duty. Ending only ever takes authority away, so it has the most hands.
ROLES: dict[Duty, frozenset[Role]] = {
    Duty.OWN: frozenset(),
    Duty.OVERSEE: frozenset(Role),
    Duty.ADMINISTER: frozenset({Role.ADMINISTRATOR}),
    Duty.APPROVE: frozenset({Role.APPROVER}),
    Duty.END: frozenset({Role.OPERATOR, Role.ADMINISTRATOR}),
    Duty.AUDIT: frozenset({Role.AUDITOR, Role.ADMINISTRATOR}),
}


def may(person: Person, duty: Duty) -> bool:
    """Whether a person carries a duty."""
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
    """Whether a task is a person's own: its intent is theirs, or it is done for them."""
    return person.name in (task.intent.requested_by, task.on_behalf_of)


def see_task(task: Task, person: Person) -> Task:
    """Return a task to a person who may see it; to others there is none (`NotFound`)."""
    if not own_task(task, person) and not may(person, Duty.OVERSEE):
        raise NotFound(f"task `{task.id}` does not exist", remediation="see `remit task list`")
    return task


def end_task(task: Task, person: Person) -> Task:
    """Return a task to a person who may end it; raises `Forbidden`, or `NotFound` where it may not be
    seen.
    """
    see_task(task, person)
    if not own_task(task, person):
        require(person, Duty.END)
    return task


def see_closure(closure: Closure, task: Task | None, person: Person) -> Closure:
    """Return a closure to a person who may see it: with a role, or because what was ended is their own
    `task`; to others there is none (`NotFound`).
    """
    if not (task is not None and own_task(task, person)) and not may(person, Duty.OVERSEE):
        raise NotFound(f"closure `{closure.id}` does not exist", remediation="see `remit audit log`")
    return closure


def see_approval(approval: Approval, task: Task | None, person: Person) -> bool:
    """Whether a person may see what is asked, arguments included: approvers, auditors, and whose task it
    is.
    """
    return (
        may(person, Duty.APPROVE)
        or may(person, Duty.AUDIT)
        or approval.requested_for == person.name
        or (task is not None and own_task(task, person))
    )


def see_data(person: Person) -> None:
    """Raise `Forbidden` unless a person may see which resources hold what: those who may see the arguments of
    calls, which name them.
    """
    if not may(person, Duty.APPROVE):
        require(person, Duty.AUDIT)


def ask_about(person: Person, name: str, task: Task | None, agent: Agent | None) -> None:
    """Raise `NotFound` unless a person may ask who `name` is and what it can do."""
    own = (
        # A task or an agent of somebody's name is not that person.
        (name == person.name and task is None and agent is None)
        or (task is not None and own_task(task, person))
        or (agent is not None and agent.owned_by(person))
    )
    if not own and not may(person, Duty.OVERSEE):
        raise NotFound(
            f"`{name[:80]}` is not known here", remediation="give an agent, a task, a person or a token"
        )
