# SPDX-License-Identifier: Apache-2.0
"""Constraints: their written form, their words, and what each kind means."""

from typing import Any

import pytest

from remit.core.errors import ConfigInvalid
from remit.core.tools.constraint import (
    KINDS,
    Exact,
    NotUnderstood,
    Subset,
    Verdict,
    decode,
    is_subset,
    load,
)

YES, NO, UNDECIDABLE = Verdict.YES, Verdict.NO, Verdict.UNDECIDABLE

MEANING: list[tuple[dict[str, Any], Any, Verdict]] = [
    ({"exact": 1}, 1.0, YES),
    ({"exact": 1}, 2, NO),
    ({"exact": "a\nb"}, "a\nb", YES),
    ({"exact": {"a": [1, None]}}, {"a": [1.0, None]}, YES),
    ({"one_of": ["a", 2]}, 2, YES),
    ({"one_of": ["a", 2]}, "b", NO),
    ({"prefix": "C-"}, "C-42", YES),
    ({"prefix": "C-"}, "D-42", NO),
    ({"path_under": "."}, "a/b", YES),
    ({"path_under": "."}, ".", YES),
    ({"path_under": "/"}, "/etc/passwd", YES),
    ({"path_under": "/srv"}, "srv/a", UNDECIDABLE),
    ({"path_under": "a/b"}, "a/b", YES),
    ({"path_under": "a/b"}, "a/c", NO),
    ({"glob": "a/*.md"}, "a/x.md", YES),
    ({"glob": "a/*.md"}, "a/b/x.md", NO),
    ({"glob": "a/**/x.md"}, "a/x.md", YES),
    ({"glob": "a/**/x.md"}, "a/b/c/x.md", YES),
    ({"glob": "a/**"}, "a/.b/c", YES),
    ({"glob": "a/**"}, "a", UNDECIDABLE),
    ({"glob": "a/?"}, "a/é", YES),
    ({"glob": "a/?"}, "a/bc", NO),
    ({"glob": "/a/*"}, "/a/b", YES),
    ({"glob": r"a/\*"}, "a/*", YES),
    ({"glob": r"a/\*"}, "a/b", NO),
    ({"glob": "a/{b}"}, "a/{b}", YES),
    ({"pattern": "a|ab"}, "ab", YES),
    ({"pattern": "[a-z]{2,3}"}, "abcd", NO),
    ({"pattern": ".+"}, "é", YES),
    ({"range": {"min": 1, "exclusive_max": 2}}, 1, YES),
    ({"range": {"min": 1, "exclusive_max": 2}}, 2, NO),
    ({"range": {"exclusive_min": 1}}, 1, NO),
    ({"length": {"min": 1, "max": 2}}, "éé", YES),
    ({"length": {"max": 2}}, [1, 2, 3], NO),
    ({"each": {"range": {"max": 3}}}, [1, 2], YES),
    ({"each": {"range": {"max": 3}}}, [1, 5], NO),
    ({"each": {"range": {"max": 3}}}, [5, "x"], UNDECIDABLE),
    ({"each": {"exact": 1}}, [], YES),
    ({"fields": {"a": {"exact": 1}, "b": {"optional": {"exact": 2}}}}, {"a": 1}, YES),
    ({"fields": {"a": {"exact": 1}, "b": {"optional": {"exact": 2}}}}, {"a": 1, "b": 3}, NO),
    ({"all": [{"range": {"min": 1}}, {"range": {"max": 3}}]}, 2, YES),
    ({"any": [{"exact": "x"}, {"exact": 1}]}, 1, YES),
    ({"any": [{"exact": "x"}, {"of_tomorrow": 1}]}, "x", YES),
    ({"not": {"exact": 1}}, 2, YES),
    ({"not": {"exact": 1}}, "2", UNDECIDABLE),
    ({"not": {"not": {"exact": 1}}}, "1", UNDECIDABLE),
    ({"anything": {}}, [None], YES),
    ({"of_tomorrow": 1}, 1, UNDECIDABLE),
    ({"range": {"min": 1, "step": 2}}, 3, UNDECIDABLE),
]


@pytest.mark.parametrize(("spec", "value", "verdict"), MEANING, ids=range(len(MEANING)))
def test_a_constraint_means_what_its_documentation_says(
    spec: dict[str, Any], value: Any, verdict: Verdict
) -> None:
    """Each kind permits, refuses and leaves undecided as described."""
    assert decode(spec).judge(value) is verdict


