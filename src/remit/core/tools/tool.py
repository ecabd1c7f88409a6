# SPDX-License-Identifier: Apache-2.0
"""Tools: one callable operation of an upstream, and its effect.

MCP has more than tools. Reading a resource, getting a prompt, completing an argument and subscribing are
operations too. Each is a tool with a reserved name (`resources:read`, `prompts:get`, `completion:complete`,
`resources:subscribe`), so that one set of rules covers all of them.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Mapping

import msgspec

from remit.core.canonical import digest
from remit.core.json_value import Json
from remit.core.label import Audience, Classes, Label, Trust, worst
from remit.core.tools.constraint import Constraint, Verdict
from remit.core.tools.json_path import EACH, path_of, take

RESOURCE_READ = "resources:read"
RESOURCE_SUBSCRIBE = "resources:subscribe"
PROMPT_GET = "prompts:get"
COMPLETION = "completion:complete"
RESERVED_OPERATIONS = (RESOURCE_READ, RESOURCE_SUBSCRIBE, PROMPT_GET, COMPLETION)

INPUT = "mcp:input"
"""The argument for the values that a call carries beside its arguments.

These are the answers of person, model or client to the upstream's questions (`responses`), and the upstream's
own state of that exchange (`state`). MCP 2026-07-28: `inputResponses` and `requestState`. It is decided like
every argument; no tool can have an argument of this name.
"""


_NAME = re.compile(r"[A-Za-z0-9_./-]{1,128}")


class Effect(enum.StrEnum):
    """The effect of a call."""

    NONE = "none"
    REVERSIBLE = "reversible"
    IRREVERSIBLE = "irreversible"


class ArgumentRole(enum.StrEnum):
    """The role of an argument."""

    SELECTOR = "selector"
    DESTINATION = "destination"
    CONTENT = "content"
    AMOUNT = "amount"
    CODE = "code"


LEADING = (ArgumentRole.SELECTOR, ArgumentRole.DESTINATION)
"""Roles of the arguments that identify where a call goes or what it concerns."""


class Tier(enum.IntEnum):
    """The power of a call; computed, never declared."""

    CONVERSATION = 0
    ASSISTANT = 1
    OPERATOR = 2
    AUTONOMOUS = 3

    @property
    def word(self) -> str:
        """The design's word for the tier."""
        return self._name_.lower()


class ToolState(enum.StrEnum):
    """Whether the upstream still offers the reviewed tool."""

    PINNED = "pinned"
    NEW = "new"
    CHANGED = "changed"
    GONE = "gone"


class CodeSource(msgspec.Struct, frozen=True):
    """The origin of a secret that is used once: `senders` send it, and the tools in `read_by` read it.

    A sender is an address, the domain of an address (without what is below it), or another name.
    """

    senders: tuple[str, ...]
    read_by: tuple[str, ...]


class Argument(msgspec.Struct, frozen=True):
    """One argument of a tool, or a part of one, as an administrator described it.

    `secret`: the argument carries a secret by nature (a password, a one-time code), which is not a disclosure
    here; its value comes from the intent, or the call is refused. `one_time`: it may also come from the
    message in which it arrived. `personal`: it selects a record about a person, and this applies to reads,
    too. `hands_over`: the call hands over, by id, the data stored there (share, attach, push), so that the
    stored label counts; `handed_class` is the data class of that data, where the administrator has named it.

    `least`: the value is a power (`role: admin`, `public: true`), and these values have the least of it.
    `within`: the argument that names a container of this item; inside a container to which the intent leads
    the item is a selector (`core.flow.argument_narrowing`). `when`: what the argument is in certain
    calls.
    """

    role: ArgumentRole = ArgumentRole.CONTENT
    sensitive: bool = False
    secret: bool = False
    one_time: CodeSource | None = None
    personal: bool = False
    hands_over: bool = False
    handed_class: str = ""
    least: tuple[Json, ...] = ()
    within: str = ""
    when: tuple[ArgumentCase, ...] = ()

    def in_call(self, arguments: dict[str, Json]) -> Argument:
        """Return the argument as it applies to a call with these arguments: by the first case that fits."""
        case = next((one for one in self.when if fit(one.arguments, arguments)), None)
        return self if case is None else case.of(self)


