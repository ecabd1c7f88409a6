# SPDX-License-Identifier: Apache-2.0
"""The form of what an event means, and the meanings of those about labels and leases.

`core.evidence.event_reference` has all of them.
"""

from __future__ import annotations

import msgspec

from remit.core.evidence.event import EventKind


class Meaning(msgspec.Struct, frozen=True):
    """What an event of a kind says. `facts` and `sealed` map names that it may carry to what they mean."""

    says: str
    facts: dict[str, str] = {}
    sealed: dict[str, str] = {}


_NOW = {
    "class": "the data class now",
    "trust": "`untrusted` from the first untrusted datum on",
    "categories": "the categories now",
    "zones": "the trust zones now",
}

LABEL_MEANINGS: dict[EventKind, Meaning] = {
    EventKind.LABEL_RAISED: Meaning(
        "What a task has read raised the label that it carries; it falls by `label.lowered` alone.",
        {
            **_NOW,
            "by": "the tool whose result raised it; `token`: the token of a call carried it",
            "below": "the task handed down from it that has read",
        },
    ),
    EventKind.LABEL_LOWERED: Meaning(
        "Somebody declassified what a task carries or what lies in a resource, or a sanitizer gave data that "
        "carries less than what it has read.",
        {
            **_NOW,
            "what": "`task`, `resource`, or `result` of a sanitizer",
            "was": "the label before: class, trust, categories, zones",
            "upstream": "the upstream that the resource is of",
            "resources": "how many resources were declassified: with one all that lies in it",
            "tool": "the sanitizer",
            "reason": "why, in the words of who did it",
        },
        {"resource": "which resource; empty: the upstream as a whole", "by": "who did it"},
    ),
}

CLOSINGS = (
    "kind, name, and microseconds until it was refused first; -1 while it is open. Of an upstream's "
    "credential also microseconds until its source had taken it back, how often it was tried, and the lease"
)
_LEASE = {
    "lease": "its id",
    "upstream": "what it is for",
    "kind": "what it is: `oauth-token`, `postgres-role`, `openbao-lease`",
    "sink": "where it opens something",
}
_AFTER = "microseconds from the end, or from when it was no longer needed"

LEASE_MEANINGS: dict[EventKind, Meaning] = {
    EventKind.LEASE_ISSUED: Meaning(
        "A credential for an upstream was obtained for one task; it is injected into its calls, and no agent "
        "sees it.",
        {**_LEASE, "until": "when it ends by itself; empty where it does not"},
    ),
    EventKind.LEASE_REVOKED: Meaning(
        "The source of a credential has confirmed that it took it back.",
        {**_LEASE, "after_us": _AFTER, "attempts": "times that the source was asked"},
    ),
    EventKind.LEASE_DEAD: Meaning(
        "A credential that was taken back was tried at its sink, and refused.",
        {**_LEASE, "after_us": _AFTER, "attempts": "times that it was tried at the sink"},
    ),
    EventKind.LEASE_OPEN: Meaning(
        "Alarm: the task has ended, and its credential may still open something. It goes on being taken back "
        "and tried until it is dead.",
        {
            **_LEASE,
            "revoked": "whether its source has taken it back",
            "why": "what stands in the way: the source's code, or what the sink said",
        },
    ),
    EventKind.LEASE_CLOSED: Meaning(
        "Somebody has closed a credential by hand: neither its source nor its sink says whether it is dead.",
        {**_LEASE, "why": "what stood in the way", "reason": "why it counts as dead, in their words"},
        {"by": "who did it"},
    ),
    EventKind.SECRET_ROTATED: Meaning(
        "A standing secret of an upstream was changed by remit, and the new one was seen to work.",
        {
            "upstream": "what it is for",
            "sink": "where it opens something",
            "age_s": "for how many seconds the one before it had counted, as far as remit knows",
            "old_refused": "whether the one before it was tried and refused",
            "after_us": "microseconds from when the new one worked until that",
        },
    ),
}

_TRANSMITTER = {"transmitter": "who told it, as the configuration calls them"}

NARROWED = Meaning(
    "A task holds less than before: its bundle gives it no more. Tokens from before open nothing any more.",
    {
        "lost": "the tools that were withdrawn",
        "narrowed": "the tools whose grants permit less than before",
        "authority": "digest of what it may do now, and why",
        "deadline": "when it ends by itself",
        "bundle": "digest of the bundle in force",
        "cause": "`policy`",
    },
)

SIGNAL_MEANINGS: dict[EventKind, Meaning] = {
    EventKind.SIGNAL_RECEIVED: Meaning(
        "Somebody else told of an event (a security event token), and what follows from it was done.",
        {
            **_TRANSMITTER,
            "event": "the event's URI",
            "reactions": "what followed: `end-tasks`, `sign-out`, `deactivate`, `suspend`",
            "people": "how many people here it is about",
            "agents": "which agents it is about",
            "tasks": "which tasks it is about, where it names them",
            "beyond": "how many others it names, of whom the transmitter may not speak",
            "closures": "the closures of what ended",
        },
        {"sub_id": "the subject, as it was told", "jti": "the token's id", "people": "who that is here"},
    ),
    EventKind.SIGNAL_REFUSED: Meaning(
        "A security event token was refused; nothing followed from it.",
        {
            **_TRANSMITTER,
            "code": "error code of RFC 8935",
            "further": "refusals before this one that were counted and not written",
        },
    ),
    EventKind.SIGNAL_UNTOLD: Meaning(
        "Somebody whom remit tells of its events refused one of them; it is not told again.",
        {
            "receiver": "who, as the configuration calls them",
            "stream": "their stream",
            "id": "the `jti` of the token",
            "code": "their error code",
        },
    ),
    EventKind.STREAM_CHANGED: Meaning(
        "A stream, by which remit tells others of its events, was changed.",
        {
            "receiver": "who is told, as the configuration calls them",
            "stream": "the stream",
            "change": "`created`, `updated`, `deleted`, or what it is now: `enabled`, `paused`, `disabled`",
            "method": "how events are delivered",
        },
    ),
}
