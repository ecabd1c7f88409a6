# SPDX-License-Identifier: Apache-2.0
"""Amounts as people say them, and whether an argument is one of them."""

from decimal import Decimal

import pytest

from remit.core.flow.language.amounts import Amounts, amount_of, amounts_in


@pytest.mark.parametrize(
    ("words", "value", "unit"),
    [
        ("pay 20 EUR to Ann", "20", "eur"),
        ("pay $1,200.00 please", "1200", "usd"),
        ("transfer 1.200,50 \u20ac", "1200.5", "eur"),
        ("a budget of 5k usd", "5000", "usd"),
        ("give 20 000 EUR", "20000", "eur"),
        ("twenty-five euros for Bob", "25", "eur"),
        ("raise it by 10%", "10", "%"),
        ("50 cents", "0.5", ""),
    ],
)
def test_an_amount_is_read_with_its_unit(words: str, value: str, unit: str) -> None:
    """However people write it."""
    (found,) = amounts_in(words)
    assert Decimal(value) in found.readings
    assert found.unit == unit


@pytest.mark.parametrize(
    "words", ["on 2027-05-12 at 12:30", "call +49 30 1234567", "to DE12 5001 0517 0648 4898 90"]
)
def test_dates_and_numbers_of_something_say_how_much_of_nothing(words: str) -> None:
    """Nor do telephone and account numbers."""
    assert not list(amounts_in(words))


@pytest.mark.parametrize(
    ("given", "name", "passes"),
    [
        ("20", "amount", True),
        ("20.00", "amount", True),
        ("20 EUR", "amount", True),
        ("2000", "amount", False),
        ("20 000", "amount", False),
        ("2e4", "amount", False),
        ("-20", "amount", False),
        ("20 USD", "amount", False),
        ("4711", "amount", False),
        ("3", "quantity", True),
        ("20", "quantity", False),
        ("$3", "quantity", False),
        ("3", "amount", False),
    ],
)
def test_an_amount_passes_as_what_it_was_stated_for(given: str, name: str, passes: bool) -> None:
    """A price is no quantity, and the number of an order neither."""
    amounts = Amounts()
    amounts.hear("Order 3 of item 4711 and pay 20 EUR for order 4711")
    wanted = amount_of(given)
    assert wanted is not None
    assert amounts.cover(wanted, (name,)) is passes


@pytest.mark.parametrize(
    ("words", "passes"),
    [
        ("pay 20 EUR of the 350 EUR that are due", {20}),
        ("pay a share of 20 EUR of the bill of 350 EUR", {20}),
        ("pay twenty euros to Ann, the rest of the 350 EUR stays open", {20}),
        ("pay \u20ac20 out of the budget of \u20ac350", {20}),
        ("pay 20 EUR less than 350 EUR", {330}),
        ("pay twenty euros less than 350 EUR", {330}),
        ("pay the difference between 350 EUR and 20 EUR", {330}),
        ("pay half of the bill of 350 EUR", {20, 330, 350}),
        ("pay 20 EUR to Ann and the rest of 350 EUR to Bob", {20, 330, 350}),
    ],
)
def test_an_amount_that_is_asked_for_plainly_leaves_no_room(words: str, passes: set[int]) -> None:
    """What it is a part of, or taken off, is another amount."""
    amounts = Amounts()
    amounts.hear(words)
    given = {one: amount_of(f"{one} EUR") for one in (20, 330, 350, 370)}
    found = {one for one, wanted in given.items() if wanted and amounts.cover(wanted, ("amount",))}
    assert found == passes
    assert not amounts.computed


@pytest.mark.parametrize(
    "given", ["", "20 EUR to", "500/", "12 May 2027", "\u0662\u0660", "1" * 80, "1e999999999"]
)
def test_what_is_no_amount_as_a_whole_is_none(given: str) -> None:
    """Nothing is taken off it, and no number of digits is too many for the reader."""
    found = amount_of(given)
    assert found is None or found.readings
    if given != "1e999999999":
        assert found is None


def test_stars_are_a_rating_and_no_other_amount() -> None:
    """A model number beside them is no rating, and they allow no payment."""
    said = Amounts()
    said.hear("write a review of the halo 500, 2 stars")
    two, five, many = (amount_of(one) for one in ("2", "5", "500"))
    assert two
    assert five
    assert many
    assert said.cover(two, ["rating"])
    assert not said.cover(five, ["rating"])
    assert not said.cover(many, ["rating"])
    assert said.differ(["rating"])
    hotel = Amounts()
    hotel.hear("book the hotel with 5 stars")
    assert not hotel.cover(five, ["amount"])
    assert not hotel.differ(["amount"])


@pytest.mark.parametrize(
    ("words", "refers"),
    [
        ("a card, same amount as the notebooks", True),
        ("pay as much as is due", False),
        ("20 EUR to the same person", False),
    ],
)
def test_words_can_refer_to_an_amount_elsewhere(words: str, refers: bool) -> None:
    """They state none themselves."""
    said = Amounts()
    said.hear(words)
    assert said.referred is refers
