# SPDX-License-Identifier: Apache-2.0
"""The terrain of a bundle: the tools that each task type holds, and the stores that join task types.

A store is named by a `resource` template (`ticket/{ticket}`), and divided by value where a grant permits only
some values; for tools without a template it is their whole upstream. Upstreams that one credential opens have
one more store in common. A store joins every task type that may write it with every one that may read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

import msgspec

from remit.core.errors import ConfigInvalid
from remit.core.label import Classes, Label, Trust
from remit.core.policy.bundle import Bundle
from remit.core.policy.reach.model import DataSource, Outlet, Runner, is_outward
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import TaskType
from remit.core.tools.constraint import (
    AllOf,
    AnyOf,
    Constraint,
    Each,
    EmailDomain,
    Exact,
    OneOf,
    OptionalArgument,
    Subset,
    UrlHost,
    Verdict,
    decode,
    is_subset,
    names_in,
    sample,
)
from remit.core.tools.tool import ArgumentRole, Effect, Tool

ANY = "*"
MAX_VALUES = 64
"""Values of one store that are distinguished; where grants name more, they count as one value."""


class SharedStore(msgspec.Struct, frozen=True, order=True):
    """A store of an upstream, or the content under one name in it; `store` is empty for the whole upstream.

    `upstream` is empty for a store that spans several upstreams.
    """

    upstream: str
    store: str = ""
    value: str = ANY

    @property
    def name(self) -> str:
        """The name in reports."""
        if not self.store or not self.upstream:
            return self.upstream or self.store
        return f"{self.store if self.value == ANY else self.store + self.value} of {self.upstream}"


class ToolGate(msgspec.Struct, frozen=True, eq=False):
    """All grants of one tool in one task type."""

    task_type: TaskType
    tool: Tool
    sources: tuple[DataSource, ...]
    outlets: tuple[Outlet, ...]
    variants: tuple[Tool, ...]
    writes: tuple[SharedStore, ...] = ()
    reads: tuple[SharedStore, ...] = ()
    pinned: bool = False


class ReachGraph(msgspec.Struct, frozen=True, eq=False):
    """The parts of a bundle that reach examines."""

    classes: Classes
    runners: tuple[Runner, ...]
    gates: dict[str, tuple[ToolGate, ...]]
    shelves: tuple[SharedStore, ...]
    untrusted_tools: dict[str, bool]


def reach_graph(
    bundle: Bundle,
    observed: frozenset[str] = frozenset(),
    joint: Mapping[str, tuple[SharedStore, ...]] = MappingProxyType({}),
) -> ReachGraph:
    """Build the terrain of a bundle.

    `observed` names the upstreams where grants refuse nothing, and `joint` maps upstreams to the stores that
    they share with others.
    """
    runners: list[Runner] = []
    sources: dict[str, tuple[DataSource, ...]] = {}
    held: dict[str, list[tuple[TaskType, Tool, list[GrantTemplate]]]] = {}
    for name, task_type in sorted(bundle.task_types.items()):
        runners.append(Runner(task_type, task_type.run_by))
        if task_type.delegates.to:
            runners.append(Runner(task_type, task_type.delegates.to, handed=True))
        by_tool: dict[str, list[GrantTemplate]] = {}
        for grant in task_type.grants:
            by_tool.setdefault(grant.tool, []).append(grant)
        held[name] = [
            (task_type, bundle.tool(*tool.split("/", 1)), grants) for tool, grants in by_tool.items()
        ]
    stores = _Stores(one for gates in held.values() for one in gates)
    gates: dict[str, tuple[ToolGate, ...]] = {}
    for name, granted in held.items():
        made = []
        for task_type, tool, grants in granted:
            if tool.id not in sources:
                sources[tool.id] = tuple(_sources(tool, bundle.classes))
            variants = tuple(_variants(tool, grants))
            outlets = tuple(_outlets(variants, grants, enforced=tool.upstream not in observed))
            shared = joint.get(tool.upstream, ())
            made.append(
                ToolGate(
                    task_type,
                    tool,
                    sources[tool.id],
                    outlets,
                    variants,
                    pinned=not any(outlet.arguments for outlet in outlets),
                    writes=(*stores.written(tool, grants), *shared) if _writes(variants) else (),
                    reads=(*stores.read(tool, grants), *shared) if _reads(variants) else (),
                )
            )
        gates[name] = tuple(made)
    untrusted = {
        gate.tool.id: gate.tool.label.trust is Trust.UNTRUSTED for made in gates.values() for gate in made
    }
    shelves = (*stores.shelves, *sorted({one for shared in joint.values() for one in shared}))
    return ReachGraph(bundle.classes, tuple(runners), gates, shelves, untrusted)


class Clause(msgspec.Struct, frozen=True, eq=False):
    """A grant's rule for one argument: the intent's parameters that it uses, and the constraint (if fixed).

    `places` is true where only the author of the grant, or the person who requested the task, can choose a
    place.
    """

    parameters: tuple[str, ...]
    constraint: Constraint | None
    places: bool
    values: tuple[object, ...]


def clause(spec: Mapping[str, object]) -> Clause:
    """Return a grant's rule for one argument, from a cache where it was read before."""
    return _clause(msgspec.json.encode(spec))


