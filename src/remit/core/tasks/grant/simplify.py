# SPDX-License-Identifier: Apache-2.0
"""Shorter conjunctions of layers with the same verdicts and the same ceilings."""

from __future__ import annotations

import math
from collections.abc import Iterable

from remit.core.tasks.grant.layer import Layer
from remit.core.tools.constraint import Anything, Constraint, Subset, decode, is_subset


def simplified(layers: Iterable[Layer]) -> list[Layer]:
    """Drop from a conjunction of layers the parts that other layers provably imply; the verdicts stay the
    same.
    """
    parts = [({name: decode(spec) for name, spec in layer.arguments.items()}, layer) for layer in layers]
    for i, (mine, _) in enumerate(parts):
        for name, constraint in mine.items():
            others = (theirs[name] for j, (theirs, _) in enumerate(parts) if j != i and name in theirs)
            # One at a time, and compared with what remains: of two that imply each other, one stays.
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
    """Return whether a layer refuses nothing that the others permit, and bounds nothing more tightly."""
    mine, layer = part
    if not all(isinstance(constraint, Anything) for constraint in mine.values()):
        return False
    if layer.other_arguments:
        # Its names still exclude look-alikes, unless another layer refuses all names except a subset of them.
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
