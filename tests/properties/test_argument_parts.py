# SPDX-License-Identifier: Apache-2.0
"""Parts of arguments: nothing of a call is lost, whatever its shape."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from remit.core.tools.tool import Argument, ArgumentRole, Tool

Json = Any

NAMES = st.sampled_from(["a", "b", "c", "a.b", "a[].b", "a[]"])
VALUES = st.recursive(
    st.integers(0, 9) | st.text("xyz", max_size=2),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3),
    max_leaves=12,
)
KEYS = st.sampled_from(["a", "a.b", "a.b.c", "a[].b", "a[].b[].c", "a[]", "b.c", "b[][]", "c"])


def leaves(value: Json) -> Counter[str]:
    """Count the single values in a value."""
    if isinstance(value, dict):
        return sum((leaves(below) for below in value.values()), Counter())
    if isinstance(value, list):
        return sum((leaves(below) for below in value), Counter())
    return Counter([repr(value)])


@given(st.dictionaries(NAMES, VALUES, max_size=3), st.lists(KEYS, max_size=4))
def test_every_value_of_a_call_is_in_exactly_one_part(arguments: dict[str, Json], keys: list[str]) -> None:
    """However arguments are nested, described, or named like paths."""
    described = {key: Argument(ArgumentRole.DESTINATION) for key in keys}
    parts = Tool(upstream="u", name="t", arguments=described).parts(arguments)
    assert leaves(parts) == leaves(arguments)


@given(VALUES)
def test_a_value_at_a_path_counts_in_any_shape(value: Json) -> None:
    """One in place of a list, a list in place of one, or a text in place of an object is still the part."""
    tool = Tool(upstream="u", name="t", arguments={"a[].b": Argument(ArgumentRole.DESTINATION)})
    for shape in ([{"b": value}], {"b": value}, [[{"b": value}]]):
        assert leaves(tool.parts({"a": shape})) == leaves(value)
        assert "a" not in tool.parts({"a": shape})
