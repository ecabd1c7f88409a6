# SPDX-License-Identifier: Apache-2.0
"""Constraints at their edges: the last value that is permitted, and the first that is not."""

from typing import Any

import pytest

from remit.core.errors import ConfigInvalid
from remit.core.tools.constraint import Exact, Verdict, decode, load
from remit.core.tools.constraint.address import MAX_ADDRESS, MAX_URL
from remit.core.tools.constraint.base import (
    MAX_DEPTH,
    MAX_TEXT,
    conjunction,
    keys_of,
    listed,
    shown,
    type_name,
)
from remit.core.tools.constraint.path import MAX_PATH, PathUnder
from remit.core.tools.constraint.structure import MAX_ITEMS, MAX_JUDGED, different

YES, NO, UNDECIDABLE = Verdict.YES, Verdict.NO, Verdict.UNDECIDABLE
UNCLEAR = {"path_under": "a"}
"""It cannot decide about `a/../b`."""


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ([], YES),
        ([YES, NO, YES], NO),
        ([NO, UNDECIDABLE, YES], UNDECIDABLE),
        ([UNDECIDABLE, NO], UNDECIDABLE),
    ],
)
def test_of_several_verdicts_the_worst_counts_wherever_it_stands(
    verdicts: list[Verdict], whole: Verdict
) -> None:
    """`UNDECIDABLE` outweighs `NO`, which outweighs `YES`."""
    assert conjunction(verdicts) is whole


@pytest.mark.parametrize(
    ("spec", "value", "verdict"),
    [
        ({"any": [UNCLEAR, {"exact": "x"}]}, "a/../b", UNDECIDABLE),
        ({"any": [{"exact": "x"}, UNCLEAR]}, "a/../b", UNDECIDABLE),
        ({"any": [{"exact": "x"}, {"exact": "y"}]}, "z", NO),
        ({"any": [UNCLEAR, {"exact": "a/../b"}]}, "a/../b", YES),
        ({"all": [{"prefix": "a"}, UNCLEAR]}, "a/../b", UNDECIDABLE),
        ({"all": [{"exact": "x"}, UNCLEAR]}, "a/../b", UNDECIDABLE),
        ({"not": {"any": [{"exact": "x"}, UNCLEAR]}}, "a/../b", UNDECIDABLE),
        ({"not": {"any": [UNCLEAR, {"exact": "x"}]}}, "a/../b", UNDECIDABLE),
        ({"not": {"any": [{"exact": "x"}, UNCLEAR]}}, "b", YES),
        ({"not": {"any": [{"exact": "x"}, UNCLEAR]}}, "x", NO),
        ({"not": {"all": [{"prefix": "a"}, UNCLEAR]}}, "a/../b", UNDECIDABLE),
        ({"all": [{"prefix": "a"}, {"not": {"any": [UNCLEAR]}}]}, "a/../b", UNDECIDABLE),
    ],
)
def test_what_one_part_cannot_decide_no_negation_turns_into_a_permission(
    spec: dict[str, Any], value: str, verdict: Verdict
) -> None:
    """A path that leaves and comes back is undecidable, in `any` and in `all`, in whichever place."""
    assert decode(spec).judge(value) is verdict


