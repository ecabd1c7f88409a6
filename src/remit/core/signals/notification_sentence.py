# SPDX-License-Identifier: Apache-2.0
"""What a person is told of an event: one sentence of fixed words, and values kept apart from them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final, NamedTuple

from remit.core.evidence.event import EventKind
from remit.core.json_value import Json

#: Most characters of a value in a sentence; the whole value stands in the evidence.
MAX_VALUE_CHARS: Final = 80

_SENTENCES: Final[Mapping[str, str]] = {
    EventKind.APPROVAL_REQUESTED: "Agent {agent} asks to call {tool}. It waits for an approver{until}.",
    EventKind.APPROVAL_DECIDED: "The question of agent {agent} about {tool} is over: {state}.",
    EventKind.NOTIFICATION_DUE: "Agent {agent} was permitted to call {tool}, and a rule wants you to know.",
    EventKind.LEASE_OPEN: "A credential of an ended task of agent {agent} may still work: {why}.",
    EventKind.FINDING_SEEN: "A new finding about {about}: {finding_kind}.",
    EventKind.REVIEW_OVERDUE: "The access review of agent {agent} is overdue. In its owner's place: {to}.",
    EventKind.INITIATIVE_CROSSED: "Initiative {initiative} crossed the boundary: agent {agent} calls {tool}.",
    EventKind.SCAN_DELIVERED: "A scan of {scope} opened findings: {opened}.",
    EventKind.FENCE_LOCKED: "Everything of {scope} was ended, and is locked.",
    EventKind.FENCE_UNLOCKED: "The lock of {scope} was removed.",
}
_OTHER: Final = "remit recorded {kind}{of_agent}."
#: Characters that mean the same in plain text, HTML, Markdown and the dialects of chats.
_INERT: Final = re.compile(r"[^\w /.,:+=-]")
_HOST_DOT: Final = re.compile(r"\.(?=[^\W_])")


class Sentence(NamedTuple):
    """A sentence with `{name}` in place of each value. The words are remit's own; values may come from agents
    and upstreams, and are `inert`.
    """

    words: str
    values: dict[str, str]


def sentence_of(kind: str, facts: Mapping[str, Json], *, until: str = "") -> Sentence:
    """Return the sentence about an event, from its readable facts; `until` is when a question ends."""
    words = _SENTENCES.get(kind, _OTHER)
    agent = inert(facts.get("agent", ""))
    values = {
        "kind": kind,
        "agent": agent or "unknown",
        "of_agent": f" of agent {agent}" if agent else "",
        "until": f" until {until}" if until else "",
    }
    for name in ("tool", "state", "why", "about", "finding_kind", "scope", "opened", "to", "initiative"):
        values[name] = inert(facts.get(name, "")) or "unknown"
    return Sentence(words, {name: value for name, value in values.items() if f"{{{name}}}" in words})


def inert(value: Json) -> str:
    """Return a value that no service takes for markup, a mention, a link or hidden text, in one short line.

    Letters, digits and a few signs stay; `.` before a letter or digit becomes `[.]`, as is usual for
    addresses that must not become links.
    """
    normal = unicodedata.normalize("NFKC", " ".join(str(value)[: 8 * MAX_VALUE_CHARS].split()))
    text = "".join(one for one in normal if unicodedata.category(one)[0] in "LNPSZ")
    text = " ".join(_INERT.sub("?", text).replace("//", "/ /").split())
    short = text if len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]}…"
    return _HOST_DOT.sub("[.]", short)
