# SPDX-License-Identifier: Apache-2.0
"""Plain English: what a reader would have to read twice is written another way."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.prose import AVOIDED
from tests.architecture.tree import ROOT

_WORDS = [(re.compile(rf"\b{word}\b", re.IGNORECASE), instead) for word, instead in AVOIDED.items()]
#: Code in a text: in backticks, an option, or the name of a parameter on its own line.
_QUOTED = re.compile(r"```.*?```|`[^`\n]*`|(?<!\S)\[?--\w[\w-]*|^ +\w+$", re.DOTALL | re.MULTILINE)
_FOLDERS = ("src", "sdk", "tests", "bench", "docs", "examples")
_PYTHON = sorted(path for folder in _FOLDERS for path in (ROOT / folder).rglob("*.py"))
_PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.cedar"))
    if path.parent.name != "adr"
)
#: Files whose subject are such words: this check, and the languages that people write in.
_SUBJECT = (
    "tests/architecture/prose.py",
    "tests/architecture/test_prose.py",
    "src/remit/core/discovery/servers/word_meanings.py",
    "src/remit/core/flow/language/",
)
#: Where texts are messages. Elsewhere they are also sample speech, of people and of attackers.
_MESSAGES = ("src/", "examples/")


def _texts(source: str, *, messages: bool) -> Iterator[tuple[int, str]]:
    """Yield the comments and docstrings of a module with their lines, and on request its other texts."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    tree = ast.parse(source)
    alone = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree) if messages else alone:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def _found(text: str) -> list[str]:
    plain = " ".join(_QUOTED.sub("", text).split())
    return [f"`{found}`: {instead}" for word, instead in _WORDS for found in word.findall(plain)]


def test_a_text_with_an_avoided_word_is_found() -> None:
    """The check finds a word in a text, and leaves alone what is quoted."""
    assert _found("nobody reads this") == [f"`nobody`: {AVOIDED['nobody']}"]
    assert not _found("the user `nobody` reads this")
    assert not _found("audit verify [--anew]\n    anew\n        Accept a new log.")


@pytest.mark.parametrize("path", _PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_code_is_written_in_plain_english(path: Path) -> None:
    """Docstrings, comments and messages use the field's words, and nouns rather than pronouns."""
    name = str(path.relative_to(ROOT))
    if name.startswith(_SUBJECT):
        return
    texts = _texts(path.read_text(), messages=name.startswith(_MESSAGES))
    wrong = [f"line {line}: {one}" for line, text in texts for one in _found(text)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", _PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_are_written_in_plain_english(path: Path) -> None:
    """Pages use the field's words, and nouns rather than pronouns."""
    wrong = [
        f"line {number}: {one}"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for one in _found(line)
    ]
    assert not wrong, "\n".join(wrong)
