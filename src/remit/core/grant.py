# SPDX-License-Identifier: Apache-2.0
"""Grants: what a task may call, with which arguments, how often.

A `GrantTemplate` is what a task type says, with placeholders; `instantiate` makes a `Grant` of it when a task
opens. A grant is a conjunction of layers: its own and those of all its ancestors. Attenuation only ever adds
a layer, and `simplified` removes only what is proven to change no verdict.

INVARIANT: whatever `grant.attenuate(wanted)` permits, both `grant` and `wanted` permit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property, partial
from typing import Any, Final, TypeVar

import msgspec
import re2

from remit.core.canonical import digest, encode
from remit.core.constraint import (
    Anything,
    Constraint,
    Parameters,
    Subset,
    Verdict,
    decode,
    fill,
    folded,
    is_subset,
    load,
    names_in,
    sample,
    shown,
)
from remit.core.errors import ConfigInvalid, Malformed

Json = Any

MAX_LAYERS: Final = 64
"""How often a grant may be handed on and narrowed."""
_TOOL: Final = re2.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}/[A-Za-z0-9_.:/-]{1,256}")
_OVERLOOKED: Final = str.maketrans("", "", "_-. ")
_ABSENT: Final = object()
_T = TypeVar("_T")


class Ceilings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all calls under a grant may come to; `None` and an absent key are no bound.

    `calls` is how many; `amount` the sum, by argument, of that argument over all permitted calls (the
    argument then must be a number from 0 on in each call, and no larger than the sum); `result_class` the
    highest data class that a result may carry. The counting itself is done where calls are recorded.
    """

    calls: int | None = None
    amount: dict[str, int | float] = {}
    result_class: str | None = None

    def __post_init__(self) -> None:
        if self.calls is not None and (type(self.calls) is not int or self.calls < 0):
            raise ConfigInvalid("`calls` must be a whole number from 0 on", key="ceilings.calls")
        for name, total in self.amount.items():
            if type(total) not in (int, float) or not math.isfinite(total) or total < 0:
                raise ConfigInvalid("must be a number from 0 on", key=f"ceilings.amount.{name}")


