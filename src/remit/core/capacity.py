# SPDX-License-Identifier: Apache-2.0
"""How much all indexes of one process may remember together.

Every index is bounded by itself; this bounds their sum. Entries are drawn in blocks and given back when the
task ends. An index is refused once it holds as much as is free: whoever reads without end leaves others
something, and several such get equal shares (the dynamic threshold of A. Choudhury and E. Hahne, *Dynamic
queue length thresholds for shared-memory packet switches*, 1998). What is refused becomes `full`: it says
`unknown` from then on, never `trusted`.
"""

from __future__ import annotations

TOTAL = 600_000
"""Entries of all indexes of one process."""
BLOCK = 500
"""Entries that are drawn at a time."""


class Capacity:
    """Entries that the indexes of one process share. Lives on one event loop."""

    def __init__(self, total: int = TOTAL, *, block: int = BLOCK) -> None:
        """Begin with everything free."""
        if block < 1 or total < block:
            raise ValueError(f"a capacity is at least one block, and a block at least one: {total}, {block}")
        self._free = total
        self._block = block
        self.total = total

    @property
    def free(self) -> int:
        """Entries that nobody holds."""
        return self._free

    def draw(self, held: int) -> int:
        """Give some entries to an index that holds `held`; 0 where it gets none."""
        if held >= self._free:
            return 0
        given = min(self._block, self._free)
        self._free -= given
        return given

    def give_back(self, held: int) -> None:
        """Take back all that an index held, at its end."""
        if not 0 <= held <= self.total - self._free:
            raise ValueError(f"an index gives back what was drawn: {held}")
        self._free += held
