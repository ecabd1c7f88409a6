# SPDX-License-Identifier: Apache-2.0
"""Constraints as people write them: what is refused with its reason, and what is a constraint, at its
bounds.
"""

from typing import Any

import pytest

from remit.core.errors import ConfigInvalid
from remit.core.tools.constraint import load
from remit.core.tools.constraint.base import MAX_DEPTH
from remit.core.tools.constraint.path import MAX_GLOB
from remit.core.tools.constraint.text import MAX_PATTERN


def nested(depth: int) -> Any:
    """Return a value that nests so deep."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({"exact": nested(MAX_DEPTH + 1)}, "deeply"),
        ({"exact": 2**53}, "2^53"),
        ({"exact": -(2**53)}, "2^53"),
        ({"exact": float("inf")}, "float"),
        ({"exact": {1: 2}}, "string"),
        ({"exact": ["\ud800"]}, "surrogate"),
        ({"prefix": "a\n"}, "control"),
        ({"prefix": None}, "not null"),
        ({"prefix": True}, "not boolean"),
        ({"prefix": 1}, "not number"),
        ({"prefix": []}, "not array"),
        ({"prefix": {}}, "not object"),
        ({"pattern": "a" * (MAX_PATTERN + 1)}, "longer"),
        ({"glob": "a" * (MAX_GLOB + 1)}, "longer"),
        ({"glob": "."}, "not a path"),
        ({"glob": "/"}, "not a path"),
        ({"glob": ""}, "not a path"),
        ({"glob": "a/../*"}, ".."),
        ({"glob": "a/]"}, "class"),
        ({"glob": "a/x**"}, "beside"),
        ({"glob": "a/**x"}, "beside"),
        ({"glob": "a/x\\"}, "backslash"),
        ({"glob": "a/\\x"}, "backslash"),
        ({"range": {"min": 1, "exclusive_min": 1}}, "two bounds"),
        ({"range": {"max": 1, "exclusive_max": 1}}, "two bounds"),
        ({"range": {"min": 1, "exclusive_max": 1}}, "no number"),
        ({"range": {"exclusive_min": 1, "max": 1}}, "no number"),
        ({"range": {"min": "1"}}, "number"),
        ({"length": {}}, "no length"),
        ({"length": {"min": 3, "max": 2}}, "no length"),
        ({"length": {"min": 1.5}}, "whole number"),
        ({"length": {"min": True}}, "whole number"),
        ({"email_domain": []}, "at least one"),
        ({"email_domain": "a.example"}, "list"),
        ({"email_domain": [".1"]}, "host name"),
        ({"email_domain": [1]}, "string"),
        ({"url_host": ["a.example:65536"]}, "port"),
        ({"url_host": ["a.example:01"]}, "port"),
        ({"url_host": ["0x7f"]}, "address"),
        ({"url_host": ["[::1"]}, "address"),
        ({"url_host": ["..a.example"]}, "host name"),
        ({"url_host": {"hosts": ["a.example"], "schemes": ["https:"]}}, "scheme"),
        ({"url_host": {"hosts": ["a.example"], "schemes": []}}, "at least one"),
        ({"url_host": {}}, "at least one"),
        ({"any": []}, "empty"),
    ],
)
def test_a_constraint_that_says_nothing_or_nonsense_is_refused(spec: dict[str, Any], word: str) -> None:
    """The author learns what is wrong with the constraint."""
    with pytest.raises(ConfigInvalid) as refused:
        load(spec, "p")
    assert refused.value.code == "config-invalid"
    assert word in str(refused.value)


@pytest.mark.parametrize(
    "spec",
    [
        {"exact": nested(MAX_DEPTH - 1)},
        {"exact": 2**53 - 1},
        {"exact": -(2**53) + 1},
        {"exact": 1.0},
        {"range": {"min": 1, "max": 1}},
        {"length": {"min": 2, "max": 2}},
        {"length": {"min": 0}},
        {"pattern": "a" * MAX_PATTERN},
        {"glob": "a" * MAX_GLOB},
        {"url_host": ["a.example:65535"]},
        {"url_host": ["a.example:1"]},
        {"url_host": ["255.0.2.1"]},
        {"email_domain": ["b.example", "a.example"]},
    ],
)
def test_a_constraint_is_read_as_it_was_written(spec: dict[str, Any]) -> None:
    """At its bound it is still one, and its written form reads as the same."""
    assert load(load(spec).spec()) == load(spec)