class Layer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One author's conditions: constraints by argument in written form, and ceilings."""

    arguments: dict[str, Json] = {}
    other_arguments: bool = False
    ceilings: Ceilings = Ceilings()


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why a grant does not permit a call.

    `code` is stable: `argument-refused`, `argument-missing`, `argument-undeclared`, `argument-look-alike`,
    `amount-refused`, `tool-not-granted`, `not-understood`. `rule` is the constraint in written form,
    `way_out` what would be permitted. `layer` is 0 for the grant's own condition, 1 for its parent's, and so
    on.

    INVARIANT: no text holds the refused value.
    """

    code: str
    argument: str = ""
    rule: str = ""
    reason: str = ""
    way_out: str = ""
    layer: int = 0

    @property
    def text(self) -> str:
        """The reason and the way out in one line."""
        return f"{self.reason}; {self.way_out}" if self.way_out else self.reason


class _Rule(msgspec.Struct, frozen=True):
    """One constraint, ready to judge."""

    name: str
    judge: Callable[[Json], Verdict]
    may_be_absent: bool
    constraint: Constraint


class _Check(msgspec.Struct, frozen=True):
    """One layer, ready to judge.

    `declared` are the names it speaks of, `near` what a careless upstream might make of them.
    """

    declared: frozenset[str]
    others: bool
    near: frozenset[str]
    rules: tuple[_Rule, ...]
    amounts: tuple[tuple[str, int | float], ...]


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, eq=False, dict=True):
    """A tool, constraints on its arguments, and ceilings: the grant's own and those of all its ancestors.

    `tool` is `upstream/tool`. `arguments` maps names to constraints in written form. An argument that is not
    named is refused unless `other_arguments` is true; one that is named and absent is refused unless its
    constraint is `optional` or `anything`. `ancestors` are the conditions of the grants that this one was
    narrowed from, nearest first. The JSON form is the field values; a constraint that this version does not
    know is kept and refuses. Two grants are equal when their canonical JSON is.
    """

    tool: str
    arguments: dict[str, Json] = {}
    other_arguments: bool = False
    ceilings: Ceilings = Ceilings()
    ancestors: tuple[Layer, ...] = ()

    def __post_init__(self) -> None:
        _check_tool(self.tool)
        if len(self.ancestors) >= MAX_LAYERS:
            raise Malformed(
                f"grant of `{self.tool}` has been narrowed too often", way_out="delegate less deeply"
            )
        # Compiled now, so that no call pays for it; the fields stay plain JSON values.
        self.__dict__["_checks"] = tuple(_compile(layer) for layer in self.layers)

    def __eq__(self, other: object) -> bool:
        return self._canonical == other._canonical if isinstance(other, Grant) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._canonical)

    @classmethod
    def load(cls, written: Json, key: str = "grant") -> Grant:
        """Read a grant that a person or an agent wrote, braces taken as they are; raises `ConfigInvalid`."""

        def convert() -> Grant:
            given: _Written = _convert(written, _Written)
            arguments = {
                name: load(spec, f"arguments.{name}").spec() for name, spec in given.arguments.items()
            }
            return cls(given.tool, arguments, given.other_arguments, given.ceilings)

        return _keyed(convert, key)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All conditions, the grant's own first."""
        return (Layer(self.arguments, self.other_arguments, self.ceilings), *self.ancestors)

    @cached_property
    def _canonical(self) -> bytes:
        return encode(msgspec.to_builtins(self))

    @property
    def digest(self) -> str:
        """The digest of the canonical JSON."""
        return digest(msgspec.to_builtins(self))

    @property
    def calls(self) -> int | None:
        """The smallest ceiling on the number of calls."""
        return min(
            (bound for bound in (layer.ceilings.calls for layer in self.layers) if bound is not None),
            default=None,
        )

    @property
    def amounts(self) -> dict[str, int | float]:
        """The smallest ceiling on the sum of each argument that has one."""
        out: dict[str, int | float] = {}
        for layer in self.layers:
            for name, total in layer.ceilings.amount.items():
                out[name] = min(total, out.get(name, total))
        return out

    @property
    def result_classes(self) -> tuple[str, ...]:
        """The data classes that no result may exceed, each of them; in the order of the layers."""
        return tuple(
            dict.fromkeys(
                top for top in (layer.ceilings.result_class for layer in self.layers) if top is not None
            )
        )

    def permits(self, arguments: dict[str, Json]) -> tuple[Refusal, ...]:
        """Say what keeps the arguments from being permitted; an empty answer permits. Nothing is counted."""
        checks: tuple[_Check, ...] = self.__dict__["_checks"]
        for check in checks:
            if not _fits(check, arguments):
                break
        else:
            return ()
        found = [refusal for i, check in enumerate(checks) for refusal in _refusals(check, arguments, i)]
        # INVARIANT: what the fast path refuses stays refused, whatever the explanation finds.
        return tuple(found) or (Refusal(code="not-understood", reason="the arguments do not fit the grant"),)

    def attenuate(self, wanted: Grant) -> Grant:
        """Give the conjunction of this grant and the wanted one; another tool raises `Malformed`."""
        if wanted.tool != self.tool:
            raise Malformed(
                f"a grant of `{self.tool}` cannot be narrowed to `{wanted.tool}`",
                way_out="ask for a tool that is held",
            )
        layers = (*wanted.ancestors, *self.layers)
        if len(layers) >= MAX_LAYERS:
            layers = tuple(simplified([*wanted.layers, *self.layers]))
            first, *rest = layers
            return Grant(self.tool, first.arguments, first.other_arguments, first.ceilings, tuple(rest))
        return Grant(self.tool, wanted.arguments, wanted.other_arguments, wanted.ceilings, layers)

    def simplified(self) -> Grant:
        """Give a grant with the same verdicts and ceilings, without conditions that others imply."""
        first, *rest = simplified(self.layers)
        return Grant(self.tool, first.arguments, first.other_arguments, first.ceilings, tuple(rest))

    def widenings(self, wanted: Grant) -> tuple[str, ...]:
        """Name, for people, the arguments for which `wanted` alone would permit more than this grant."""
        out = []
        for name in sorted({name for layer in self.layers for name in layer.arguments}):
            theirs = [_constraint(layer, name) for layer in wanted.layers]
            for layer in self.layers:
                if not (mine := _constraint(layer, name)):
                    continue
                answers = {is_subset(their, mine) for their in theirs if their}
                if Subset.YES not in answers and (Subset.NO in answers or not answers):
                    out.append(f"`{shown(name)}` stays narrower: it must {mine.describe()}")
        return tuple(out)

    def describe(self) -> tuple[str, ...]:
        """Say in short sentences what a call must satisfy."""
        out = [
            f"`{shown(rule.name)}` must {rule.constraint.describe()}"
            for check in self.__dict__["_checks"]
            for rule in check.rules
        ]
        return tuple(dict.fromkeys(out))


