# SPDX-License-Identifier: Apache-2.0
"""Compositions: a text of the scene, what was done to it, and the shape in which it is given.

One that passes is made small: moves are left out, then members and characters, while it still reaches what it
reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from tests.adversary.moves import MOVES, Given
from tests.adversary.scene import ABSENT, Scene

Json = Any

Passes = Callable[[Json], frozenset[str]]

MAX_TRIES: Final = 200
"""Tries to make one attack small."""
MAX_STEPS: Final = 6
MAX_TEXT: Final = 40_000


class Shape(NamedTuple):
    """How a text stands in an argument; `o` is another text of the scene."""

    name: str
    build: Callable[[str, str], Json]


def _number(text: str, whole: bool) -> Json:
    try:
        return int(text) if whole else float(text)
    except (ValueError, OverflowError):
        return text


SHAPES: Final = {
    one.name: one
    for one in (
        Shape("as it is", lambda t, o: t),
        Shape("list", lambda t, o: [t]),
        Shape("list behind", lambda t, o: [o, t]),
        Shape("list before", lambda t, o: [t, o]),
        Shape("list in list", lambda t, o: [[o], [[t]]]),
        Shape("long list", lambda t, o: [*([o] * 2_001), t]),
        Shape("key", lambda t, o: {t: o}),
        Shape("key of nothing", lambda t, o: {t: None}),
        Shape("member", lambda t, o: {o: t}),
        Shape("address of name", lambda t, o: {"name": o, "email": t}),
        Shape("name of address", lambda t, o: {"name": t, "email": o}),
        Shape("value", lambda t, o: {"value": t}),
        Shape("beside", lambda t, o: {"value": o, "ref": t}),
        Shape("deep", lambda t, o: {"a": {"b": [{"c": [t]}]}}),
        Shape("whole number", lambda t, o: _number(t, whole=True)),
        Shape("number", lambda t, o: _number(t, whole=False)),
        Shape("numbers", lambda t, o: [_number(o, whole=True), _number(t, whole=True)]),
        Shape("one string", lambda t, o: f"{o}, {t}"),
        Shape("letters", lambda t, o: list(t[:200])),
        Shape("nothing", lambda t, o: None),
        Shape("absent", lambda t, o: ABSENT),
        Shape("empty list", lambda t, o: []),
        Shape("empty object", lambda t, o: {}),
        Shape("true", lambda t, o: True),
        Shape("false", lambda t, o: False),
        Shape("list of nothing", lambda t, o: [None]),
        Shape("unlike nothing", lambda t, o: {"$ne": None}),
        Shape("unlike", lambda t, o: {"$ne": t}),
        Shape("greater", lambda t, o: {"$gt": ""}),
        Shape("like", lambda t, o: {"like": t}),
    )
}
_PLAIN: Final = 0.55
_LONG: Final = "long list"


class Genome(msgspec.Struct, frozen=True):
    """One composition: which text it begins with, the moves with their arguments, the shape, and what else
    is in it.
    """

    base: str
    steps: tuple[tuple[str, Given], ...] = ()
    shape: str = "as it is"
    other: str = ""
    #: Whether it begins with what the person said for something else.
    misused: bool = False

    def value(self) -> Json:
        """Return the argument that comes of it."""
        text = self.base
        for name, given in self.steps:
            text = MOVES[name].apply(text, *given)[:MAX_TEXT]
        return SHAPES[self.shape].build(text, self.other)

    @property
    def recipe(self) -> tuple[str, ...]:
        """The names of what was done, without its details."""
        names = tuple(dict.fromkeys(name for name, _ in self.steps))
        names = ("said for something else", *names) if self.misused else names
        return names if self.shape == "as it is" else (*names, f"shape: {self.shape}")


def drawn(rng: Random, scene: Scene) -> Genome:
    """Draw a new composition: most are short."""
    base = rng.choice((*scene.evil, *scene.evil, scene.stated, *scene.words))
    other = rng.choice((scene.stated, scene.stated, *scene.words, *scene.evil))
    made = Genome(base, shape=_shape(rng), other=other, misused=base in scene.words)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 4))):
        made = longer(rng, scene, made)
    return made


def longer(rng: Random, scene: Scene, made: Genome) -> Genome:
    """Do one thing more."""
    if len(made.steps) >= MAX_STEPS:
        return made
    text = msgspec.structs.replace(made, shape="as it is").value()
    name = rng.choice(_NAMES)
    return msgspec.structs.replace(made, steps=(*made.steps, (name, MOVES[name].draw(rng, scene, text))))


def changed(rng: Random, scene: Scene, made: Genome) -> Genome:
    """Change a composition a little: one thing more, one less, another shape."""
    what = rng.randrange(5)
    if what == 0 and made.steps:
        at = rng.randrange(len(made.steps))
        return msgspec.structs.replace(made, steps=made.steps[:at] + made.steps[at + 1 :])
    if what == 1:
        return msgspec.structs.replace(made, shape=_shape(rng))
    if what == 2:
        base = rng.choice((*scene.evil, scene.stated, *scene.words))
        return msgspec.structs.replace(made, base=base, misused=base in scene.words)
    return longer(rng, scene, made)


_NAMES: Final = tuple(MOVES)
_SHAPES: Final = tuple(SHAPES)


def _shape(rng: Random) -> str:
    if rng.random() < _PLAIN:
        return "as it is"
    shape = rng.choice(_SHAPES)
    # What takes long is tried seldom.
    return shape if shape != _LONG or rng.random() < 0.05 else "list"


def smaller(genome: Genome, passes: Passes) -> tuple[Genome, Json]:
    """Return the composition with what it needs alone, and the smallest value found. `passes` says what a
    value reaches that it should not, and nothing where it is not permitted.
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
    """Yield values that are a little less, those first that are much less."""
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
