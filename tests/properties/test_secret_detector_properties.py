# SPDX-License-Identifier: Apache-2.0
"""Detectors of secrets: no text makes them fail, tell a secret, or work more than in proportion."""

import sys
from random import Random
from types import FrameType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.discovery.discovered import ExposedSecret, FilePlace, Piece, SourceKind
from remit.core.discovery.secrets.detectors import _INVISIBLE, SecretDetectors
from remit.core.discovery.secrets.findings import secret_findings
from remit.core.discovery.secrets.provider_tokens import PatternSet
from tests.secrets_corpus.corpus import filled
from tests.secrets_corpus.values import SECRETS

DETECTORS = SecretDetectors(b"k" * 32)
KINDS = st.sampled_from(list(SourceKind))
#: What detectors look at, in any order: near misses of each form.
FRAGMENTS = st.sampled_from(
    [
        "password",
        "token",
        "is",
        ": ",
        "= ",
        '"',
        "'",
        "`",
        '\\"',
        "\\n",
        "\n",
        "://",
        "@",
        ":",
        "ghp_",
        "AKIA",
        "eyJ",
        "-----BEGIN PRIVATE KEY-----",
        "-----END",
        "Basic ",
        "Bearer ",
        "authorization",
        "cookie: a=",
        "curl -u ",
        "--password ",
        "first half ",
        "second half is ",
        "\u200b",
        "\ufeff",
        "%41%42%43",
        "{{",
        "${",
        "==",
        "aGVsbG8gd29ybGQgcGFzc3dvcmQ9",
        "68656c6c6f",
        "",
        " password ",
        "\n",
        "---",
        "---",
        "\n",
        "kX8vQ2mZ7w",
        "Sommer2024!",
        "�",
        "\x00",
        "🔑",
        ".env",
        "+",
    ]
)
TEXTS = st.one_of(st.text(), st.lists(st.one_of(FRAGMENTS, st.text(max_size=6)), max_size=40).map("".join))


def find(text: str, kind: SourceKind = SourceKind.TRANSCRIPT, **more: object) -> list[ExposedSecret]:
    """Return the secrets of a text."""
    return DETECTORS.find(Piece(text=text, place=FilePlace(file="a", line=1), kind=kind, **more))  # type: ignore[arg-type]


@given(TEXTS, KINDS, st.lists(TEXTS, max_size=2).map(tuple))
def test_no_text_makes_it_fail(text: str, kind: SourceKind, names: tuple[str, ...]) -> None:
    """Positions are inside the text, ascend and do not overlap, whatever the text and the names above it."""
    last = 0
    for one in find(text, kind, names=names):
        assert last <= one.start < one.end <= len(text)
        assert 0 < one.confidence <= 1
        last = one.end


@given(st.sampled_from(sorted(SECRETS)), st.integers(0, 10**6), TEXTS, KINDS)
def test_a_secret_is_never_told(slot: str, seed: int, around: str, kind: SourceKind) -> None:
    """Neither the finds nor the findings hold the value that stands in the text."""
    value = SECRETS[slot](Random(seed))
    secrets = find(f"{around}\nthe password is {value}\n", kind)
    told = repr(secrets) + msgspec.json.encode(secret_findings(secrets, [], [])).decode("utf-8", "replace")
    assert len(value) < 8 or value not in told


@given(st.integers(0, 10**6), st.integers(0, 60))
def test_lines_before_a_secret_move_it_and_change_nothing(seed: int, lines: int) -> None:
    """A chunk that begins elsewhere finds the same credential, so many lines further down."""
    text, _ = filled("DB_PASSWORD={{random}}\nurl: postgres://app:{{alnum}}@db.corp/x\n", Random(seed))
    here, there = find(text, SourceKind.CONFIG), find("plain words\n" * lines + text, SourceKind.CONFIG)
    assert [(o.fingerprint, o.rule, o.place.line + lines) for o in here] == [
        (o.fingerprint, o.rule, o.place.line) for o in there
    ]


def calls(text: str) -> int:
    """Count the calls that a text takes."""
    count = 0

    def counted(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        find(text)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(
    "unit",
    [
        "password is kX8vQ2mZ7w. ",
        "token ",
        "postgres://app:kX8vQ2mZ7w@db.corp/x ",
        "://a:b@",
        'x" + "y',
        "ghp_",
        "eyJhbGciOiJIUzI1NiJ9.",
        "-----BEGIN PRIVATE KEY-----",
        "| password |\n",
        "\u200b",
        "pa\u200bssword: kX8vQ2mZ7w\n",
        "aGVsbG8gd29ybGQgcGFzc3dvcmQ9aGVsbG8gd29ybGQg\n",
        "%41%42%43 ",
        "first half is abc1 ",
        "login a / ",
        "authorization: ",
        "as the password ",
        "ana@corp.de: ",
        "authorization:x",
        "cookie: a=b",
        "ghp_a\n",
        "key=key_",
    ],
)
def test_twice_the_text_takes_twice_the_work(unit: str) -> None:
    """Counted in calls, not timed."""
    find(unit)
    once, twice = calls(unit * 400), calls(unit * 800)
    assert twice <= 2.3 * once + 200


@given(TEXTS, KINDS)
def test_one_pass_leaves_out_no_detector_that_finds(text: str, kind: SourceKind) -> None:
    """What one pass over a text leaves out would find nothing: if all detectors run, they find the same."""
    found, seen = find(text, kind), PatternSet.seen

    def everything(patterns: PatternSet, data: bytes) -> frozenset[str]:
        return frozenset(patterns._names) - ({"wide"} - seen(patterns, data))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PatternSet, "seen", everything)
        assert find(text, kind) == found


def test_one_pass_sees_each_character_that_is_not_seen() -> None:
    """A token with such a character in it is found, for every character that is removed."""
    for code in range(sys.maxunicode + 1):
        if _INVISIBLE.match(chr(code)):
            assert find(f"gsk_{chr(code)}" + "Zq7mR2xV9k" * 5 + "Tb"), f"{code:x}"
