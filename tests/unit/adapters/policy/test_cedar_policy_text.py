# SPDX-License-Identifier: Apache-2.0
"""Policy files are cut where policies end, and names cannot break out of a schema."""

from __future__ import annotations

import json

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.policy.cedar.policy_text import attribute, nearest, pieces, quoted


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("// only; a comment", []),
        ("permit (a);", [("permit (a);", 1)]),
        ("// one; two\n\npermit (a);\nforbid (b);", [("permit (a);", 3), ("forbid (b);", 4)]),
        ('@reason("a; // b") permit (a);', [('@reason("a; // b") permit (a);', 1)]),
        ('@id("a\\";")permit(x);permit(y);', [('@id("a\\";")permit(x);', 1), ("permit(y);", 1)]),
        ("permit (a)\n // tail;\n;x", [("permit (a)\n // tail;\n;", 1), ("x", 3)]),
        ('permit (a) when { "never closed; }', [('permit (a) when { "never closed; }', 1)]),
        (";", [(";", 1)]),
    ],
)
def test_policies_are_cut_at_their_semicolons(text: str, found: list[tuple[str, int]]) -> None:
    """Semicolons in strings and comments end nothing; each policy keeps the line of its first word."""
    cut = [(piece.text, piece.line) for piece in pieces(text)]
    if text.endswith("never closed; }"):
        # Cedar refuses every part of it; that none is lost is what counts.
        assert "".join(part for part, _ in cut).replace(" ", "") == text.replace(" ", "")
    else:
        assert cut == found


@given(
    st.lists(
        st.sampled_from(['permit(principal,action,resource)when{"a;//"=="b"}', "//c;\n", ";", "\n", ' "'])
    )
)
def test_no_text_is_lost_between_pieces(parts: list[str]) -> None:
    """Every policy that Cedar finds in a whole text is found in its pieces."""
    text = "".join(parts)
    try:
        whole = len(cedarpy.PolicySet.from_str(text))
    except ValueError:
        return
    assert sum(len(cedarpy.PolicySet.from_str(piece.text)) for piece in pieces(text)) == whole


@given(st.text(max_size=20))
def test_a_quoted_name_is_one_literal(name: str) -> None:
    """Whatever a name holds, Cedar reads the quoted form back as exactly that name."""
    policy = f"permit (principal == A::{quoted(name)}, action, resource);"
    (read,) = json.loads(cedarpy.policies_to_json_str(policy))["staticPolicies"].values()
    assert read["principal"]["entity"]["id"] == name
    action = f"action {quoted(name)} appliesTo {{ principal: A, resource: A }};"
    cedarpy.Schema.from_str(f"entity A {{ {quoted(name)}: Long }}; {action}")


@pytest.mark.parametrize(
    ("name", "written"),
    [("path", "path"), ("in", '"in"'), ("my-arg", '"my-arg"'), ("a\nb", '"a\\nb"'), ('a"b', '"a\\"b"')],
)
def test_attributes_are_bare_where_cedar_allows(name: str, written: str) -> None:
    """Only plain identifiers stand bare."""
    assert attribute(name) == written


def test_the_way_out_names_what_there_is() -> None:
    """A near name is proposed, else a short list."""
    assert nearest("pth", ["path", "to"]) == "did you mean `path`?"
    assert nearest("zzz", []) == "none exists yet"
    assert nearest("zzz", [f"name{n}" for n in range(10)]).endswith("and 2 more")
