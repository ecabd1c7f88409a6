# SPDX-License-Identifier: Apache-2.0
"""The words of reach: what data there is, who runs what, where it can leave, and what stands in between."""

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
    """What a path does.

    `toxic`: private data and untrusted content meet where something can leave. `effect`: untrusted content
    leads to an external or irreversible effect. `disclosure`: private data reaches who may not learn it.
    """

    TOXIC = "toxic"
    EFFECT = "effect"
    DISCLOSURE = "disclosure"


class Guard(msgspec.Struct, gc=False, frozen=True):
    """What is said of a call before it is made: how open it is, and by which rules.

    `rules` are ids of policies, or `grant` where the task type's own grant keeps the destination.
    """

    openness: Openness = Openness.OPEN
    rules: tuple[str, ...] = ()


OPEN = Guard()
GRANT = "grant"


class StaticCall(msgspec.Struct, gc=False, frozen=True):
    """A call as far as it is known without its arguments: the worst that could be asked.

    `tool` is the tool as the grant leaves it (the variant that fits). `label` is what the task has read by
    then. `pinned` says that the grant leaves the caller no choice of a destination; otherwise it comes from
    what was read.
    """

    task_type: TaskType
    agent: str
    handed: bool
    tool: Tool
    label: Label
    pinned: bool


class Judge(Protocol):
    """Who says what policies hold of a call that nobody has made. Pure: equal calls get equal answers."""

    def __call__(self, call: StaticCall) -> Guard:
        """Return how open the call is, and by which rules."""
        ...

    def kind(self, tool: Tool) -> Hashable:
        """Return all by which it tells one tool from another."""
        ...

    def party(self, task_type: TaskType, agent: str, handed: bool) -> Hashable:
        """Return all by which it tells one caller from another."""
        ...


class DataSource(msgspec.Struct, gc=False, frozen=True, order=True):
    """What a tool's results bring in: with the tool's own label, or with that of one field.

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
        """The tool, and the field where it is one."""
        return f"{self.tool} · {self.field}" if self.field else self.tool


class Outlet(msgspec.Struct, frozen=True):
    """Where something a task does can be felt: a granted tool with the effect and audience of one variant.

    `pinned` says, for people, how the grant keeps the destination; empty where it does not. `arguments` are
    the destinations that the grant leaves free.
    """

    tool: Tool
    outward: bool
    pinned: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def irreversible(self) -> bool:
        """Whether what it does cannot be taken back."""
        return self.tool.effect is Effect.IRREVERSIBLE


class Runner(msgspec.Struct, frozen=True):
    """A task type with the agents that may run it, or (`handed`) to whom its tasks may be handed down."""

    task_type: TaskType
    agents: tuple[str, ...]
    handed: bool = False

    @property
    def name(self) -> str:
        """The name in reports."""
        return f"{self.task_type.name} (delegated)" if self.handed else self.task_type.name


class StepKind(enum.StrEnum):
    """What a step of a route is."""

    SOURCE = "source"
    TASK = "task"
    WRITE = "write"
    STORE = "store"
    READ = "read"


class Waypoint(msgspec.Struct, gc=False, frozen=True):
    """One place that a route goes through; `agents` of a task type."""

    kind: StepKind
    name: str
    agents: tuple[str, ...] = ()


class Inflow(msgspec.Struct, gc=False, frozen=True):
    """Data as it arrives at a task type: its label by then, and the shortest of the most open routes."""

    source: DataSource
    label: Label
    openness: Openness
    rules: tuple[str, ...]
    route: tuple[Waypoint, ...]

    @property
    def direct(self) -> bool:
        """Whether the task type reads it itself."""
        return sum(one.kind is StepKind.TASK for one in self.route) == 1

    @property
    def untrusted(self) -> bool:
        """Whether somebody outside could have written it."""
        return self.label.trust is Trust.UNTRUSTED


class ReachPath(msgspec.Struct, gc=False, frozen=True):
    """Paths that differ in their source alone: what comes in, the task type that takes it, where it leads.

    `inflow` is the most open and shortest of them, and `sources` are the names of all. For `toxic`, `inflow`
    is the untrusted content and `private` the data that could leave; else `private` is empty.
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
        """What makes them these paths and no others, whatever route is shown."""
        to = self.outlet.tool
        rest = (self.runner.name, to.id, to.effect.value, to.audience.name)
        return frozenset((self.kind.value, source, *rest) for source in self.sources)


class Handover(msgspec.Struct, frozen=True):
    """Where one agent's work reaches another's: a hand-down, or a store that some write and others read."""

    via: str
    writers: tuple[tuple[str, str], ...]
    readers: tuple[tuple[str, str], ...]
    handed_down: bool = False


def is_private(label: Label, classes: Classes) -> bool:
    """Whether data is for some people only: above the lowest class, or a secret."""
    return label.data_class != classes.bottom or "secret" in label.categories


def is_outward(tool: Tool) -> bool:
    """Whether people outside learn what the tool is given; an audience that nobody knows is outside."""
    name = tool.audience.name
    return name not in ("self", "internal") and not name.startswith("group:")
