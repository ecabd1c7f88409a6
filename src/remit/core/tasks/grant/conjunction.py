# SPDX-License-Identifier: Apache-2.0
"""The grant that a task holds: a conjunction of layers, its own and those of all its ancestors.

Attenuation only adds layers, and `simplified` removes only what provably changes no verdict.

INVARIANT: whatever `grant.attenuate(wanted)` permits, both `grant` and `wanted` permit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import islice
from typing import Final

import msgspec

from remit.core.canonical import digest, encode
from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.tasks.grant.layer import Ceilings, Layer, ReadyLayer, Refusal, fits, ready, refusals
from remit.core.tasks.grant.parsing import check_tool, convert_written, keyed
from remit.core.tasks.grant.simplify import simplified
from remit.core.tools.constraint import Anything, Constraint, decode, load, shown

MAX_LAYERS: Final = 64
"""Most times that a grant may be passed on and narrowed."""

MAX_REFUSALS: Final = 20
"""Most reasons for one refusal: a call with many arguments does not get equally many reasons."""


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, eq=False, dict=True):
    """A tool, constraints on its arguments, and ceilings: the grant's own and those of all its ancestors.

    `tool` is `upstream/tool`. `arguments` maps names to constraints in written form. An argument that is not
    named is refused unless `other_arguments` is true. A named argument that is absent is refused unless its
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
        check_tool(self.tool)
        if len(self.ancestors) >= MAX_LAYERS:
            raise Malformed(
                f"grant of `{self.tool}` has been narrowed too often", remediation="delegate less deeply"
            )
        # Compiled at construction, not at the first call; the fields stay plain JSON values.
        _ = self._checks

    def __eq__(self, other: object) -> bool:
        return self._canonical == other._canonical if isinstance(other, Grant) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._canonical)

    @classmethod
    def load(cls, written: Json, key: str = "grant") -> Grant:
        """Parse a grant that a person or an agent wrote, with literal braces; raise `ConfigInvalid`."""

        def convert() -> Grant:
            given: _Written = convert_written(written, _Written)
            arguments = {
                name: load(spec, f"arguments.{name}").spec() for name, spec in given.arguments.items()
            }
            return cls(given.tool, arguments, given.other_arguments, given.ceilings)

        return keyed(convert, key)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """All conditions, the grant's own first."""
        return (Layer(self.arguments, self.other_arguments, self.ceilings), *self.ancestors)

    @cached_property
    def _checks(self) -> tuple[ReadyLayer, ...]:
        return tuple(ready(layer) for layer in self.layers)

    @cached_property
    def _canonical(self) -> bytes:
        return encode(msgspec.to_builtins(self))

    @property
    def digest(self) -> str:
        """The digest of the canonical JSON."""
        return digest(msgspec.to_builtins(self))

    def may_take(self, argument: str) -> bool:
        """Return whether some value of this argument may be permitted: every layer names it or permits other
        arguments.
        """
        return all(layer.other_arguments or argument in layer.arguments for layer in self.layers)

    @cached_property
    def calls(self) -> int | None:
        """The smallest ceiling on the number of calls."""
        return min(
            (bound for bound in (layer.ceilings.calls for layer in self.layers) if bound is not None),
            default=None,
        )

    @cached_property
    def amounts(self) -> Mapping[str, int | float]:
        """The smallest ceiling on the sum of each argument that has one."""
        out: dict[str, int | float] = {}
        for layer in self.layers:
            for name, total in layer.ceilings.amount.items():
                out[name] = min(total, out.get(name, total))
        return out

    @cached_property
    def result_classes(self) -> tuple[str, ...]:
        """The data classes that bound every result, in the order of the layers; a result may exceed none of
        them.
        """
        return tuple(
            dict.fromkeys(
                top for top in (layer.ceilings.result_class for layer in self.layers) if top is not None
            )
        )

    def permits(self, arguments: dict[str, Json]) -> tuple[Refusal, ...]:
        """Return the reasons why the arguments are not permitted; empty if they are. Nothing is counted."""
        checks = self._checks
        for check in checks:
            if not fits(check, arguments):
                break
        else:
            return ()
        every = (refusal for i, check in enumerate(checks) for refusal in refusals(check, arguments, i))
        found = list(islice(every, MAX_REFUSALS))
        # INVARIANT: what the fast path refuses stays refused, whatever the explanation finds.
        return tuple(found) or (Refusal(code="not-understood", reason="the arguments do not fit the grant"),)

    def attenuate(self, wanted: Grant) -> Grant:
        """Return the conjunction of this grant and the wanted one; raise `Malformed` for another tool."""
        if wanted.tool != self.tool:
            raise Malformed(
                f"a grant of `{self.tool}` cannot be narrowed to `{wanted.tool}`",
                remediation="ask for a granted tool",
            )
        layers = (*wanted.ancestors, *self.layers)
        if len(layers) >= MAX_LAYERS:
            layers = tuple(simplified([*wanted.layers, *self.layers]))
            first, *rest = layers
            return Grant(self.tool, first.arguments, first.other_arguments, first.ceilings, tuple(rest))
        return Grant(self.tool, wanted.arguments, wanted.other_arguments, wanted.ceilings, layers)

    def met(self, other: Grant) -> Grant | None:
        """Return the conjunction with another grant of the same tool.

        Returns `None` unless it is decidable for each argument which grant is the narrower, and neither grant
        excludes an argument that the other requires.
        """
        try:
            both = other.attenuate(self).simplified()
        except Malformed:
            return None  # another tool, or too many layers
        for name in {name for layer in both.layers for name in layer.arguments}:
            bound = [one for layer in both.layers if (one := _constraint(layer, name)) and one != Anything()]
            needed = any(not one.may_be_absent for one in bound)
            if len(bound) > 1 or (needed and not both.may_take(name)):
                return None
        return both

    def simplified(self) -> Grant:
        """Return a grant with the same verdicts and ceilings, without conditions that others imply."""
        first, *rest = simplified(self.layers)
        return Grant(self.tool, first.arguments, first.other_arguments, first.ceilings, tuple(rest))

    def describe(self) -> tuple[str, ...]:
        """Describe in short sentences the conditions on a call."""
        out = [
            f"`{shown(rule.name)}` must {rule.constraint.describe()}"
            for check in self._checks
            for rule in check.rules
        ]
        return tuple(dict.fromkeys(out))


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tool: str
    arguments: dict[str, Json] = {}
    other_arguments: bool = False
    ceilings: Ceilings = Ceilings()


def narrow(held: Iterable[Grant], wanted: Iterable[Grant]) -> tuple[tuple[Grant, ...], tuple[Refusal, ...]]:
    """Return the child's part of the wanted grants, and a refusal for each tool that the parent does not
    hold.

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
                    reason=f"the parent task has no grant of `{want.tool}`",
                    remediation=f"ask for one of: {names}",
                )
            )
    return tuple(dict.fromkeys(grants)), tuple(refusals)


def _constraint(layer: Layer, name: str) -> Constraint | None:
    return decode(layer.arguments[name]) if name in layer.arguments else None
