# SPDX-License-Identifier: Apache-2.0
"""What is asked for when a task is opened or handed down, by whose word, and the rules that it must keep."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec

from remit.core.errors import ConfigInvalid, Forbidden, Malformed
from remit.core.identity.principals import Agent, Memberships, Person, person_of
from remit.core.json_value import Json
from remit.core.policy.bundle import Bundle
from remit.core.tasks.ceiling import AuthorityCut, CutBy
from remit.core.tasks.delegation_record import Delegation
from remit.core.tasks.grant import Grant, narrow
from remit.core.tasks.plan import Plan, PlanWish, read_plan
from remit.core.tasks.task import Budgets, Task, TaskType, check_parameters
from remit.core.tools.constraint import Verdict, load
from remit.core.tools.tool import RESERVED_OPERATIONS
from remit.ports.store.combined import TasksAndPrincipals

MAX_GOAL_CHARS = 8_000


class Opening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to open a task.

    `plan` lists what the work will need, tools and where known their arguments (`core.tasks.plan`). With
    `lease_s` above 0 the task ends unless it is renewed in time, with `idle_s` when it was not used for that
    many seconds. `manifest_digest` is the digest that the agent states for its manifest.
    """

    agent: str
    task_type: str
    goal: str = ""
    params: dict[str, Json] = {}
    on_behalf_of: str = ""
    plan: tuple[PlanWish, ...] | None = None
    lease_s: int = 0
    idle_s: int = 0
    manifest_digest: str = ""


class DelegatedOpening(msgspec.Struct, frozen=True, kw_only=True):
    """A request to delegate a task; omitted values are those of the parent.

    `grants` and `tools` narrow what the parent holds. With `task_type` the child has its own type, whose
    grants (for `params`), budgets and deadline bind as well. `brief` is the delegating agent's message to the
    other: it is kept in the evidence, and is never intent.
    """

    task_type: str = ""
    params: dict[str, Json] = {}
    grants: tuple[Grant, ...] | None = None
    tools: tuple[str, ...] | None = None
    budgets: Budgets = Budgets()
    deadline: datetime | None = None
    lease_s: int = 0
    brief: str = ""


class OpeningGrant(msgspec.Struct, frozen=True, kw_only=True):
    """The authority that opens a task: the speaker of its intent, its subject, and the record for it."""

    requested_by: str
    behalf: str = ""
    record: Delegation | None = None

    @property
    def people(self) -> frozenset[str]:
        """The people among them."""
        return frozenset({self.behalf, person_of(self.requested_by)} - {""})


def may_run(task_type: TaskType, agent: Agent) -> None:
    """Raise `Forbidden` unless the type permits the agent to run it."""
    wanted = {agent.name, *(f"group:{group}" for group in agent.groups)}
    if not wanted & set(task_type.run_by):
        raise Forbidden(
            f"agent `{agent.name}` may not run `{task_type.name}`",
            remediation=f"it is run by: {_named(task_type.run_by)}",
        )


def may_state(task_type: TaskType, person: Person) -> str:
    """Return the person as the speaker of the intent; raises `Forbidden` unless the type permits that."""
    wanted = {person.name, *(f"group:{group}" for group in person.groups)}
    if not person.active or not wanted & set(task_type.requested_by):
        raise Forbidden(
            f"`{person.name}` may not request `{task_type.name}`",
            remediation=f"it can be requested by: {_named(task_type.requested_by)}",
        )
    return person.name


def _named(names: Sequence[str]) -> str:
    """Return who is permitted, and where the members of a group are defined."""
    known = " (see `groups` in remit.yaml)" if any(map(_is_group, names)) else ""
    return ", ".join(names) + known


def _is_group(name: str) -> bool:
    return name.startswith("group:")


def states_itself(task_type: TaskType, agent: Agent) -> str:
    """Return the agent as the speaker of the intent.

    Raises `Forbidden` unless the agent is a permitted issuer of work that needs no person.
    """
    if f"agent:{agent.name}" not in task_type.requested_by:
        raise Forbidden(
            f"`{task_type.name}` must be requested by a person",
            remediation="let a signed-in person open the task",
        )
    if task_type.requires_person:
        raise Forbidden(
            f"`{task_type.name}` needs a person on whose behalf it runs",
            remediation="let that person open the task, or ask them for a delegation (`remit delegation "
            "add`)",
        )
    return f"agent:{agent.name}"


