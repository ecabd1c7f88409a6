# SPDX-License-Identifier: Apache-2.0
"""Public representations of the interface, separate from the internal types."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from remit.core.decisions.approval import Approval
from remit.core.decisions.approvers import ApproverDemand
from remit.core.decisions.question import QuestionedValue
from remit.core.endings.closure import Cause, Closing, Closure, Indeterminate
from remit.core.errors import Malformed
from remit.core.identity.principals import Agent, AgentState, Person, Role
from remit.core.identity.workload import Binding
from remit.core.json_value import Json
from remit.core.replicas.replica import Acknowledgement
from remit.core.tasks.grant import Grant
from remit.core.tasks.sentences import AuthoritySentence
from remit.core.tasks.task import Task, TaskState, TaskType
from remit.core.tools.constraint import Constraint
from remit.core.tools.tool import Argument, ArgumentRole, Tool, ToolState

Moment = Annotated[datetime, msgspec.Meta(tz=True, description="RFC 3339, UTC")]
#: A time in a query, or nothing. A query is read leniently, and a number would be taken for a time.
MomentText = Annotated[
    str,
    msgspec.Meta(
        pattern="^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?"
        "(Z|[+-][0-9]{2}:[0-9]{2}))?$",
        max_length=40,
        description="RFC 3339, with a zone",
    ),
]


def read_moment(text: str) -> datetime | None:
    """Return the time of a query; `None` if none is given; raises `Malformed`."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        at = datetime.min.replace(tzinfo=UTC)
    if not 1970 <= at.year < 9000:
        raise Malformed(f"`{text[:40]}` is not a time", remediation="give one from 1970 on, as RFC 3339")
    return at


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all public representations."""


class PersonView(View, frozen=True, kw_only=True):
    """A person."""

    name: str
    roles: tuple[Role, ...]
    groups: tuple[str, ...]
    active: bool
    created: Moment


class AgentView(View, frozen=True, kw_only=True):
    """An agent with the bindings by which it may authenticate."""

    name: str
    owner: str
    purpose: str
    environment: str
    initiative: str
    groups: tuple[str, ...]
    state: AgentState
    bindings: tuple[Binding, ...]
    manifest_digest: str
    created: Moment
    created_by: str


class GrantView(View, frozen=True, kw_only=True):
    """A tool that a task may call or plans to call, and the conditions on its arguments in words."""

    tool: str
    says: tuple[str, ...]


class TaskView(View, frozen=True, kw_only=True):
    """A task in its current state.

    `sentences` say what the task may do, until when, and what was cut by which bound; lists leave them out.
    """

    id: str
    type: str
    agent: str
    owner: str
    on_behalf_of: str
    requested_by: str
    goal: str
    params: dict[str, Json]
    messages: int
    plan: tuple[GrantView, ...] | None
    grants: tuple[GrantView, ...]
    label: dict[str, Json]
    state: TaskState
    opened: Moment
    deadline: Moment
    lease_s: int
    ended: Moment | None
    end_reason: str
    bundle: str
    parent: str
    sentences: tuple[AuthoritySentence, ...]


class TaskTypeView(View, frozen=True, kw_only=True):
    """A task type of the policy bundle in force; `parameters` maps names to their type and description."""

    name: str
    purpose: str
    run_by: tuple[str, ...]
    requested_by: tuple[str, ...]
    parameters: dict[str, Json]
    tools: tuple[str, ...]
    deadline_s: int
    requires_person: bool


class ArgumentView(View, frozen=True, kw_only=True):
    """The description of a tool's argument, or of a part of one."""

    role: ArgumentRole
    sensitive: bool
    secret: bool
    personal: bool
    hands_over: bool
    handed_class: str
    one_time: dict[str, Json] | None
    least: tuple[Json, ...]
    within: str
    when: tuple[ArgumentCaseView, ...]


class ArgumentCaseView(View, frozen=True, kw_only=True):
    """The description of an argument in calls whose arguments meet certain conditions."""

    arguments: dict[str, Json]
    role: ArgumentRole
    secret: bool
    personal: bool
    hands_over: bool


class FieldView(View, frozen=True, kw_only=True):
    """The label of a field in a tool's results, and the conditions on adjacent fields under which it
    applies.
    """

    path: str
    label: dict[str, Json]
    when: dict[str, Json]
    withhold: bool
    own: bool
    leads: bool | None
    fact: str


class VariantView(View, frozen=True, kw_only=True):
    """The properties of a call whose arguments meet certain conditions."""

    arguments: dict[str, Json]
    effect: str
    audience: str
    production: bool


