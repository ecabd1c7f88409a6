# SPDX-License-Identifier: Apache-2.0
"""The permitted content of files in `tools/` and `tasks/`. Schema and reference are generated from these
forms.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from remit.config.reading.section import Name, Seconds, Section, Size, Text, UpstreamName
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
        str, Meta(description="Data class. Unless given: for a tool the highest, for a task the lowest.")
    ] = field(name="class", default="")
    categories: Annotated[tuple[Name, ...], Meta(description="Categories, such as `pii` or `secret`.")] = ()
    trust: Annotated[
        Trust | None,
        Meta(
            description="`untrusted` where someone outside could have written it. Unless given: for a tool "
            "`untrusted`, for a task `trusted`."
        ),
    ] = None
    zone: Annotated[
        str, Meta(description="Trust zone that the data comes through, one of `zones` in `remit.yaml`.")
    ] = ""


class ArgumentForm(Section, frozen=True, kw_only=True):
    """An argument of a tool, or a part of one."""

    role: Annotated[ArgumentRole, Meta(description="What the argument is for.")] = ArgumentRole.CONTENT
    sensitive: Annotated[
        bool, Meta(description="Whether its value is hidden from people who read evidence.")
    ] = False
    secret: Annotated[
        bool,
        Meta(
            description="Whether it carries a secret by nature: a password, a one-time code. It is "
            "`sensitive`, too, and its value must come from the intent."
        ),
    ] = False
    personal: Annotated[
        bool,
        Meta(description="Whether it selects somebody's record; for a `selector` or a `destination`."),
    ] = False
    hands_over: Annotated[
        bool,
        Meta(
            description="Whether the call hands over what is stored under it (share, attach, push), so that "
            "the label of what is stored there counts."
        ),
    ] = False


class FieldForm(LabelForm, frozen=True, kw_only=True):
    """The label of one field of the results; omitted parts come from the tool's `labels`."""

    when: Annotated[
        dict[Text, ConstraintForm],
        Meta(description="Where this holds: a constraint for each of some fields beside it, by name."),
    ] = {}


class VariantForm(Section, frozen=True, kw_only=True):
    """A variant of a call, selected by its arguments: less than the tool's own `effect` and `audience`."""

    arguments: Annotated[
        dict[Text, ConstraintForm],
        Meta(min_length=1, description="A constraint for each of some arguments, by name."),
    ]
    effect: Annotated[Effect | None, Meta(description="Its effect then; the tool's own unless given.")] = None
    audience: Annotated[str, Meta(description="Its audience then; the tool's own unless given.")] = ""


class SanitizesForm(Section, frozen=True, kw_only=True):
    """A tool's effect on data: it removes, checks or rewrites until this label is true of its results."""

    to: Annotated[LabelForm, Meta(description="What its results carry, in place of `labels`.")]


class ToolForm(Section, frozen=True, kw_only=True):
    """A tool: the effect of a call, the audience of its arguments, and the label of its results."""

    effect: Annotated[Effect, Meta(description="What a call changes.")] = Effect.IRREVERSIBLE
    audience: Annotated[
        str,
        Meta(description="Who learns what is sent to it: `self`, `internal`, `external` or `group:name`."),
    ] = "external"
    labels: Annotated[
        LabelForm | None, Meta(description="What its results carry; the worst unless given.")
    ] = None
    fields: Annotated[
        dict[Text, Annotated[tuple[FieldForm, ...], Meta(min_length=1, extra={"one": True})]],
        Meta(
            description="What single fields of its results carry, by path (`messages[].body`) or by name "
            "(`body`: wherever it stands); one mapping, or a list of which the first that holds counts."
        ),
    ] = {}
    arguments: Annotated[
        dict[Text, ArgumentForm],
        Meta(
            description="Its arguments, by name, and parts of them by path (`attachments[].file_id`). What "
            "is not listed is content."
        ),
    ] = {}
    when: Annotated[
        tuple[VariantForm, ...],
        Meta(description="What a call is by its arguments; the first that fits counts."),
    ] = ()
    asked_by: Annotated[
        tuple[Text, ...],
        Meta(
            description="The words by which people ask for what it does, in place of those of its name: "
            "`[pay, refund]`."
        ),
    ] = ()
    repeats: Annotated[
        bool, Meta(description="Whether its results hold what it was given, even in another form.")
    ] = False
    resource: Annotated[
        str,
        Meta(
            description="What it reads or writes, over the arguments: `ticket/{ticket}`. What is written "
            "there is read back with its label."
        ),
    ] = ""
    sanitizes: Annotated[
        SanitizesForm | None,
        Meta(description="That its results carry this label alone, whatever it was given and has read."),
    ] = None
    record: Annotated[
        str, Meta(description="Which record a read reads, over the arguments: `contracts/{id}`.")
    ] = ""
    target: Annotated[str, Meta(description="What an action acts on, over the arguments.")] = ""
    production: Annotated[bool, Meta(description="Whether it touches production systems.")] = False
    financial: Annotated[bool, Meta(description="Whether it moves money or commits to it.")] = False
    own_conversation: Annotated[
        bool, Meta(description="Whether it reads and changes nothing outside the agent's own conversation.")
    ] = False
    schema: Annotated[
        dict[str, Json],
        Meta(
            description="JSON Schema of its arguments, where no upstream of remit tells it. Policies read "
            "what it declares."
        ),
    ] = {}