class ArgumentCase(msgspec.Struct, frozen=True):
    """What an argument is in calls whose arguments meet these constraints, where that is less than its own.

    What is None stays as the argument has it.
    """

    arguments: dict[str, Constraint]
    role: ArgumentRole | None = None
    secret: bool | None = None
    personal: bool | None = None
    hands_over: bool | None = None

    def of(self, argument: Argument) -> Argument:
        """Return the argument in this case."""
        return msgspec.structs.replace(
            argument,
            role=self.role or argument.role,
            secret=argument.secret if self.secret is None else self.secret,
            personal=argument.personal if self.personal is None else self.personal,
            hands_over=argument.hands_over if self.hands_over is None else self.hands_over,
            when=(),
        )


class WithheldBy(enum.StrEnum):
    """Who says that a field is withheld: the tool's description, the task's type, or a policy."""

    TOOL = "tool"
    TASK = "task"
    POLICY = "policy"


class FieldLabel(msgspec.Struct, frozen=True):
    """The label of one field of a tool's results, where it differs from the tool's label.

    `path` names keys, `[]` for any place of a list (`messages[].body`); a path without dots means every field
    of that name. With `when` the label applies only where neighbouring fields (by name, in the same object)
    meet these constraints; of several applicable labels the first counts. `leads` tells whether the field's
    value leads on from a person's record to what a personal argument selects; None: its name decides. `fact`
    is the type under which policies read the field of a reached record; empty: they do not read it. A field
    that is `withheld` never reaches the task, and its label does not either. `own`: the field holds the
    account, address or id of the person behind the task. `participant`: it holds one of those who take part
    in the thing that is read.
    """

    path: str
    label: Label
    when: dict[str, Constraint] = {}
    leads: bool | None = None
    fact: str = ""
    withheld: WithheldBy | None = None
    own: bool = False
    participant: bool = False


class Variant(msgspec.Struct, frozen=True):
    """What a call is whose arguments meet these constraints: effect, audience, and whether in production.

    A variant only lowers the rating of a call. The tool's own description applies where no variant fits, also
    where a constraint is undecidable.
    """

    arguments: dict[str, Constraint]
    effect: Effect | None = None
    audience: Audience | None = None
    production: bool | None = None

    def of(self, tool: Tool) -> Tool:
        """Return a tool in this variant."""
        return msgspec.structs.replace(
            tool,
            effect=self.effect or tool.effect,
            audience=self.audience or tool.audience,
            production=tool.production if self.production is None else self.production,
        )


class Narrowing(msgspec.Struct, frozen=True):
    """An audience with the addresses that belong to it, and the effect of a call to them alone."""

    address: Constraint
    audience: Audience
    effect: Effect | None = None


class StoredDestination(msgspec.Struct, frozen=True):
    """A destination that the tool's own state holds, under what the arguments `by` select.

    These arguments are the destination, `unless` one of other arguments is given: then that one is, and they
    only select. Without `by` it is the state of the account. The tools in `read_by` show who it is; a call to
    people who all belong to one of the `narrowings` has its audience, the narrowest first.
    """

    by: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    read_by: tuple[str, ...] = ()
    narrowings: tuple[Narrowing, ...] = ()

    def overridden(self, arguments: dict[str, Json]) -> bool:
        """Return whether a call names another destination itself."""
        given = (arguments.get(name) for name in self.unless)
        return any(one.strip() if isinstance(one, str) else one not in (None, [], {}) for one in given)