class GrantTemplate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A grant as a task type writes it: strings in constraints and numbers in ceilings may be `{parameter}`s.

    Everything but the parameters' values is checked on construction; raises `ConfigInvalid`.
    """

    tool: str
    arguments: dict[str, Json] = {}
    other_arguments: bool = False
    ceilings: dict[str, Json] = {}

    def __post_init__(self) -> None:
        _check_tool(self.tool)
        for name, spec in self.arguments.items():
            load(_keyed(partial(sample, spec), f"arguments.{name}"), f"arguments.{name}")
        _ceilings(_closed(self.ceilings))

    @classmethod
    def load(cls, written: Json, key: str = "grant") -> GrantTemplate:
        """Read the written form; raises `ConfigInvalid` that names the key."""
        return _keyed(lambda: _convert(written, cls), key)

    @property
    def placeholders(self) -> frozenset[str]:
        """The names of all parameters that it refers to."""
        parts = [{"exact": self.ceilings}, *self.arguments.values()]
        return frozenset(name for part in parts for name in names_in(part))

    def check(self, parameters: Collection[str]) -> None:
        """Make sure that each placeholder names a declared parameter; raises `ConfigInvalid` if not."""
        for name in sorted(self.placeholders.difference(parameters)):
            known = ", ".join(f"`{{{known}}}`" for known in sorted(parameters)) or "none"
            raise ConfigInvalid(
                f"grant of `{self.tool}` has the unknown placeholder `{{{name}}}`",
                way_out=f"declared are: {known}",
            )

    def instantiate(self, params: Mapping[str, Json], *, paths: Collection[str] = ()) -> Grant:
        """Give the grant for these parameters; `paths` names those that may hold several path components.

        A missing parameter, and one that could mean more than its place allows, raises `ConfigInvalid`.
        """
        given = Parameters(params, paths)
        arguments = {}
        for name, spec in self.arguments.items():
            filled = _keyed(partial(fill, spec, given), f"arguments.{name}")
            arguments[name] = load(filled, f"arguments.{name}").spec()
        filled = _keyed(lambda: fill({"exact": self.ceilings}, given)["exact"], "ceilings")
        return Grant(self.tool, arguments, self.other_arguments, _ceilings(filled))


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tool: str
    arguments: dict[str, Json] = {}
    other_arguments: bool = False
    ceilings: Ceilings = Ceilings()


def narrow(held: Iterable[Grant], wanted: Iterable[Grant]) -> tuple[tuple[Grant, ...], tuple[Refusal, ...]]:
    """Give what a child gets of what it wants, and a refusal for each tool that the parent does not hold.

    Where the parent holds several grants of a tool, the child gets one for each.
    """
    held = tuple(held)
    grants: list[Grant] = []
    refusals: list[Refusal] = []
    for want in wanted:
        mine = [grant.attenuate(want).simplified() for grant in held if grant.tool == want.tool]
        grants += mine
        if not mine:
            names = ", ".join(f"`{tool}`" for tool in sorted({grant.tool for grant in held})) or "none"
            refusals.append(
                Refusal(
                    code="tool-not-granted",
                    reason=f"the parent holds no grant of `{want.tool}`",
                    way_out=f"ask for one of: {names}",
                )
            )
    return tuple(dict.fromkeys(grants)), tuple(refusals)


def simplified(layers: Iterable[Layer]) -> list[Layer]:
    """Drop from a conjunction of layers what other layers are proven to imply; the verdicts stay the same."""
    parts = [({name: decode(spec) for name, spec in layer.arguments.items()}, layer) for layer in layers]
    for i, (mine, _) in enumerate(parts):
        for name, constraint in mine.items():
            others = (theirs[name] for j, (theirs, _) in enumerate(parts) if j != i and name in theirs)
            # One at a time, and against what is still there: two that imply each other do not both go.
            if not isinstance(constraint, Anything) and any(
                not isinstance(other, Anything) and is_subset(other, constraint) is Subset.YES
                for other in others
            ):
                mine[name] = Anything()
    kept = list(parts)
    for part in reversed(parts):
        rest = [other for other in kept if other is not part]
        if rest and _needless(part, rest):
            kept = rest
    return [
        Layer(
            {name: constraint.spec() for name, constraint in mine.items()},
            layer.other_arguments,
            layer.ceilings,
        )
        for mine, layer in kept
    ]


_Part = tuple[dict[str, Constraint], Layer]


def _needless(part: _Part, others: list[_Part]) -> bool:
    """Whether a layer refuses nothing that the others permit, and bounds nothing more tightly."""
    mine, layer = part
    if not all(isinstance(constraint, Anything) for constraint in mine.values()):
        return False
    if layer.other_arguments:
        # Its names still ward off their look-alikes, unless another layer refuses every name but the same.
        if mine and not any(
            not other.other_arguments and theirs.keys() <= mine.keys() for theirs, other in others
        ):
            return False
    elif not any(not other.other_arguments and theirs.keys() <= mine.keys() for theirs, other in others):
        return False
    bounds = [other.ceilings for _, other in others]
    own = layer.ceilings
    if own.calls is not None and not any(b.calls is not None and b.calls <= own.calls for b in bounds):
        return False
    if own.result_class is not None and all(b.result_class != own.result_class for b in bounds):
        return False
    return all(
        any(b.amount.get(name, math.inf) <= total for b in bounds) for name, total in own.amount.items()
    )


def _constraint(layer: Layer, name: str) -> Constraint | None:
    return decode(layer.arguments[name]) if name in layer.arguments else None


def _compile(layer: Layer) -> _Check:
    rules = []
    for name, spec in layer.arguments.items():
        constraint = decode(spec)
        if not isinstance(constraint, Anything):
            rules.append(_Rule(name, constraint.judge, constraint.may_be_absent, constraint))
    names = frozenset((*layer.arguments, *layer.ceilings.amount))
    return _Check(
        declared=names,
        others=layer.other_arguments,
        near=frozenset(_overlooking(name) for name in names),
        rules=tuple(rules),
        amounts=tuple(layer.ceilings.amount.items()),
    )


def _fits(check: _Check, arguments: dict[str, Json]) -> bool:
    """Whether one layer permits the arguments: the fast path, without reasons."""
    if not check.declared.issuperset(arguments) and (
        not check.others or any(_look_alike(check, name) for name in arguments)
    ):
        return False
    for rule in check.rules:
        value = arguments.get(rule.name, _ABSENT)
        if value is _ABSENT:
            if not rule.may_be_absent:
                return False
        elif rule.judge(value) is not Verdict.YES:
            return False
    return all(_amount_fault(arguments.get(name), total) == "" for name, total in check.amounts)


def _refusals(check: _Check, arguments: dict[str, Json], layer: int) -> Iterable[Refusal]:
    """Explain what `_fits` refuses."""
    for name in sorted(arguments, key=repr):
        if name in check.declared:
            continue
        if not check.others:
            known = ", ".join(f"`{shown(known)}`" for known in sorted(check.declared)) or "none"
            yield Refusal(
                code="argument-undeclared",
                argument=shown(name),
                reason=f"the grant names no argument `{shown(name)}`",
                way_out=f"it takes: {known}",
                layer=layer,
            )
        elif _look_alike(check, name):
            yield Refusal(
                code="argument-look-alike",
                argument=shown(name),
                reason=f"`{shown(name)}` could be taken for another argument that the grant constrains",
                way_out="write the argument's name as the tool declares it",
                layer=layer,
            )
    for rule in check.rules:
        must = f"`{shown(rule.name)}` must {rule.constraint.describe()}"
        absent = rule.name not in arguments
        if rule.may_be_absent if absent else rule.judge(arguments[rule.name]) is Verdict.YES:
            continue
        why = "is missing" if absent else rule.constraint.why(arguments[rule.name]) or "is not permitted"
        yield Refusal(
            code="argument-missing" if absent else "argument-refused",
            argument=shown(rule.name),
            rule=shown(rule.constraint.spec()),
            reason=f"`{shown(rule.name)}` {why}",
            way_out=must,
            layer=layer,
        )
    for name, total in check.amounts:
        if fault := _amount_fault(arguments.get(name), total):
            yield Refusal(
                code="amount-refused",
                argument=shown(name),
                rule=f"ceilings.amount.{shown(name)}: {total}",
                reason=f"`{shown(name)}` {fault}",
                way_out=f"`{shown(name)}` must be a number from 0 to {total}",
                layer=layer,
            )


def _amount_fault(value: Json, total: float) -> str:
    if type(value) not in (int, float) or not math.isfinite(value):
        return "is no number, so its sum could not be bounded"
    if value < 0:
        return "is negative, which would lower the sum"
    return "is above the ceiling on its sum" if value > total else ""


def _overlooking(name: str) -> str:
    """Give what a careless upstream might make of an argument's name."""
    return folded("".join(ch for ch in name if ch.isprintable())).translate(_OVERLOOKED)