@lru_cache(maxsize=4096)
def _clause(written: bytes) -> Clause:
    spec = msgspec.json.decode(written)
    found = tuple(sorted(names_in(spec)))
    try:
        constraint = decode(sample(spec) if found else spec)
    except ConfigInvalid:
        return Clause(found, None, places=False, values=())
    values = () if found else tuple(_values(constraint))
    return Clause(found, None if found else constraint, _names_places(constraint), values)


def start_of(task_type: TaskType) -> tuple[DataSource, ...]:
    """Return the data that a task holds from its start, where its type has a label."""
    if task_type.label == Label():
        return ()
    return (DataSource(task_type.name, "at its start", task_type.label),)


def _sources(tool: Tool, classes: Classes) -> Iterable[DataSource]:
    own = tool.label.known
    receipt = tool.described and tool.effect is not Effect.NONE and own.trust is Trust.TRUSTED
    yield DataSource(tool.id, "", own, tool.described, receipt)
    seen = {own}
    for field in tool.fields:
        if field.withheld is not None:
            continue
        label = own.join(field.label, classes)
        if label not in seen:
            seen.add(label)
            yield DataSource(tool.id, field.path, label, tool.described)
    if tool.hands_over:
        # The stored label is known only at the call; until then the data may have any class.
        yield DataSource(tool.id, "its shared data", Label(classes.top, trust=Trust.TRUSTED))


def _variants(tool: Tool, grants: list[GrantTemplate]) -> Iterable[Tool]:
    """Yield the variants of the tool that calls under the grants may select."""
    seen: list[tuple[object, ...]] = []
    for grant in grants:
        certain = False
        for variant in tool.variants:
            fit = _fit(grant, variant.arguments)
            if fit is Subset.NO:
                continue
            made = variant.of(tool)
            if _rated(made) not in seen:
                seen.append(_rated(made))
                yield made
            if certain := fit is Subset.YES:
                break
        if not certain and _rated(tool) not in seen:
            seen.append(_rated(tool))
            yield tool


def _rated(tool: Tool) -> tuple[object, ...]:
    """Return what a variant may change."""
    return tool.effect, tool.audience, tool.production


def _fit(grant: GrantTemplate, wanted: Mapping[str, Constraint]) -> Subset:
    """Return whether all calls under a grant fit a variant (`YES`), none (`NO`), or it is undecided."""
    answers = [_covers(grant, name, constraint) for name, constraint in wanted.items()]
    if Subset.NO in answers:
        return Subset.NO
    return Subset.UNDECIDED if Subset.UNDECIDED in answers else Subset.YES


def _covers(grant: GrantTemplate, name: str, wanted: Constraint) -> Subset:
    spec = grant.arguments.get(name)
    if spec is None:
        absent = not grant.other_arguments
        return Subset.UNDECIDED if not absent else Subset.YES if wanted.may_be_absent else Subset.NO
    given = clause(spec)
    if given.constraint is None:
        return Subset.UNDECIDED
    if is_subset(given.constraint, wanted) is Subset.YES:
        return Subset.YES
    apart = bool(given.values) and all(wanted.judge(value) is Verdict.NO for value in given.values)
    return Subset.NO if apart else Subset.UNDECIDED


def _outlets(variants: Iterable[Tool], grants: list[GrantTemplate], *, enforced: bool) -> Iterable[Outlet]:
    for tool in variants:
        outward = is_outward(tool)
        # An audience of only some people inside is an outlet, too: policy states for which data.
        if not outward and tool.effect is not Effect.IRREVERSIBLE and tool.audience.name == "self":
            continue
        free, kept = [], []
        for name, argument in tool.arguments.items():
            if argument.role is ArgumentRole.DESTINATION:
                says = [_pinned(grant, name) for grant in grants]
                if enforced and all(says):
                    kept.append(says[0])
                else:
                    free.append(name)
        pinned = "" if free else "; ".join(dict.fromkeys(kept))
        yield Outlet(tool, outward, pinned, tuple(free))


