# SPDX-License-Identifier: Apache-2.0
"""What is said of short texts at a glance is what reading them says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from remit.core.flow.values.destination import both, whole, within
from remit.core.flow.values.fast_path import A_VALUE, AN_ADDRESS, SHORT, SOME_WORDS, FastPath, glance

#: Makes a text too long for a glance, and changes nothing of what it is.
PADDING = " " * (SHORT + 1)

seen_at_a_glance = st.one_of(
    *(st.from_regex(one, fullmatch=True) for one in (SOME_WORDS, A_VALUE, AN_ADDRESS))
).filter(lambda text: len(text) <= SHORT)
short = st.one_of(seen_at_a_glance, st.text("aZ09.-_@:/+ ,%=", max_size=24))


@given(seen_at_a_glance)
def test_a_glance_sees_what_reading_finds(text: str) -> None:
    """The same text with so many blanks behind it that it is read is the same, and holds the same."""
    assert glance(text) is not FastPath.UNCLEAR
    assert whole(text) == whole(text + PADDING)
    assert set(within(text)) == set(within(text + PADDING))


@given(short)
def test_both_readings_of_a_text_are_the_two_of_it(text: str) -> None:
    """What stands in a text is what `within` gives; what it is as a whole, `whole`."""
    found, inside = both(text)
    assert found == whole(text)
    assert {found, *inside} == {found, *within(text)}
