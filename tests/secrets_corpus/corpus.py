# SPDX-License-Identifier: Apache-2.0
"""Texts with labels, made from the templates of a part with a seed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.secrets_corpus.values import PLAIN, SECRETS

PARTS = ("visible", "untouched", "late")
_SLOT = re.compile(r"\{\{(\w+)\}\}|\[\[(\w+)\]\]")


@dataclass(frozen=True)
class Labelled:
    """A text, and the positions of the secrets in it."""

    part: str
    kind: str
    template: str
    text: str
    secrets: tuple[tuple[int, int], ...]


def templates(part: str) -> Iterator[tuple[str, str, str]]:
    """Yield kind, name and text of each template of a part."""
    lines = (Path(__file__).parent / f"{part}.txt").read_text(encoding="utf-8").split("\n=== ")[1:]
    for block in lines:
        head, _, text = block.partition("\n")
        kind, name = head.split()
        yield kind, name, text.rstrip("\n") + "\n"


def filled(text: str, rng: Random) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return a template's text with its slots filled, and where its secrets are."""
    out: list[str] = []
    at = size = 0
    secrets = []
    for slot in _SLOT.finditer(text):
        secret, plain = slot.group(1), slot.group(2)
        value = SECRETS[secret](rng) if secret in SECRETS else PLAIN[plain](rng) if plain else slot.group()
        before = text[at : slot.start()]
        size += len(before)
        if secret in SECRETS:
            secrets.append((size, size + len(value)))
        out += [before, value]
        size += len(value)
        at = slot.end()
    return "".join([*out, text[at:]]), tuple(secrets)


def corpus(part: str, seeds: int, first: int = 0) -> Iterator[Labelled]:
    """Yield each template of a part, filled `seeds` times."""
    for kind, name, text in templates(part):
        for seed in range(first, first + seeds):
            made, secrets = filled(text, Random(f"{part} {name} {seed}"))
            yield Labelled(part, kind, name, made, secrets)
