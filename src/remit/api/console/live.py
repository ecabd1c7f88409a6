# SPDX-License-Identifier: Apache-2.0
"""The stream that tells an open page what has changed, so that the page asks for its live parts again.

It carries topics and no data: what a person may see is decided when the page is asked for. Topics tell when
others act, too: people without a role get all of them at an even pace, whatever has happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from remit.api.console.rooms import ConsoleRooms
from remit.api.http_messages import HEADERS
from remit.api.oauth.browser.rendering import PageRequest, Serve
from remit.core.errors import Busy, Unauthenticated
from remit.services.identity.permissions import Duty, may
from remit.services.people.sessions import BrowserSeat

#: Open streams of one person, and looks at the log between two checks of the session.
PER_PERSON: Final = 250
CHECKED: Final = 10
#: Looks between two beats for people without a role, and the topics of a beat.
BEAT: Final = 5
TOPICS: Final = ("agents", "approvals", "calls", "endings", "findings", "tasks")


def live(rooms: ConsoleRooms) -> Serve:
    """Return the handler of the stream."""
    streams: Counter[str] = Counter()

    async def serve(request: Request) -> Response:
        visit = await PageRequest.enter(request, rooms)
        if visit.seat is None:
            raise Unauthenticated("you are not signed in", code="no-session", remediation="sign in again")
        name = visit.seat.person.name
        if streams[name] >= PER_PERSON:
            raise Busy("too many open pages", code="too-many-streams", remediation="close some of them")
        return StreamingResponse(_told(visit.seat), media_type="text/event-stream", headers=HEADERS)

    async def _told(seat: BrowserSeat) -> AsyncIterator[bytes]:
        name = seat.person.name
        if streams[name] >= PER_PERSON:  # others began between the check above and here
            return
        streams[name] += 1
        try:
            looks = 0
            yield b"retry: 3000\n\n"
            async for changed in rooms.inspection.activity.changes():
                looks += 1
                if looks % CHECKED == 0:
                    found = await rooms.people.browsers.seat(seat.secret)
                    if found is None:
                        return
                    seat = found
                    yield b": still here\n\n"
                beat = () if looks % BEAT else TOPICS
                topics = changed if may(seat.person, Duty.OVERSEE) else beat
                if topics:
                    yield b"".join(b"event: %s\ndata: 1\n\n" % one.encode() for one in topics)
        finally:
            streams[name] -= 1
            if not streams[name]:
                del streams[name]

    return serve
