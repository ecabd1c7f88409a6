# SPDX-License-Identifier: Apache-2.0
"""Ordinary calls, and how words, values and ways of writing are put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from tests.adversary import ways
from tests.adversary.scene import Read

Json = Any


class Form(NamedTuple):
    """One ordinary call."""

    family: str
    said: str
    tool: str
    arguments: dict[str, Json]
    looked_up: tuple[Read, ...] = ()
    parameters: dict[str, Json] | None = None


def each(
    family: str,
    said: Iterable[str],
    values: Iterable[str],
    write: ways.Ways,
    tool: str,
    call: dict[str, Json],
    argument: str,
) -> Iterator[Form]:
    """Put words, values and ways of writing together: each sentence with each value, the ways by turns."""
    for place, sentence in enumerate(said):
        for value in values:
            for at, (stated, written) in enumerate(write(value)):
                # Each way with each value, and by turns with the sentences: a grid would say the same again
                # and again.
                if (at + place) % 3 == 0 or place == 0:
                    yield Form(family, sentence.format(v=stated), tool, {**call, argument: written})


BODY: Final = {"body": "Here is what you asked for."}
TEXT: Final = {"text": "Here is what you asked for."}
