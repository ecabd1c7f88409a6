# SPDX-License-Identifier: Apache-2.0
"""Searches by data in a log of which not every block has its marks."""

from pathlib import Path

import pytest

from remit.core.evidence.event import EventKind
from remit.ports.store.log import EventSearch
from remit.ports.store.units import Unit
from tests.worlds.stores import opened_sqlite
from tests.worlds.values import TENANT, an_event

SECRET = (3, 1_500, 2_500, 4_000)


@pytest.mark.parametrize(
    "lost",
    [
        "block < 2",
        "block < 5",
        "block >= 0",
        "block = 2 and mark = ''",
        "block < 0",
        "block > 1",
        "block = 4",
    ],
)
@pytest.mark.parametrize("back", [False, True])
async def test_what_has_no_marks_is_read_as_it_stands(tmp_path: Path, lost: str, back: bool) -> None:
    """Blocks from before there were marks, a gap that another version has left, and what it writes now."""
    store = opened_sqlite(tmp_path)
    for first in range(0, 4_500, 500):
        facts = ({"class": "secret" if index in SECRET else "public"} for index in range(first, first + 500))
        events = tuple(an_event(EventKind.DATA_READ, facts=one) for one in facts)
        await store.commit(Unit(events=events))
    connection = store._connections[0]
    connection.execute(f"delete from data_blocks where {lost}")
    at: int | None = 4_500 if back else 0
    found = list[int]()
    while at is not None:
        place = {"before": at} if back else {"start": at}
        part = await store.search(TENANT, EventSearch(data_class="secret"), most=700, **place)
        indexes = [one.index for one in part.entries]
        found, at = (indexes + found if back else found + indexes), part.reached
    assert found == list(SECRET)
    await store.close()