FAULTY: list[tuple[Any, str, str]] = [
    ({"path_undr": "a"}, "p", "path_undr"),
    ({"range": {"min": 1, "step": 2}}, "p.range", "step"),
    ({"range": {"min": True}}, "p.range", "min"),
    ({"range": {"min": 3, "max": 1}}, "p.range", "no number"),
    ({"range": {}}, "p.range", "bound"),
    ({"length": {"max": -1}}, "p.length", "max"),
    ({"exact": 2**60}, "p.exact", "2^53"),
    ({"exact": float("nan")}, "p.exact", "float"),
    ({"exact": "\ud800"}, "p.exact", "surrogate"),
    ({"one_of": []}, "p.one_of", "at least one"),
    ({"one_of": "ab"}, "p.one_of", "list"),
    ({"prefix": ""}, "p.prefix", "empty"),
    ({"path_under": "a/../b"}, "p.path_under", ".."),
    ({"path_under": ""}, "p.path_under", "empty"),
    ({"path_under": 7}, "p.path_under", "string"),
    ({"glob": "a/**b"}, "p.glob", "**"),
    ({"glob": "a/[bc]"}, "p.glob", "class"),
    ({"glob": "a\\b"}, "p.glob", "backslash"),
    ({"pattern": "(?=a)"}, "p.pattern", "pattern"),
    ({"pattern": r"(a)\1"}, "p.pattern", "pattern"),
    ({"pattern": "(.{100}){10}"}, "p.pattern", "pattern"),
    ({"pattern": "a" * 2000}, "p.pattern", "longer"),
    ({"email_domain": ["bücher.example"]}, "p.email_domain", "ASCII"),
    ({"email_domain": ["*.example"]}, "p.email_domain", "host name"),
    ({"email_domain": ["."]}, "p.email_domain", "host name"),
    ({"url_host": ["https://example.org"]}, "p.url_host", "host name"),
    ({"url_host": ["127.1"]}, "p.url_host", "address"),
    ({"url_host": ["example.org:0"]}, "p.url_host", "port"),
    ({"url_host": {"hosts": ["a.example"], "port": 1}}, "p.url_host", "port"),
    ({"all": []}, "p.all", "empty"),
    ({"any": [{"exact": 1}, {"x": 1}]}, "p.any[1].x", "x"),
    ({"not": {"optional": {"exact": 1}}}, "p.not.optional", "optional"),
    ({"fields": {"a": {"nope": 1}}}, "p.fields.a.nope", "nope"),
    ({"anything": {"x": 1}}, "p.anything", "x"),
    ({"exact": 1, "prefix": "a"}, "p", "one key"),
    ("a", "p", "one key"),
    (None, "p", "one key"),
]


@pytest.mark.parametrize(("spec", "key", "word"), FAULTY, ids=range(len(FAULTY)))
def test_a_fault_in_a_written_constraint_is_named_with_its_key_and_the_way_out(
    spec: Any, key: str, word: str
) -> None:
    """The author of the constraint learns where and what; the same fault in a token refuses."""
    with pytest.raises(ConfigInvalid) as caught:
        load(spec, "p")
    assert caught.value.key.startswith(key)
    assert word in str(caught.value)
    assert caught.value.remediation


def test_a_constraint_of_a_newer_version_is_kept_and_refuses() -> None:
    """What is decoded goes on to the next holder unchanged."""
    spec = {"all": [{"exact": 1}, {"of_tomorrow": {"deep": [1]}}]}
    constraint = decode(spec)
    assert constraint.spec() == spec
    assert constraint.judge(1) is UNDECIDABLE
    assert isinstance(decode({"of_tomorrow": 1}), NotUnderstood)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"path_under": "contracts/"}, "be under `contracts/`"),
        ({"one_of": ["a", "b"]}, "be one of `a`, `b`"),
        ({"range": {"min": 0, "exclusive_max": 10}}, "be at least 0 and below 10"),
        ({"length": {"max": 5}}, "have a length of at most 5"),
        ({"any": [{"exact": 1}, {"prefix": "x"}]}, "either be `1` or start with `x`"),
        ({"not": {"exact": 1}}, "not be `1`"),
        ({"optional": {"exact": "x"}}, "be absent or be `x`"),
        ({"each": {"email_domain": ["example.org"]}},
         "be an array whose every element must be one mail address in `example.org`"),
        ({"exact": "x" * 500}, "be `" + "x" * 77 + "...`"),
    ],
)  # fmt: skip
def test_a_constraint_describes_itself_in_words(spec: dict[str, Any], words: str) -> None:
    """The words follow "must", and stay short."""
    assert load(spec).describe() == words


def test_equality_knows_types() -> None:
    """`exact: 1` is `exact: 1.0` and not `exact: true`."""
    assert Exact(1) == Exact(1.0)
    assert hash(Exact(1)) == hash(Exact(1.0))
    assert Exact(1) != Exact(True)
    assert Exact("1") != Exact(1)


@pytest.mark.parametrize(
    ("child", "parent", "answer"),
    [
        ({"path_under": "a/b"}, {"path_under": "a"}, Subset.YES),
        ({"path_under": "a"}, {"path_under": "a/b"}, Subset.NO),
        ({"path_under": "ab"}, {"path_under": "a"}, Subset.NO),
        ({"glob": "a/b/*.md"}, {"path_under": "a"}, Subset.YES),
        ({"glob": "a*/x"}, {"path_under": "a"}, Subset.NO),
        ({"exact": "a/x"}, {"glob": "a/*"}, Subset.YES),
        ({"one_of": [1, 5]}, {"range": {"max": 3}}, Subset.NO),
        ({"range": {"min": 1, "max": 2}}, {"range": {"exclusive_min": 0}}, Subset.YES),
        ({"range": {"min": 1}}, {"range": {"exclusive_min": 1}}, Subset.NO),
        ({"email_domain": ["a.b.example"]}, {"email_domain": [".b.example"]}, Subset.YES),
        ({"email_domain": ["b.example"]}, {"email_domain": [".b.example"]}, Subset.NO),
        (
            {"url_host": {"hosts": ["a.example"], "schemes": ["http"]}},
            {"url_host": ["a.example"]},
            Subset.YES,
        ),
        ({"optional": {"exact": 1}}, {"exact": 1}, Subset.NO),
        ({"pattern": "a+"}, {"pattern": "a*"}, Subset.UNDECIDED),
        ({"anything": {}}, {"exact": 1}, Subset.NO),
    ],
)
def test_the_subset_test_proves_refutes_or_leaves_open(child: Any, parent: Any, answer: Subset) -> None:
    """It says yes with a proof and no with a witness."""
    assert is_subset(load(child), load(parent)) is answer


def test_every_kind_is_documented() -> None:
    """The package's own text lists each kind."""
    import remit.core.tools.constraint as package

    assert all(f"{kind}:" in (package.__doc__ or "") for kind in KINDS)
