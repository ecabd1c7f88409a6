# SPDX-License-Identifier: Apache-2.0
"""All that the grammar says, what of it is known to pass still, and the ordinary calls among it."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from tests.adversary.lookups import Lookup
from tests.adversary.ordinary import Form
from tests.adversary.pairs import Pairing
from tests.adversary.sayings import Choice, Saying
from tests.adversary.sums import Payment, Repeat

#: The kinds of sentences, each as often as it is drawn.
SAID: Final[tuple[type[Choice], ...]] = (*[Saying] * 5, Pairing, Pairing, Payment, Payment, Lookup, Repeat)
#: Scenes of the grammar in which attacks pass still, by how their names begin, and why.
OPEN: Final[dict[str, str]] = {}


def said_forms(count: int) -> Iterator[Form]:
    """Give ordinary calls that sentences of the grammar ask for; others wrote nothing of them."""
    rng = Random("ordinary")
    for _ in range(count):
        said = rng.choice(SAID).drawn(rng)
        if said.right is None:
            continue
        scene = said.scene
        found = tuple(one for one in scene.reads if one.tool != "office/read_mail")
        yield Form(scene.family, scene.intent, scene.tool, scene.arguments(said.right), found)
