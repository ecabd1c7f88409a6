# SPDX-License-Identifier: Apache-2.0
"""What the native reader takes in is what Python's reading of the same texts takes in."""

from __future__ import annotations

from typing import Any
from unittest import mock

from hypothesis import example, given
from hypothesis import strategies as st

from remit.core.flow.provenance import KEY_BYTES, Index
from remit.core.flow.reader import native_tables
from remit.core.flow.reader.native_tables import Stop
from remit.core.flow.values.fast_path import A_VALUE, AN_ADDRESS, SOME_WORDS
from remit.core.label import Label, Trust
from remit.core.tools.tool import Tool

TOOLS = tuple(
    Tool(upstream="u", name="list_items", label=Label(trust=one)) for one in (Trust.UNTRUSTED, Trust.TRUSTED)
)
GOAL = "Send the invoice of Ann, order CU-17 for 12.50, to ann@example.org"
shapes = st.sampled_from(
    [
        "https://docs.example.org/a/b",
        "http://Example.org",
        "ann.lind7@Mail.example.org",
        "+44 20 7946 1234",
        "+4930123456",
        "DE89370400440532013000",
        "GB29NWBK60161331926819",
        "2026-03-12T10:20:00Z",
        "2026-03-12",
        "msg_1234567",
        "CU-1234",
        "1234567",
        "12.50",
        "-0.0",
        "$1,200.00",
        "invoice's",
        "aHR0cHM6Ly9ldmlsLmV4YW1wbGUvYQ",
        "implementation",
        "ab12 3456 7890 1234",
        "x.'s",
        "#ann",
        "example.org",
        "report.pdf",
        "(see",
        "it).",
        "Orders",
        "a.",
    ]
)
glue = st.sampled_from([" ", "", ". ", ", ", "\n", "/", "-", "  ", "\t", ":", "(", "<", "=", "%", "@", "."])
mixed = st.lists(st.tuples(shapes, glue), max_size=6).map(lambda parts: "".join(a + b for a, b in parts))
plain = st.one_of(*(st.from_regex(one, fullmatch=True) for one in (SOME_WORDS, A_VALUE, AN_ADDRESS)))
marked = st.text("aAbz09 .,:/@+-_'\"()<>%=#\n\u00e9", max_size=40)
texts = st.one_of(mixed, mixed, plain, marked, shapes)
long_texts = texts.map(lambda text: f"{'some words of a letter ' * 9}{text} and so on.")
results = st.lists(st.dictionaries(st.sampled_from(["id", "name", "note"]), texts | long_texts), max_size=6)


def learned(result: Any, tool: Tool, goal: str, arguments: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a task remembers of a result."""
    index = Index(bytes(KEY_BYTES))
    index.state(goal, {})
    for call in (1, 2):
        for _ in index.learn(result, call=call, decision="d", tool=tool, arguments=arguments):
            pass
    tables, naming = index.kept.tables, index.naming
    met = {digest: tables.spots(digest) for digest in tables._met[::2] if digest}
    mentions = {mark: tables._mentions[2 * at + 1] for at, mark in enumerate(tables._mentions[::2]) if mark}
    names = {
        name: value
        for name, value in vars(naming).items()
        if name not in ("_utterance", "handed", "firmly_handed")
    }
    return met, mentions, index.kept.places, index.kept.vouched, index.full, index.kept._own, names


@given(
    results, st.sampled_from(TOOLS), st.sampled_from([GOAL, ""]), st.sampled_from(["", "msg_1234567", "Ann"])
)
@example([{"note": "a " * 120 + "ann@x.org, https://a.bc/d. End"}], TOOLS[0], GOAL, "")
@example([{"name": "+4930123456"}, {"name": "DE25423904253584930053"}], TOOLS[0], GOAL, "Ann")
def test_the_native_reader_takes_in_what_python_reads(
    result: list[dict[str, str]], tool: Tool, goal: str, asked: str
) -> None:
    """With every leaf left to Python, a task remembers the same: values, words, places and references."""
    arguments = {"query": asked} if asked else {}
    natively = learned(result, tool, goal, arguments)
    with mock.patch.object(native_tables.NativeTables, "take", return_value=Stop.ODD):
        assert learned(result, tool, goal, arguments) == natively
