# SPDX-License-Identifier: Apache-2.0
"""Events of the credentials that upstreams are called with."""

from __future__ import annotations

from typing import Annotated, TypedDict

from remit.core.evidence.event import EventBody, EventKind, Sealed

_AfterUs = Annotated[int, "microseconds since the end, or since the credential was no longer needed"]


class LeaseNames(TypedDict):
    """What each event of a lease says of it."""

    lease: str
    upstream: str
    kind: str
    sink: str


class _LeaseEvent(EventBody, kw_only=True):
    lease: Annotated[str, "the lease's id"]
    upstream: Annotated[str, "the upstream"]
    kind: Annotated[str, "the kind: `oauth-token`, `postgres-role`, `openbao-lease`"]
    sink: Annotated[str, "where it is accepted"]


class LeaseIssued(_LeaseEvent, kw_only=True):
    """A credential for an upstream was obtained for one task; it is injected into its calls, and no agent
    sees it.
    """

    KIND = EventKind.LEASE_ISSUED
    until: Annotated[str, "its expiry; empty if it never expires"]


class LeaseRevoked(_LeaseEvent, kw_only=True):
    """The source of a credential has confirmed that it took it back."""

    KIND = EventKind.LEASE_REVOKED
    after_us: _AfterUs
    attempts: Annotated[int, "number of requests to the source"]


class LeaseDead(_LeaseEvent, kw_only=True):
    """A credential that was taken back was tried at its sink, and refused."""

    KIND = EventKind.LEASE_DEAD
    after_us: _AfterUs
    attempts: Annotated[int, "number of attempts to use it at the sink"]


class LeaseOpen(_LeaseEvent, kw_only=True):
    """Alarm: the task has ended, and its credential may still open something. It goes on being taken back and
    tried until it is dead.
    """

    KIND = EventKind.LEASE_OPEN
    revoked: Annotated[bool, "whether its source has revoked it"]
    why: Annotated[str, "the error: the source's code, or the sink's answer"]


class LeaseClosed(_LeaseEvent, kw_only=True):
    """Somebody has closed a credential by hand: neither its source nor its sink says whether it is dead."""

    KIND = EventKind.LEASE_CLOSED
    why: Annotated[str, "the last error"]
    reason: Annotated[str, "why it counts as revoked, in the person's words"]
    by: Annotated[str, Sealed("the person")]


class SecretRotated(EventBody, kw_only=True):
    """A standing secret of an upstream was changed by remit, and the new one was seen to work."""

    KIND = EventKind.SECRET_ROTATED
    upstream: Annotated[str, "the upstream"]
    sink: Annotated[str, "where it is accepted"]
    age_s: Annotated[int, "age of the previous secret in seconds, as far as remit knows"]
    old_refused: Annotated[bool, "whether the previous secret was tried and refused"]
    after_us: Annotated[int, "microseconds between the first use of the new secret and that refusal"]
