# SPDX-License-Identifier: Apache-2.0
"""The permitted content of files in `tools/` and `tasks/`. Schema and reference are generated from these
forms.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from remit.config.reading.section import Money, Name, Seconds, Section, Size, Text, UpstreamName
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.tool import ArgumentRole, Effect

Count = Annotated[int, Meta(ge=0)]
# What `{parameter}` in a grant can contain.
ParameterName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$",
        extra={"rule": "use 1 to 63 letters, digits, `_` and `-`, beginning with a letter"},
    ),
]

ConstraintForm = Annotated[dict[str, Json], Meta(extra={"written": "Constraint"})]
GrantForm = Annotated[dict[str, Json], Meta(extra={"written": "Grant"})]


class LabelForm(Section, frozen=True, kw_only=True):
    """The label of data that comes from here."""

    data_class: Annotated[
        str, Meta(description="Data class. Default: for a tool the highest, for a task the lowest.")
    ] = field(name="class", default="")
    categories: Annotated[tuple[Name, ...], Meta(description="Categories, such as `pii` or `secret`.")] = ()
    trust: Annotated[
        Trust | None,
        Meta(
            description="`untrusted` if an outsider could have written it. Default: for a tool "
            "`untrusted`, for a task `trusted`."
        ),
    ] = None
    zone: Annotated[
        str, Meta(description="Trust zone of the data's origin, one of `zones` in `remit.yaml`.")
    ] = ""


class ChoiceForm(Section, frozen=True, kw_only=True):
    """A choice of power: a role, a permission, a visibility, a switch of protection."""

    least: Annotated[
        Json,
        Meta(description="The value with the least power, or a list of them. A person must state any other."),
    ]


class ArgumentCaseForm(Section, frozen=True, kw_only=True):
    """What an argument is in certain calls: less than its own `role` and marks."""

    arguments: Annotated[
        dict[Text, ConstraintForm],
        Meta(min_length=1, description="A constraint for each of some arguments, by name."),
    ]
    role: Annotated[
        ArgumentRole | None, Meta(description="Its role in that case. Default: the argument's role.")
    ] = None
    secret: Annotated[bool | None, Meta(description="`false` where it is no secret in that case.")] = None
    personal: Annotated[
        bool | None, Meta(description="`false` where it selects no person's record in that case.")
    ] = None
    hands_over: Annotated[
        bool | None, Meta(description="`false` where it shares no stored data in that case.")
    ] = None


class OneTimeForm(Section, frozen=True, kw_only=True):
    """The way in which a one-time code arrives."""

    senders: Annotated[
        tuple[Text, ...],
        Meta(
            min_length=1,
            description="Who sends it: an address, the domain of an address (`shop.example`, without what is "
            "below it), or another name that the field `sender` of the tools in `read_by` can hold.",
        ),
    ]
    read_by: Annotated[
        tuple[Text, ...],
        Meta(
            min_length=1,
            description="Tools that read the message, each with a `sender`; a tool of another upstream as "
            "`upstream/tool`.",
        ),
    ]


class ArgumentForm(Section, frozen=True, kw_only=True):
    """An argument of a tool, or a part of one."""

    role: Annotated[ArgumentRole, Meta(description="Meaning of the argument.")] = ArgumentRole.CONTENT
    sensitive: Annotated[
        bool, Meta(description="Whether its value is hidden from readers of the evidence.")
    ] = False
    secret: Annotated[
        bool,
        Meta(
            description="Whether it is a secret, such as a password or a one-time code. It is then also "
            "`sensitive`, and its value must come from the intent."
        ),
    ] = False
    one_time: Annotated[
        OneTimeForm | None,
        Meta(
            description="For a `secret`: it is a code that is used once and arrives in a message. It may "
            "come from that message, if the person has stated everything else of the call."
        ),
    ] = None
    personal: Annotated[
        bool,
        Meta(description="Whether it selects a person's record; for a `selector` or a `destination`."),
    ] = False
    hands_over: Annotated[
        bool,
        Meta(
            description="Whether a call with this argument shares the data stored under it (share, attach, "
            "push); the stored label then counts."
        ),
    ] = False
    handed_class: Annotated[
        str,
        Meta(description="The data class of what `hands_over` shares; unless given, that of the reads."),
    ] = ""
    choice: Annotated[
        ChoiceForm | None,
        Meta(
            description="The value is a power (`role: admin`, `public: true`): a person must state it, "
            "except for the least."
        ),
    ] = None
    within: Annotated[
        str,
        Meta(
            description="The argument that names this item's container (`repository`). Inside a container "
            "that the person named, the item is a selector, and is judged for itself."
        ),
    ] = ""
    when: Annotated[
        tuple[ArgumentCaseForm, ...],
        Meta(description="Its role and marks by the call's arguments; the first match counts."),
    ] = ()


class FieldForm(LabelForm, frozen=True, kw_only=True):
    """The label of one field of the results; omitted parts come from the tool's `labels`."""

    own: Annotated[
        bool,
        Meta(
            description="Whether it holds the own account, address or id of the person behind the "
            "task; `me` and `myself` then state it. The field must be `trusted`."
        ),
    ] = False

    when: Annotated[
        dict[Text, ConstraintForm],
        Meta(description="Condition: a constraint for each of some sibling fields, by name."),
    ] = {}
    withhold: Annotated[
        bool,
        Meta(
            description="Whether agents never get the field: remit puts a note in its place, and the field's "
            "label does not reach the task."
        ),
    ] = False
    participant: Annotated[
        bool,
        Meta(
            description="Whether it holds the address or id of one who takes part in the thing that is read: "
            "for `stored_destination.read_by` of other tools."
        ),
    ] = False
    leads: Annotated[
        bool | None,
        Meta(
            description="Whether its value leads on from a person's record to what a `personal` argument "
            "selects. Default: its name decides."
        ),
    ] = None
    fact: Annotated[
        Literal["string", "integer", "number", "boolean", "date"] | None,
        Meta(description="Type under which policies read it in `context.record`."),
    ] = None


