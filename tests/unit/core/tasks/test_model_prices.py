# SPDX-License-Identifier: Apache-2.0
"""What model calls cost, to the millionth."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.tasks.model_prices import NO_PRICES, ModelPrice, ModelPrices
from remit.core.tasks.model_usage import ModelCall

TABLE = ModelPrices(
    "EUR",
    {
        "m-1": ModelPrice(3_000_000, 15_000_000, 300_000, 3_750_000),
        "m-*": ModelPrice(1_000_000, 2_000_000, 100_000, 1_000_000),
        "m-large-*": ModelPrice(9_000_000, 4_000_000, 900_000, 9_000_000),
    },
)


def call(model: str, read: int = 0, written: int = 0, cached: int = 0, put: int = 0) -> ModelCall:
    """A model call."""
    return ModelCall(
        span="t/1",
        model=model,
        input_tokens=read,
        output_tokens=written,
        cached_tokens=cached,
        cache_write_tokens=put,
    )


@pytest.mark.parametrize(
    ("model", "cost", "entry"),
    [
        ("m-1", 3_000 + 1_500, "m-1"),
        ("m-12", 1_000 + 200, "m-*"),
        ("m-large-2", 9_000 + 400, "m-large-*"),
        ("other", 9_000 + 1_500, ""),
        ("", 9_000 + 1_500, ""),
        ("M-1", 9_000 + 1_500, ""),
    ],
)
def test_a_name_comes_first_then_the_longest_pattern(model: str, cost: int, entry: str) -> None:
    """A model that no entry names costs the highest price of each kind."""
    assert TABLE.cost(call(model, 1_000, 100)) == (cost, entry)


def test_what_a_cache_holds_has_a_price_of_its_kind() -> None:
    """It is part of the input, and costs instead of it."""
    assert TABLE.cost(call("m-1", 1_000, 0, 600, 300)) == (300 + 180 + 1_125, "m-1")


def test_a_part_of_a_millionth_counts_as_a_whole_one() -> None:
    """Nothing is free by rounding."""
    assert TABLE.cost(call("m-1", 1, 0, 1)) == (1, "m-1")
    assert TABLE.cost(call("m-1")) == (0, "m-1")


def test_without_a_table_nothing_has_a_price() -> None:
    """Not even the price 0."""
    assert NO_PRICES.cost(call("m-1", 1)) is None


TOKENS = st.integers(0, 10**9)
PRICES = st.integers(0, 10**12)


@given(TOKENS, TOKENS, PRICES, PRICES)
def test_sums_are_those_of_decimal_arithmetic(read: int, written: int, dear: int, dearer: int) -> None:
    """Rounded up, once for each call."""
    table = ModelPrices("EUR", {"m": ModelPrice(dear, dearer, dear, dear)})
    told = (Decimal(read) * dear + Decimal(written) * dearer) / 1_000_000
    found = table.cost(call("m", read, written))
    assert found == (int(told.to_integral_value(ROUND_CEILING)), "m")


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0.00 EUR"), (2_500_000, "2.50 EUR"), (1, "0.000001 EUR"), (1_234_000_000, "1,234.00 EUR")],
)
def test_amounts_are_shown_in_full(amount: int, text: str) -> None:
    """With two decimals, or as many as there are."""
    assert TABLE.shown(amount) == text
