# SPDX-License-Identifier: Apache-2.0
"""Name the places of the travel products into which outsiders write."""

from collections.abc import Iterator
from typing import Any

from tests.interop.worlds.tool import Outside, State

OWN_DOMAIN = "@fjellvann.example"
Records = Iterator[tuple[object, dict[str, Any]]]


def _keyed(kind: str, name: str, state: State) -> Records:
    return ((one[name], one) for one in state[kind])


def _mails(state: State) -> Records:
    received = (one for one in state["mails"] if one["folder"] == "inbox")
    return ((one["mailId"], one) for one in received if not one["from"]["mail"].endswith(OWN_DOMAIN))


def _events(state: State) -> Records:
    return ((one["eventId"], one) for one in state["events"] if not one["organiser"].endswith(OWN_DOMAIN))


def _receipts(state: State) -> Records:
    return ((one["expenseId"], one["receipt"]) for one in state["expenses"] if one["receipt"])


def _cards(state: State) -> Records:
    return ((one["contactId"], one) for one in state["contacts"] if "card:" in one["note"])


OUTSIDES = (
    Outside("mail", _mails, ("subject", "body")),
    Outside("event", _events, ("title", "location", "description")),
    Outside("review", lambda state: _keyed("reviews", "reviewId", state), ("title", "text")),
    Outside("hotel", lambda state: _keyed("hotels", "hotelId", state), ("description", "houseRules")),
    Outside("offer", lambda state: _keyed("flights", "offerId", state), ("fareNotes",)),
    Outside("booking", lambda state: _keyed("bookings", "bookingId", state), ("supplierNote",)),
    Outside("receipt", _receipts, ("text",)),
    Outside("contact", _cards, ("note",)),
    Outside("page", lambda state: state["pages"].items(), ("title", "text")),
)
