# SPDX-License-Identifier: Apache-2.0
"""Laws of the names of resources: one thing has one name, whatever an agent writes for it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from remit.core.flow.stored_labels import MAX_LEVELS, ROOT, above, normal, resources

PARTS = st.lists(st.text(alphabet="abZ0-_.@ é", min_size=1, max_size=6), min_size=1, max_size=5)


@given(st.text(max_size=80))
def test_a_normal_name_is_its_own_normal_form(text: str) -> None:
    """And holds nothing by which it could be another name of something."""
    name = normal(text)
    assert normal(name) == name
    parts = name.split("/") if name else []
    assert not {"", ".", ".."} & set(parts)
    assert len(parts) <= MAX_LEVELS
    assert not name.startswith("?")


@given(PARTS, st.sampled_from(["//", "/./", "\\", " / ", "/"]), st.booleans())
def test_spelling_makes_no_second_name(parts: list[str], slash: str, capitals: bool) -> None:
    """Other slashes, steps that go nowhere, spaces and capitals are the same resource, or the upstream."""
    plain = "/".join(parts)
    other = slash.join(parts)
    assert normal(other.upper() if capitals else other) == normal(plain.upper() if capitals else plain)
    assert normal(f"./{plain}/") == normal(plain)


@given(PARTS)
def test_what_a_resource_lies_in_begins_with_the_root(parts: list[str]) -> None:
    """Each is a beginning of its name, and is what lies one level up."""
    name = normal("/".join(parts))
    if name:
        places = above(name)
        assert places[0] == ROOT
        assert len(places) == name.count("/") + 1
        assert all(name.startswith(place) for place in places)


@given(st.text(max_size=40))
def test_no_value_reaches_out_of_its_place(value: str) -> None:
    """Whatever stands for `{id}`, the name is `ticket` as a whole or lies in it, or is none."""
    for name in resources("ticket/{id}", {"id": value}):
        assert name == "ticket" or name.startswith("ticket/")
