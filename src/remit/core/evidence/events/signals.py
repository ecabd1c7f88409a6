# SPDX-License-Identifier: Apache-2.0
"""Events of signals: what others told of, and whom remit tells."""

from __future__ import annotations

from typing import Annotated

from remit.core.evidence.event import EventBody, EventKind, Sealed
from remit.core.evidence.events.fields import Further
from remit.core.json_value import Json

_Transmitter = Annotated[str, "who told it, as the configuration calls them"]


class SignalReceived(EventBody, kw_only=True):
    """Somebody else told of an event (a security event token), and what follows from it was done."""

    KIND = EventKind.SIGNAL_RECEIVED
    transmitter: _Transmitter
    event: Annotated[str, "the event's URI"]
    reactions: Annotated[list[str], "what followed: `end-tasks`, `sign-out`, `deactivate`, `suspend`"]
    people: Annotated[int, "how many people here it is about"]
    agents: Annotated[list[str], "which agents it is about"]
    tasks: Annotated[list[str], "which tasks it is about, where it names them"]
    beyond: Annotated[int, "how many others it names, of whom the transmitter may not speak"]
    closures: Annotated[list[str], "the closures of what ended"]
    sub_id: Annotated[Json, Sealed("the subject, as it was told")]
    jti: Annotated[str, Sealed("the token's id")]
    names: Annotated[list[str], Sealed("who that is here", "people")]


class SignalRefused(EventBody, kw_only=True):
    """A security event token was refused; nothing followed from it."""

    KIND = EventKind.SIGNAL_REFUSED
    transmitter: _Transmitter
    code: Annotated[str, "error code of RFC 8935"]
    further: Further = 0


class SignalUndelivered(EventBody, kw_only=True):
    """Somebody whom remit tells of its events refused one of them; it is not told again."""

    KIND = EventKind.SIGNAL_UNDELIVERED
    receiver: Annotated[str, "who, as the configuration calls them"]
    stream: Annotated[str, "their stream"]
    id: Annotated[str, "the `jti` of the token"]
    code: Annotated[str, "their error code"]


class StreamChanged(EventBody, kw_only=True):
    """A stream, by which remit tells others of its events, was changed."""

    KIND = EventKind.STREAM_CHANGED
    receiver: Annotated[str, "who is told, as the configuration calls them"]
    stream: Annotated[str, "the stream"]
    change: Annotated[
        str, "`created`, `updated`, `deleted`, or what it is now: `enabled`, `paused`, `disabled`"
    ]
    method: Annotated[str, "how events are delivered"]
