# SPDX-License-Identifier: Apache-2.0
"""Events of calls: the decision, the question to a person, and how the call ended."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, UnsetType, field

from remit.core.evidence.event import CallOutcome, EventBody, EventKind, Sealed
from remit.core.evidence.events.fields import By, Person, ToolName
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.tool import Effect


class DecisionMade(EventBody, kw_only=True):
    """A call was decided, before anything was sent."""

    KIND = EventKind.DECISION_MADE
    tool: ToolName
    outcome: Annotated[str, "`permit`, `deny` or `defer` (to an approver)"]
    tier: Annotated[str, "computed tier of the call"]
    effect: Annotated[Effect, "what the call changes"]
    audience: Annotated[str, "audience of its arguments"]
    assurance: Annotated[str, "the agent's assurance level"]
    method: Annotated[str, "the agent's proof of identity"] = ""
    chain: Annotated[
        list[str], "the agents of the chain, the acting one first, where the task was delegated"
    ] = []
    sender: Annotated[str, "what binds the token to its sender: `dpop`, `mtls`, or `bearer` if it is unbound"]
    sender_constraint: Annotated[
        str, "`optional`: the configuration requires no such binding at this upstream"
    ] = ""
    data_class: Annotated[str, "data class that the task carried"] = field(name="class")
    categories: Annotated[list[str], "categories of that data"] = []
    rules: Annotated[list[list[str]], "the deciding rules, each with the digest of its text"]
    reasons: Annotated[list[dict[str, str]], "stable codes of the reasons, each with its rule"] = []
    approval: Annotated[str, "the approval that was asked for or used"] = ""
    approval_left: Annotated[
        int | UnsetType, "the calls that are left under a bounded approval, after this one"
    ] = UNSET
    observed: Annotated[bool, "`true`: refused in observe mode, so the call continued"] = False
    enforced_by: Annotated[str, "the enforcement point that asked and makes the call"] = ""
    asked_with: Annotated[str, "what binds its own token: `dpop`, `mtls`, or `bearer` if it is unbound"] = ""
    valid_until: Annotated[str, "expiry of a permit for an enforcement point"] = ""
    bundle: Annotated[str, "digest of the policy bundle that decided"]
    obligations: Annotated[list[str], "what the permit demands beside the call"] = []
    follows: Annotated[str, "the decision on the call that this input continues"] = ""
    number: Annotated[int, "number of this call among the task's permitted calls, from 1"] = 0
    flow: Annotated[
        list[dict[str, Json]],
        "provenance of each argument: where the intent states it, and the earlier calls that it came from "
        "(number, decision, tool, field, trust)",
    ] = []
    rest: Annotated[
        list[dict[str, Json]],
        "calls that wrote the data that it reads: upstream, task, agent, decision, tool, number, trust, "
        "class",
    ] = []
    facts: Annotated[
        dict[str, Json],
        "what policies could read and no other event says: `flow`, where it is not as usual, `categories`, "
        "`untrusted` and `zones` of the task's label, `crossings`, `history`, a digest of the agent's facts, "
        "and its state if it is not `active`; with them the call can be decided again under other policies",
    ] = {}
    arguments: Annotated[Json, Sealed("the call's arguments; very large arguments as a digest")]
    record_facts: Annotated[
        dict[str, Json], Sealed("facts of the person's record that policies could read", "record")
    ] = {}
    reason_texts: Annotated[list[str], Sealed("the reasons in words", "reasons")] = []
    remedies: Annotated[list[str], Sealed("what would help, for each reason", "remedies")] = []
    stated_reason: Annotated[str, Sealed("why the agent makes the call, in its own words")] = ""
    rest_resources: Annotated[
        list[str], Sealed("the resources that the calls in `rest` wrote to, in order", "rest")
    ] = []


class NotificationDue(EventBody, kw_only=True):
    """A permit demands that an addressee is notified of the call; the notification follows."""

    KIND = EventKind.NOTIFICATION_DUE
    addressee: Annotated[str, "its name under `notify`"]
    tool: ToolName
    task_type: Annotated[str, "the type of the task"]
    rules: Annotated[list[str], "the rules that permit the call"]


class RefusalsCounted(EventBody, kw_only=True):
    """A task was refused more often than is written one by one."""

    KIND = EventKind.REFUSALS_COUNTED
    count: Annotated[int, "refused calls that were only counted"]
    codes: Annotated[list[str], "stable codes of their reasons, the ten most frequent ones"]
    tools: Annotated[list[str], "their tools: the ten most frequent ones that exist, then other names"] = []
    times: Annotated[list[int], "how often each of the tools, as far as it was counted"] = []


class ToolCalled(EventBody, kw_only=True):
    """A permitted call ended, or was found unfinished after a crash."""

    KIND = EventKind.TOOL_CALLED
    tool: ToolName
    outcome: Annotated[
        CallOutcome,
        "`ok`, `tool-error`, `protocol-error`, `not-sent`; `unknown`: the call may have taken effect",
    ]
    result_bytes: Annotated[int | UnsetType, "size of the result"] = UNSET
    ended_by: Annotated[str, "what ended the call, if not its answer"] = ""
    observed: Annotated[bool, "`true`: refused in observe mode"] = False
    enforced_by: Annotated[str, "the enforcement point that made the call and reported the outcome"] = ""
    withheld: Annotated[list[str], "fields of the result that the task did not get; `*`: the whole"] = []


class CallCancelled(EventBody, kw_only=True):
    """A call that went on after its answer was asked to stop."""

    KIND = EventKind.CALL_CANCELLED
    tool: ToolName
    by: Annotated[
        str,
        "who or what cancelled it: `agent`, `fence`, `expired`, or `agent` if the agent hung up before it "
        "had the handle",
    ]


class DataRead(EventBody, kw_only=True):
    """A call without effect gave data."""

    KIND = EventKind.DATA_READ
    tool: ToolName
    data_class: Annotated[str, "declared class of the data"] = field(name="class")
    categories: Annotated[list[str], "its declared categories"]
    trust: Annotated[Trust, "whether its source is trusted"]
    record: Annotated[Json, Sealed("the record")]


class ActionExecuted(EventBody, kw_only=True):
    """A call with an effect was sent."""

    KIND = EventKind.ACTION_EXECUTED
    tool: ToolName
    effect: Annotated[Effect, "`reversible` or `irreversible`"]
    audience: Annotated[str, "audience of its arguments"]
    outcome: Annotated[CallOutcome, "as in `tool.called`"]
    target: Annotated[Json, Sealed("the resource that it acted on")]


class ApprovalRequested(EventBody, kw_only=True):
    """A call was deferred to a human."""

    KIND = EventKind.APPROVAL_REQUESTED
    approval: Annotated[str, "the approval's id"]
    tool: ToolName
    call: Annotated[str, "digest over task, tool and arguments"]
    rules: Annotated[
        list[list[str]],
        "the rules that an approval waives, each with the digest of its text",
    ]
    arguments: Annotated[Json, Sealed("the call's arguments")]


class ApprovalDecided(EventBody, kw_only=True):
    """A human answered, or withdrew an answer; or a question ended without one."""

    KIND = EventKind.APPROVAL_DECIDED
    approval: Annotated[str, "the approval's id"]
    state: Annotated[str, "`approved`, `denied`, `narrowed`, `withdrawn`, or `expired` without an answer"]
    call: Annotated[str, "digest over task, tool and arguments"]
    tool: ToolName
    by: By
    most: Annotated[int, "of a bounded approval: the most calls that it permits"] = 0
    until: Annotated[str, "of a bounded approval: its end"] = ""
    same: Annotated[list[str], "of a bounded approval: the arguments that stay as shown"] = []
    used: Annotated[int, "of a bounded approval: the calls that it has permitted so far"] = 0
    overtaken: Annotated[
        str,
        "of one that was withdrawn: `rules` or `provenance`, which are not those that were shown, "
        "`approvers`, who may not approve any more, or by its `agent`",
    ] = ""
    instead: Annotated[str, "of a narrowed question: the approval of the narrower call"] = ""
    instead_call: Annotated[str, "of a narrowed question: the digest of the narrower call"] = ""
    narrowed: Annotated[list[str], "of a narrowed question: the arguments that the approver narrowed"] = []
    given: Annotated[int, "of an approval by several people: how many have approved it"] = 0
    broken_glass: Annotated[
        bool, "`true`: one person approved in place of the people that the rules demand"
    ] = False
    instead_of: Annotated[str, Sealed("the absent approver in whose place the person answered")] = ""
    comment: Annotated[str, Sealed("the approver's comment")]


class ApprovalAnswered(EventBody, kw_only=True):
    """A person approved a call that needs further people; nothing is permitted yet."""

    KIND = EventKind.APPROVAL_ANSWERED
    approval: Annotated[str, "the approval's id"]
    call: Annotated[str, "digest over task, tool and arguments"]
    tool: ToolName
    given: Annotated[int, "how many people have approved it, this one included"]
    needed: Annotated[int, "how many are needed"]
    most: Annotated[int, "the most calls that they approve, if more than this one"] = 1
    narrowed: Annotated[list[str], "the arguments that they narrow"] = []
    until: Annotated[str, "the end that this person chose"] = ""
    by: By
    instead_of: Annotated[str, Sealed("the absent approver in whose place the person answered")] = ""
    comment: Annotated[str, Sealed("the approver's comment")] = ""


class ApprovalEscalated(EventBody, kw_only=True):
    """A question was open for too long: a further group may answer it, too. Nothing is approved by that."""

    KIND = EventKind.APPROVAL_ESCALATED
    approval: Annotated[str, "the approval's id"]
    call: Annotated[str, "digest over task, tool and arguments"]
    tool: ToolName
    to: Annotated[str, "the group"]
    after_s: Annotated[int, "after how many seconds the configuration escalates to it"]
    given: Annotated[int, "how many people have approved it so far"]
    needed: Annotated[int, "how many are needed"]


class GlassBroken(EventBody, kw_only=True):
    """A person approved a call in place of the people that the rules demand; an after-review is due."""

    KIND = EventKind.GLASS_BROKEN
    approval: Annotated[str, "the approval's id"]
    call: Annotated[str, "digest over task, tool and arguments"]
    tool: ToolName
    missing: Annotated[str, "the people who had not approved it"]
    finding: Annotated[str, "the finding that stays open until another person has reviewed it"]
    by: By
    reason: Annotated[str, Sealed("why, in the person's words")]


class ApproverAway(EventBody, kw_only=True):
    """An approver named another one who may answer in their place for a time."""

    KIND = EventKind.APPROVER_AWAY
    begins: Annotated[str, "the first moment"]
    ends: Annotated[str, "the end"]
    person: Person
    substitute: Annotated[str, Sealed("who may answer in the person's place")]


class ApproverBack(EventBody, kw_only=True):
    """An approver ended an absence: the substitute may no longer answer in their place."""

    KIND = EventKind.APPROVER_BACK
    person: Person
    substitute: Annotated[str, Sealed("who could answer in the person's place")]
