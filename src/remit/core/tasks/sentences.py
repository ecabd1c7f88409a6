# SPDX-License-Identifier: Apache-2.0
"""What a task may do, in sentences that a person can check: its grants, limits and end, and what was cut.

INVARIANT: the sentences are made from what is enforced. Every grant, condition, budget and ceiling of the
task is in a sentence, complete, and no sentence promises more than they permit.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from remit.core.tasks.ceiling import CutBy
from remit.core.tasks.grant import Grant, Layer
from remit.core.tasks.model_prices import NO_PRICES, ModelPrices
from remit.core.tasks.plan import tools_of
from remit.core.tasks.task import Task, TaskType
from remit.core.tools.constraint import decode
from remit.core.tools.constraint.conditions import argument, joined, quoted
from remit.core.tools.tier_reasons import deed, discloses
from remit.core.tools.tool import Tool


class SentenceKind(enum.StrEnum):
    """What a sentence is about."""

    WHO = "who"
    MAY = "may"
    LIMIT = "limit"
    NEVER = "never"
    END = "end"
    CUT = "cut"


class AuthoritySentence(msgspec.Struct, frozen=True):
    """One sentence about a task; `tool` names the tool that it is about, `bound` the bound that cut."""

    kind: SentenceKind
    text: str
    tool: str = ""
    bound: str = ""


def authority_sentences(
    task: Task,
    task_type: TaskType | None,
    tool_named: Callable[[str], Tool],
    *,
    now: datetime,
    observed: Collection[str] = (),
    prices: ModelPrices = NO_PRICES,
) -> tuple[AuthoritySentence, ...]:
    """Return the sentences of a task; `task_type` is its type as it is in force, if there is one.

    `observed` are the upstreams in observe mode, `prices` those of models.
    """
    found = [AuthoritySentence(SentenceKind.WHO, _who(task))]
    if not task.active_at(now):
        return (*found, AuthoritySentence(SentenceKind.NEVER, "It has ended, and may do nothing any more."))
    for grant in task.grants:
        found += _grant(grant, tool_named(grant.tool))
    if not task.grants:
        found.append(AuthoritySentence(SentenceKind.MAY, "It may call nothing."))
    found += (AuthoritySentence(SentenceKind.LIMIT, text) for text in _limits(task, prices))
    found += (AuthoritySentence(SentenceKind.NEVER, text) for text in _never(task_type))
    found.append(AuthoritySentence(SentenceKind.NEVER, _REST))
    if observed:
        names = joined([f"`{one}`" for one in sorted(observed)])
        text = f"Except at {names}, in observe mode: there remit decides and records, and refuses nothing."
        found.append(AuthoritySentence(SentenceKind.NEVER, text))
    found += (AuthoritySentence(SentenceKind.END, text) for text in _ends(task))
    found += _cuts(task, task_type)
    return tuple(found)


_REST = (
    "Everything else is refused, and so is every value that remit cannot judge. The policies in force decide "
    "each call as well: they can refuse it or ask a person, and they add nothing."
)


def _who(task: Task) -> str:
    goal, speaker = task.intent.goal or "forgotten", task.intent.requested_by
    for_whom = f"for `{task.on_behalf_of}`" if task.on_behalf_of else "for no person"
    stated = "its own" if speaker == f"agent:{task.agent}" else f"stated by `{speaker}`"
    return f"Agent `{task.agent}` of `{task.owner}` works {for_whom}. The goal, {stated}: {quoted(goal)}."


# Grants.


def _grant(grant: Grant, tool: Tool) -> Iterator[AuthoritySentence]:
    shown = discloses(tool)
    conditions = tuple(dict.fromkeys(one for layer in grant.layers for one in _conditions(layer)))
    where = f", provided that {', and '.join(conditions)}" if conditions else ""
    learns = f"; {shown}" if shown else ""
    text = f"It may {deed(tool)} `{grant.tool}`{where}{_others(grant)}{learns}."
    yield AuthoritySentence(SentenceKind.MAY, text, grant.tool)
    if grant.calls is not None:
        text = f"It may call `{grant.tool}` at most {_times(grant.calls)} under this grant."
        yield AuthoritySentence(SentenceKind.LIMIT, text, grant.tool)
    for name, total in grant.amounts.items():
        text = (
            f"`{quoted(name)[1:-1]}` of `{grant.tool}` is a number of at least 0 in each call, and all calls "
            f"under this grant add up to at most {quoted(total)}."
        )
        yield AuthoritySentence(SentenceKind.LIMIT, text, grant.tool)
    for top in grant.result_classes:
        text = f"It may call `{grant.tool}` only where no result can be above the data class {top}."
        yield AuthoritySentence(SentenceKind.LIMIT, text, grant.tool)


def _conditions(layer: Layer) -> list[str]:
    return [argument(name, decode(written)) for name, written in layer.arguments.items()]


def _others(grant: Grant) -> str:
    """Return what holds for the arguments that no condition names."""
    closed = [
        {*layer.arguments, *layer.ceilings.amount} for layer in grant.layers if not layer.other_arguments
    ]
    if not closed:
        return "; other arguments may be anything"
    names = set.intersection(*closed)
    if names == {name for layer in grant.layers for name in layer.arguments}:
        return "; it takes no other arguments" if names else "; it takes no arguments"
    told = joined([f"`{quoted(one)[1:-1]}`" for one in sorted(names)]) if names else "none"
    return f"; the arguments that it takes at all: {told}"


def _times(count: int) -> str:
    return {1: "once"}.get(count, f"{count} times")


# Limits.


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count} calls"


def _limits(task: Task, prices: ModelPrices) -> Iterator[str]:
    budgets = task.budgets
    if budgets.calls is not None:
        yield f"It may make at most {_calls(budgets.calls)} in all."
    if budgets.effectful_calls == 0:
        yield "It may make no call that changes something."
    elif budgets.effectful_calls is not None:
        yield f"It may make at most {_calls(budgets.effectful_calls)} that change something."
    if budgets.result_bytes is not None:
        yield f"Once its results have {budgets.result_bytes:,} bytes in all, no further call is permitted."
    if budgets.sent_bytes is not None:
        most = f"{budgets.sent_bytes:,} bytes"
        yield f"What its calls send to anyone but itself may have at most {most} in all."
    if budgets.tokens is not None:
        yield f"Once its agent has reported {budgets.tokens:,} model tokens, no further call is permitted."
    if budgets.spend is not None:
        spent = prices.shown(budgets.spend)
        yield f"Once its reported model calls have cost {spent}, no further call is permitted."
    if (planned := tools_of(task.plan)) is not None:
        names = joined([f"`{one}`" for one in planned]) if planned else "nothing"
        yield f"Its plan names {names}; what the plan does not have is refused until the plan is extended."
    if task.runbook is not None:
        approved, review = joined(task.runbook.approved_by), joined(task.runbook.review_by)
        yield f"Its steps were approved in advance by {approved}; afterwards {review} reviews it."
    yield from _hand_down(task)


def _hand_down(task: Task) -> Iterator[str]:
    if task.lineage:
        yield f"It was handed down by `{task.lineage[0].agent}`, and each of its calls counts there as well."
    rules = task.delegates
    names = set(rules[0].to).intersection(*(rule.to for rule in rules[1:])) if rules else set()
    depth = min((rule.max_depth for rule in rules), default=0)
    if not names or depth < 1:
        yield "It may hand no work down to another agent."
    else:
        deep = "one level" if depth == 1 else f"at most {depth} levels"
        yield f"It may hand work down to {joined([f'`{one}`' for one in sorted(names)])}, {deep} deep."


def _never(task_type: TaskType | None) -> Iterator[str]:
    if task_type is None:
        return
    if task_type.withhold.above:
        yield f"It never sees data above the class {task_type.withhold.above}."
    if task_type.withhold.categories:
        names = sorted(task_type.withhold.categories)
        yield f"It never sees data of the {'category' if len(names) == 1 else 'categories'} {joined(names)}."


# The end.


def _ends(task: Task) -> Iterator[str]:
    lasts = span(task.deadline - task.opened)
    yield f"It ends on {moment(task.deadline)} at the latest, {lasts} after its start."
    if task.ends_after:
        names = joined([f"`{one}`" for one in task.ends_after], "or")
        yield f"It ends with the first call of {names} that succeeds, or may have succeeded."
    if task.lease_s:
        yield f"It ends when its program has not renewed it for {span(timedelta(seconds=task.lease_s))}."
    if task.idle_s:
        yield f"It ends when it was not used for {span(timedelta(seconds=task.idle_s))}."
    if task.ends_spent:
        yield "It ends once its budget is used up."
    if task.lineage:
        yield "It ends with the task that handed it down."


def moment(at: datetime) -> str:
    """Return a time as a person writes it, in UTC."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y at %H:%M:%S} UTC"


