# SPDX-License-Identifier: Apache-2.0
"""Whether one constraint permits no more than another, and where the matches of a glob lie."""

from typing import Any

import pytest

from remit.core.tools.constraint import Subset, Verdict, is_subset, load
from remit.core.tools.constraint.path import Glob, PathUnder, escape_glob

YES, NO = Verdict.YES, Verdict.NO


def hosts(*names: str, schemes: tuple[str, ...] = ("http", "https")) -> dict[str, Any]:
    """Write a constraint on hosts."""
    return {"url_host": {"hosts": list(names), "schemes": list(schemes)}}


SUBSETS: list[tuple[Any, Any, Subset]] = [
    (hosts("a.example", schemes=("https",)), hosts("a.example"), Subset.YES),
    (hosts("a.example"), hosts("a.example", schemes=("https",)), Subset.NO),
    (hosts("a.example", schemes=("ftp",)), hosts("a.example"), Subset.NO),
    (hosts("a.example", schemes=("ftp", "https")), hosts("a.example"), Subset.NO),
    (hosts("a.example"), hosts("a.example", "b.example"), Subset.YES),
    (hosts("a.example", "b.example"), hosts("a.example"), Subset.NO),
    (hosts("b.a.example"), hosts(".a.example"), Subset.YES),
    (hosts("ba.example"), hosts(".a.example"), Subset.NO),
    (hosts(".b.a.example"), hosts(".a.example"), Subset.YES),
    (hosts(".a.example"), hosts(".b.a.example"), Subset.NO),
    (hosts("b.a.example:8443"), hosts(".a.example"), Subset.NO),
    (hosts("b.a.e1"), hosts(".a.e1"), Subset.UNDECIDED),
    (hosts("b.a.example"), hosts(".a.example:8443"), Subset.NO),
    ({"email_domain": ["a.example"]}, {"email_domain": ["b.example"]}, Subset.NO),
    ({"email_domain": [".a.example"]}, {"email_domain": ["a.example"]}, Subset.NO),
    ({"range": {"min": 1}}, {"range": {"min": 1}}, Subset.YES),
    ({"range": {"min": 2}}, {"range": {"min": 1}}, Subset.YES),
    ({"range": {"min": 1}}, {"range": {"min": 2}}, Subset.NO),
    ({"range": {"max": 2}}, {"range": {"max": 3}}, Subset.YES),
    ({"range": {"max": 3}}, {"range": {"max": 2}}, Subset.NO),
    ({"range": {"max": 3}}, {"range": {"exclusive_max": 3}}, Subset.NO),
    ({"range": {"exclusive_max": 3}}, {"range": {"max": 3}}, Subset.YES),
    ({"range": {"exclusive_max": 3}}, {"range": {"exclusive_max": 3, "min": 0}}, Subset.NO),
    ({"range": {"exclusive_min": 1}}, {"range": {"min": 1}}, Subset.YES),
    ({"range": {"min": 1}}, {"range": {"max": 9}}, Subset.NO),
    ({"range": {"max": 1}}, {"range": {"min": 0}}, Subset.NO),
    ({"length": {"min": 2, "max": 3}}, {"length": {"min": 1, "max": 3}}, Subset.YES),
    ({"length": {"min": 1, "max": 3}}, {"length": {"min": 2}}, Subset.NO),
    ({"length": {"min": 1}}, {"length": {"min": 1, "max": 3}}, Subset.NO),
    ({"length": {"max": 4}}, {"length": {"max": 3}}, Subset.UNDECIDED),
    ({"length": {"max": 3}}, {"length": {"min": 0}}, Subset.YES),
    ({"prefix": "ab"}, {"prefix": "a"}, Subset.YES),
    ({"prefix": "a"}, {"prefix": "ab"}, Subset.NO),
    ({"prefix": "a"}, {"exact": "a"}, Subset.NO),
    ({"path_under": "a"}, {"glob": "a/*"}, Subset.NO),
    ({"glob": "a/*"}, {"path_under": "b"}, Subset.NO),
    ({"glob": "a/?"}, {"path_under": "a/b"}, Subset.NO),
    ({"glob": "a/**"}, {"glob": "b/**"}, Subset.NO),
    ({"each": {"exact": 1}}, {"each": {"range": {"max": 3}}}, Subset.YES),
    ({"each": {"range": {"max": 3}}}, {"each": {"exact": 1}}, Subset.NO),
    ({"one_of": [1, 2]}, {"one_of": [1, 2, 3]}, Subset.YES),
    ({"one_of": ["a", "b"]}, {"one_of": ["a", "c"]}, Subset.NO),
    ({"exact": 5}, {"range": {"max": 3}}, Subset.NO),
    ({"any": [{"exact": 1}, {"exact": 2}]}, {"range": {"max": 3}}, Subset.YES),
    ({"any": [{"exact": 1}, {"exact": 5}]}, {"range": {"max": 3}}, Subset.NO),
    ({"exact": 1}, {"any": [{"exact": 2}, {"exact": 1}]}, Subset.YES),
    ({"range": {"max": 2}}, {"any": [{"range": {"max": 1}}, {"range": {"max": 3}}]}, Subset.YES),
    ({"all": [{"range": {"min": 1}}, {"range": {"max": 3}}]}, {"range": {"max": 3}}, Subset.YES),
    ({"range": {"min": 1, "max": 2}}, {"all": [{"range": {"min": 0}}, {"range": {"max": 3}}]}, Subset.YES),
    ({"range": {"min": 1, "max": 4}}, {"all": [{"range": {"min": 0}}, {"range": {"max": 3}}]}, Subset.NO),
    ({"exact": 1}, {"optional": {"exact": 1}}, Subset.YES),
    ({"optional": {"exact": 1}}, {"optional": {"exact": 1}}, Subset.YES),
    ({"optional": {"exact": 2}}, {"optional": {"exact": 1}}, Subset.NO),
    ({"exact": 1}, {"anything": {}}, Subset.YES),
    ({"anything": {}}, {"optional": {"exact": 1}}, Subset.NO),
    ({"not": {"exact": "x"}}, {"exact": "y"}, Subset.UNDECIDED),
    ({"not": {"exact": 1}}, {"exact": 1}, Subset.NO),
    ({"fields": {"a": {"exact": 1}}}, {"fields": {"a": {"range": {"max": 3}}}}, Subset.YES),
    ({"fields": {"a": {"exact": 1}}}, {"fields": {"a": {"exact": 2}}}, Subset.UNDECIDED),
    ({"fields": {"a": {"exact": 1}}}, {"fields": {"b": {"exact": 1}}}, Subset.UNDECIDED),
    (
        {"fields": {"a": {"exact": 1}}},
        {"fields": {"a": {"exact": 1}, "b": {"optional": {"exact": 1}}}},
        Subset.YES,
    ),
    (
        {"fields": {"a": {"exact": 1}}},
        {"fields": {"a": {"exact": 1}, "b": {"exact": 1}}},
        Subset.UNDECIDED,
    ),
    ({"fields": {"a": {"optional": {"exact": 1}}}}, {"fields": {"a": {"exact": 1}}}, Subset.UNDECIDED),
    (
        {"fields": {"a": {"optional": {"exact": 1}}}},
        {"fields": {"a": {"optional": {"exact": 1}}}},
        Subset.YES,
    ),
    (
        {"fields": {"a": {"exact": 1}, "b": {"exact": 2}}},
        {"fields": {"a": {"exact": 1}}},
        Subset.UNDECIDED,
    ),
]


