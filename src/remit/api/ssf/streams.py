# SPDX-License-Identifier: Apache-2.0
"""Managing a stream, and polling it: for the agents that the configuration names as receivers."""

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
from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.signals.outgoing_event import NOTICES
from remit.core.signals.security_event_token import POLL, PUSH
from remit.services.signals.streams import MIN_VERIFICATION_S, Receiver, Stream

#: Events in one answer to a poll.
MOST: Final = 50


def receiver_of(errand: RestRequest) -> Receiver:
    """Return the receiver that calls; raises `Forbidden`."""
    return errand.house.streams.receiver_of(errand.agent.name if errand.agent else "")


async def _stream(errand: RestRequest, stream_id: str) -> tuple[Receiver, Stream]:
    receiver = receiver_of(errand)
    return receiver, await errand.house.streams.get(receiver, stream_id)


def _told(errand: RestRequest, receiver: Receiver, stream: Stream) -> StreamAnswer:
    base = errand.house.public_url
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


async def create(errand: RestRequest) -> Response:
    """Begin the receiver's stream: 201, or 409 where it has one."""
    receiver, form = receiver_of(errand), errand.body
    delivery: DeliveryForm = form.delivery or DeliveryForm()
    stream = await errand.house.streams.create(
        receiver,
        method=delivery.method,
        requested=form.events_requested or (),
        description=form.description or "",
        endpoint=delivery.endpoint_url,
    )
    return answer(_told(errand, receiver, stream), 201)


async def shown(errand: RestRequest) -> Response:
    """Return one stream, or a list of all."""
    wanted: StreamQuery = errand.query
    receiver = receiver_of(errand)
    if not wanted.stream_id:
        found = await errand.house.streams.of(receiver)
        return answer([_told(errand, receiver, found)] if found else [])
    stream = await errand.house.streams.get(receiver, wanted.stream_id)
    return answer(_told(errand, receiver, stream))


async def update(errand: RestRequest) -> StreamAnswer:
    """Change what is given of a stream (PATCH)."""
    return await _update(errand, whole=False)


async def replace(errand: RestRequest) -> StreamAnswer:
    """Change a stream to what is given, and the rest to what is usual (PUT)."""
    return await _update(errand, whole=True)


async def _update(errand: RestRequest, *, whole: bool) -> StreamAnswer:
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
    changed = await errand.house.streams.update(receiver, stream, endpoint=place, **changes)
    return _told(errand, receiver, changed)


async def delete(errand: RestRequest) -> Response:
    """Delete a stream."""
    wanted: StreamQuery = errand.query
    if not wanted.stream_id:
        raise Malformed("`stream_id` is missing", remediation="give the stream's id")
    _, stream = await _stream(errand, wanted.stream_id)
    await errand.house.streams.delete(stream)
    return answer(None, 204)


async def status(errand: RestRequest) -> StatusAnswer:
    """Say where a stream stands."""
    wanted: StreamQuery = errand.query
    _, stream = await _stream(errand, wanted.stream_id)
    return StatusAnswer(stream_id=stream.id, status=stream.status, reason=stream.reason)


async def set_status(errand: RestRequest) -> StatusAnswer:
    """Enable, pause or disable a stream."""
    wanted: StatusForm = errand.body
    _, stream = await _stream(errand, wanted.stream_id)
    now = await errand.house.streams.set_status(stream, wanted.status, wanted.reason)
    return StatusAnswer(stream_id=now.id, status=now.status, reason=now.reason)


async def add(errand: RestRequest) -> dict[str, Json]:
    """Put a subject back. Whether it is known here is not told."""
    wanted: StreamSubjectForm = errand.body
    _, stream = await _stream(errand, wanted.stream_id)
    await errand.house.streams.add(stream, wanted.subject)
    return {}


async def remove(errand: RestRequest) -> Response:
    """Take a subject out."""
    wanted: StreamSubjectForm = errand.body
    _, stream = await _stream(errand, wanted.stream_id)
    await errand.house.streams.remove(stream, wanted.subject)
    return answer(None, 204)


async def verify(errand: RestRequest) -> Response:
    """Have a verification event told."""
    wanted: VerifyForm = errand.body
    _, stream = await _stream(errand, wanted.stream_id)
    await errand.house.streams.verify(stream, wanted.state)
    return answer(None, 204)


async def poll(errand: RestRequest) -> PollAnswer:
    """Take acknowledgements, and give what waits (RFC 8936)."""
    wanted: PollForm = errand.body
    most = MOST if wanted.max_events is None else min(wanted.max_events, MOST)
    errors = {name: str(one.get("err", "unreadable")) for name, one in wanted.set_errors.items()}
    sets, more = await errand.house.telling.poll(
        receiver_of(errand), errand.place["stream"], acks=set(wanted.ack), errors=errors, most=most
    )
    return PollAnswer(sets=sets, more_available=more)
