# SPDX-License-Identifier: Apache-2.0
"""Events of tasks: opening them, what is added to them, and their end."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, UnsetType, field

from remit.core.endings.closure import Cause
from remit.core.evidence.event import EventBody, EventKind, Sealed
from remit.core.evidence.events.fields import By, Further, Reason, RefusalCode
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tasks.task import TaskState


class TaskOpened(EventBody, kw_only=True):
    """A task was opened."""

    KIND = EventKind.TASK_OPENED
    task_type: Annotated[str, "its type"]
    authority: Annotated[str, "digest over all its grants"]
    tools: Annotated[list[str], "the tools that it may call"]
    deadline: Annotated[str, "its deadline"]
    bundle: Annotated[str, "digest of the policy policy bundle at its opening"]
    lease_s: Annotated[int, "lease in seconds: the task ends unless renewed; 0 for none"]
    parent: Annotated[str, "the parent task"] = ""
    chain: Annotated[list[str], "the agents of the chain, the acting one first"] = []
    delegation: Annotated[str, "the delegation record of the person"] = ""
    plan: Annotated[list[str] | UnsetType, "the tools in the agent's plan, if it made one"] = UNSET
    goal: Annotated[str, Sealed("the intent as text")]
    brief: Annotated[str, Sealed("the text of the agent that delegated it")] = ""
    params: Annotated[dict[str, Json], Sealed("its parameters")]
    requested_by: Annotated[str, Sealed("the requester")]
    on_behalf_of: Annotated[str, Sealed("the person that the task is for")]
    terms: Annotated[
        dict[str, Json],
        Sealed("its grants, budgets, chain and plan, and its agent, so that its calls can be decided again"),
    ] = {}


class TaskRefused(EventBody, kw_only=True):
    """A task was asked for and not opened."""

    KIND = EventKind.TASK_REFUSED
    agent: Annotated[str, "the agent"]
    task_type: Annotated[str, "the task type"]
    parent: Annotated[str | UnsetType, "the task that was to be delegated"] = UNSET
    code: RefusalCode
    further: Further = 0
    reason: Annotated[str, Sealed("the reason as text")]


class TaskTakenOver(EventBody, kw_only=True):
    """Another replica owns the task and all that was handed down from it; what it had met before is unknown
    from here on.
    """

    KIND = EventKind.TASK_TAKEN_OVER
    replica: Annotated[str, "the id of the owner"]
    epoch: Annotated[int, "number of its owners so far"]


class TaskMessage(EventBody, kw_only=True):
    """The person who stated the intent added to it."""

    KIND = EventKind.TASK_MESSAGE
    text: Annotated[str, Sealed("what they said")]
    heard_in: Annotated[str, "the task of the guarded session that brought the words; absent: none did"] = ""


class PlanExtended(EventBody, kw_only=True):
    """The plan of a task grew; the decision that let it is the event before, of the tool `remit/plan`."""

    KIND = EventKind.PLAN_EXTENDED
    tools: Annotated[list[str], "the tools that were added"]
    declared: Annotated[bool, "`true`: the task had no plan before"]
    data_class: Annotated[str, "data class that the task carried"] = field(name="class")
    trust: Annotated[Trust, "`untrusted` if it had read untrusted data"]
    read: Annotated[
        list[list[Json]], "the calls that brought untrusted data, each with its tool, the first ones"
    ]
    add: Annotated[Json, Sealed("the added entries, with their arguments")]
    by: By


class TaskNarrowed(EventBody, kw_only=True):
    """A task holds less than before: its bundle gives it no more. Tokens from before open nothing any
    more.
    """

    KIND = EventKind.TASK_NARROWED
    lost: Annotated[list[str], "the tools that were withdrawn"]
    narrowed: Annotated[list[str], "the tools whose grants permit less than before"]
    authority: Annotated[str, "digest of the task's remaining grants, and the reason"]
    deadline: Annotated[str, "its deadline"]
    bundle: Annotated[str, "digest of the policy bundle in force"]
    cause: Annotated[Cause, "`policy`"]
    terms: Annotated[dict[str, Json], Sealed("what it may do from here on, as in `task.opened`")] = {}


class TaskSuspended(EventBody, kw_only=True):
    """A task was suspended: no call of it, or of a task below it, is permitted until it is resumed."""

    KIND = EventKind.TASK_SUSPENDED
    under_way: Annotated[int, "its calls that were permitted before and have no outcome yet, as known here"]
    reason: Reason
    by: By


class TaskResumed(EventBody, kw_only=True):
    """A suspended task goes on."""

    KIND = EventKind.TASK_RESUMED
    reason: Reason
    by: By


class TaskEnded(EventBody, kw_only=True):
    """A task ended; nothing of it is permitted any more."""

    KIND = EventKind.TASK_ENDED
    state: Annotated[TaskState, "`completed`, `revoked` or `expired`"]
    reason: Reason
    cause: Annotated[Cause, "the reason, one of a closed set"]
    by: By


class ModelUsed(EventBody, kw_only=True):
    """An agent reported a model call of its task; nothing but its word says that the numbers are right."""

    KIND = EventKind.MODEL_USED
    model: Annotated[str, "the model's name"]
    input_tokens: Annotated[int, "tokens that the model read"]
    output_tokens: Annotated[int, "tokens that the model wrote"]
    span: Annotated[str, "trace id and span id of the report"]
    cached_tokens: Annotated[int | UnsetType, "of those that it read: from a cache"] = UNSET
    cache_write_tokens: Annotated[int | UnsetType, "of those that it read: put into a cache"] = UNSET
    cost: Annotated[int | UnsetType, "in millionths of `currency`, where models have prices"] = UNSET
    currency: Annotated[str | UnsetType, "of the table of prices"] = UNSET
    priced_as: Annotated[str | UnsetType, "entry of that table; empty: no entry, the highest prices"] = UNSET