class ToolView(View, frozen=True, kw_only=True):
    """A registered tool; calls are refused in any `state` other than `pinned`.

    `unlisted` are arguments that the upstream offers and no file describes. `strange` are arguments that a
    file describes and the upstream does not offer.
    """

    tool: str
    upstream: str
    name: str
    state: ToolState
    described: bool
    tier: str
    effect: str
    audience: str
    label: dict[str, Json]
    arguments: dict[str, ArgumentView]
    fields: tuple[FieldView, ...]
    when: tuple[VariantView, ...]
    asked_by: tuple[str, ...]
    repeats: bool
    repeats_in: tuple[str, ...]
    stored_destination: dict[str, Json] | None
    single: bool
    sender: str
    sanitizes: bool
    unlisted: tuple[str, ...]
    strange: tuple[str, ...]
    resource: str
    record: str
    target: str
    production: bool
    financial: bool
    description: str
    digest: str
    observed: bool


class OfferView(View, frozen=True, kw_only=True):
    """What one answer may permit beyond the call that is shown.

    At most `most` calls until `until`: the arguments in `same` stay as shown, those in `texts` may hold other
    texts. `label` is the label of the task when the question was asked; later calls carry no more.
    """

    most: int
    until: Moment
    same: tuple[str, ...]
    texts: tuple[str, ...]
    label: dict[str, Json]


class AnswerView(View, frozen=True, kw_only=True):
    """A yes. `instead_of` is the absent approver in whose place the person answered; empty: the own one.

    `until` is the end that the person chose; null: none.
    """

    by: str
    instead_of: str
    at: Moment
    comment: str
    until: Moment | None


class ApprovalView(View, frozen=True, kw_only=True):
    """A question to a human about one exact call, and the answer.

    `rules` are pairs of ID and digest. `expires` is the time until which it may be answered and used; for an
    expired one, the time at which it expired. `questioned` are the values in question, each with its source.
    `offer` is what an answer may permit beyond the call; null: nothing. `most` is the number of calls that
    the answer permits, `used` how many of them were made. `step_up`: only a person who has just signed in
    with a passkey may approve. `narrowable` are the arguments that an answer may narrow: an amount by a
    `lower` one, a list by `fewer` elements, a path by one `below`. A narrowed question names the approval of
    the narrower call in `instead`; that approval names the question in `narrows`, and the changed arguments
    in `narrowed`. `overtaken` (`rules`, `provenance`, `approvers`, `agent`) says why an expired one was
    withdrawn.

    `approvers` are the people that the rules demand, by `group` (empty: any approver) and `count`; an empty
    list means one approver. `needed` is their number, and `answers` are the yeses so far: all of them to at
    most `agreed_most` calls, with the values of `agreed_less` instead of the ones that were asked about; a
    further yes must be to the same. `escalated` are further groups that may answer, because it was open for
    long. `broken_glass`: one person has approved it in place of those people.
    """

    id: str
    task: str
    agent: str
    requested_for: str
    tool: str
    call: str
    arguments: dict[str, Json]
    rules: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...]
    questioned: tuple[QuestionedValue, ...]
    state: str
    requested: Moment
    expires: Moment
    decided: Moment | None
    decided_by: str
    comment: str
    offer: OfferView | None
    most: int
    used: int
    step_up: bool
    narrowable: dict[str, str]
    instead: str
    narrows: str
    narrowed: tuple[str, ...]
    overtaken: str
    approvers: tuple[ApproverDemand, ...]
    needed: int
    answers: tuple[AnswerView, ...]
    agreed_most: int
    agreed_less: dict[str, Json]
    escalated: tuple[str, ...]
    broken_glass: bool


class ClosureView(View, frozen=True, kw_only=True):
    """The record of an end; `closed` means that nothing is left open.

    `acknowledged` maps every other replica to the milliseconds until its fence was in place; `None`: remit
    waited until its lease had run out.
    """

    id: str
    scope: str
    epoch: int
    reason: str
    cause: Cause
    ended_by: str
    at: Moment
    tasks: tuple[str, ...]
    closings: tuple[Closing, ...]
    indeterminate: tuple[Indeterminate, ...]
    fence_ms: float
    acknowledged: tuple[Acknowledgement, ...]
    closed: bool


def person_view(person: Person) -> PersonView:
    """Return the public representation of a person."""
    return PersonView(
        name=person.name,
        roles=tuple(sorted(person.roles)),
        groups=person.groups,
        active=person.active,
        created=person.created,
    )


def agent_view(agent: Agent) -> AgentView:
    """Return the public representation of an agent."""
    return AgentView(**{name: getattr(agent, name) for name in AgentView.__struct_fields__})