def nested(depth: int) -> Any:
    """Return a value that nests so deep."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


EDGES: list[tuple[dict[str, Any], Any, Verdict]] = [
    # Types: a boolean is no number, a string no list, null nothing else.
    ({"exact": None}, None, YES),
    ({"exact": None}, False, UNDECIDABLE),
    ({"exact": None}, 0, UNDECIDABLE),
    ({"exact": True}, True, YES),
    ({"exact": True}, 1, UNDECIDABLE),
    ({"exact": True}, False, UNDECIDABLE),
    ({"exact": 1}, True, UNDECIDABLE),
    ({"exact": 1}, None, UNDECIDABLE),
    ({"exact": "1"}, 1, UNDECIDABLE),
    ({"exact": 1}, float("inf"), UNDECIDABLE),
    ({"exact": [1, 2]}, [1, 2], YES),
    ({"exact": [1, 2]}, [1], UNDECIDABLE),
    ({"exact": [1, 2]}, [1, 3], UNDECIDABLE),
    ({"exact": [1]}, "1", UNDECIDABLE),
    ({"exact": {"a": 1}}, {"a": 1, "b": 1}, UNDECIDABLE),
    ({"exact": {"a": 1}}, {"b": 1}, UNDECIDABLE),
    ({"exact": {"a": 1}}, {"a": 2}, UNDECIDABLE),
    ({"exact": {"a": 1}}, [["a", 1]], UNDECIDABLE),
    ({"exact": {"a": 1, "b": 2}}, {"a": 1, "b": 2}, YES),
    ({"exact": {"a": 1, "b": 2}}, {"a": 1, "b": 3}, UNDECIDABLE),
    ({"exact": [1, 2]}, [1, 2, 3], UNDECIDABLE),
    ({"exact": 1.5}, 1.5, YES),
    # Look-alikes are undecidable, other texts are different.
    ({"exact": "Ab"}, "ab", UNDECIDABLE),
    ({"exact": "ab"}, " AB ", UNDECIDABLE),
    ({"exact": "stra\N{LATIN SMALL LETTER SHARP S}e"}, "STRASSE", UNDECIDABLE),
    ({"exact": "a"}, "b" * MAX_TEXT, NO),
    ({"exact": "a"}, "b" * (MAX_TEXT + 1), UNDECIDABLE),
    ({"exact": "a"}, "b\x00", UNDECIDABLE),
    ({"exact": "a"}, "b\N{ZERO WIDTH SPACE}", UNDECIDABLE),
    ({"exact": "a"}, "b\N{HANGUL FILLER}", UNDECIDABLE),
    ({"exact": "a"}, "b\N{FULLWIDTH LATIN SMALL LETTER B}", UNDECIDABLE),
    ({"exact": "a"}, "\N{LATIN SMALL LETTER E WITH ACUTE}", NO),
    ({"one_of": ["a", "b"]}, "A", UNDECIDABLE),
    ({"one_of": ["a", "b"]}, "c", NO),
    ({"one_of": ["a"]}, 1, UNDECIDABLE),
    ({"one_of": [1, 2]}, "1", UNDECIDABLE),
    ({"one_of": [1, 2]}, 3, NO),
    ({"one_of": [True, "a"]}, 1, UNDECIDABLE),
    ({"one_of": [True, 2]}, True, YES),
    ({"prefix": "ab"}, "ab", YES),
    ({"prefix": "ab"}, "ABC", UNDECIDABLE),
    ({"prefix": "ab"}, "cab", NO),
    ({"prefix": "ab"}, "ab\n", UNDECIDABLE),
    ({"prefix": "ab"}, 7, UNDECIDABLE),
    ({"prefix": "a"}, "a" * MAX_TEXT, YES),
    ({"prefix": "a"}, "a" * (MAX_TEXT + 1), UNDECIDABLE),
    ({"pattern": "[ab]*"}, "a" * MAX_TEXT, YES),
    ({"pattern": "[ab]*"}, "a" * (MAX_TEXT + 1), UNDECIDABLE),
    ({"pattern": "a"}, 1, UNDECIDABLE),
    ({"pattern": "a"}, "\ud800", UNDECIDABLE),
    ({"pattern": "a"}, "b", NO),
    ({"pattern": "a"}, "b\N{ZERO WIDTH SPACE}", UNDECIDABLE),
    ({"pattern": "a"}, "b\n", UNDECIDABLE),
    ({"pattern": "(?s)a.c"}, "b\n", NO),
    ({"pattern": "(?s)a.c"}, "a\nc", YES),
    ({"pattern": "(?i)k"}, "K", YES),
    ({"pattern": "(?i)k"}, "\N{KELVIN SIGN}", UNDECIDABLE),
    ({"pattern": "(?i)k"}, "\N{LATIN SMALL LETTER E WITH ACUTE}", UNDECIDABLE),
    ({"pattern": "k"}, "\N{LATIN SMALL LETTER E WITH ACUTE}", NO),
    # Bounds, on both sides of each.
    ({"range": {"min": 1, "max": 3}}, 0.9, NO),
    ({"range": {"min": 1, "max": 3}}, 1, YES),
    ({"range": {"min": 1, "max": 3}}, 3, YES),
    ({"range": {"min": 1, "max": 3}}, 3.1, NO),
    ({"range": {"exclusive_min": 1, "exclusive_max": 3}}, 1, NO),
    ({"range": {"exclusive_min": 1, "exclusive_max": 3}}, 1.1, YES),
    ({"range": {"exclusive_min": 1, "exclusive_max": 3}}, 3, NO),
    ({"range": {"exclusive_min": 1, "exclusive_max": 3}}, 2.9, YES),
    ({"range": {"max": 3}}, -(10**9), YES),
    ({"range": {"min": 3}}, 10**9, YES),
    ({"range": {"min": 1}}, True, UNDECIDABLE),
    ({"range": {"min": 1}}, "2", UNDECIDABLE),
    ({"range": {"min": 1}}, float("nan"), UNDECIDABLE),
    ({"length": {"min": 1}}, "", NO),
    ({"length": {"min": 1}}, "a", YES),
    ({"length": {"max": 2}}, "ab", YES),
    ({"length": {"max": 2}}, "abc", NO),
    ({"length": {"max": 0}}, [], YES),
    ({"length": {"max": 2}}, {"a": 1}, UNDECIDABLE),
    ({"length": {"max": 2}}, 1, UNDECIDABLE),
    ({"each": {"exact": "a"}}, ["a"] * MAX_ITEMS, YES),
    ({"each": {"exact": "a"}}, ["a"] * (MAX_ITEMS + 1), UNDECIDABLE),
    ({"each": {"exact": "a"}}, ["a", "a", "b"], NO),
    ({"each": {"exact": "a"}}, ("a",), UNDECIDABLE),
    ({"each": {"exact": 1}}, [1, 1, 2], NO),
    ({"fields": {"a": {"exact": 1}}}, {"a": 1, "b": 1}, UNDECIDABLE),
    ({"fields": {"a": {"exact": 1}}}, {}, UNDECIDABLE),
    ({"fields": {"a": {"exact": 1}}}, [], UNDECIDABLE),
    ({"fields": {"a": {"exact": 1}, "b": {"anything": {}}}}, {"a": 1}, YES),
    ({"fields": {"a": {"exact": 1}, "b": {"anything": {}}}}, {"b": 1}, UNDECIDABLE),
    ({"fields": {}}, {}, YES),
    ({"range": {"exclusive_min": 0}}, True, UNDECIDABLE),
    ({"range": {"exclusive_min": 5}}, 5, NO),
    ({"range": {"exclusive_max": 5}}, 5, NO),
    ({"each": {"exact": "a"}}, ["a", "b"], NO),
    # Paths.
    ({"path_under": "a/b/"}, "a/b/c", YES),
    ({"path_under": "a/"}, "a/b", YES),
    ({"path_under": "."}, "~x", UNDECIDABLE),
    ({"path_under": "."}, "x~", YES),
    ({"path_under": "."}, "~/x", UNDECIDABLE),
    ({"path_under": "a/b"}, "a/bc", NO),
    ({"path_under": "a/b"}, "a", UNDECIDABLE),
    ({"path_under": "a/b"}, ".", UNDECIDABLE),
    ({"path_under": "a/b"}, "A/B/c", UNDECIDABLE),
    ({"path_under": "a/b"}, "x~1/c", UNDECIDABLE),
    ({"path_under": "a/b"}, "/a/b/c", UNDECIDABLE),
    ({"path_under": "/a"}, "/", UNDECIDABLE),
    ({"path_under": "/a"}, "/b", NO),
    ({"path_under": "/"}, "a", UNDECIDABLE),
    ({"path_under": "."}, "/a", UNDECIDABLE),
    ({"path_under": "a"}, "a/" + "b" * (MAX_PATH - 2), YES),
    ({"path_under": "a"}, "a/" + "b" * (MAX_PATH - 1), UNDECIDABLE),
    ({"path_under": "a"}, "", UNDECIDABLE),
    ({"path_under": "a"}, "a/~b", YES),
    ({"path_under": "a"}, "~", UNDECIDABLE),
    ({"path_under": "a"}, "b/1:c", NO),
    ({"path_under": "a"}, "1:/b", NO),
    ({"path_under": "a"}, "c:/b", UNDECIDABLE),
    ({"path_under": "a"}, "a/100%", YES),
    ({"path_under": "a"}, "a/100%25", UNDECIDABLE),
    ({"path_under": "a"}, "a/ b", UNDECIDABLE),
    ({"path_under": "a"}, "a/b ", UNDECIDABLE),
    ({"path_under": "a"}, "a/b c", YES),
    ({"path_under": "a"}, "a/b.", UNDECIDABLE),
    ({"path_under": "a"}, "a/.b", YES),
    ({"glob": "a/*"}, ".", UNDECIDABLE),
    ({"glob": "a/*"}, "a", UNDECIDABLE),
    ({"glob": "a/*"}, "A/b", UNDECIDABLE),
    ({"glob": "a/*"}, "b/c", NO),
    ({"glob": "a/*"}, "/a/b", UNDECIDABLE),
    ({"glob": "a/*"}, "a/b~1/c", UNDECIDABLE),
    ({"glob": "/a/*"}, "/", UNDECIDABLE),
    ({"glob": "/a/*"}, "/A/b", UNDECIDABLE),
    ({"glob": "/a/*"}, "/a/b", YES),
    ({"glob": r"a/\*b"}, "a/xb", NO),
    ({"glob": "/a/*"}, "a/b", UNDECIDABLE),
    ({"glob": "/a/*"}, "/b", NO),
    ({"glob": "a/*/c"}, "a/b", UNDECIDABLE),
    ({"glob": "a/*/c"}, "a/b/d", NO),
    ({"glob": "a/**"}, "b", NO),
    ({"glob": r"\[a\]/\?"}, "[a]/?", YES),
    # Addresses and hosts.
    ({"email_domain": ["a.example"]}, "x@a.example", YES),
    ({"email_domain": ["a.example"]}, "x@A.EXAMPLE", YES),
    ({"email_domain": ["a.example"]}, "x@b.a.example", NO),
    ({"email_domain": ["a.example"]}, "x@xa.example", NO),
    ({"email_domain": [".a.example"]}, "x@b.a.example", YES),
    ({"email_domain": [".a.example"]}, "x@a.example", NO),
    ({"email_domain": [".a.example"]}, "x@ba.example", NO),
    ({"email_domain": ["a.example"]}, "x@y@a.example", UNDECIDABLE),
    ({"email_domain": ["a.example"]}, "a.example", UNDECIDABLE),
    ({"email_domain": ["a.example"]}, "=?utf-8?q?x?=@a.example", UNDECIDABLE),
    ({"email_domain": ["a.example"]}, "x" * 64 + "@a.example", YES),
    ({"email_domain": ["a.example"]}, "x" * 65 + "@a.example", UNDECIDABLE),
    ({"email_domain": ["a.example"]}, "\N{LATIN SMALL LETTER E WITH ACUTE}@a.example", UNDECIDABLE),
    ({"email_domain": ["a.example"]}, "x@-a.example", UNDECIDABLE),
    ({"email_domain": ["a.example"]}, 1, UNDECIDABLE),
    ({"url_host": ["a.example"]}, "https://a.example", YES),
    ({"url_host": ["a.example"]}, "HTTPS://A.example/b", YES),
    ({"url_host": ["a.example"]}, "https://a.example:443/", YES),
    ({"url_host": ["a.example"]}, "http://a.example:80/", YES),
    ({"url_host": ["a.example"]}, "https://a.example:80/", NO),
    ({"url_host": ["a.example"]}, "https://a.example:8443/", NO),
    ({"url_host": ["a.example:8443"]}, "https://a.example:8443/", YES),
    ({"url_host": ["a.example:8443"]}, "https://a.example/", NO),
    ({"url_host": ["a.example:443"]}, "https://a.example/", YES),
    ({"url_host": ["a.example:443"]}, "http://a.example/", NO),
    ({"url_host": [".a.example"]}, "https://b.a.example/", YES),
    ({"url_host": [".a.example"]}, "https://a.example/", NO),
    ({"url_host": [".a.example"]}, "https://b.a.example:8443/", NO),
    ({"url_host": [".a.example"]}, "https://b.a.example:443/", YES),
    ({"url_host": [".a.example:8443"]}, "https://b.a.example:8443/", YES),
    ({"url_host": [".a.example:8443"]}, "https://b.a.example/", NO),
    ({"url_host": [".a.example:443"]}, "https://b.a.example/", YES),
    ({"url_host": ["a.example"]}, "ftp://a.example/", UNDECIDABLE),
    ({"url_host": ["a.example"]}, "https://a.example/b://c.example/", YES),
    ({"url_host": ["a.example"]}, "https://c.example/b://a.example/", NO),
    ({"url_host": {"hosts": ["a.example"]}}, "https://a.example/", YES),
    ({"url_host": {"hosts": ["a.example"]}}, "http://a.example/", YES),
    ({"url_host": {"hosts": ["a.example"], "schemes": ["ftp"]}}, "ftp://a.example:21/", YES),
    ({"url_host": {"hosts": ["a.example"], "schemes": ["ftp"]}}, "https://a.example/", UNDECIDABLE),
    ({"url_host": ["a.example"]}, "https://x@a.example/", UNDECIDABLE),
    ({"url_host": ["a.example"]}, "https://a.example?b", UNDECIDABLE),
    ({"url_host": ["a.example"]}, "https://a.example#b", UNDECIDABLE),
    ({"url_host": ["a.example"]}, "https://a.example/?b#c@d", YES),
    ({"url_host": ["a.example"]}, "https://a.example:0/", UNDECIDABLE),
    ({"url_host": ["a.example"]}, "https://a.example:65535/", NO),
    ({"url_host": ["a.example"]}, "https://a.example:65536/", UNDECIDABLE),
    ({"url_host": ["a.example"]}, "https://a.example:080/", UNDECIDABLE),
    ({"url_host": ["a.example"]}, "https://a.example:/", UNDECIDABLE),
    ({"url_host": ["a.example"]}, "https://a.example./", UNDECIDABLE),
    ({"url_host": ["a.example"]}, "//a.example/", UNDECIDABLE),
    ({"url_host": ["a.example"]}, "https://192.0.2.1/", UNDECIDABLE),
    ({"url_host": ["192.0.2.1"]}, "https://192.0.2.1/", YES),
    ({"url_host": ["a.example"]}, "https://[2001:db8::1]/", UNDECIDABLE),
    ({"url_host": ["[2001:db8::1]"]}, "https://[2001:db8::1]/", YES),
    ({"url_host": ["[2001:db8::1]:8443"]}, "https://[2001:db8::1]:8443/", YES),
    ({"url_host": ["[2001:db8::1]"]}, "https://[2001:db8::1]:8443/", UNDECIDABLE),
    ({"url_host": ["a.example"]}, "https://a.example/" + "x" * (MAX_URL - 18), YES),
    ({"url_host": ["a.example"]}, "https://a.example/" + "x" * (MAX_URL - 17), UNDECIDABLE),
    ({"url_host": ["a.example"]}, "https://a.example/\\", UNDECIDABLE),
    ({"url_host": ["a.example"]}, None, UNDECIDABLE),
]


@pytest.mark.parametrize(("spec", "value", "verdict"), EDGES, ids=range(len(EDGES)))
def test_a_constraint_holds_on_both_sides_of_each_edge(
    spec: dict[str, Any], value: Any, verdict: Verdict
) -> None:
    """Next to each other stand what it permits, what it refuses, and what it does not decide."""
    assert load(spec).judge(value) is verdict


def test_a_longest_address_and_a_longest_name_are_read() -> None:
    """254 characters are one address, 255 are none (RFC 5321); names end at 253."""
    domain = ".".join(["a" * 60] * 3 + ["example"])
    inside = load({"email_domain": [domain]})
    short = "x" * (MAX_ADDRESS - len(domain) - 1)
    assert inside.judge(f"{short}@{domain}") is YES
    assert inside.judge(f"{short}x@{domain}") is UNDECIDABLE
    longest = ".".join(["a" * 61] * 4 + ["b" * 5])
    assert len(longest) == 253
    assert load({"url_host": [longest]}).judge(f"https://{longest}/") is YES
    with pytest.raises(ConfigInvalid, match="not a host name"):
        load({"url_host": [longest + "c"]})


def test_the_work_for_an_array_is_bounded_by_what_each_element_must_be() -> None:
    """Many parts for each element leave fewer elements that are judged."""
    parts = MAX_JUDGED // 1000
    each = load({"each": {"any": [{"exact": n} for n in range(parts - 1)]}})
    most = MAX_JUDGED // parts
    assert each.judge([1] * most) is YES
    assert each.judge([1] * (most + 1)) is UNDECIDABLE


def test_values_are_named_and_shown_short() -> None:
    """JSON's names of types, 80 characters at most of a value, and six values of a list."""
    values: list[Any] = [None, True, 1, 1.5, "a", [], {}, ()]
    kinds = {type_name(one) for one in values}
    assert kinds == {"null", "boolean", "number", "string", "array", "object", "not a JSON type"}
    assert shown("a" * 80) == "a" * 80
    assert shown("a" * 81) == "a" * 77 + "..."
    assert shown("a\n") == "a\N{REPLACEMENT CHARACTER}"
    assert listed(list("abcdef")) == "`a`, `b`, `c`, `d`, `e`, `f`"
    assert listed(list("abcdefg")) == "`a`, `b`, `c`, `d`, `e`, `f` and 1 more"
    with pytest.raises(ConfigInvalid, match="mapping"):
        keys_of([], ("a",))