def _pinned(grant: GrantTemplate, argument: str) -> str:
    """Describe how a grant prevents the author of data that was read from choosing a destination; empty if it
    does not.
    """
    name = argument.partition(".")[0].partition("[")[0]
    spec = grant.arguments.get(name)
    if spec is None:
        return "" if grant.other_arguments else f"`{name}` cannot be given"
    says = clause(spec)
    if not says.places:
        return ""
    if says.constraint is None:
        return f"`{name}` comes from the intent's {', '.join(f'`{one}`' for one in says.parameters)}"
    return f"`{name}` must {says.constraint.describe()}"


def _names_places(constraint: Constraint) -> bool:
    match constraint:
        case Exact() | OneOf() | EmailDomain() | UrlHost():
            return True
        case OptionalArgument():
            return _names_places(constraint.part)
        case Each():
            return _names_places(constraint.element)
        case AllOf():
            return any(_names_places(part) for part in constraint.parts)
        case AnyOf():
            return all(_names_places(part) for part in constraint.parts)
        case _:
            return False


def _values(constraint: Constraint) -> list[object]:
    match constraint:
        case Exact():
            return [constraint.value]
        case OneOf():
            return list(constraint.values)
        case OptionalArgument():
            return _values(constraint.part)
        case _:
            return []


def _writes(variants: Iterable[Tool]) -> bool:
    return any(tool.effect is not Effect.NONE for tool in variants)


def _reads(variants: Iterable[Tool]) -> bool:
    """Return whether a tool returns stored data. A tool without a description may do anything."""
    return any(tool.effect is Effect.NONE or not tool.described for tool in variants)


class _Stores:
    """The stores of a bundle, with the names by which its grants distinguish their contents."""

    def __init__(self, granted: Iterable[tuple[TaskType, Tool, list[GrantTemplate]]]) -> None:
        values: dict[SharedStore, set[str]] = {}
        self._of_upstream: dict[str, set[SharedStore]] = {}
        for _, tool, grants in granted:
            store = _store(tool)
            self._of_upstream.setdefault(tool.upstream, set()).add(store)
            named = values.setdefault(store, set())
            for grant in grants:
                named.update(_named(tool, grant))
        self._values = {
            store: named if len(named) <= MAX_VALUES else set() for store, named in values.items()
        }
        self.shelves = sorted(
            SharedStore(store.upstream, store.store, value)
            for store, named in self._values.items()
            for value in (ANY, *named)
        )

    def written(self, tool: Tool, grants: list[GrantTemplate]) -> tuple[SharedStore, ...]:
        """Return the stores that a tool writes under some grants."""
        store = _store(tool)
        known = self._values[store]
        out: set[SharedStore] = set()
        for grant in grants:
            named = _named(tool, grant)
            if named and named <= known:
                out.update(SharedStore(store.upstream, store.store, value) for value in named)
            else:
                out.add(store)
        return tuple(sorted(out))

    def read(self, tool: Tool, grants: list[GrantTemplate]) -> tuple[SharedStore, ...]:
        """Return the stores that a tool reads under some grants; a tool without a template reads its whole
        upstream.
        """
        store = _store(tool)
        stores = {store} if tool.resource else self._of_upstream[tool.upstream]
        whole = SharedStore(tool.upstream)
        out = {whole} if whole in self._values else set()
        for grant in grants:
            says = _says(tool, grant)
            constraint = None if says is None else says.constraint
            for one in stores:
                out.add(one)
                for value in self._values[one]:
                    if one != store or constraint is None or constraint.judge(value) is not Verdict.NO:
                        out.add(SharedStore(one.upstream, one.store, value))
        return tuple(sorted(out))


def _store(tool: Tool) -> SharedStore:
    return SharedStore(tool.upstream, tool.resource.partition("{")[0])


def _says(tool: Tool, grant: GrantTemplate) -> Clause | None:
    """Return a grant's rule for the single argument that names a resource; None where there is none."""
    if tool.resource.count("{") != 1 or not tool.resource.endswith("}"):
        return None
    spec = grant.arguments.get(tool.resource.partition("{")[2][:-1])
    return None if spec is None else clause(spec)


def _named(tool: Tool, grant: GrantTemplate) -> set[str]:
    says = _says(tool, grant)
    return {value for value in says.values if isinstance(value, str)} if says is not None else set()
