# SPDX-License-Identifier: Apache-2.0
"""Tiles have one path each, and bundles hold what they say (c2sp.org/tlog-tiles)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.errors import Malformed
from remit.core.evidence.tile import ENTRIES, Tile, entry_bundle, read_bundle


def test_the_example_of_the_standard() -> None:
    """Index 1234067 is `x001/x234/067`."""
    assert str(Tile(0, 1_234_067)) == "0/x001/x234/067"
    assert Tile.parse("entries/x001/x234/067.p/12") == Tile(ENTRIES, 1_234_067, 12)


@given(st.integers(-1, 63), st.integers(0, 2**55), st.integers(1, 256))
def test_a_path_leads_back_to_its_tile(level: int, index: int, width: int) -> None:
    """Whatever is written is read."""
    tile = Tile(level, index, width)
    assert Tile.parse(str(tile)) == tile


@pytest.mark.parametrize(
    "path",
    [
        "", "0", "0/", "0/0", "0/00", "0/0000", "00/000", "64/000", "-1/000", "0/x000/000", "0/x001/x000",
        "0/001/000", "0/000.p/0", "0/000.p/256", "0/000.p/01", "0/000.p/", "0/000.p/1/", "0/000/../001",
        "entries/000?x", "data/000", "0/\u0660\u0660\u0660", "0/000\n", "0/" + "x001/" * 7 + "000",
        "0/000.p/999", "0/000.p/2.p/1",
    ],
)  # fmt: skip
def test_another_path_is_none(path: str) -> None:
    """A tile has one address, so that no cache keeps it twice, and none leads elsewhere."""
    with pytest.raises(Malformed):
        Tile.parse(path)


@pytest.mark.parametrize(
    ("tile", "available"),
    [
        (Tile(0, 272), 256), (Tile(0, 273), 112), (Tile(0, 274), 0), (Tile(1, 0), 256), (Tile(1, 1), 17),
        (Tile(2, 0), 1), (Tile(3, 0), 0), (Tile(ENTRIES, 273), 112), (Tile(63, 0), 0),
    ],
)  # fmt: skip
def test_the_tiles_of_seventy_thousand_leaves(tile: Tile, available: int) -> None:
    """As the standard's example has them."""
    assert tile.available(70_000) == available


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_a_bundle_leads_back_to_its_entries(entries: list[bytes]) -> None:
    """Whatever is written is read, and no shorter or longer part of it is."""
    data = entry_bundle(entries)
    assert read_bundle(data, len(entries)) == entries
    for count in (len(entries) - 1, len(entries) + 1):
        with pytest.raises(Malformed):
            read_bundle(data, count)
    if data:
        with pytest.raises(Malformed):
            read_bundle(data[:-1], len(entries))


def test_an_entry_that_no_bundle_can_hold_is_refused() -> None:
    """It is not truncated."""
    assert len(entry_bundle([b"x" * 65_535])) == 65_537
    with pytest.raises(Malformed, match="65535"):
        entry_bundle([b"x" * 65_536])
