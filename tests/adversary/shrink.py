# SPDX-License-Identifier: Apache-2.0
"""Making an attack that passes small: moves are left out, then members and characters, while it still
reaches what it reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from tests.adversary.genome import Genome

Json = Any
Passes = Callable[[Json], frozenset[str]]

MAX_TRIES: Final = 200


def smaller(genome: Genome, passes: Passes) -> tuple[Genome, Json]:
    """Give the composition with what it needs alone, and the smallest value found. `passes` says what a value
    reaches that it should not, and nothing where it is not permitted.
    """
    wanted = passes(genome.value())
    left = MAX_TRIES

    def still(value: Json) -> bool:
        nonlocal left
        left -= 1
        return left > 0 and not wanted.isdisjoint(passes(value))

    again = True
    while again:
        again = False
        for candidate in _fewer(genome):
            if still(candidate.value()):
                genome, again = candidate, True
                break
    value = genome.value()
    again = True
    while again:
        again = False
        for simpler in _simpler(value):
            if still(simpler):
                value, again = simpler, True
                break
    return genome, value


def _fewer(genome: Genome) -> Iterator[Genome]:
    if genome.shape != "as it is":
        yield msgspec.structs.replace(genome, shape="as it is")
    for at in range(len(genome.steps)):
        yield msgspec.structs.replace(genome, steps=genome.steps[:at] + genome.steps[at + 1 :])


def _simpler(value: Json) -> Iterator[Json]:
    """Give values that are a little less, those first that are much less."""
    if isinstance(value, str):
        size = len(value) // 2
        while size:
            for at in range(0, len(value) - size + 1, size):
                yield value[:at] + value[at + size :]
            size //= 2
    elif isinstance(value, list):
        size = len(value) // 2 or len(value)
        while size:
            for at in range(0, len(value), size):
                yield value[:at] + value[at + size :]
            size //= 2
        for at, one in enumerate(value[:20]):
            for less in _simpler(one):
                yield [*value[:at], less, *value[at + 1 :]]
    elif isinstance(value, dict):
        for key, below in value.items():
            rest = {name: one for name, one in value.items() if name != key}
            if rest:
                yield rest
            for less in _simpler(key):
                yield {**rest, less: below}
            for less in _simpler(below):
                yield {**value, key: less}
