# SPDX-License-Identifier: Apache-2.0
"""Find records of the travel products and show them as the API does."""

from typing import Any

from tests.interop.worlds.tool import (
    State,
    ToolError,
    array,
    boolean,
    integer,
    nullable,
    number,
    record,
    string,
)

TIME = string("ISO 8601 timestamp with offset.", format="date-time")
DAY = string("Day, `YYYY-MM-DD`.", format="date")
ADDRESS = string("Mail address.", format="email")
MONEY = record({"value": number(), "currency": string("ISO 4217 code.")})

FLIGHT = record(
    {
        "offerId": string(),
        "carrier": record({"name": string(), "flightNumber": string()}),
        "departure": record({"airport": string(), "time": TIME}),
        "arrival": record({"airport": string(), "time": TIME}),
        "stops": integer(),
        "cabin": string(enum=["economy", "business"]),
        "price": MONEY,
        "seatsLeft": integer(),
        "fareNotes": string("Conditions of the fare."),
    }
)
HOTEL = record(
    {
        "hotelId": string(),
        "name": string(),
        "address": record({"line": string(), "city": string()}),
        "stars": integer(),
        "pricePerNight": MONEY,
        "totalPrice": MONEY,
        "roomsLeft": integer(),
        "freeCancellationDays": integer("Days before arrival until which cancelling is free."),
        "guestRating": nullable(number("Mean of the reviews, 0 to 10.")),
        "description": string(),
        "houseRules": string("Check-in, deposit and the like."),
    }
)
REVIEW = record(
    {
        "reviewId": string(),
        "author": record({"displayName": string()}),
        "rating": integer(),
        "title": string(),
        "text": string(),
        "date": DAY,
    }
)
BOOKING = record(
    {
        "bookingId": string(),
        "kind": string(enum=["flight", "hotel", "train", "car"]),
        "supplier": record({"name": string(), "reference": string("The supplier's own reference.")}),
        "status": string(enum=["confirmed", "completed", "cancelled"]),
        "startDate": DAY,
        "endDate": DAY,
        "travellers": array(record({"name": string()})),
        "totalPrice": MONEY,
        "cardId": string(),
        "supplierNote": string("Message of the supplier."),
    }
)
ATTENDEE = record(
    {
        "mail": ADDRESS,
        "answer": string(enum=["needsAction", "accepted", "tentative", "declined"]),
    }
)
EVENT = record(
    {
        "eventId": string(),
        "title": string(),
        "start": TIME,
        "end": TIME,
        "location": string(),
        "organiser": record({"mail": ADDRESS, "isMe": boolean()}),
        "attendees": array(ATTENDEE),
        "description": string(),
    }
)
CORRESPONDENT = record({"name": string(), "mail": ADDRESS})
MAIL_SUMMARY = record(
    {
        "mailId": string(),
        "folder": string(enum=["inbox", "sent"]),
        "from": CORRESPONDENT,
        "to": array(ADDRESS),
        "subject": string(),
        "snippet": string("Beginning of the text."),
        "sentAt": TIME,
    }
)
MAIL = record({**MAIL_SUMMARY["properties"], "body": string()}, optional=["snippet"])
CONTACT = record(
    {
        "contactId": string(),
        "name": string(),
        "mail": ADDRESS,
        "phone": string(),
        "company": string(),
        "note": string(),
    }
)
EXPENSE = record(
    {
        "expenseId": string(),
        "reportId": string(),
        "date": DAY,
        "merchant": string(),
        "amount": MONEY,
        "category": string(enum=["transport", "lodging", "meals", "equipment", "other"]),
        "status": string(enum=["draft", "submitted", "paid"]),
        "comment": string(),
        "receipt": nullable(
            record({"fileName": string(), "text": string("Text recognised on the receipt.")})
        ),
    }
)
PROFILE = record(
    {
        "travellerId": string(),
        "name": string(),
        "mail": ADDRESS,
        "home": string(),
        "seat": string(),
        "meal": string(),
        "loyalty": array(record({"programme": string(), "number": string()})),
        "cards": array(record({"cardId": string(), "label": string()})),
        "payout": record({"holder": string(), "iban": string()}, description="Where expenses are paid to."),
        "emergencyContact": record({"name": string(), "phone": string()}),
        "forwardMailTo": nullable(string()),
        "autoAcceptInvitations": boolean(),
    }
)


def one_of(state: State, kind: str, name: str, key: str) -> dict[str, Any]:
    """Return the record of a kind whose field `name` is `key`."""
    records: list[dict[str, Any]] = state[kind]
    for found in records:
        if found[name] == key:
            return found
    raise ToolError(f"notFound: no {name} `{key}`")


def flight_shown(found: dict[str, Any]) -> dict[str, Any]:
    """Return a flight offer as the API shows one."""
    return {
        name: found[name] for name in ("offerId", "stops", "cabin", "price", "seatsLeft", "fareNotes")
    } | {
        "carrier": {"name": found["carrier"], "flightNumber": found["number"]},
        "departure": {"airport": found["origin"], "time": found["departs"]},
        "arrival": {"airport": found["destination"], "time": found["arrives"]},
    }


def hotel_shown(state: State, found: dict[str, Any], nights: int) -> dict[str, Any]:
    """Return a hotel as the API shows one."""
    ratings = [one["rating"] for one in state["reviews"] if one["hotelId"] == found["hotelId"]]
    same = ("hotelId", "name", "stars", "freeCancellationDays", "description", "houseRules")
    return {name: found[name] for name in same} | {
        "address": {"line": found["address"], "city": found["city"]},
        "pricePerNight": found["rate"],
        "totalPrice": {**found["rate"], "value": found["rate"]["value"] * nights},
        "roomsLeft": found["rooms"],
        "guestRating": round(sum(ratings) / len(ratings), 1) if ratings else None,
    }


def review_shown(found: dict[str, Any]) -> dict[str, Any]:
    """Return a review as the API shows one."""
    same = ("reviewId", "rating", "title", "text", "date")
    return {name: found[name] for name in same} | {"author": {"displayName": found["author"]}}


def booking_shown(found: dict[str, Any]) -> dict[str, Any]:
    """Return a booking as the API shows one."""
    return {name: found[name] for name in ("bookingId", "kind", "status", "cardId", "supplierNote")} | {
        "supplier": {"name": found["supplier"], "reference": found["reference"]},
        "startDate": found["starts"],
        "endDate": found["ends"],
        "travellers": [{"name": name} for name in found["travellers"]],
        "totalPrice": found["price"],
    }


def event_shown(state: State, found: dict[str, Any]) -> dict[str, Any]:
    """Return an event as the API shows one."""
    return {name: found[name] for name in ("eventId", "title", "location", "attendees", "description")} | {
        "start": found["starts"],
        "end": found["ends"],
        "organiser": {"mail": found["organiser"], "isMe": found["organiser"] == state["profile"]["mail"]},
    }


def mail_shown(found: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    """Return a mail as the API shows one, or its summary."""
    text = {"body": found["body"]} if whole else {"snippet": found["body"][:90]}
    return {name: found[name] for name in ("mailId", "folder", "from", "to", "subject")} | {
        "sentAt": found["sent"],
        **text,
    }


def expense_shown(found: dict[str, Any]) -> dict[str, Any]:
    """Return an expense as the API shows one."""
    same = ("expenseId", "date", "merchant", "amount", "category", "status", "comment", "receipt")
    return {name: found[name] for name in same} | {"reportId": found["report"]}
