# SPDX-License-Identifier: Apache-2.0
"""Structured fields of a record: each holds one value as a whole, and may belong to a person.

The address of a sender is structured, an address in the body of the message is not. A field of prose stays
prose where its text is nothing but an address, because its author chooses that text. So the name of the
field decides, too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet

from remit.core.flow.language.people import PERSON_STEMS, normal_name, words_of_name
from remit.core.flow.language.word_forms import name_stems, name_words, some, stem, stems
from remit.core.flow.records.record import ResultLeaf
from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.strict_reading import named_address

#: The digest of a leaf's strict reading as a whole, and its kind.
Whole = tuple[int, KindOfValue]
#: A name as its words in normal form.
Name = tuple[str, ...]
WHOLE_BYTES = 120
"""Approximate memory of a structured value of a record that the intent refers to."""
_EMAIL = KindOfValue.EMAIL
_NO_WORDS: frozenset[str] = frozenset()
MAX_WORDS = 12
"""Most words of a structured field."""
SHORTEST_ID = 3

_ADDRESS = (
    "address email mail phone telephone tel mobile fax number iban bic account url uri link href web website "
    "site homepage page id uid key user username login contact handle"
)
_ROLES = (
    "from to cc bcc by reply with sender recipient author owner assignee creator editor organizer organiser "
    "member participant attendee guest invitee reviewer approver people person shared watcher follower "
    "responsible beneficiary payee payer debtor creditor host"
)
_PROSE = stems(
    "subject body text note notes topic description summary snippet content comment message remark memo "
    "line html purpose bio about headline caption excerpt preview reason reply answer question"
)
_NAMES = some("name surname nickname nick handle login username alias holder")
_PARTS_OF_NAMES = some("first last given family middle full real display")
_SENDERS = stems("from sender author creator by reply")
_IDS = some("id ids uid uuid guid key number")
_OF_ADDRESSES = stems(f"{_ADDRESS} {_ROLES}") | PERSON_STEMS
_ANYBODYS = stems(_ADDRESS) | stems(" ".join(_NAMES | _PARTS_OF_NAMES))


@functools.lru_cache(4096)
def may_hold(field: str, kind: KindOfValue) -> bool:
    """Return whether a field of this name can be the structured place of a value of this kind."""
    words = tuple(map(stem, name_words(field)))
    if not words or words[-1] in _PROSE:
        return False
    return kind is KindOfValue.TEXT or not (
        _OF_ADDRESSES.isdisjoint(words) or any(one in _NAMES for one in words)
    )


@functools.lru_cache(4096)
def is_prose(field: str) -> bool:
    """Return whether a field of this name holds text that its author is free to choose."""
    words = name_words(field)
    return bool(words) and stem(words[-1]) in _PROSE


@functools.lru_cache(4096)
def is_of_sender(path: str) -> bool:
    """Return whether a field holds the sender of a message or the author of a text."""
    return not frozenset(stem(one) for one in name_words(path.rpartition("].")[2])).isdisjoint(_SENDERS)


@functools.lru_cache(4096)
def is_of_name(field: str) -> bool:
    """Return whether a field holds a name or a part of one."""
    words = frozenset(name_words(field))
    return not words.isdisjoint(_NAMES) or (bool(words) and words <= _PARTS_OF_NAMES)


@functools.lru_cache(4096)
def is_own_id(field: str, tool_name: str) -> bool:
    """Return whether a field or argument of a tool is the id of the record itself (`id`, `invoice_id`)."""
    words = frozenset(name_words(field))
    return not words.isdisjoint(_IDS) and frozenset(map(stem, words - _IDS)) <= name_stems(tool_name)


def can_be_id(text: str) -> bool:
    """Return whether a text can tell one record from all others: short numbers collide."""
    return len(text) >= SHORTEST_ID and " " not in text and not (text.isdecimal() and len(text) <= 8)


def by_path(
    leaves: Sequence[tuple[ResultLeaf, Whole]], names: Iterable[Name]
) -> dict[str, dict[int, tuple[Name, ...]]]:
    """Return the structured values of each path, each with those of the names that choose it there.

    A name chooses a value if it is the name of this one and of no other value of the path.
    """
    out: dict[str, dict[int, tuple[Name, ...]]] = {}
    at: dict[str, list[tuple[ResultLeaf, Whole]]] = {}
    for leaf, (digest, kind) in leaves:
        at.setdefault(leaf.path, []).append((leaf, (digest, kind)))
        if may_hold(leaf.name, kind) and leaf.text.count(" ") < MAX_WORDS:
            out.setdefault(leaf.path, {})[digest] = ()
    if not out or not (wanted := list(names)):
        return out
    beside = _names_beside(leaves)
    for path, found in out.items():
        _choose(found, [one for one in at[path] if one[1][0] in found], beside, wanted)
    return out


def under_other_names(
    leaves: Sequence[tuple[ResultLeaf, Whole]], names: AbstractSet[str], people: Iterable[Name]
) -> frozenset[tuple[int, str]]:
    """Return the record and path of each address that its record holds under another person's name.

    `names` are the words that found the records. A search for a person also finds what only mentions that
    person: in the text of a message, in a subject that its sender chose.
    """
    known = set(people)
    said = [tuple(map(normal_name, one.split())) for one in names]
    if not said or not all(one in known for one in said):
        return frozenset()
    wanted = frozenset(word for one in said for word in one)
    beside, told, held = _names_beside(leaves), False, set[int]()
    for leaf, (_, kind) in leaves:
        if kind is KindOfValue.TEXT and any(words_of_name(leaf.text).issuperset(one) for one in said):
            if is_prose(leaf.name):
                told = True
            else:
                held.add(leaf.record)
    out = set[tuple[int, str]]()
    for leaf, (_, kind) in leaves:
        if kind is KindOfValue.TEXT or leaf.record in held:
            continue
        shown, address = named_address(leaf.text)
        name = beside(leaf) | words_of_name(shown)
        local = words_of_name((address or leaf.text).rpartition("@")[0])
        if (name or told) and wanted.isdisjoint(name | local):
            out.add((leaf.record, leaf.path))
    return frozenset(out)


def _choose(
    found: dict[int, tuple[Name, ...]],
    leaves: Sequence[tuple[ResultLeaf, Whole]],
    beside: Callable[[ResultLeaf], frozenset[str]],
    names: Sequence[Name],
) -> None:
    wanted = frozenset(word for name in names for word in name)
    known: list[tuple[int, frozenset[str], frozenset[str]]] = []
    for leaf, (digest, kind) in leaves:
        text, address = named_address(leaf.text)
        local = words_of_name((address or leaf.text).rpartition("@")[0]) if kind is _EMAIL else _NO_WORDS
        shown = beside(leaf) | words_of_name(text) if text else beside(leaf)
        if not (wanted.isdisjoint(shown) and wanted.isdisjoint(local)):
            known.append((digest, shown, local))
    for name in names:
        owners = {digest for digest, shown, local in known if _is_name_of(name, shown, local)}
        if len(owners) == 1:
            (digest,) = owners
            found[digest] = (*found[digest], name)


def _is_name_of(name: Name, shown: AbstractSet[str], local: AbstractSet[str]) -> bool:
    """Return whether an owner with these words in the shown name and the address has a name."""
    words = shown | local
    found = [one for one in name if one in words]
    # A shown name must hold all words of the name; `h.wolters` abbreviates the first one.
    return bool(found) and (not shown or all(one in words or one[:1] in local for one in name))


def _names_beside(leaves: Sequence[tuple[ResultLeaf, Whole]]) -> Callable[[ResultLeaf], frozenset[str]]:
    """Return a function that returns the words of the names in the object around a leaf."""
    found: dict[tuple[int, tuple[str, frozenset[str]]], frozenset[str]] = {}
    for leaf, _ in leaves:
        if is_of_name(leaf.name):
            key = leaf.record, _object_of(leaf.path, leaf.name)
            found[key] = found.get(key, _NO_WORDS) | words_of_name(leaf.text)
    return lambda leaf: found.get((leaf.record, _object_of(leaf.path, leaf.name)), _NO_WORDS)


@functools.lru_cache(4096)
def _object_of(path: str, name: str) -> tuple[str, frozenset[str]]:
    """Return the object around a field: its path, and the owner in the field's name.

    `manager_email` belongs to `manager_name`, and not to `name`.
    """
    return path.removesuffix("[]").rpartition(".")[0], name_stems(name) - _ANYBODYS