def task_view(task: Task, now: datetime, sentences: tuple[AuthoritySentence, ...] = ()) -> TaskView:
    """Return the public representation of a task; past its deadline it is shown as expired, even before that
    is recorded.
    """
    lapsed = task.state is TaskState.ACTIVE and now >= task.deadline
    return TaskView(
        id=task.id,
        type=task.type,
        agent=task.agent,
        owner=task.owner,
        on_behalf_of=task.on_behalf_of,
        requested_by=task.intent.requested_by,
        goal=task.intent.goal,
        params=task.intent.params,
        messages=len(task.intent.messages),
        plan=None if task.plan is None else _grants(task.plan),
        grants=_grants(task.grants),
        label=msgspec.to_builtins(task.label),
        state=TaskState.EXPIRED if lapsed else task.state,
        opened=task.opened,
        deadline=task.deadline,
        lease_s=task.lease_s,
        ended=task.ended,
        end_reason=task.end_reason,
        bundle=task.bundle,
        parent=task.parent,
        sentences=sentences,
    )


def _grants(grants: tuple[Grant, ...]) -> tuple[GrantView, ...]:
    return tuple(GrantView(tool=one.tool, says=tuple(one.describe())) for one in grants)


def task_type_view(task_type: TaskType) -> TaskTypeView:
    """Return the public representation of a task type."""
    return TaskTypeView(
        name=task_type.name,
        purpose=task_type.purpose,
        run_by=task_type.run_by,
        requested_by=task_type.requested_by,
        parameters={name: msgspec.to_builtins(one) for name, one in task_type.parameters.items()},
        tools=tuple(sorted({grant.tool for grant in task_type.grants})),
        deadline_s=task_type.deadline_s,
        requires_person=task_type.requires_person,
    )


def tool_view(tool: Tool, *, observed: bool) -> ToolView:
    """Return the public representation of a tool."""
    description = tool.surface.get("description")
    return ToolView(
        tool=tool.id,
        upstream=tool.upstream,
        name=tool.name,
        state=tool.state,
        described=tool.described,
        tier=tool.tier.word,
        effect=tool.effect.value,
        audience=tool.audience.name,
        label=msgspec.to_builtins(tool.label),
        arguments={name: _argument_view(argument) for name, argument in tool.arguments.items()},
        fields=tuple(
            FieldView(
                path=one.path,
                label=msgspec.to_builtins(one.label),
                when=_rules(one.when),
                withhold=one.withheld is not None,
                own=one.own,
                leads=one.leads,
                fact=one.fact,
            )
            for one in tool.fields
        ),
        when=tuple(
            VariantView(
                arguments=_rules(one.arguments),
                effect=(one.effect or tool.effect).value,
                audience=(one.audience or tool.audience).name,
                production=one.of(tool).production,
            )
            for one in tool.variants
        ),
        asked_by=tool.asked_by,
        repeats=tool.repeats,
        repeats_in=tool.repeats_in,
        stored_destination=None
        if tool.stored_destination is None
        else msgspec.to_builtins(tool.stored_destination),
        single=tool.single,
        sender=tool.sender,
        sanitizes=tool.sanitizes,
        unlisted=tool.unlisted,
        strange=tool.strange,
        resource=tool.resource,
        record=tool.record,
        target=tool.target,
        production=tool.production,
        financial=tool.financial,
        description=description if isinstance(description, str) else "",
        digest=tool.surface_digest,
        observed=observed,
    )


def _argument_view(argument: Argument) -> ArgumentView:
    cases = tuple(
        ArgumentCaseView(
            arguments=_rules(one.arguments),
            role=(now := one.of(argument)).role,
            secret=now.secret,
            personal=now.personal,
            hands_over=now.hands_over,
        )
        for one in argument.when
    )
    one_time = None if argument.one_time is None else msgspec.to_builtins(argument.one_time)
    return ArgumentView(**{**msgspec.structs.asdict(argument), "when": cases, "one_time": one_time})


def _rules(rules: Mapping[str, Constraint]) -> dict[str, Json]:
    return {name: one.spec() for name, one in rules.items()}


def approval_view(approval: Approval) -> ApprovalView:
    """Return the public representation of an approval."""
    offer = approval.offer
    computed: dict[str, Any] = {
        "state": approval.state.value,
        "rules": tuple((rule.id, rule.digest) for rule in approval.rules),
        "offer": offer
        and OfferView(
            most=offer.most,
            until=offer.until,
            same=offer.same,
            texts=offer.texts,
            label=offer.label.facts,
        ),
        "most": approval.bounds.most if approval.bounds else 1,
        "overtaken": approval.overtaken.value if approval.overtaken else "",
        "narrowable": {name: how.value for name, how in approval.narrowable.items()},
        "answers": tuple(
            AnswerView(**{name: getattr(one, name) for name in AnswerView.__struct_fields__})
            for one in approval.answers
        ),
    }
    kept = (name for name in ApprovalView.__struct_fields__ if name not in computed)
    return ApprovalView(**{name: getattr(approval, name) for name in kept}, **computed)


def closure_view(closure: Closure) -> ClosureView:
    """Show a closure."""
    return ClosureView(**{name: getattr(closure, name) for name in ClosureView.__struct_fields__})