def _look_alike(check: _Check, name: str) -> bool:
    return name not in check.declared and _overlooking(name) in check.near


def _check_tool(tool: str) -> None:
    if _TOOL.fullmatch(tool) is None:
        raise ConfigInvalid(
            f"`{shown(tool)}` names no tool", key="tool", way_out="write `upstream/tool`; no wildcards"
        )


def _ceilings(written: Json) -> Ceilings:
    return _keyed(lambda: _convert(written, Ceilings), "ceilings")


def _convert(written: Json, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(written, kind)
    except msgspec.ValidationError as fault:
        keys = ", ".join(field.name for field in msgspec.structs.fields(kind))  # type: ignore[arg-type]
        raise ConfigInvalid(_lowered(fault), way_out=f"its keys: {keys}") from None


def _closed(written: dict[str, Json]) -> dict[str, Json]:
    """Give what stands in ceilings besides placeholders."""
    out = {
        key: bound for key, bound in written.items() if type(bound) is dict or not names_in({"exact": bound})
    }
    return {key: _closed(bound) if type(bound) is dict else bound for key, bound in out.items()}


def _lowered(fault: msgspec.ValidationError) -> str:
    words = str(fault)
    return words[:1].lower() + words[1:]


def _keyed(read: Callable[[], _T], key: str) -> _T:
    """Read something of which a fault names the key."""
    try:
        return read()
    except ConfigInvalid as fault:
        if fault.key.startswith(key):
            raise
        at = f"{key}.{fault.key}" if fault.key else key
        raise ConfigInvalid(_bare(fault), key=at, way_out=fault.way_out) from None


def _bare(fault: ConfigInvalid) -> str:
    return fault.message.removeprefix(f"`{fault.key}`: ")
