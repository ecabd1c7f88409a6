# SPDX-License-Identifier: Apache-2.0
"""Proposals for a tool as a whole, from the names in its schemas.

A draft holds them as comments only, because each of them would permit more, or needs what no schema says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

from remit.core.tools.suggestions import vocabulary
from remit.core.tools.suggestions.inference import ArgumentGuess, Proposal, as_spelled, fields
from remit.core.tools.suggestions.schema import MAX_PARTS, SchemaPart

MAX_OWN: Final = 8
"""Most fields of one tool that are proposed as the person's own."""
MAX_PARTICIPANTS: Final = 12
"""Most fields of one tool that are proposed as participants; where there are more, none is."""


def own_fields(
    name: tuple[str, ...], results: Sequence[SchemaPart], *, but: Collection[str] = ()
) -> tuple[Proposal, ...]:
    """Return the fields with the caller's own account, address or id, if the tool shows the own profile.

    The fields in `but` hold other people.
    """
    word = vocabulary.known(name, vocabulary.ONESELF)
    if not word or vocabulary.known(name, vocabulary.CHANGES | vocabulary.CANNOT_BE_UNDONE):
        return ()
    withheld = _withheld(results)
    found = [
        part.path
        for part in results
        if part.leaf
        and "[]" not in part.path
        and part.path not in but
        and as_spelled(part.name) not in withheld
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
    """Return the form for a change of a record that stores who is told or paid, or for an answer to one."""
    chosen = [one for one in arguments if one.role.value == "selector" and one.single and _top(one)]
    if vocabulary.known(name, vocabulary.ALTERS):
        kept = vocabulary.known(name, vocabulary.STORES_PARTY)
        # Of a calendar and an event, the event stores them.
        by = [one.path for one in chosen if kept and _about(one, vocabulary.STORES_PARTY - {"calendar"})]
        by = by or [one.path for one in chosen if kept]
    elif vocabulary.known(name, vocabulary.ANSWERS) and "forward" not in name:
        by = [one.path for one in chosen if _about(one, vocabulary.CORRESPONDENCE)]
        kept = vocabulary.known(vocabulary.tokens(by[0]), vocabulary.CORRESPONDENCE) if by else ""
    else:
        return None
    if not by:
        return None
    other = [one.path for one in arguments if one.role.value == "destination" and _top(one)]
    why = f"if it reaches those who are stored in the `{vocabulary.single(kept)}`"
    # A record that two arguments select together is shown by no read of one of them.
    alone = all(one.path == by[0] or one.hands_over or _about(one, vocabulary.HANDS_OVER) for one in chosen)
    return Proposal(by[0], why, tuple(other), alone=alone)


def participant_fields(name: tuple[str, ...], results: Sequence[SchemaPart]) -> tuple[Proposal, ...]:
    """Return the fields with the addresses of all who take part in what a tool reads."""
    if len(results) >= MAX_PARTS:
        return ()
    words = vocabulary.PARTICIPANTS
    if vocabulary.known(name, vocabulary.CORRESPONDENCE):
        words |= vocabulary.CORRESPONDENTS
    found: dict[tuple[str, str], tuple[int, Proposal]] = {}
    withheld = _withheld(results)
    for part in results:
        word = next((one for one in map(_participant(words), reversed(part.path.split("."))) if one), "")
        rank = _rank(part, words) if word and part.leaf and not _of_name(part.name) else None
        if rank is None or (part.types and "string" not in part.types):
            continue
        if as_spelled(part.name) in withheld:
            return ()
        # One address of each participant: all that are marked must be known.
        place = part.path.rpartition(".")[0], vocabulary.single(word)
        if place not in found or rank < found[place][0]:
            path = f"{part.path}[]" if "array" in part.types else part.path
            found[place] = rank, Proposal(path, f"`{word}`: if no outsider can write it")
    chosen = tuple(one for _, one in found.values())
    return chosen if len(chosen) <= MAX_PARTICIPANTS else ()


def _participant(words: frozenset[str]) -> Callable[[str], str]:
    return lambda step: vocabulary.known(vocabulary.tokens(step), words)


def _rank(part: SchemaPart, words: frozenset[str]) -> int | None:
    """Return how good an address of a participant a field holds; None where it holds none."""
    last, said = vocabulary.tokens(part.name)[-1:], vocabulary.tokens(part.says)
    if vocabulary.known(last, words):
        # A `recipient` may be a name on a parcel; lists of participants and headers of mail hold addresses.
        addresses = (
            "array" in part.types
            or vocabulary.known(last, vocabulary.CORRESPONDENTS)
            or vocabulary.known(said, vocabulary.REACHED_AT[0] | vocabulary.REACHED_AT[1])
        )
        return 0 if addresses or part.about.get("format") == "email" else None
    kinds = vocabulary.REACHED_AT
    return next((rank for rank, one in enumerate(kinds) if vocabulary.known(last, one)), None)


def _about(one: ArgumentGuess, records: frozenset[str]) -> bool:
    return bool(vocabulary.known(vocabulary.tokens(one.path), records))


def _withheld(results: Sequence[SchemaPart]) -> frozenset[str]:
    """Return the names of the fields that no agent gets."""
    return frozenset(as_spelled(one.name) for one in fields(results) if one.withhold)


def _of_name(name: str) -> bool:
    return bool(vocabulary.known(vocabulary.tokens(name), frozenset({"name", "display"})))


def _top(one: ArgumentGuess) -> bool:
    return not set(".[]{}") & set(one.path)