class Tool(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One callable operation with its effect, audience, labels and argument roles.

    `id` is `upstream/name`. `described` is false when no file in `tools/` describes the tool: it then counts
    as an untrusted source with an irreversible external effect. `record` and `target` are templates over the
    arguments (`contracts/{path}`) that name the record of a read and the target of an action. `surface` is
    the upstream's own description of the tool (description, schemas, annotations), pinned by
    `surface_digest`.

    `arguments` are by name, or by the path of a part: `attachments[].file_id` (`core.tools.json_path`). A key
    with dots or brackets is first looked up as a name.

    `fields` are the labels of single fields of the results, `variants` the effects and audiences by
    arguments. `asked_by` are words by which people ask for the tool's action (`pay`, `refund`), where its
    name does not contain them. `repeats` is true where the results contain the input, even in changed form;
    with `repeats_in`, only these fields contain it.
    `resource` names what the tool reads or writes, over the arguments (`ticket/{id}`): data written there is
    read back with its label. `sender` is the field of the results that names the sender of each message;
    `code_senders` are the senders of one-time codes that arrive there. The results of a tool that `sanitizes`
    carry only the tool's own label, whatever their input. A tool that is `single` concerns one known object
    (the caller's own account): left-out selectors leave no choice open.
    """

    upstream: str
    name: str
    effect: Effect = Effect.IRREVERSIBLE
    audience: Audience = Audience("external")
    label: Label = Label(data_class="restricted", trust=Trust.UNTRUSTED)
    arguments: dict[str, Argument] = {}
    record: str = ""
    target: str = ""
    production: bool = False
    financial: bool = False
    own_conversation: bool = False
    fields: tuple[FieldLabel, ...] = ()
    variants: tuple[Variant, ...] = ()
    asked_by: tuple[str, ...] = ()
    repeats: bool = False
    repeats_in: tuple[str, ...] = ()
    stored_destination: StoredDestination | None = None
    resource: str = ""
    sanitizes: bool = False
    single: bool = False
    sender: str = ""
    code_senders: tuple[str, ...] = ()
    described: bool = False
    surface: dict[str, Json] = {}
    surface_digest: str = ""
    state: ToolState = ToolState.PINNED

    @functools.cached_property
    def id(self) -> str:
        """The tool's name in grants and policies."""
        return f"{self.upstream}/{self.name}"

    @functools.cached_property
    def tier(self) -> Tier:
        """The tier of a call to this tool, computed from its effect."""
        if self.effect is Effect.IRREVERSIBLE or self.production or self.financial:
            return Tier.AUTONOMOUS
        if self.effect is Effect.REVERSIBLE:
            return Tier.AUTONOMOUS if self.audience.name == "external" else Tier.OPERATOR
        if self.own_conversation:
            return Tier.CONVERSATION
        return Tier.ASSISTANT

    @functools.cached_property
    def hands_over(self) -> bool:
        """Whether an argument names by id the data that a call hands over."""
        return any(one.hands_over for one in self.arguments.values())

    @functools.cached_property
    def contained(self) -> dict[str, str]:
        """The arguments that name an item within a container, each with the argument of the container."""
        return {name: one.within for name, one in self.arguments.items() if one.within}

    @functools.cached_property
    def withholds(self) -> bool:
        """Whether a field of the results is withheld."""
        return any(one.withheld is not None for one in self.fields)

    @functools.cached_property
    def own_fields(self) -> frozenset[str]:
        """The paths of result fields that hold the person's own account, address or id."""
        return frozenset(one.path for one in self.fields if one.own)

    @functools.cached_property
    def shows_participants(self) -> bool:
        """Whether the results show who takes part in what is read."""
        return any(one.participant for one in self.fields)

    def selects(self, name: str) -> bool:
        """Return whether an argument selects the record that a call changes."""
        spec = self.arguments.get(name)
        return self.effect is not Effect.NONE and spec is not None and spec.role is ArgumentRole.SELECTOR

    @functools.cached_property
    def sends(self) -> bool:
        """Whether a call changes something and has a destination, in an argument or stored."""
        return self.effect is not Effect.NONE and (
            self.stored_destination is not None
            or any(one.role is ArgumentRole.DESTINATION for one in self.arguments.values())
        )

    @functools.cached_property
    def personal(self) -> tuple[str, ...]:
        """The arguments that select a person's record."""
        return tuple(name for name, one in self.arguments.items() if one.personal)

    def leads(self, path: str) -> bool | None:
        """Return whether a field of the results leads on from a person's record; None: its name decides."""
        said = self._leading
        if not said:
            return None
        found = said.get(path, said.get(path.removeprefix("[].")))
        return found if found is not None else said.get(path.rpartition(".")[2].replace("[]", ""))

    @functools.cached_property
    def _leading(self) -> dict[str, bool]:
        return {one.path: one.leads for one in self.fields if one.leads is not None}

    def called_with(self, arguments: dict[str, Json]) -> Tool:
        """Return the tool as it applies to a call with these arguments.

        The first variant that fits counts, and of each argument the first case that fits.
        """
        tool, stored = self, self.stored_destination
        if self._depends:
            as_called = {name: one.in_call(arguments) for name, one in self.arguments.items()}
            tool = msgspec.structs.replace(tool, arguments=as_called)
        if stored is not None and stored.overridden(arguments):
            selecting = {
                name: msgspec.structs.replace(tool.arguments[name], role=ArgumentRole.SELECTOR)
                for name in stored.by
            }
            tool = msgspec.structs.replace(tool, arguments={**tool.arguments, **selecting})
        variant = next((one for one in self.variants if fit(one.arguments, arguments)), None)
        return tool if variant is None else variant.of(tool)

    @functools.cached_property
    def _depends(self) -> bool:
        return any(one.when for one in self.arguments.values())

    @functools.cached_property
    def defaults(self) -> dict[str, Json]:
        """The values that the pinned input schema gives to arguments that a call leaves out.

        INVARIANT: a required argument has none: no call without that argument reaches the server.
        """
        required = self.input_schema.get("required")
        must = required if isinstance(required, list) else ()
        return {
            name: spec["default"]
            for name, spec in self._offered.items()
            if name not in must and isinstance(spec, dict) and "default" in spec
        }

    def parts(self, arguments: dict[str, Json]) -> dict[str, Json]:
        """Return a call's arguments by the keys of `arguments`.

        Each part that is described under a path has its own key, and the rest of each argument is under its
        name. A part that occurs in several places is a list.

        INVARIANT: every value of a call is in a part, and a value at a path is only in that part.
        """
        deep = _deep(tuple(self.arguments))
        paths = {key: path for key, path in deep if path[0] in arguments} if deep else {}
        if not paths:
            return arguments
        out: dict[str, Json] = {}
        for name, value in arguments.items():
            left = value
            # The deepest first, so that `a.b` does not take `a.b.c` with it.
            for key in sorted(paths, key=lambda key: -len(paths[key])):
                if paths[key][0] == name and left is not None:
                    found, left = take(left, paths[key][1:])
                    if found:
                        one = found if EACH in paths[key] or len(found) > 1 else found[0]
                        # An argument's name may look like a path; then both count.
                        out[key] = [out[key], one] if key in out else one
            if left is not None or value is None:
                out[name] = [out[name], left] if name in out else left
        return out

    @property
    def unlisted(self) -> tuple[str, ...]:
        """The arguments that the upstream offers and no file describes: they count as content."""
        heads = {path_of(key)[0] for key in self.arguments}
        return tuple(name for name in self._offered if name not in self.arguments and name not in heads)

    @property
    def strange(self) -> tuple[str, ...]:
        """The arguments that a file describes and the upstream does not offer: probably misspelt."""
        offered = self._offered
        return tuple(
            key for key in self.arguments if offered and key not in offered and path_of(key)[0] not in offered
        )

    @property
    def _offered(self) -> dict[str, Json]:
        properties = self.input_schema.get("properties")
        return properties if isinstance(properties, dict) else {}

    @property
    def input_schema(self) -> dict[str, Json]:
        """The upstream's JSON Schema of the arguments; empty where it gave none."""
        schema = self.surface.get("inputSchema")
        return schema if isinstance(schema, dict) else {}


def fit(rules: Mapping[str, Constraint], arguments: dict[str, Json]) -> bool:
    """Return whether a call's arguments meet constraints.

    An undecidable argument does not fit, nor does an absence that its constraint does not permit.
    """
    return all(
        one.judge(arguments[name]) is Verdict.YES if name in arguments else one.may_be_absent
        for name, one in rules.items()
    )


@functools.lru_cache(4096)
def _deep(keys: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the keys of a tool's arguments that are paths of parts, with their steps."""
    return tuple((key, path) for key in keys if len(path := path_of(key)) > 1)


def is_tool_name(name: str) -> bool:
    """Return whether an MCP tool or operation can have this name."""
    return name in RESERVED_OPERATIONS or _NAME.fullmatch(name) is not None


def undescribed(upstream: str, name: str, classes: Classes) -> Tool:
    """Return the worst case, which applies to a tool until a file describes it.

    The label of its results is assumed: a description of the tool replaces it, also where it has been learnt
    (`core.tools.assumed_labels`).
    """
    tool = Tool(upstream=upstream, name=name, label=worst(classes))
    return with_surface(tool, {}, "", classes)


def with_surface(
    tool: Tool, surface: Mapping[str, Json], digest: str, classes: Classes, *, reviewed: bool = True
) -> Tool:
    """Return a tool with what its upstream says of it.

    INVARIANT: what is learnt from a tool without a description is assumed of this surface alone. With another
    surface than the `reviewed` one it is not assumed, but known: no description is about it.
    """
    tool = msgspec.structs.replace(tool, surface=dict(surface), surface_digest=digest)
    if tool.described:
        return tool
    keys = frozenset({read_key(tool)}) if reviewed else frozenset[str]()
    return msgspec.structs.replace(tool, label=worst(classes).assuming(Label(classes.bottom), keys))


def read_key(tool: Tool) -> str:
    """Return the key of what is assumed of a tool's results: of one tool with one surface."""
    return f"read {tool.surface_digest} {tool.id}"


def list_key(tool: Tool) -> str:
    """Return the key of what is assumed of a tool's entry in a list: of one tool with one surface."""
    return f"list {tool.surface_digest} {tool.id}"


def write_key(tool: Tool) -> str:
    """Return the key of what is assumed of a tool's writes: of one tool with one surface."""
    return f"write {tool.surface_digest} {tool.id}"


def surface_of(wire: dict[str, Json]) -> dict[str, Json]:
    """Return everything in an upstream's tool entry that can steer an agent or an argument.

    Everything except `_meta` counts: name, title, description, schemas, annotations, icons. A change in any
    of it suspends the tool until it has been reviewed.
    """
    return {key: value for key, value in wire.items() if key != "_meta"}


def surface_digest(surface: dict[str, Json]) -> str:
    """Return the pinned digest of a surface (RFC 8785 bytes, SHA-256)."""
    return digest(surface)


def fill(template: str, arguments: dict[str, Json]) -> str:
    """Fill the `{argument}` places of a `record` or `target` template; a missing argument becomes `?`."""
    out: list[str] = []
    for text, name in _pieces(template):
        out.append(text)
        if name is not None:
            value = arguments.get(name, "?")
            out.append(value if isinstance(value, str) else msgspec.json.encode(value).decode())
    return "".join(out)


@functools.lru_cache(1024)
def _pieces(template: str) -> tuple[tuple[str, str | None], ...]:
    """Return the texts of a template, each with the argument that follows it."""
    out: list[tuple[str, str | None]] = []
    rest = template
    while True:
        head, opened, tail = rest.partition("{")
        name, closed, rest = tail.partition("}")
        if not closed:
            return (*out, (f"{head}{opened}{name}", None))
        out.append((head, name))
