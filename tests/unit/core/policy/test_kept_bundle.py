# SPDX-License-Identifier: Apache-2.0
"""A bundle that a store keeps comes back as it was, whatever constraints its files name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from remit.core.label import Audience, Label
from remit.core.policy.bundle import Bundle, from_kept, kept_form
from remit.core.tools.constraint import load
from remit.core.tools.tool import (
    Argument,
    ArgumentCase,
    FieldLabel,
    Narrowing,
    StoredDestination,
    Tool,
    Variant,
)

Json = Any

CONSTRAINTS: list[Json] = [
    {"exact": 1},
    {"one_of": ["a", 2]},
    {"prefix": "ab"},
    {"path_under": "notes"},
    {"glob": "notes/**/*.md"},
    {"pattern": "[a-z]+"},
    {"range": {"min": 1, "max": 2.5}},
    {"length": {"max": 3}},
    {"email_domain": ["corp.example"]},
    {"url_host": ["api.example"]},
    {"each": {"pattern": "x*"}},
    {"fields": {"a": {"optional": {"exact": "b"}}}},
    {"all": [{"prefix": "a"}, {"not": {"glob": "a/secret/*"}}]},
    {"any": [{"exact": "a"}, {"pattern": "b+"}]},
    {"optional": {"pattern": "c"}},
    {"anything": {}},
]


@pytest.mark.parametrize("spec", CONSTRAINTS, ids=lambda spec: next(iter(spec)))
def test_a_kept_bundle_comes_back_with_each_kind_of_constraint(spec: Json) -> None:
    """In each place of a tool that has constraints; a roll-back would else change what the tool is."""
    one = load(spec, "x")
    tool = Tool(
        upstream="files",
        name="read",
        arguments={"path": Argument(when=(ArgumentCase({"path": one}),))},
        fields=(FieldLabel("a.b", Label(), when={"c": one}),),
        variants=(Variant({"path": one}),),
        stored_destination=StoredDestination(narrowings=(Narrowing(one, Audience("internal")),)),
    )
    bundle = Bundle(tools={tool.id: tool}, digest="d")
    assert from_kept(json.loads(json.dumps(kept_form(bundle)))) == bundle
