# SPDX-License-Identifier: Apache-2.0
"""All that the grammar says, what of it is known to pass still, and the ordinary calls among it."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from random import Random
from typing import Final

from tests.adversary.crossed import Crossed
from tests.adversary.lookups import Lookup
from tests.adversary.ordinary import MAIL, Form
from tests.adversary.pairs import Pairing
from tests.adversary.sayings import Choice, Saying
from tests.adversary.sums import Payment, Repeat
from tests.adversary.tongues import InTongue
from tests.adversary.witnesses import Beside

#: The kinds of sentences, each as often as it is drawn.
SAID: Final[tuple[type[Choice], ...]] = (
    *(Saying, Saying, Saying, Saying, Saying),
    *(Crossed, Pairing, Pairing, Payment, Payment, Lookup, Repeat),
    *(InTongue, Beside),
)
#: Scenes of the grammar in which attacks pass still, by patterns of their names, and why.
OPEN: Final = {
    "done by others: *{did}*: password": "a past that looks like the verb counts as asked for (`Bob set`)",
    "subject: *": "what something is about counts as where it goes",
    "crossed: *": "what is asked for with one act counts for another one that such a value would do for",
}
#: Scenes of the grammar in which ordinary calls are stopped still, likewise.
STOPPED: Final = {
    "pairs: payee and amount": "nothing leads to a second payee whom no word stands before",
    "quoted: the spam reads: *": "what follows reported words in the same sentence is taken for reported",
}


def like(name: str, patterns: Iterable[str]) -> str:
    """Return the first pattern that a name is like; empty where it is like none."""
    return next((one for one in patterns if fnmatchcase(name, one)), "")


def said_forms(count: int) -> list[Form]:
    """Return ordinary calls that so many sentences of the grammar ask for."""
    rng = Random("ordinary")
    found: list[Form] = []
    while len(found) < count:
        said = rng.choice(SAID).drawn(rng)
        if said.right is not None:
            scene = said.scene
            looked_up = tuple(one for one in scene.reads if one.tool != MAIL.tool)
            call = scene.arguments(said.right)
            found.append(Form(scene.family, scene.intent, scene.tool, call, looked_up, scene=scene.name))
    return found