def span(length: timedelta) -> str:
    """Return a duration in whole units."""
    left, parts = int(length.total_seconds()), []
    for name, size in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}{'s' if count > 1 else ''}")
    return joined(parts) if parts else "no time"


# What was cut, and by which bound.


def _cuts(task: Task, task_type: TaskType | None) -> Iterator[AuthoritySentence]:
    for cut in task.cuts:
        whose = {
            CutBy.REQUEST: "It was not asked for",
            CutBy.AGENT: f"The ceiling of agent `{cut.name}` took it",
            CutBy.OWNER: f"The ceiling of owner `{cut.name}` took it",
            CutBy.PERSON: f"The ceiling of person `{cut.name}` took it",
        }[cut.bound]
        text = f"`{cut.tool}` is granted by the task type and not to this task. {whose}: {cut.because}."
        yield AuthoritySentence(SentenceKind.CUT, text, cut.tool, cut.bound.value)
    if task_type is None or task.lineage:
        return
    yield from _fixed(task, task_type)
    latest = task.opened + timedelta(seconds=task_type.deadline_s)
    if task.delegation and task.deadline < latest:
        text = (
            f"Its type would let it last until {moment(latest)}; the delegation of `{task.speaker}` ends "
            "before that."
        )
        yield AuthoritySentence(SentenceKind.CUT, text, "", CutBy.PERSON.value)


def _fixed(task: Task, task_type: TaskType) -> Iterator[AuthoritySentence]:
    """Yield what parameters narrow: the type allows a range of values, and this task has one."""
    by = task.speaker or task.agent
    for name, value in task.intent.params.items():
        spec = task_type.parameters.get(name)
        tools = dict.fromkeys(one.tool for one in task_type.grants if name in one.placeholders)
        held = [tool for tool in tools if task.grants_for(tool)]
        if spec is None or not held:
            continue
        told = f"By its type, {argument(name, decode(spec.constraint))}. " if spec.constraint else ""
        where = joined([f"`{tool}`" for tool in held])
        bound = CutBy.PERSON.value if task.speaker else CutBy.AGENT.value
        text = f"{told}`{by}` fixed `{name}` at {quoted(value)}, which narrows {where}."
        yield AuthoritySentence(SentenceKind.CUT, text, "", bound)
