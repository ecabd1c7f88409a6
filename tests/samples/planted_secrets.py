# SPDX-License-Identifier: Apache-2.0
"""Secrets planted in every field of every source of the sprawl: values, keys, names of files, words of texts.

Nothing is drawn from the detectors: a secret is a token, a password with a quote or a backslash in it, or a
bare random word, alone or in a sentence, an assignment or an address.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import yaml

from tests.secrets_corpus.values import SECRETS

_LETTERS = string.ascii_letters + string.digits
#: What is planted, and what stands around it.
_FORMS = (
    ("token", "{}"),
    ('"', "the password is {}"),
    ("\\", "password={}"),
    ('"', 'DB_PASSWORD="{}"'),
    ("$", "https://svc:{}@db.acme.io/x"),
    ("word", "{}"),
    ("k", "{}"),
    ("'", "the password is '{}'"),
)
_WORD = re.compile(r"[\w./@:-]{4,}")


class Planted(NamedTuple):
    """A secret, and where it was planted."""

    secret: str
    where: str

    @property
    def forms(self) -> set[str]:
        """The secret as texts may hold it: whole, escaped, or cut at a quote or a backslash."""
        once = json.dumps(self.secret)[1:-1]
        cut = {one for one in re.split(r"[\"'\\]", self.secret) if len(one) >= 8}
        return {self.secret, once, json.dumps(once)[1:-1], self.secret.replace('"', "&quot;"), *cut}


def plant(source: Path, tree: Path, seed: int) -> list[Planted]:
    """Write one file for each field of each file of a source, with one secret in it; return the secrets."""
    rng = Random(seed)
    planted: list[Planted] = []
    for file in sorted(one for one in source.rglob("*") if one.is_file()):
        inside = str(file.relative_to(source))
        for where, written in _written(file):
            secret, text = _drawn(rng)
            _write(tree / f"{len(planted):05}" / inside, written(text))
            planted.append(Planted(secret, f"{inside} {where}"))
        # A name of a file holds no slash.
        secret, text = _drawn(rng)
        while "/" in text:
            secret, text = _drawn(rng)
        _write(tree / f"{len(planted):05}" / text / inside, file.read_text())
        planted.append(Planted(secret, f"{inside}, its folder"))
    return planted


def _drawn(rng: Random) -> tuple[str, str]:
    kind, around = rng.choice(_FORMS)
    if kind == "token":
        secret = SECRETS["ghp"](rng)
    elif kind == "word":
        secret = _letters(rng, 24)
    else:
        secret = _letters(rng, 5) + kind + _letters(rng, 6) + rng.choice("#!%") + _letters(rng, 4)
    return secret, around.format(secret)


def _letters(rng: Random, count: int) -> str:
    return "".join(rng.choice(_LETTERS) for _ in range(count))


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(text)


def _written(file: Path) -> Iterator[tuple[str, Callable[[str], str]]]:
    """Yield each field of a file, and what writes the file with another text in it."""
    text = file.read_text()
    if file.suffix in (".json", ".ipynb"):
        yield from _of_documents([json.loads(text)], lambda made: json.dumps(made[0]))
    elif file.suffix == ".jsonl":
        lines = [json.loads(one) for one in text.splitlines()]
        yield from _of_documents(lines, lambda made: "".join(json.dumps(one) + "\n" for one in made))
    elif file.suffix in (".yaml", ".yml"):
        yield from _of_documents(list(yaml.safe_load_all(text)), yaml.safe_dump_all)
    else:
        for found in _WORD.finditer(text):
            before, behind = text[: found.start()], text[found.end() :]
            yield found[0], partial(_between, before, behind)


def _of_documents(documents: Any, dumped: Callable[[Any], str]) -> Iterator[tuple[str, Callable[[str], str]]]:
    for path in _fields(documents, ()):
        yield repr(path), partial(_dumped, dumped, documents, path)


def _between(before: str, behind: str, new: str) -> str:
    return f"{before}{new}{behind}"


def _dumped(dumped: Callable[[Any], str], documents: Any, path: tuple[Any, ...], new: str) -> str:
    return dumped(_with(documents, path, new))


def _fields(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each text, and of each key as `(key,)` at its end."""
    if isinstance(value, dict):
        for key, one in value.items():
            if isinstance(key, str):
                yield (*path, (key,))
            yield from _fields(one, (*path, key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _fields(one, (*path, number))
    elif isinstance(value, str):
        yield path


def _with(value: Any, path: tuple[Any, ...], new: str) -> Any:
    if not path:
        return new
    step, *rest = path
    if isinstance(step, tuple):
        return {(new if key == step[0] else key): one for key, one in value.items()}
    if isinstance(value, dict):
        return {key: _with(one, tuple(rest), new) if key == step else one for key, one in value.items()}
    return [_with(one, tuple(rest), new) if number == step else one for number, one in enumerate(value)]