def issuer_states(task_type: TaskType, issuer: str) -> str:
    """Return an issuer as the speaker of the intent, which is then the type's purpose and nothing else.

    Raises `Forbidden` unless the type permits it.
    """
    if f"issuer:{issuer}" not in task_type.requested_by:
        raise Forbidden(
            f"issuer `{issuer}` may not request `{task_type.name}`",
            code="issuer-word",
            remediation=f"add `issuer:{issuer}` to `requested_by` of the task type",
        )
    return f"issuer:{issuer}"


def agreed(record: Delegation, given: Mapping[str, Json]) -> dict[str, Json]:
    """Return the parameters of a task under a delegation record.

    Raises `Forbidden` for parameters that the person has not left open.
    """
    for name, value in given.items():
        if name in record.params:
            if value != record.params[name]:
                raise Forbidden(
                    f"delegation `{record.id}` fixes the parameter `{name}`",
                    remediation="remove it, or ask the person for another delegation",
                )
        elif name not in record.open:
            raise Forbidden(
                f"delegation `{record.id}` does not let the agent choose the parameter `{name[:80]}`",
                remediation="remove it, or ask the person for another delegation",
            )
    return {**given, **record.params}


def filled(task_type: TaskType, given: dict[str, Json]) -> dict[str, Json]:
    """Return all parameters, checked by type and constraint; raises `Malformed`."""
    params = check_parameters(task_type, given)
    for name, value in params.items():
        written = task_type.parameters[name].constraint
        if written is None:
            continue
        constraint = load(written)
        if constraint.judge(value) is not Verdict.YES:
            raise Malformed(
                f"parameter `{name}` must {constraint.describe()}", remediation="give a value that fits"
            )
    return params


def granted(task_type: TaskType, params: dict[str, Json]) -> tuple[Grant, ...]:
    """Return the grants of a type for these parameters.

    Raises `Malformed` where a parameter could mean more than its place in the grant permits.
    """
    try:
        return tuple(grant.instantiate(params) for grant in task_type.grants)
    except ConfigInvalid as error:
        # The type was valid when it was applied: it is the value that does not fit into the grant.
        raise Malformed(error.message, code="parameter", remediation=error.remediation) from None


def planned(wished: tuple[PlanWish, ...] | None, grants: tuple[Grant, ...]) -> Plan | None:
    """Return the plan of a task with these grants.

    Raises `Forbidden` or `Malformed` for entries that the plan cannot hold.
    """
    return None if wished is None else read_plan(wished, {grant.tool for grant in grants})


def reaching(
    within: Collection[str] | None, tools: Collection[str] | None, grants: tuple[Grant, ...]
) -> tuple[Grant, ...]:
    """Return the grants at certain upstreams and of certain tools; raises `Forbidden` where none is left.

    Unlike a plan, such a limit is never extended. Operations that are not tools stay in a list of tools.
    """
    kept = tuple(
        grant
        for grant in grants
        if (within is None or grant.tool.partition("/")[0] in within)
        and (tools is None or grant.tool in tools or grant.tool.partition("/")[2] in RESERVED_OPERATIONS)
    )
    if grants and not kept:
        raise Forbidden(
            "the task has no grants at the requested resources",
            code="tool-not-granted",
            remediation="ask for resources where its type grants tools",
        )
    return kept


def within_ceilings(task: Task, bundle: Bundle) -> Task:
    """Return a task that is being opened without what ceilings take; raises `Forbidden` if none is left."""
    cuts = bundle.bounded(task)
    if not cuts:
        return task
    taken = {cut.tool for cut in cuts}
    kept = tuple(grant for grant in task.grants if grant.tool not in taken)
    if not kept:
        first = cuts[0]
        raise Forbidden(
            f"the ceiling of {first.bound.value} `{first.name}` leaves the task no grants",
            code="ceiling",
            remediation=f"open a task of another type, or change `ceilings` in remit.yaml: `{first.tool}` is "
            f"not granted because {first.because}",
        )
    plan = task.plan and tuple(one for one in task.plan if one.tool not in taken)
    return msgspec.structs.replace(task, grants=kept, plan=plan, cuts=(*task.cuts, *cuts))


