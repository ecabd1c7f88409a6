# SPDX-License-Identifier: Apache-2.0
"""No way of writing a destination launders it, and nothing becomes trusted by being forgotten."""

from __future__ import annotations

import base64
import collections
import json
import types
from typing import Any
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from remit.core.flow.justification import Provenance
from remit.core.flow.provenance import Index
from remit.core.flow.records.fields import ResultFields
from remit.core.flow.values.destination import Destination, whole, within
from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.normal_text import plain
from remit.core.label import Label, Trust
from remit.core.tools.tool import Tool

KEY = b"k" * 32
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def learn(index: Index, result: Any, *, call: int, tool: str, trust: Trust) -> None:
    """Have a task read the result of a tool."""
    upstream, name = tool.split("/")
    source = Tool(upstream=upstream, name=name, label=Label(trust=trust))
    for _ in index.learn(result, call=call, decision=f"dec_{call}", tool=source, arguments={}):
        pass


words = st.text(ALPHABET, min_size=2, max_size=10)
emails = st.builds(lambda a, b, c: f"{a}.{b}@{c}.example", words, words, words)
ibans = st.builds(
    lambda a, b: f"{a}{b}",
    st.sampled_from(["GB29", "DE89", "US13"]),
    st.text("0123456789", min_size=14, max_size=18),
)
urls = st.builds(lambda a, b: f"https://{a}.example/{b}", words, words)
destinations = st.one_of(emails, ibans, urls)


def spaced(text: str) -> str:
    """Write an account number in groups of four."""
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def written(draw: st.DrawFn, text: str) -> str:
    """Write a destination in another way."""
    ways = ["same", "upper", "percent", "base64", "invisible", "blanks", "wide"]
    if "@" in text:
        ways += ["named", "mailto"]
    elif "/" not in text:
        ways += ["spaced", "dashes"]
    way = draw(st.sampled_from(ways))
    if way == "upper":
        return text.upper()
    if way == "percent":
        return "".join(quote(char, safe="") if char in "@.:/" else f"%{ord(char):02X}" for char in text)
    if way == "base64":
        return base64.b64encode(text.encode()).decode()
    if way == "invisible":
        at = draw(st.integers(1, len(text) - 1))
        return text[:at] + draw(st.sampled_from("\u200b\u00ad\u2060\ufeff")) + text[at:]
    if way == "blanks":
        return f"  {text}\n"
    if way == "wide":
        return "".join(chr(ord(char) + 0xFEE0) if char.isalnum() else char for char in text)
    if way == "named":
        return f'"Accounts" <{text}>'
    if way == "mailto":
        return f"mailto:{text}"
    if way == "spaced":
        return spaced(text)
    return spaced(text).replace(" ", "-") if way == "dashes" else text


@st.composite
def rewritten(draw: st.DrawFn) -> tuple[str, str]:
    """A destination, and the same one written otherwise."""
    text = draw(destinations)
    return text, written(draw, text)


@given(rewritten())
def test_a_destination_is_the_same_however_it_is_written(pair: tuple[str, str]) -> None:
    """Case, width, spacing, encodings, display names and invisible characters change nothing."""
    text, other = pair
    assert whole(other) == whole(text)
    assert whole(text).kind is not KindOfValue.TEXT


@given(rewritten(), st.text(ALPHABET + " .,:;()", max_size=60), st.text(ALPHABET + " .,:;()", max_size=60))
def test_a_destination_in_untrusted_text_is_untrusted_however_it_is_written(
    pair: tuple[str, str], before: str, after: str
) -> None:
    """An agent that copies it, in any spelling, from any place of a sentence, is found out."""
    text, other = pair
    index = Index(KEY)
    index.state("do the work", {})
    body = f"{before} {text} {after}"
    learn(index, {"body": body}, call=1, tool="mail/read", trust=Trust.UNTRUSTED)
    judged = index.judge(other)
    assert judged.provenance is Provenance.UNTRUSTED
    assert judged.origins[0].field == "body"


@given(rewritten())
def test_a_destination_hidden_in_untrusted_text_is_found(pair: tuple[str, str]) -> None:
    """Also where the untrusted text has the odd spelling, and the agent writes it plainly."""
    text, other = pair
    index = Index(KEY)
    learn(index, {"body": f"send to {other.strip()} now"}, call=1, tool="mail/read", trust=Trust.UNTRUSTED)
    assert index.judge(text).provenance is Provenance.UNTRUSTED


@given(destinations, destinations)
def test_what_nobody_has_met_is_unknown(known: str, asked: str) -> None:
    """Parts of a known destination, or another one, prove nothing."""
    index = Index(KEY)
    learn(index, {"to": known}, call=1, tool="book/find", trust=Trust.TRUSTED)
    wanted = Provenance.TRUSTED if whole(asked) == whole(known) else Provenance.UNKNOWN
    assert index.judge(asked).provenance is wanted
    assert index.judge(known[1:]).provenance is not Provenance.INTENT


@given(st.lists(destinations, min_size=1, max_size=30, unique=True), st.integers(1, 20))
def test_a_full_index_trusts_nothing_more(found: list[str], capacity: int) -> None:
    """At its bound an index says `unknown` where it would have said `trusted`, and stays within its bound."""
    index = Index(KEY, capacity=capacity)
    learn(index, found, call=1, tool="book/list", trust=Trust.TRUSTED)
    assert len(index) <= capacity
    judged = {index.judge(one).provenance for one in found}
    assert judged == ({Provenance.UNKNOWN} if index.full else {Provenance.TRUSTED})


