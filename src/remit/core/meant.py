# SPDX-License-Identifier: Apache-2.0
"""The form of what an event means, and the meanings of those about labels; `core.meaning` has all of them."""

from __future__ import annotations

import msgspec

from remit.core.event import EventKind


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
