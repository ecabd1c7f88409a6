# SPDX-License-Identifier: Apache-2.0
"""Modules and rooms have nouns of the field as names: a reader finds a concept by folder and file."""

import re
from pathlib import Path

from tests.architecture.module_names import WORDS
from tests.architecture.tree import ROOT, SOURCES


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("sses", "oes")):
        return word[:-2]
    return (
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "is", "us")) else word
    )


def _glossary() -> set[str]:
    """Return the words of the glossary's terms: its first column."""
    rows = re.findall(
        r"^\|([^|]+)\|", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    return {_singular(word) for row in rows for word in re.findall(r"[a-z0-9]+", row.lower())}


def _allowed() -> set[str]:
    return {_singular(word) for words in WORDS.values() for word in words.split()}


def _below_its_package(path: Path) -> tuple[str, ...]:
    packages = (ROOT / "src" / "remit", ROOT / "sdk" / "src" / "remit_sdk")
    package = next(one for one in packages if path.is_relative_to(one))
    return path.relative_to(package).with_suffix("").parts


def _used() -> dict[str, str]:
    """Return each word of a module's or a room's name, with a module that has it."""
    found: dict[str, str] = {}
    for file in SOURCES:
        for part in _below_its_package(file.path):
            if not part.startswith("__"):
                found |= {_singular(word): file.name for word in part.split("_")}
    return found


def test_modules_are_named_with_words_of_the_field() -> None:
    """Each word of a module's name is a term of the glossary, or is allowed with its reason."""
    unknown = {word: file for word, file in _used().items() if word not in _glossary() | _allowed()}
    assert not unknown


def test_each_allowed_word_is_used() -> None:
    """Each allowed word is in the name of a module, and is not a term of the glossary already."""
    assert not _allowed() - set(_used())
    assert not _allowed() & _glossary()
