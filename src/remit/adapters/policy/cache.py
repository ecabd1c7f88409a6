# SPDX-License-Identifier: Apache-2.0
"""A bounded mapping for what was prepared or found before."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class RecentAnswers(Generic[K, V]):
    """A bounded mapping that drops the least recently used entry."""

    def __init__(self, size: int) -> None:
        """Keep at most `size` entries."""
        self._size = size
        self._kept: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Return the entry and mark it as recently used."""
        found = self._kept.pop(key, None)
        if found is not None:
            self._kept[key] = found
        return found

    def put(self, key: K, value: V) -> V:
        """Store an entry; drop the least recently used one if the mapping is full."""
        if len(self._kept) >= self._size:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = value
        return value

    def __len__(self) -> int:
        return len(self._kept)