class ToolsFile(Section, frozen=True, kw_only=True):
    """A file in `tools/`: the tools of one upstream. Several files may describe the same upstream."""

    upstream: Annotated[UpstreamName, Meta(description="The upstream, as `remit.yaml` names it.")]
    tools: Annotated[
        dict[Text, ToolForm],
        Meta(
            min_length=1,
            description="Tools by the upstream's own names. `resources:read`, `resources:subscribe`, "
            "`prompts:get` and `completion:complete` stand for the operations that MCP has beside tools.",
        ),
    ]


class ParameterForm(Section, frozen=True, kw_only=True):
    """A parameter of a task type."""

    type: Annotated[Literal["string", "integer", "number", "boolean"], Meta(description="Its type.")] = (
        "string"
    )
    description: Annotated[str, Meta(description="What it is, for people.")] = ""
    constraint: Annotated[
        ConstraintForm | None,
        Meta(description="What a value must satisfy, in the form of an argument constraint."),
    ] = None
    required: Annotated[bool, Meta(description="Whether it must be given.")] = True
    default: Annotated[Json, Meta(description="Its value where none is given.")] = None


class BudgetsForm(Section, frozen=True, kw_only=True):
    """The budgets of a task; an omitted budget has no bound."""

    calls: Annotated[Count | None, Meta(description="Calls in all.")] = None
    effectful_calls: Annotated[Count | None, Meta(description="Calls that change something.")] = None
    result_bytes: Annotated[Size | None, Meta(description="Size of all results together.")] = None


class DelegatesForm(Section, frozen=True, kw_only=True):
    """The agents to which tasks of a type may be handed down, as child tasks with no more than the parent's
    authority.
    """

    to: Annotated[
        tuple[Text, ...],
        Meta(min_length=1, description="Agents that may get a child task: names, or `group:name`."),
    ]
    max_depth: Annotated[int, Meta(ge=1, le=7, description="How many levels may lie below the task.")] = 1


class TaskFile(Section, frozen=True, kw_only=True):
    """A file in `tasks/`: one task type, the reviewed template for one type of work."""

    task: Annotated[Name, Meta(description="Its name.")]
    purpose: Annotated[Text, Meta(description="What the work is for, in one sentence.")]
    run_by: Annotated[
        tuple[Text, ...],
        Meta(min_length=1, description="The agents that may run it: names, or `group:name`."),
    ]
    requested_by: Annotated[
        tuple[Text, ...],
        Meta(
            min_length=1,
            description="Who may state its intent: a person, `group:name`, `agent:name` for an agent whose "
            "work needs no person, or `issuer:name` for an issuer of identity assertions (ID-JAG).",
        ),
    ]
    parameters: Annotated[
        dict[ParameterName, ParameterForm], Meta(description="Its parameters, by name.")
    ] = {}
    grants: Annotated[
        tuple[GrantForm, ...],
        Meta(
            description="What it may call: `tool`, `arguments` (a constraint for each), `other_arguments`, "
            "`ceilings`. Strings may hold `{parameter}`."
        ),
    ] = ()
    deadline: Annotated[Seconds, Meta(ge=1, description="How long a task of this type may last.")] = 1800
    budgets: BudgetsForm = BudgetsForm()
    when_spent: Annotated[
        Literal["end", "refuse"],
        Meta(
            description="What becomes of a task whose budgets or ceilings let no call through any more: it "
            "ends, or its calls are refused until its deadline."
        ),
    ] = "end"
    labels: Annotated[
        LabelForm | None, Meta(description="What its intent carries; public and trusted unless given.")
    ] = None
    requires_person: Annotated[bool, Meta(description="Whether it must be opened on behalf of a person.")] = (
        True
    )
    delegates: Annotated[
        DelegatesForm | None, Meta(description="To whom it may be handed down; to nobody unless given.")
    ] = None
