# SPDX-License-Identifier: Apache-2.0
"""The prices of models, by which budgets of money count (`budgets.spend`)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remit.config.reading.section import Money, Section, Text
from remit.core.tasks.model_prices import ModelPrice, ModelPrices


class ModelPriceSection(Section, frozen=True, kw_only=True):
    """The prices of a million tokens of one model, or of all models of a pattern."""

    input: Annotated[Money, Meta(description="Of tokens that the model reads.")]
    output: Annotated[Money, Meta(description="Of tokens that the model writes.")]
    cached: Annotated[
        Money | None, Meta(description="Of tokens that the model reads from a cache. Default: as `input`.")
    ] = None
    cache_write: Annotated[
        Money | None, Meta(description="Of tokens that are put into a cache. Default: as `input`.")
    ] = None


class ModelsSection(Section, frozen=True, kw_only=True):
    """The prices of models. A model that no entry names costs the highest price of each kind."""

    currency: Annotated[
        str,
        Meta(
            pattern=r"^[A-Z]{3}$",
            description="The currency of all prices and budgets of money (ISO 4217).",
            extra={"rule": "write three capital letters, `EUR`"},
        ),
    ]
    prices: Annotated[
        dict[Text, ModelPriceSection],
        Meta(
            min_length=1,
            description="By the model's name, or a pattern with `*`; a name comes first, then the longest "
            "pattern.",
        ),
    ]

    @property
    def table(self) -> ModelPrices:
        """The table in the form of core."""
        return ModelPrices(self.currency, {name: _price(one) for name, one in self.prices.items()})


def _price(one: ModelPriceSection) -> ModelPrice:
    cached = one.input if one.cached is None else one.cached
    written = one.input if one.cache_write is None else one.cache_write
    return ModelPrice(one.input, one.output, cached, written)
