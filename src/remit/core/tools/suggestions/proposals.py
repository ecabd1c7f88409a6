# SPDX-License-Identifier: Apache-2.0
"""Proposals for a tool as a whole, from the names in its schemas.

A draft holds them as comments only, because each of them would permit more, or needs what no schema says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from remit.core.tools.suggestions import vocabulary
from remit.core.tools.suggestions.inference import ArgumentGuess, Proposal
from remit.core.tools.suggestions.schema import SchemaPart

MAX_OWN: Final = 8
"""Most fields of one tool that are proposed as the person's own."""


def own_fields(name: tuple[str, ...], results: Sequence[SchemaPart]) -> tuple[Proposal, ...]:
    """Return the fields with the caller's own account, address or id, if the tool shows the own profile."""
    word = vocabulary.known(name, vocabulary.ONESELF)
    if not word or vocabulary.known(name, vocabulary.CHANGES | vocabulary.CANNOT_BE_UNDONE):
        return ()
    found = [
        part.path
        for part in results
        if part.leaf
        and "[]" not in part.path
        and vocabulary.known(vocabulary.tokens(part.name)[-1:], vocabulary.OWN_VALUES)
    ]
    why = f"its name contains `{word}`: `to myself` then states it; never a place where others read"
    return tuple(Proposal(path, why) for path in found[:MAX_OWN])


def sender_field(name: tuple[str, ...], results: Sequence[SchemaPart], *, reads: bool) -> Proposal | None:
    """Return the field that names the sender of each message, if the tool reads messages."""
    word = vocabulary.known(name, vocabulary.MESSAGES)
    if not word or not reads:
        return None
    for part in results:
        words = vocabulary.tokens(part.path)
        if part.leaf and vocabulary.known(words, vocabulary.SENDERS) and not _of_name(part.name):
            return Proposal(part.path, "if one-time codes arrive there; does the server check senders?")
    return None


def stored_destination(name: tuple[str, ...], arguments: Sequence[ArgumentGuess]) -> Proposal | None:
    """Return the form for a change of a record that stores who is told or paid."""
    change, kept = vocabulary.known(name, vocabulary.ALTERS), vocabulary.known(name, vocabulary.STORES_PARTY)
    by = [one.path for one in arguments if one.role.value == "selector" and one.single and _top(one)]
    if not change or not kept or not by:
        return None
    other = [one.path for one in arguments if one.role.value == "destination" and _top(one)]
    why = f"if it reaches those who are stored in the `{vocabulary.single(kept)}`"
    return Proposal(by[0], why, tuple(other))


def _of_name(field: str) -> bool:
    return bool(vocabulary.known(vocabulary.tokens(field), frozenset({"name", "display"})))


def _top(one: ArgumentGuess) -> bool:
    return not set(".[]{}") & set(one.path)
