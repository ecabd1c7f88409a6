# SPDX-License-Identifier: Apache-2.0
"""Verbs that people use for what a tool does, beside the verbs of its description or name.

The groups are narrow: only verbs of the same effect are in one, and no noun. Between the words of a phrase
other words may stand (`give Ann access`).
"""

from __future__ import annotations

import msgspec


class VerbGroup(msgspec.Struct, frozen=True):
    """Verbs of one effect.

    A tool has them if its own words contain one of the `triggers`, and if it has the `role`: `person` (it
    sends something to a destination), `money` (it moves money), `undone` (its effect can be undone),
    `thing` (it changes what one of its arguments selects, and no word of its own tells people something), or
    `any`.
    """

    role: str
    triggers: frozenset[str]
    verbs: tuple[str, ...]


def _group(role: str, triggers: str, more: str = "") -> VerbGroup:
    """Return the group of some verbs; each verb of `triggers` is one of its verbs."""
    first = tuple(triggers.split(", "))
    return VerbGroup(role, frozenset(first), (*first, *filter(None, more.split(", "))))


#: Verbs of tools that tell people something.
TELLING = frozenset(("tell", "reply", "answer", "respond", "send", "mail", "message", "let know"))
WIDER_VERBS = (
    _group(
        "person",
        "tell, write, reply, answer, respond, message, email, mail, notify, inform, remind, let know",
        "ask, dm, forward, ping, text, cc, contact",
    ),
    _group(
        "money",
        "pay, transfer, wire, settle",
        "send eur, send euro, send euros, send usd, send dollars, send gbp, send pounds, send chf",
    ),
    # `Put it on the page` asks for no change that cannot be undone.
    _group("undone", "update, change, edit, modify, correct, adjust", "set, fix, tick, put, add to"),
    VerbGroup("any", frozenset(("create", "make")), ("create", "make me", "set up")),
    _group("any", "share, grant, give access", "give rights, give permission"),
    _group("any", "invite", "add to, ask to join"),
    _group("any", "book, reserve"),
    _group("any", "order, buy, purchase", "reorder"),
    _group("undone", "save, add, enter, store"),
    _group("thing", "update, change, edit", "add to, tick"),
    _group("thing", "write, save, upload", "copy to, put in, put into, put on, paste into"),
    _group("any", "merge", "squash"),
)