def left_out(
    granted_by_type: tuple[Grant, ...], kept: tuple[Grant, ...], agent: str
) -> tuple[AuthorityCut, ...]:
    """Return the tools that a type grants, and that a request for less left out."""
    known = {grant.tool for grant in kept}
    names = dict.fromkeys(one.tool for one in granted_by_type if one.tool not in known)
    return tuple(AuthorityCut(CutBy.REQUEST, agent, name, "the request was for less") for name in names)


def wanted_of_type(task_type: TaskType, handing: DelegatedOpening) -> tuple[Grant, ...]:
    """Return the grants of a child's own type, narrowed by the rest of the request."""
    grants = granted(task_type, filled(task_type, handing.params))
    if handing.grants is None:
        return grants
    kept, refusals = narrow(grants, handing.grants)
    if refusals:
        first = refusals[0]
        raise Forbidden(
            f"`{task_type.name}` does not grant the request: {first.reason}",
            code="tool-not-granted",
            remediation=first.remediation,
        )
    return kept


def check_words(text: str, what: str) -> None:
    """Raise `Malformed` for a text that is too long."""
    if len(text) > MAX_GOAL_CHARS:
        raise Malformed(f"{what} has more than {MAX_GOAL_CHARS} characters", remediation="shorten it")


class OpeningAuthority:
    """Finds the authority by which a task may be opened."""

    def __init__(self, *, store: TasksAndPrincipals, members: Memberships, tenant: str) -> None:
        """Take the dependencies."""
        self._store = store
        self._members = members
        self._tenant = tenant

    async def of(
        self,
        task_type: TaskType,
        opening: Opening,
        person: Person | None,
        caller: Agent | None,
        now: datetime,
        issuer: str = "",
    ) -> OpeningGrant:
        """Return the authority by which a task is opened.

        INVARIANT: the person that the task is for has agreed: the person is signed in, or a record of the
        person is live. The speaker of the intent is a person that remit authenticated, or an issuer that the
        type permits. Where the task is for a person, the speaker is never the agent.
        """
        if issuer and person is not None:
            return OpeningGrant(requested_by=issuer_states(task_type, issuer), behalf=person.name)
        if person is not None:
            requested_by = may_state(task_type, person)
            behalf = opening.on_behalf_of or (person.name if task_type.requires_person else "")
            record = None
            if behalf and behalf != person.name:
                record = await self._record(task_type, opening, behalf, now)
                await self._still_states(task_type, record)
            return OpeningGrant(requested_by=requested_by, behalf=behalf, record=record)
        if caller is None:
            raise Forbidden(
                "no person or agent has requested the task", remediation="sign in, or send the agent's token"
            )
        if opening.on_behalf_of:
            record = await self._record(task_type, opening, opening.on_behalf_of, now)
            requested_by = await self._still_states(task_type, record)
            return OpeningGrant(requested_by=requested_by, behalf=record.person, record=record)
        return OpeningGrant(requested_by=states_itself(task_type, caller))

    async def _still_states(self, task_type: TaskType, record: Delegation) -> str:
        """Return the person of a record, who must still be permitted to state such work.

        A record permits nothing that its person is no longer permitted to have done.
        """
        found = await self._store.person(self._tenant, record.person)
        if found is None:
            raise Forbidden("the person of the delegation is no longer known")
        return may_state(task_type, self._members.of_person(found))

    async def _record(self, task_type: TaskType, opening: Opening, person: str, now: datetime) -> Delegation:
        """Return the newest live record by which a person lets the agent do this kind of work.

        The record must leave the given parameters open.
        """
        found = [
            one
            for one in await self._store.delegations(self._tenant, person=person, agent=opening.agent)
            # A record whose words were erased has lost its fixed parameters: it would permit more than was
            # agreed.
            if one.goal
            and one.live_at(now)
            and one.covers(person=person, agent=opening.agent, task_type=task_type.name)
        ]
        if not found:
            raise Forbidden(
                f"`{person[:80]}` has not delegated `{task_type.name}` to agent `{opening.agent[:80]}`",
                code="no-delegation",
                remediation="let that person open the task, or ask them for a delegation (`remit "
                "delegation add`)",
            )
        for one in found[:-1]:
            try:
                agreed(one, opening.params)
            except Forbidden:
                continue
            return one
        agreed(found[-1], opening.params)
        return found[-1]