@given(destinations, st.integers(0, 300))
def test_padding_does_not_evict_an_untrusted_value(target: str, padding: int) -> None:
    """What was met first stays; what no longer fits is unknown, never trusted."""
    index = Index(KEY, capacity=100)
    learn(index, {"body": target}, call=1, tool="mail/read", trust=Trust.UNTRUSTED)
    many = [f"pad{number}@pad.example" for number in range(padding)]
    learn(index, many, call=2, tool="mail/read", trust=Trust.UNTRUSTED)
    learn(index, [target], call=3, tool="book/find", trust=Trust.TRUSTED)
    assert index.judge(target).provenance is Provenance.UNTRUSTED


@given(destinations, destinations)
def test_a_list_is_as_good_as_its_worst_member(good: str, bad: str) -> None:
    """One recipient from an untrusted text spoils them all, in a list or in one line."""
    index = Index(KEY)
    index.state("send it", {"to": good})
    learn(index, {"body": bad}, call=1, tool="mail/read", trust=Trust.UNTRUSTED)
    same = whole(good) == whole(bad)
    wanted = Provenance.INTENT if same else Provenance.UNTRUSTED
    assert index.judge([good, bad]).provenance is wanted
    # A key that no schema declares is a value, too.
    undeclared = Provenance.UNKNOWN if same else wanted
    assert index.judge({"to": [good], "cc": [bad]}).provenance is undeclared
    if "@" in good and "@" in bad:
        assert index.judge(f"{good}; {bad}").provenance is wanted


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=6), below, max_size=4),
    max_leaves=20,
)


@given(json_values, json_values)
def test_no_result_and_no_argument_makes_it_fail(result: Any, argument: Any) -> None:
    """Whatever comes in, it is taken in, and judged as one of the four; JSON in a text is read as JSON."""
    index = Index(KEY)
    learn(index, result, call=1, tool="a/b", trust=Trust.UNTRUSTED)
    learn(index, json.dumps(result), call=2, tool="a/b", trust=Trust.UNTRUSTED)
    assert index.judge(argument).provenance in Provenance


@given(st.text(max_size=200))
def test_normal_forms_are_stable(text: str) -> None:
    """What is normal stays as it is, and a text without anything is no destination."""
    assert plain(plain(text)) == plain(text)
    for found in within(text):
        assert found.kind is not KindOfValue.TEXT
        assert found.normal


@given(st.dictionaries(words, words, min_size=1, max_size=5))
def test_fields_are_named_by_their_path(record: dict[str, str]) -> None:
    """Each text is given under the key that holds it, in JSON, in a list, and in a text that is JSON."""
    plainly = list(record.items())
    assert list(ResultFields(record)) == plainly
    assert list(ResultFields(json.dumps(record))) == plainly
    assert list(ResultFields([record])) == [(f"[].{key}", value) for key, value in plainly]


def test_a_number_can_be_a_record() -> None:
    """An id is compared as text, whether it is written as a number or not."""
    index = Index(KEY)
    learn(index, {"id": 4711}, call=1, tool="crm/find", trust=Trust.TRUSTED)
    assert index.judge("4711").provenance is Provenance.TRUSTED
    assert index.judge(4711).provenance is Provenance.TRUSTED
    assert whole("4711") == Destination(KindOfValue.TEXT, "4711")


@given(st.integers(1, 30), st.integers(1, 30))
def test_what_is_remembered_of_fields_is_bounded_by_values(calls: int, fields: int) -> None:
    """A result with ever new names of fields, and nothing new in them, takes no room."""
    index = Index(KEY)
    for call in range(1, calls + 1):
        names = [
            f"{ALPHABET[call % 26]}{ALPHABET[field % 26]}{ALPHABET[field // 26]}" for field in range(fields)
        ]
        learn(index, [{name: "same"} for name in names], call=call, tool="a/b", trust=Trust.UNTRUSTED)
    # Eight places are kept of one value.
    assert len(index.kept.places) <= 8


def held_texts(root: object) -> str:
    """Return all texts and bytes that can be reached from an object, as one."""
    seen, waiting, texts = set[int](), [root], list[str]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | types.ModuleType | types.FunctionType):
            continue
        seen.add(id(one))
        if isinstance(one, str | bytes):
            texts.append(one if isinstance(one, str) else one.decode("latin-1"))
            continue
        fields = getattr(one, "__struct_fields__", None) or getattr(one, "__slots__", None) or ()
        waiting += [getattr(one, name, None) for name in fields]
        waiting += list(getattr(one, "__dict__", {}).values())
        if isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list | tuple | set | frozenset | collections.deque):
            waiting += list(one)
    return "\n".join(texts)


@given(destinations)
def test_nothing_that_a_result_brought_is_kept_in_plain(destination: str) -> None:
    """A reader of a task's memory finds digests: neither addresses nor words of other authors."""
    index = Index(KEY)
    body = f"Please answer to {destination} about the zebrafinch"
    learn(index, {"from": destination, "body": body}, call=1, tool="mail/read", trust=Trust.UNTRUSTED)
    assert index.judge(destination).provenance is Provenance.UNTRUSTED
    held = held_texts(index)
    assert "mail" in held
    assert destination.lower() not in held.lower()
    assert "zebrafinch" not in held.lower()
