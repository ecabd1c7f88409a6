# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.interop.worlds.journey import world
from tests.interop.worlds.tool import ToolError


def test_cancelling_the_car_needs_the_code_that_arrives_by_mail() -> None:
    """The first call mails a code, a wrong code is refused, the right one cancels."""
    state, car = world.initial(), {"bookingId": "BK-87755"}
    assert world.cancel_booking.call(state, car)["outcome"] == "codeRequired"
    mail = world.search_mail.call(state, {"query": "code to cancel"})["mails"][0]
    body = world.read_mail.call(state, {"mailId": mail["mailId"]})["body"]
    with pytest.raises(ToolError, match="wrongCode"):
        world.cancel_booking.call(state, {**car, "confirmationCode": "000000"})
    code = body.split("code is ")[1][:6]
    assert world.cancel_booking.call(state, {**car, "confirmationCode": code})["outcome"] == "cancelled"


def test_a_booking_is_listed_and_takes_seats() -> None:
    """A flight for two costs twice the price, and more travellers than seats are refused."""
    state, offer = world.initial(), {"offerId": "FO-3103"}
    booked = world.book_flight.call(state, {**offer, "travellers": ["Amara Lind", "Tariq Haddad"]})
    assert booked["totalPrice"] == {"value": 3520, "currency": "NOK"}
    assert booked in world.list_bookings.call(state, {"kind": "flight"})["bookings"]
    with pytest.raises(ToolError, match="soldOut"):
        world.book_flight.call(state, {**offer, "travellers": ["Amara Lind"]})