class VariantForm(Section, frozen=True, kw_only=True):
    """A variant of a call, selected by its arguments: less than the tool's own `effect`, `audience` and
    `production`.
    """

    arguments: Annotated[
        dict[Text, ConstraintForm],
        Meta(min_length=1, description="A constraint for each of some arguments, by name."),
    ] = {}
    narrowed_to: Annotated[
        str,
        Meta(
            description="Instead of `arguments`: the audience that `audience_by`, or `read_by` of "
            "`stored_destination`, has found."
        ),
    ] = ""
    effect: Annotated[
        Effect | None, Meta(description="Its effect in that case. Default: the tool's effect.")
    ] = None
    audience: Annotated[str, Meta(description="Its audience in that case. Default: the tool's audience.")] = (
        ""
    )
    production: Annotated[
        bool | None, Meta(description="`false` where it changes no production system in that case.")
    ] = None


class StoredDestinationForm(Section, frozen=True, kw_only=True):
    """A destination that is stored at the upstream, and not in an argument."""

    by: Annotated[
        tuple[Text, ...],
        Meta(description="Selectors of what it is stored in. Default: it is stored in the account."),
    ] = ()
    unless: Annotated[
        tuple[Text, ...], Meta(description="Arguments that, where given, are the destination instead.")
    ] = ()
    read_by: Annotated[
        tuple[Text, ...],
        Meta(
            description="Tools that show who it is, in fields marked `participant`, if they are called with "
            "the argument in `by` alone: `get_event`, or `upstream/tool`."
        ),
    ] = ()


class SanitizesForm(Section, frozen=True, kw_only=True):
    """A tool's effect on data: it removes, checks or rewrites until this label is true of its results."""

    to: Annotated[LabelForm, Meta(description="Labels of its results in that case, instead of `labels`.")]


