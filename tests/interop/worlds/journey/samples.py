# SPDX-License-Identifier: Apache-2.0
"""Sample calls of the travel products' tools."""

from tests.interop.worlds.tool import Call, State

LISBON = {"checkIn": "2026-10-05", "checkOut": "2026-10-08"}


def samples(state: State) -> list[Call]:
    """Return calls of each tool, which together show each place."""
    return [
        ("searchFlights", {"origin": "OSL", "destination": "LIS", "date": "2026-10-05"}),
        (
            "searchFlights",
            {"origin": "LIS", "destination": "OSL", "date": "2026-10-08", "sortBy": "departure"},
        ),
        ("searchFlights", {"origin": "osl", "destination": "drs", "date": "2026-11-11", "maxStops": 1}),
        ("searchHotels", {"city": "Lisbon", **LISBON}),
        (
            "searchHotels",
            {"city": "Dresden", "checkIn": "2026-11-11", "checkOut": "2026-11-13", "minStars": 3},
        ),
        *(("listHotelReviews", {"hotelId": one["hotelId"]}) for one in state["hotels"]),
        ("listBookings", {}),
        ("listBookings", {"status": "confirmed", "kind": "hotel"}),
        ("listEvents", {}),
        ("listEvents", {"from": "2026-09-21", "to": "2026-09-25", "query": "bergen"}),
        ("searchMail", {}),
        ("searchMail", {"query": "lisbon", "from": "tariq"}),
        *(("readMail", {"mailId": one["mailId"]}) for one in state["mails"]),
        ("searchContacts", {}),
        ("listExpenses", {}),
        ("listExpenses", {"reportId": "ER-2026-31", "status": "draft"}),
        *(("readWebPage", {"url": url}) for url in state["pages"]),
        ("bookFlight", {"offerId": "FO-3101", "travellers": ["Amara Lind"], "cardId": "CRD-CORP"}),
        (
            "bookHotel",
            {**LISBON, "hotelId": "HT-LIS-1", "guests": ["Amara Lind"], "noteToHotel": "Late arrival"},
        ),
        ("cancelBooking", {"bookingId": "BK-88130"}),
        ("cancelBooking", {"bookingId": "BK-87755"}),
        (
            "createEvent",
            {
                "title": "Prepare Lisbon",
                "start": "2026-10-01T10:00:00+02:00",
                "end": "2026-10-01T11:00:00+02:00",
                "attendees": ["tariq.haddad@fjellvann.example"],
            },
        ),
        ("answerInvitation", {"eventId": "EV-4004", "answer": "accepted", "note": "I do not eat meat."}),
        ("sendMail", {"to": ["erik.lind@post.example"], "subject": "8 October", "body": "I land at 16:20."}),
        (
            "addExpense",
            {
                "reportId": "ER-2026-31",
                "date": "2026-09-02",
                "merchant": "Motława Inn",
                "amount": 236,
                "currency": "EUR",
                "category": "lodging",
            },
        ),
        ("updateProfile", {"seat": "window"}),
        ("updateProfile", {"forwardMailTo": None}),
    ]