def test_the_root_is_shown_as_it_is() -> None:
    """Of other directories it is said that what is under them is meant."""
    assert PathUnder("/").describe() == "be under `/`"
    assert PathUnder("/a").describe() == "be under `/a/`"


def test_the_usual_schemes_are_not_written() -> None:
    """A list of hosts says it all; other schemes are said."""
    usual = ["a.example"]
    assert load({"url_host": {"hosts": usual, "schemes": ["https", "http"]}}).spec() == {"url_host": usual}
    for schemes in (["https"], ["ftp", "http"], ["ftp", "http", "https"]):
        spec = {"url_host": {"hosts": usual, "schemes": schemes}}
        assert load(spec).spec() == spec


def test_constraints_are_equal_by_what_they_say() -> None:
    """So 1 and 1.0 are one number; what is no constraint equals none; different ones rarely share a hash."""
    assert Exact(1.0).spec() == {"exact": 1}
    assert type(Exact(1.0).spec()["exact"]) is int
    assert Exact(1) != 1
    assert len({hash(Exact(n)) for n in range(10)}) == 10
    deep = nested(MAX_DEPTH)
    assert Exact(deep).judge(deep) is YES
    within: Any = 1
    for _ in range(MAX_DEPTH):
        within = {"a": within}
    assert Exact(within).judge(within) is YES
    with pytest.raises(ConfigInvalid, match="deeply"):
        Exact({"a": within})
    with pytest.raises(ConfigInvalid, match="deeply"):
        Exact([deep])


def test_of_equal_texts_in_an_array_the_first_is_judged() -> None:
    """Each once, with its place; other values each time."""
    assert list(different(["a", "b", "a", 1, 1, "c"])) == [(0, "a"), (1, "b"), (3, 1), (4, 1), (5, "c")]
