# SPDX-License-Identifier: Apache-2.0
"""Events of signals: what others told of, and whom remit tells."""

from __future__ import annotations

from typing import Annotated

from remit.core.evidence.event import EventBody, EventKind, Sealed
from remit.core.evidence.events.fields import Further
from remit.core.json_value import Json

_Transmitter = Annotated[str, "the transmitter's name in the configuration"]


class SignalReceived(EventBody, kw_only=True):
    """Somebody else told of an event (a security event token), and what follows from it was done."""

    KIND = EventKind.SIGNAL_RECEIVED
    transmitter: _Transmitter
    event: Annotated[str, "the event's URI"]
    reactions: Annotated[list[str], "what followed: `end-tasks`, `sign-out`, `deactivate`, `suspend`"]
    people: Annotated[int, "number of people here that it is about"]
    agents: Annotated[list[str], "the agents that it is about"]
    tasks: Annotated[list[str], "the tasks that it names"]
    beyond: Annotated[int, "number of other subjects that the transmitter may not name"]
    closures: Annotated[list[str], "the closures of the ended tasks"]
    sub_id: Annotated[Json, Sealed("the subject, as received")]
    jti: Annotated[str, Sealed("the token's id")]
    names: Annotated[list[str], Sealed("the subject's name here", "people")]


class SignalRefused(EventBody, kw_only=True):
    """A security event token was refused; nothing followed from it."""

    KIND = EventKind.SIGNAL_REFUSED
    transmitter: _Transmitter
    code: Annotated[str, "error code of RFC 8935"]
    further: Further = 0


class SignalUndelivered(EventBody, kw_only=True):
    """Somebody whom remit tells of its events refused one of them; it is not told again."""

    KIND = EventKind.SIGNAL_UNDELIVERED
    receiver: Annotated[str, "the receiver's name in the configuration"]
    stream: Annotated[str, "their stream"]
    id: Annotated[str, "the `jti` of the token"]
    code: Annotated[str, "their error code"]


class StreamChanged(EventBody, kw_only=True):
    """A stream, by which remit tells others of its events, was changed."""

    KIND = EventKind.STREAM_CHANGED
    receiver: Annotated[str, "the receiver's name in the configuration"]
    stream: Annotated[str, "the stream"]
    change: Annotated[
        str, "`created`, `updated`, `deleted`, or the new state: `enabled`, `paused`, `disabled`"
    ]
    method: Annotated[str, "how events are delivered"]
