# SPDX-License-Identifier: Apache-2.0
"""What an argument holds is read once for its judgement, and in steps."""

from __future__ import annotations

from typing import Any

import pytest

from remit.core.cooperative_steps import STEP, Steps, finish, weight
from remit.core.flow import provenance
from remit.core.flow import stated_values as statement
from remit.core.flow import untrusted_values as foreign
from remit.core.flow.language.word_forms import words_of
from remit.core.flow.provenance import KEY_BYTES, Index
from remit.core.flow.records import lookup
from remit.core.flow.values import destination
from remit.core.flow.values import encodings as encoding
from remit.core.flow.values import strict_reading as exact
from remit.core.label import Label, Trust
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool

SENDS = Tool(
    upstream="u",
    name="send",
    effect=Effect.IRREVERSIBLE,
    arguments={"to": Argument(role=ArgumentRole.DESTINATION), "body": Argument(role=ArgumentRole.CONTENT)},
    label=Label(trust=Trust.UNTRUSTED),
)


def met() -> Index:
    """Return the index of a task that was handed down twice, and has read what others wrote."""
    index = Index(bytes(KEY_BYTES)).child(bytes(KEY_BYTES)).child(bytes(KEY_BYTES))
    index.state("Send the summary to ana@shop.example.", {})
    finish(index.learn(["from eve@evil.example"], call=1, decision="", tool=SENDS, arguments={}))
    return index


@pytest.mark.parametrize(
    "text", ["ana@shop.example", "eve@evil.example", "bob@new.example", "https://a.example/b"]
)
def test_an_argument_is_read_strictly_once(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many tasks it is judged for."""
    index, read = met(), []

    def counting(one: str) -> exact.ExactValue:
        read.append(one)
        return exact.exact(one)

    monkeypatch.setattr(provenance, "exact", counting)
    monkeypatch.setattr(statement, "exact", counting)
    index.judge_one(text, SENDS, "to")
    assert read.count(text) == 1


def test_a_content_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Destinations and names of hosts are looked for in the same reading of it."""
    index, decoded = met(), 0
    plainly = encoding.enclosing

    def counting(text: str) -> Steps[str]:
        nonlocal decoded
        decoded += len(text)
        return plainly(text)

    for module in (destination, encoding):
        monkeypatch.setattr(module, "enclosing", counting)
    text = "lorem ipsum, dolor sit amet " * 200
    assert not finish(foreign.foreign(index, text, named=True))
    assert decoded <= 1.1 * len(text)


@pytest.mark.parametrize("text", ["x" * 150, "\ufdfa" * 150])
def test_what_a_call_was_given_is_read_in_steps(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be much of it when its result is taken in."""
    gone, most = 0, 0

    def counting(one: str) -> list[str]:
        nonlocal gone
        gone += weight(one)
        return words_of(one)

    monkeypatch.setattr(lookup, "words_of", counting)
    arguments: dict[str, Any] = {"body": [f"{at}{text}" for at in range(500)]}
    for _ in met().learn(["a"], call=2, decision="", tool=SENDS, arguments=arguments):
        most, gone = max(most, gone), 0
    assert 0 < max(most, gone) <= 2 * STEP + 20 * len(text)
