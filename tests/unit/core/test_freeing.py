# SPDX-License-Identifier: Apache-2.0
"""What is no longer needed is freed in steps, and nothing that others need."""

import weakref
from typing import Any

from remit.core.cooperative_steps import FREED, finish, freeing, freeing_json


class Box(dict[str, Any]):
    """An object of JSON whose end can be seen."""


def test_lists_and_dictionaries_are_emptied_part_by_part() -> None:
    """No step takes more than so many entries, and none are left."""
    some, named = list(range(3 * FREED)), {str(at): at for at in range(2 * FREED)}
    left = [len(some) + len(named)]
    left += [len(some) + len(named) for _ in freeing(some, named)]
    assert left == [number * FREED for number in (5, 4, 3, 2, 1, 0)]


def test_parsed_values_are_freed_in_steps() -> None:
    """Those at the bottom of the whole are not freed all at once with it."""
    gone: list[int] = []
    held: list[Any] = [{"rows": [Box(at=at) for at in range(4 * FREED)]}]
    for at, box in enumerate(held[0]["rows"]):
        weakref.finalize(box, gone.append, at)
    del box
    before, most = 0, 0
    for _ in freeing_json(held):
        most, before = max(most, len(gone) - before), len(gone)
    assert len(gone) == 4 * FREED
    assert most <= FREED


def test_what_others_refer_to_stays_as_it_is() -> None:
    """Nothing within a value is changed, so a part that is kept elsewhere is whole."""
    kept = {"a": [1, {"b": [2, 3]}]}
    held = [{"whole": [kept, "text"]}, kept, 5]
    finish(freeing_json(held))
    assert held == []
    assert kept == {"a": [1, {"b": [2, 3]}]}
