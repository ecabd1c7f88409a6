# SPDX-License-Identifier: Apache-2.0
"""The messages of stream management (SSF 1.0 section 8, RFC 8936 section 2)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from remit.core.json_value import Json
from remit.core.signals.security_event_token import POLL

Uri = Annotated[str, Meta(max_length=256)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]
Status = Literal["enabled", "paused", "disabled"]


class DeliveryForm(msgspec.Struct, frozen=True, kw_only=True):
    """The delivery of events; the URL of a push is the configured one, or left out."""

    method: Uri = POLL
    endpoint_url: Annotated[str, Meta(max_length=2048)] = ""


class StreamForm(msgspec.Struct, frozen=True, kw_only=True):
    """The requested properties of a stream. A missing property stays unchanged, or begins with its
    default.
    """

    stream_id: str = ""
    delivery: DeliveryForm | None = None
    events_requested: Annotated[tuple[Uri, ...], Meta(max_length=64)] | None = None
    description: Annotated[str, Meta(max_length=512)] | None = None


class StreamAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The current state of a stream (SSF 1.0 section 8.1.1)."""

    stream_id: str
    iss: str
    aud: str
    events_supported: tuple[str, ...]
    events_requested: tuple[str, ...]
    events_delivered: tuple[str, ...]
    delivery: dict[str, str]
    min_verification_interval: int
    description: str = ""


class StreamQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The ID of a stream."""

    stream_id: str = ""


class StatusForm(msgspec.Struct, frozen=True, kw_only=True):
    """The requested status of a stream, and the reason."""

    stream_id: Name
    status: Status
    reason: Annotated[str, Meta(max_length=512)] = ""


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The status of a stream (SSF 1.0 section 8.1.2)."""

    stream_id: str
    status: Status
    reason: str = ""


class StreamSubjectForm(msgspec.Struct, frozen=True, kw_only=True):
    """A subject to remove from a stream, or to add again."""

    stream_id: Name
    subject: dict[str, Json]
    verified: bool = True


class VerifyForm(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a verification event, which returns `state`."""

    stream_id: Name
    state: Annotated[str, Meta(max_length=512)] = ""


class PollForm(msgspec.Struct, frozen=True, kw_only=True):
    """A poll (RFC 8936 section 2.2). It is answered at once: `returnImmediately` has no effect."""

    max_events: Annotated[int, Meta(ge=0)] | None = msgspec.field(default=None, name="maxEvents")
    return_immediately: bool = msgspec.field(default=True, name="returnImmediately")
    ack: Annotated[tuple[str, ...], Meta(max_length=1000)] = ()
    set_errors: dict[str, dict[str, Json]] = msgspec.field(default={}, name="setErrs")


class PollAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The pending events (RFC 8936 section 2.3): signed tokens by their `jti`."""

    sets: dict[str, str]
    more_available: bool = msgspec.field(name="moreAvailable")
