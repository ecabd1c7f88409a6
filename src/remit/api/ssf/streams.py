# SPDX-License-Identifier: Apache-2.0
"""Managing and polling a stream, for the agents that the configuration names as receivers."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from remit.api.http_messages import answer
from remit.api.rest.route import RestRequest
from remit.api.ssf.messages import (
    DeliveryForm,
    PollAnswer,
    PollForm,
    StatusAnswer,
    StatusForm,
    StreamAnswer,
    StreamForm,
    StreamQuery,
    StreamSubjectForm,
    VerifyForm,
)
from remit.api.ssf.paths import POLL_PATH
from remit.api.ssf.rooms import StreamRooms
from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.signals.outgoing_event import NOTICES
from remit.core.signals.security_event_token import POLL, PUSH
from remit.services.signals.streams import MIN_VERIFICATION_S, Receiver, Stream

#: Maximum number of events in one answer to a poll.
MOST: Final = 50


def receiver_of(errand: RestRequest[StreamRooms]) -> Receiver:
    """Return the calling receiver; raise `Forbidden` for any other caller."""
    return errand.rooms.signals.streams.receiver_of(errand.agent.name if errand.agent else "")


async def _stream(errand: RestRequest[StreamRooms], stream_id: str) -> tuple[Receiver, Stream]:
    receiver = receiver_of(errand)
    return receiver, await errand.rooms.signals.streams.get(receiver, stream_id)


def _told(errand: RestRequest[StreamRooms], receiver: Receiver, stream: Stream) -> StreamAnswer:
    base = errand.desk.public_url
    place = receiver.push if stream.method == PUSH else base + POLL_PATH.format(stream=stream.id)
    return StreamAnswer(
        stream_id=stream.id,
        iss=base,
        aud=receiver.audience,
        events_supported=tuple(kind.uri for kind in NOTICES if kind in receiver.events),
        events_requested=stream.requested,
        events_delivered=tuple(kind.uri for kind in stream.delivers(receiver)),
        delivery={"method": stream.method, "endpoint_url": place},
        min_verification_interval=MIN_VERIFICATION_S,
        description=stream.description,
    )


async def create(errand: RestRequest[StreamRooms]) -> Response:
    """Create the receiver's stream: 201, or 409 if it already has one."""
    receiver, form = receiver_of(errand), errand.body
    delivery: DeliveryForm = form.delivery or DeliveryForm()
    stream = await errand.rooms.signals.streams.create(
        receiver,
        method=delivery.method,
        requested=form.events_requested or (),
        description=form.description or "",
        endpoint=delivery.endpoint_url,
    )
    return answer(_told(errand, receiver, stream), 201)


async def shown(errand: RestRequest[StreamRooms]) -> Response:
    """Return one stream, or a list of all streams of the receiver."""
    wanted: StreamQuery = errand.query
    receiver = receiver_of(errand)
    if not wanted.stream_id:
        found = await errand.rooms.signals.streams.of(receiver)
        return answer([_told(errand, receiver, found)] if found else [])
    stream = await errand.rooms.signals.streams.get(receiver, wanted.stream_id)
    return answer(_told(errand, receiver, stream))


async def update(errand: RestRequest[StreamRooms]) -> StreamAnswer:
    """Change the given properties of a stream (PATCH)."""
    return await _update(errand, whole=False)


async def replace(errand: RestRequest[StreamRooms]) -> StreamAnswer:
    """Set the given properties of a stream, and all others to their defaults (PUT)."""
    return await _update(errand, whole=True)


async def _update(errand: RestRequest[StreamRooms], *, whole: bool) -> StreamAnswer:
    form: StreamForm = errand.body
    if not form.stream_id:
        raise Malformed("`stream_id` is missing", remediation="give the stream's id")
    receiver, stream = await _stream(errand, form.stream_id)
    changes: dict[str, Json] = {}
    if form.events_requested is not None or whole:
        changes["requested"] = form.events_requested or ()
    if form.description is not None or whole:
        changes["description"] = form.description or ""
    delivery = form.delivery or (DeliveryForm() if whole else None)
    if delivery is not None:
        changes["method"] = delivery.method
    place = delivery.endpoint_url if delivery and delivery.method != POLL else ""
    changed = await errand.rooms.signals.streams.update(receiver, stream, endpoint=place, **changes)
    return _told(errand, receiver, changed)


async def delete(errand: RestRequest[StreamRooms]) -> Response:
    """Delete a stream."""
    wanted: StreamQuery = errand.query
    if not wanted.stream_id:
        raise Malformed("`stream_id` is missing", remediation="give the stream's id")
    _, stream = await _stream(errand, wanted.stream_id)
    await errand.rooms.signals.streams.delete(stream)
    return answer(None, 204)


async def status(errand: RestRequest[StreamRooms]) -> StatusAnswer:
    """Return the status of a stream."""
    wanted: StreamQuery = errand.query
    _, stream = await _stream(errand, wanted.stream_id)
    return StatusAnswer(stream_id=stream.id, status=stream.status, reason=stream.reason)


async def set_status(errand: RestRequest[StreamRooms]) -> StatusAnswer:
    """Enable, pause or disable a stream."""
    wanted: StatusForm = errand.body
    _, stream = await _stream(errand, wanted.stream_id)
    now = await errand.rooms.signals.streams.set_status(stream, wanted.status, wanted.reason)
    return StatusAnswer(stream_id=now.id, status=now.status, reason=now.reason)


async def add(errand: RestRequest[StreamRooms]) -> dict[str, Json]:
    """Add a subject again. The answer does not reveal whether the subject is known here."""
    wanted: StreamSubjectForm = errand.body
    _, stream = await _stream(errand, wanted.stream_id)
    await errand.rooms.signals.streams.add(stream, wanted.subject)
    return {}


async def remove(errand: RestRequest[StreamRooms]) -> Response:
    """Remove a subject from a stream."""
    wanted: StreamSubjectForm = errand.body
    _, stream = await _stream(errand, wanted.stream_id)
    await errand.rooms.signals.streams.remove(stream, wanted.subject)
    return answer(None, 204)


async def verify(errand: RestRequest[StreamRooms]) -> Response:
    """Request a verification event."""
    wanted: VerifyForm = errand.body
    _, stream = await _stream(errand, wanted.stream_id)
    await errand.rooms.signals.streams.verify(stream, wanted.state)
    return answer(None, 204)


async def poll(errand: RestRequest[StreamRooms]) -> PollAnswer:
    """Process acknowledgements, and return the pending events (RFC 8936)."""
    wanted: PollForm = errand.body
    most = MOST if wanted.max_events is None else min(wanted.max_events, MOST)
    errors = {name: str(one.get("err", "unreadable")) for name, one in wanted.set_errors.items()}
    sets, more = await errand.rooms.signals.transmitter.poll(
        receiver_of(errand), errand.place["stream"], acks=set(wanted.ack), errors=errors, most=most
    )
    return PollAnswer(sets=sets, more_available=more)
