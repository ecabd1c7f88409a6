# SPDX-License-Identifier: Apache-2.0
"""One layer of a grant: one author's conditions, compiled for judging, and the reasons for a refusal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.tools.constraint import Anything, Constraint, Verdict, decode, folded, shown

_OVERLOOKED: Final = str.maketrans("", "", "_-. ")
_ABSENT: Final = object()


class Ceilings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bounds on all calls under a grant together; `None` and an absent key are no bound.

    `calls` bounds their number. `amount` bounds, by argument, the sum of that argument over all permitted
    calls (in each call the argument must then be a number from 0 on, and no larger than the sum).
    `result_class` is the highest data class that a result may carry. The recorder of calls does the counting.
    """

    calls: int | None = None
    amount: dict[str, int | float] = {}
    result_class: str | None = None

    def __post_init__(self) -> None:
        if self.calls is not None and (type(self.calls) is not int or self.calls < 0):
            raise ConfigInvalid("`calls` must be a whole number of at least 0", key="ceilings.calls")
        for name, total in self.amount.items():
            if type(total) not in (int, float) or not math.isfinite(total) or total < 0:
                raise ConfigInvalid("must be a number of at least 0", key=f"ceilings.amount.{name}")


class Layer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One author's conditions: constraints by argument in written form, and ceilings."""

    arguments: dict[str, Json] = {}
    other_arguments: bool = False
    ceilings: Ceilings = Ceilings()


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why a grant does not permit a call.

    `code` is stable: `argument-refused`, `argument-missing`, `argument-undeclared`, `argument-look-alike`,
    `amount-refused`, `tool-not-granted`, `not-understood`. `rule` is the constraint in written form,
    `remediation` states what would be permitted. `layer` is 0 for the grant's own condition, 1 for its
    parent's, and so on.

    INVARIANT: no text holds the refused value.
    """

    code: str
    argument: str = ""
    rule: str = ""
    reason: str = ""
    remediation: str = ""
    layer: int = 0

    @property
    def text(self) -> str:
        """The reason and the remediation in one line."""
        return f"{self.reason}; {self.remediation}" if self.remediation else self.reason


class ReadyRule(msgspec.Struct, frozen=True):
    """One compiled constraint."""

    name: str
    judge: Callable[[Json], Verdict]
    may_be_absent: bool
    constraint: Constraint


class ReadyLayer(msgspec.Struct, frozen=True):
    """One compiled layer.

    `declared` are the argument names that it mentions, `near` the folded forms that a careless upstream might
    confuse with them.
    """

    declared: frozenset[str]
    others: bool
    near: frozenset[str]
    rules: tuple[ReadyRule, ...]
    amounts: tuple[tuple[str, int | float], ...]


def ready(layer: Layer) -> ReadyLayer:
    """Compile a layer; an unknown constraint will refuse."""
    rules = []
    for name, spec in layer.arguments.items():
        constraint = decode(spec)
        if not isinstance(constraint, Anything):
            rules.append(ReadyRule(name, constraint.judge, constraint.may_be_absent, constraint))
    names = frozenset((*layer.arguments, *layer.ceilings.amount))
    return ReadyLayer(
        declared=names,
        others=layer.other_arguments,
        near=frozenset(_overlooking(name) for name in names),
        rules=tuple(rules),
        amounts=tuple(layer.ceilings.amount.items()),
    )


def fits(check: ReadyLayer, arguments: dict[str, Json]) -> bool:
    """Return whether one layer permits the arguments: the fast path, without reasons."""
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


def refusals(check: ReadyLayer, arguments: dict[str, Json], layer: int) -> Iterable[Refusal]:
    """Yield the reasons for what `fits` refuses."""
    for name in sorted(arguments):
        if name in check.declared:
            continue
        if not check.others:
            known = ", ".join(f"`{shown(known)}`" for known in sorted(check.declared)) or "none"
            yield Refusal(
                code="argument-undeclared",
                argument=shown(name),
                reason=f"the grant does not permit argument `{shown(name)}`",
                remediation=f"permitted: {known}",
                layer=layer,
            )
        elif _look_alike(check, name):
            yield Refusal(
                code="argument-look-alike",
                argument=shown(name),
                reason=f"`{shown(name)}` could be mistaken for another argument that the grant constrains",
                remediation="write the argument's name as the tool declares it",
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
            remediation=must,
            layer=layer,
        )
    for name, total in check.amounts:
        if fault := _amount_fault(arguments.get(name), total):
            yield Refusal(
                code="amount-refused",
                argument=shown(name),
                rule=f"ceilings.amount.{shown(name)}: {total}",
                reason=f"`{shown(name)}` {fault}",
                remediation=f"`{shown(name)}` must be a number from 0 to {total}",
                layer=layer,
            )


def _amount_fault(value: Json, total: float) -> str:
    if type(value) not in (int, float) or not math.isfinite(value):
        return "is not a number, so its sum cannot be limited"
    if value < 0:
        return "is negative, which would lower the sum"
    return "exceeds the ceiling on its sum" if value > total else ""


def _overlooking(name: str) -> str:
    """Return an argument's name as a careless upstream might read it."""
    return folded("".join(ch for ch in name if ch.isprintable())).translate(_OVERLOOKED)


def _look_alike(check: ReadyLayer, name: str) -> bool:
    return name not in check.declared and _overlooking(name) in check.near