@pytest.mark.parametrize(("child", "parent", "answer"), SUBSETS, ids=range(len(SUBSETS)))
def test_a_subset_is_proven_or_shown_not_to_be_one(child: Any, parent: Any, answer: Subset) -> None:
    """A bound, a scheme, a host or a field more on one side changes the answer."""
    assert is_subset(load(child), load(parent)) is answer


@pytest.mark.parametrize(
    ("glob", "root"),
    [
        ("a/b/*.md", "a/b"),
        ("a/b", "a"),
        ("a", "."),
        ("*", "."),
        ("a*/b", "."),
        ("a/?/b", "a"),
        ("a/**/b", "a"),
        ("/a/b/*", "/a/b"),
        ("/*", "/"),
        ("/a", "/"),
        (r"a\*/b*", "a*"),
    ],
)
def test_a_glob_lies_in_the_directory_before_its_first_wildcard(glob: str, root: str) -> None:
    """Every match does, so what holds of the directory holds of the glob."""
    found = Glob(glob)
    assert found.root == root
    assert is_subset(found, PathUnder(root)) is Subset.YES


def test_a_text_is_written_as_a_glob_that_matches_nothing_else() -> None:
    """Each of the four characters that mean something is escaped, and no other one."""
    assert escape_glob("a*?[]b/c-1") == r"a\*\?\[\]b/c-1"
    assert Glob(escape_glob("a*?[]b")).judge("a*?[]b") is YES
    assert Glob(escape_glob("a*?[]b")).judge("axy[]b") is NO
