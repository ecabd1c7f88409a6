# SPDX-License-Identifier: Apache-2.0
"""What all indexes of a process may remember together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.capacity import Capacity


def drawn(capacity: Capacity, held: int = 0, most: int = 10_000) -> int:
    """Draw for one index until it gets nothing; gives what it holds then."""
    while held < most and (given := capacity.draw(held)):
        held += given
    return held


def test_one_greedy_index_leaves_half_for_others() -> None:
    """It is refused once it holds as much as is free."""
    capacity = Capacity(1_000, block=10)
    assert drawn(capacity) == 500
    assert capacity.free == 500


def test_a_new_index_gets_something_after_several_greedy_ones() -> None:
    """Each of them leaves half of what it found."""
    capacity = Capacity(1_000, block=10)
    assert [drawn(capacity) for _ in range(4)] == [500, 250, 130, 60]
    assert capacity.draw(0) == 10


def test_greedy_indexes_at_once_get_equal_shares() -> None:
    """Drawing in turns, none gets more than another, and one share stays free."""
    capacity = Capacity(1_000, block=10)
    held = [0, 0, 0]
    while any(given := [capacity.draw(one) for one in held]):
        held = [one + more for one, more in zip(held, given, strict=True)]
    assert held == [250, 250, 250]
    assert capacity.free == 250


def test_what_is_given_back_can_be_drawn_again() -> None:
    """At the end of a task all that it held is free."""
    capacity = Capacity(100, block=10)
    held = drawn(capacity)
    capacity.give_back(held)
    assert capacity.free == capacity.total
    assert drawn(capacity) == held


@pytest.mark.parametrize("held", [-1, 11])
def test_more_than_was_drawn_is_not_taken_back(held: int) -> None:
    """An index that gives back twice would let the process remember without bound."""
    capacity = Capacity(100, block=10)
    capacity.draw(0)
    with pytest.raises(ValueError, match="what was drawn"):
        capacity.give_back(held)


@pytest.mark.parametrize(("total", "block"), [(0, 1), (10, 0), (10, 11)])
def test_a_capacity_has_room_for_a_block(total: int, block: int) -> None:
    """Anything else would never give anything."""
    with pytest.raises(ValueError, match="at least one"):
        Capacity(total, block=block)


@given(st.integers(1, 50), st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=200))
def test_what_is_held_and_what_is_free_is_always_the_total(block: int, acts: list[tuple[int, bool]]) -> None:
    """Whatever indexes draw and give back, in whatever order, nothing is made and nothing lost."""
    capacity = Capacity(500, block=block)
    held = [0] * 5
    for who, ends in acts:
        if ends:
            capacity.give_back(held[who])
            held[who] = 0
        else:
            held[who] += capacity.draw(held[who])
        assert sum(held) + capacity.free == 500
        assert capacity.free >= 0