class ToolForm(Section, frozen=True, kw_only=True):
    """A tool: the effect of a call, the audience of its arguments, and the label of its results."""

    effect: Annotated[Effect, Meta(description="What a call changes.")] = Effect.IRREVERSIBLE
    audience: Annotated[
        str,
        Meta(description="Who learns its arguments: `self`, `internal`, `external` or `group:name`."),
    ] = "external"
    labels: Annotated[
        LabelForm | None, Meta(description="Labels of its results. Default: the worst case.")
    ] = None
    fields: Annotated[
        dict[Text, Annotated[tuple[FieldForm, ...], Meta(min_length=1, extra={"one": True})]],
        Meta(
            description="Labels of single fields of its results, by path (`messages[].body`) or by name "
            "(`body`: at any depth); one mapping, or a list whose first matching entry counts."
        ),
    ] = {}
    arguments: Annotated[
        dict[Text, ArgumentForm],
        Meta(
            description="Its arguments, by name, and parts of them by path (`attachments[].file_id`). "
            "Unlisted arguments are content."
        ),
    ] = {}
    when: Annotated[
        tuple[VariantForm, ...],
        Meta(description="Variants of a call by its arguments; the first match counts."),
    ] = ()
    asked_by: Annotated[
        tuple[Text, ...],
        Meta(
            description="Words that people use to ask for this action, instead of those of its name: "
            "`[pay, refund]`."
        ),
    ] = ()
    repeats: Annotated[
        bool, Meta(description="Whether its results contain its arguments, even in another form.")
    ] = False
    repeats_in: Annotated[
        tuple[Text, ...],
        Meta(
            description="Instead of `repeats`: the fields of its results that contain its arguments. Others "
            "that `fields` lists do not."
        ),
    ] = ()
    audience_by: Annotated[
        tuple[Text, ...],
        Meta(
            description="Arguments with addresses: if `directory` in `remit.yaml` knows all of them, their "
            "audience counts."
        ),
    ] = ()
    stored_destination: Annotated[
        StoredDestinationForm | None,
        Meta(description="That a call goes to a destination which is stored at the upstream."),
    ] = None
    resource: Annotated[
        str,
        Meta(
            description="The resource that it reads or writes, built from the arguments: "
            "`ticket/{ticket}`. Data written there keeps its label when it is read back."
        ),
    ] = ""
    sender: Annotated[
        str,
        Meta(
            description="The field of its results that names the sender of each message, by path "
            "(`messages[].from.email`): for one-time codes that arrive there. The trust of this field says "
            "whether the server checks senders."
        ),
    ] = ""
    sanitizes: Annotated[
        SanitizesForm | None,
        Meta(
            description="Its results carry only this label, regardless of its arguments and of data "
            "read before."
        ),
    ] = None
    record: Annotated[
        str, Meta(description="The record that it reads, built from the arguments: `contracts/{id}`.")
    ] = ""
    target: Annotated[str, Meta(description="The resource that it acts on, built from the arguments.")] = ""
    production: Annotated[bool, Meta(description="Whether it changes production systems.")] = False
    financial: Annotated[bool, Meta(description="Whether it moves money or commits to a payment.")] = False
    single: Annotated[
        bool,
        Meta(
            description="Whether it concerns one known object (the caller's own account, the current cart), "
            "so that a call without a selector leaves none open."
        ),
    ] = False
    own_conversation: Annotated[
        bool, Meta(description="Whether it reads and changes nothing outside the agent's own conversation.")
    ] = False
    schema: Annotated[
        dict[str, Json],
        Meta(
            description="JSON Schema of its arguments, if no upstream of remit provides it. Policies "
            "read the declared arguments."
        ),
    ] = {}


class ToolsFile(Section, frozen=True, kw_only=True):
    """A file in `tools/`: the tools of one upstream. Several files may describe the same upstream."""

    upstream: Annotated[UpstreamName, Meta(description="The upstream's name in `remit.yaml`.")]
    instructions: Annotated[
        str,
        Meta(
            description="The server's `instructions`, as reviewed. Agents get them at the start of a session "
            "for as long as the server says exactly this."
        ),
    ] = ""
    tools: Annotated[
        dict[Text, ToolForm],
        Meta(
            min_length=1,
            description="Tools by the upstream's own names. `resources:read`, `resources:subscribe`, "
            "`prompts:get` and `completion:complete` are the operations of MCP besides tools.",
        ),
    ]


class ParameterForm(Section, frozen=True, kw_only=True):
    """A parameter of a task type."""

    type: Annotated[Literal["string", "integer", "number", "boolean"], Meta(description="Its type.")] = (
        "string"
    )
    description: Annotated[str, Meta(description="Description for people.")] = ""
    constraint: Annotated[
        ConstraintForm | None,
        Meta(description="Argument constraint for the value."),
    ] = None
    required: Annotated[bool, Meta(description="Whether it is required.")] = True
    default: Annotated[Json, Meta(description="Default value.")] = None


class BudgetsForm(Section, frozen=True, kw_only=True):
    """The budgets of a task; an omitted budget has no bound."""

    calls: Annotated[Count | None, Meta(description="Maximum number of calls.")] = None
    effectful_calls: Annotated[
        Count | None, Meta(description="Maximum number of calls that change something.")
    ] = None
    result_bytes: Annotated[Size | None, Meta(description="Maximum total size of results.")] = None
    tokens: Annotated[
        Count | None,
        Meta(description="Maximum number of tokens of the model calls that the agent reports."),
    ] = None
    spend: Annotated[
        Money | None,
        Meta(description="Maximum cost of these model calls, by the prices of `models` in `remit.yaml`."),
    ] = None
    sent_bytes: Annotated[
        Size | None,
        Meta(description="Maximum total size of the arguments of calls whose audience is not `self`."),
    ] = None


