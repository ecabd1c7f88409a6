# SPDX-License-Identifier: Apache-2.0
"""Events of the credentials that upstreams are called with."""

from __future__ import annotations

from typing import Annotated, TypedDict

from remit.core.evidence.event import EventBody, EventKind, Sealed

_AfterUs = Annotated[int, "microseconds from the end, or from when it was no longer needed"]


class LeaseNames(TypedDict):
    """What each event of a lease says of it."""

    lease: str
    upstream: str
    kind: str
    sink: str


class _LeaseEvent(EventBody, kw_only=True):
    lease: Annotated[str, "its id"]
    upstream: Annotated[str, "what it is for"]
    kind: Annotated[str, "what it is: `oauth-token`, `postgres-role`, `openbao-lease`"]
    sink: Annotated[str, "where it opens something"]


class LeaseIssued(_LeaseEvent, kw_only=True):
    """A credential for an upstream was obtained for one task; it is injected into its calls, and no agent
    sees it.
    """

    KIND = EventKind.LEASE_ISSUED
    until: Annotated[str, "when it ends by itself; empty where it does not"]


class LeaseRevoked(_LeaseEvent, kw_only=True):
    """The source of a credential has confirmed that it took it back."""

    KIND = EventKind.LEASE_REVOKED
    after_us: _AfterUs
    attempts: Annotated[int, "times that the source was asked"]


class LeaseDead(_LeaseEvent, kw_only=True):
    """A credential that was taken back was tried at its sink, and refused."""

    KIND = EventKind.LEASE_DEAD
    after_us: _AfterUs
    attempts: Annotated[int, "times that it was tried at the sink"]


class LeaseOpen(_LeaseEvent, kw_only=True):
    """Alarm: the task has ended, and its credential may still open something. It goes on being taken back and
    tried until it is dead.
    """

    KIND = EventKind.LEASE_OPEN
    revoked: Annotated[bool, "whether its source has taken it back"]
    why: Annotated[str, "what stands in the way: the source's code, or what the sink said"]


class LeaseClosed(_LeaseEvent, kw_only=True):
    """Somebody has closed a credential by hand: neither its source nor its sink says whether it is dead."""

    KIND = EventKind.LEASE_CLOSED
    why: Annotated[str, "what stood in the way"]
    reason: Annotated[str, "why it counts as dead, in their words"]
    by: Annotated[str, Sealed("who did it")]


class SecretRotated(EventBody, kw_only=True):
    """A standing secret of an upstream was changed by remit, and the new one was seen to work."""

    KIND = EventKind.SECRET_ROTATED
    upstream: Annotated[str, "what it is for"]
    sink: Annotated[str, "where it opens something"]
    age_s: Annotated[int, "for how many seconds the one before it had counted, as far as remit knows"]
    old_refused: Annotated[bool, "whether the one before it was tried and refused"]
    after_us: Annotated[int, "microseconds from when the new one worked until that"]
