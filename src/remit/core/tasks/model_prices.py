# SPDX-License-Identifier: Apache-2.0
"""What model calls cost, by a table of prices. All sums are whole millionths of its currency."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from remit.core.tasks.model_usage import ModelCall

MILLION: Final = 1_000_000


class ModelPrice(msgspec.Struct, frozen=True):
    """The prices of a million tokens, in millionths: read, written, read from a cache, put into a cache."""

    input: int
    output: int
    cached: int
    cache_write: int

    def dearest(self, other: ModelPrice) -> ModelPrice:
        """Return the higher of each price."""
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)
        return ModelPrice(*(max(pair) for pair in pairs))

    def of(self, call: ModelCall) -> int:
        """Return what a call costs, in millionths, rounded up."""
        total = (
            (call.input_tokens - call.cached_tokens - call.cache_write_tokens) * self.input
            + call.output_tokens * self.output
            + call.cached_tokens * self.cached
            + call.cache_write_tokens * self.cache_write
        )
        return -(-total // MILLION)


class ModelPrices(msgspec.Struct, frozen=True):
    """The prices of models by name, or by a pattern of names with `*`."""

    currency: str = ""
    models: Mapping[str, ModelPrice] = {}

    def cost(self, call: ModelCall) -> tuple[int, str] | None:
        """Return what a call costs, in millionths, and the entry that says so; None without a table.

        A name comes before a pattern, and a longer pattern before a shorter one. A model that no entry names
        costs the highest price of each kind, and its entry is empty.
        """
        if not self.models:
            return None
        if (price := self.models.get(call.model)) is not None:
            return price.of(call), call.model
        if found := [name for name in self.models if fnmatchcase(call.model, name)]:
            entry = max(found, key=lambda name: (len(name), name))
            return self.models[entry].of(call), entry
        first, *rest = self.models.values()
        for price in rest:
            first = first.dearest(price)
        return first.of(call), ""

    def shown(self, millionths: int) -> str:
        """Return an amount for people, `2.50 EUR`."""
        whole, rest = divmod(millionths, MILLION)
        cents = f"{rest:06}".rstrip("0").ljust(2, "0")
        return f"{whole:,}.{cents} {self.currency}".rstrip()


NO_PRICES: Final = ModelPrices()