class DelegatesForm(Section, frozen=True, kw_only=True):
    """The agents to which tasks of a type may be handed down, as child tasks with no more than the parent's
    authority.
    """

    to: Annotated[
        tuple[Text, ...],
        Meta(min_length=1, description="Agents that may get a child task: names, or `group:name`."),
    ]
    max_depth: Annotated[int, Meta(ge=1, le=7, description="Maximum depth of child tasks.")] = 1


class RunbookForm(Section, frozen=True, kw_only=True):
    """A type whose steps were approved in advance, and whose tasks are reviewed afterwards."""

    approved_by: Annotated[
        tuple[Text, ...],
        Meta(min_length=1, description="The people, or `group:name`, who approved its steps."),
    ]
    review_by: Annotated[
        tuple[Text, ...],
        Meta(min_length=1, description="The people, or `group:name`, who review each task after its end."),
    ]


class WithholdForm(Section, frozen=True, kw_only=True):
    """Fields of results that tasks of a type never see."""

    above: Annotated[
        str, Meta(description="Highest data class that its tasks see. Default: the highest of all.")
    ] = ""
    categories: Annotated[
        tuple[Name, ...], Meta(description="Categories that its tasks do not see, such as `secret`.")
    ] = ()


class TaskFile(Section, frozen=True, kw_only=True):
    """A file in `tasks/`: one task type, the reviewed template for one type of work."""

    task: Annotated[Name, Meta(description="Its name.")]
    purpose: Annotated[Text, Meta(description="Purpose of the work, in one sentence.")]
    run_by: Annotated[
        tuple[Text, ...],
        Meta(min_length=1, description="The agents that may run it: names, or `group:name`."),
    ]
    requested_by: Annotated[
        tuple[Text, ...],
        Meta(
            min_length=1,
            description="Who may request it: a person, `group:name`, `agent:name` for an agent that "
            "needs no person, or `issuer:name` for an issuer of identity assertions (ID-JAG).",
        ),
    ]
    parameters: Annotated[
        dict[ParameterName, ParameterForm], Meta(description="Its parameters, by name.")
    ] = {}
    grants: Annotated[
        tuple[GrantForm, ...],
        Meta(
            description="Tools that it may call: `tool`, `arguments` (a constraint for each), "
            "`other_arguments`, `ceilings`. Strings may contain `{parameter}`."
        ),
    ] = ()
    deadline: Annotated[Seconds, Meta(ge=1, description="Maximum duration of a task of this type.")] = 1800
    budgets: BudgetsForm = BudgetsForm()
    when_spent: Annotated[
        Literal["end", "refuse"],
        Meta(
            description="When budgets or ceilings permit no further call: end the task, or refuse its "
            "calls until the deadline."
        ),
    ] = "end"
    ends_after: Annotated[
        tuple[Text, ...],
        Meta(
            description="Tools of its grants: the first call of one of them that succeeds, or may have "
            "succeeded, completes the task, and its authority ends."
        ),
    ] = ()
    runbook: Annotated[
        RunbookForm | None,
        Meta(
            description="Its steps were approved in advance: its high-risk calls without a person are no "
            "question where its grants say where they go. A finding asks for a review of each task."
        ),
    ] = None
    without_words: Annotated[
        Literal["refuse", "ask"],
        Meta(
            description="While no words of a person are known to the task: refuse calls that only such words "
            "could permit, or have an approver asked. What comes from untrusted data is not affected, except "
            "the object of a reversible call inside. For clients whose prompts remit cannot see."
        ),
    ] = "refuse"
    labels: Annotated[
        LabelForm | None, Meta(description="Label of its intent. Default: public and trusted.")
    ] = None
    withhold: Annotated[
        WithholdForm | None,
        Meta(
            description="Fields of results that its tasks, and tasks delegated by them, never see, by their "
            "labels in `tools/`. Default: none."
        ),
    ] = None
    requires_person: Annotated[bool, Meta(description="Whether it must be opened on behalf of a person.")] = (
        True
    )
    delegates: Annotated[
        DelegatesForm | None, Meta(description="Agents that it may be delegated to. Default: none.")
    ] = None
