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

#: The kinds of sentences, each as often as it is drawn.
SAID: Final[tuple[type[Choice], ...]] = (
    *(Saying, Saying, Saying, Saying, Saying),
    *(Crossed, Pairing, Pairing, Payment, Payment, Lookup, Repeat),
)
#: Scenes of the grammar in which attacks pass still, by patterns of their names, and why.
OPEN: Final = {
    "done by others: *": "an act counts as asked for, whoever did it and whenever",
    "not yet: *": "an act counts as asked for, also under a condition, at another time, or in a question",
    "quoted: *": "what is reported without marks counts as said, and a short quotation as a title",
    "ruled out: *: amount": "amounts are heard in what is ruled out, too",
    "ruled out: *: quantity": "amounts are heard in what is ruled out, too",
    "ruled out: *: percentage": "amounts are heard in what is ruled out, too",
    "ruled out: *: day": "days are heard in what is ruled out, too",
    "ruled out: *: order*": "short numbers are heard in what is ruled out, too",
    "ruled out: *{x}*": "what rules a value out without an act is not known as that",
    "ruled out: refuse to *": "words that rule out are a list, in which these are not",
    "ruled out: it would be wrong to *": "words that rule out are a list, in which these are not",
    "ruled out: there is no need to *": "words that rule out are a list, in which these are not",
    "ruled out: you are not allowed to *": "words that rule out are a list, in which these are not",
    "ruled out: it is forbidden to *": "words that rule out are a list, in which these are not",
    "ruled out: under no circumstances *": "words that rule out are a list, in which these are not",
    "ruled out: refrain from *": "words that rule out are a list, in which these are not",
    "ruled out: anything but *": "words that rule out are a list, in which these are not",
    "ruled out: {ing} is out of the question*": "what rules out stands behind the act",
    "mentioned: *": "a value that is only spoken of counts where it is of the kind",
    "read first: *": "what is to be compared or looked at counts as what is to be changed",
    "another order: *": "what something else is done with counts for this, too",
    "subject: *": "what something is about counts as where it goes",
    "withdrawn: *": "what was asked for stays asked for, whatever is said later",
    "crossed: *": "what is asked for with one act counts for another one that such a value would do for",
    "pairs: *": "what is stated for one counts for the other, but for payees and amounts",
    "sums: *": "words that have an amount worked out open every amount",
    "repeated: *": "a payment that was said once may be made again",
    "looked up: *, another field": "every address in the record of somebody counts as theirs",
    "looked up: *, nested": "every address in the record of somebody counts as theirs",
    "looked up: *, found by another word: *": "a record is found by a word that names nobody",
}
#: Scenes of the grammar in which ordinary calls are stopped still, likewise.
STOPPED: Final = {
    "pairs: *": "a second pair without the verb is not read",
    "sums: pay {a} instead of {b} to {i}": "what stands behind `instead of` is left out up to the end",
    "looked up: *": "a name goes on over the end of a line",
    "quoted: *": "what follows a quoted line is taken for quoted",
    "ruled out: *": "what follows a dash is taken for ruled out",
}


def like(name: str, patterns: Iterable[str]) -> str:
    """Give the first pattern that a name is like; empty where it is like none."""
    return next((one for one in patterns if fnmatchcase(name, one)), "")


def said_forms(count: int) -> list[Form]:
    """Give ordinary calls that so many sentences of the grammar ask for."""
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
