# SPDX-License-Identifier: Apache-2.0
"""The vocabulary of reach: data, task types and their agents, outlets, and guards."""

from __future__ import annotations

import enum
from collections.abc import Hashable
from typing import Protocol

import msgspec

from remit.core.label import Classes, Label, Trust
from remit.core.tasks.task import TaskType
from remit.core.tools.tool import Effect, Tool


class Openness(enum.IntEnum):
    """How far a path is open; of several steps the highest counts."""

    OPEN = 0
    ASKED = 1
    REFUSED = 2

    @property
    def word(self) -> str:
        """The word in reports and JSON."""
        return ("open", "asks an approver", "refused")[self]


class PathKind(enum.StrEnum):
    """The kind of a path.

    `toxic`: private data and untrusted content meet at a task type with an outlet to the outside. `effect`:
    untrusted content leads to an external or irreversible effect. `disclosure`: private data reaches an
    audience that may not learn it.
    """

    TOXIC = "toxic"
    EFFECT = "effect"
    DISCLOSURE = "disclosure"


class Guard(msgspec.Struct, gc=False, frozen=True):
    """The judgement of a call before it is made: its openness, and the deciding rules.

    `rules` are ids of policies, or `grant` where the task type's own grant pins the destination.
    """

    openness: Openness = Openness.OPEN
    rules: tuple[str, ...] = ()


OPEN = Guard()
GRANT = "grant"


class StaticCall(msgspec.Struct, gc=False, frozen=True):
    """A call as far as it is known without its arguments: the worst possible request.

    `tool` is the variant of the tool that fits the grant. `label` is the label of the data that the task has
    read by then. `pinned` is true where the grant leaves the caller no choice of a destination; otherwise the
    destination may come from the data that was read.
    """

    task_type: TaskType
    agent: str
    handed: bool
    tool: Tool
    label: Label
    pinned: bool


class Judge(Protocol):
    """Judges by policy a call that has not been made. Pure: equal calls get equal answers."""

    def __call__(self, call: StaticCall) -> Guard:
        """Return the call's openness and the deciding rules."""
        ...

    def kind(self, tool: Tool) -> Hashable:
        """Return everything by which the judge distinguishes one tool from another."""
        ...

    def party(self, task_type: TaskType, agent: str, handed: bool) -> Hashable:
        """Return everything by which the judge distinguishes one caller from another."""
        ...


class DataSource(msgspec.Struct, gc=False, frozen=True, order=True):
    """The data in a tool's results, with the tool's own label or with that of one field.

    `field` is empty for the tool's own label. `described` is false where the label is only the worst case.
    `receipt` is true for the trusted answers of tools that change something.
    """

    tool: str
    field: str
    label: Label = msgspec.field(default_factory=Label)
    described: bool = True
    receipt: bool = False

    @property
    def name(self) -> str:
        """The tool, followed by the field if there is one."""
        return f"{self.tool} · {self.field}" if self.field else self.tool


class Outlet(msgspec.Struct, frozen=True):
    """A granted tool whose effect reaches beyond the task, with the effect and audience of one variant.

    `pinned` describes, for people, how the grant pins the destination; empty where it does not. `arguments`
    are the destinations that the grant leaves free.
    """

    tool: Tool
    outward: bool
    pinned: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def irreversible(self) -> bool:
        """Whether the effect is irreversible."""
        return self.tool.effect is Effect.IRREVERSIBLE


class Runner(msgspec.Struct, frozen=True):
    """A task type with the agents that may run it, or (`handed`) that may receive its tasks by hand-down."""

    task_type: TaskType
    agents: tuple[str, ...]
    handed: bool = False

    @property
    def name(self) -> str:
        """The name in reports."""
        return f"{self.task_type.name} (delegated)" if self.handed else self.task_type.name


class StepKind(enum.StrEnum):
    """The kind of a step of a route."""

    SOURCE = "source"
    TASK = "task"
    WRITE = "write"
    STORE = "store"
    READ = "read"


class Waypoint(msgspec.Struct, gc=False, frozen=True):
    """One place on a route; `agents` are those of a task type."""

    kind: StepKind
    name: str
    agents: tuple[str, ...] = ()


class Inflow(msgspec.Struct, gc=False, frozen=True):
    """Data that arrives at a task type: its label on arrival, and the shortest of the most open routes."""

    source: DataSource
    label: Label
    openness: Openness
    rules: tuple[str, ...]
    route: tuple[Waypoint, ...]

    @property
    def direct(self) -> bool:
        """Whether the task type reads the data itself."""
        return sum(one.kind is StepKind.TASK for one in self.route) == 1

    @property
    def untrusted(self) -> bool:
        """Whether an outsider could have written the data."""
        return self.label.trust is Trust.UNTRUSTED


class ReachPath(msgspec.Struct, gc=False, frozen=True):
    """Paths that differ only in their source: the inflow, the task type that receives it, and the outlet.

    `inflow` is the most open and shortest of them, and `sources` are the names of all. For `toxic`, `inflow`
    is the untrusted content and `private` the data that could leave; otherwise `private` is empty.
    """

    kind: PathKind
    inflow: Inflow
    runner: Runner
    outlet: Outlet
    guard: Guard
    private: Inflow | None = None
    sources: tuple[str, ...] = ()

    @property
    def keys(self) -> frozenset[tuple[str, ...]]:
        """The identities of these paths, independent of the route shown."""
        to = self.outlet.tool
        rest = (self.runner.name, to.id, to.effect.value, to.audience.name)
        return frozenset((self.kind.value, source, *rest) for source in self.sources)


class Handover(msgspec.Struct, frozen=True):
    """A point where one agent's work reaches another's: a hand-down, or a store that some write and others
    read.
    """

    via: str
    writers: tuple[tuple[str, str], ...]
    readers: tuple[tuple[str, str], ...]
    handed_down: bool = False


def is_private(label: Label, classes: Classes) -> bool:
    """Return whether data is restricted to some people: above the lowest class, or a secret."""
    return label.data_class != classes.bottom or "secret" in label.categories


def is_outward(tool: Tool) -> bool:
    """Return whether outsiders learn the tool's input; an unknown audience counts as outside."""
    name = tool.audience.name
    return name not in ("self", "internal") and not name.startswith("group:")
