# SPDX-License-Identifier: Apache-2.0
"""The book of a kind of key: its versions and their standings, in `<kind>.json`.

The book holds no secret. It is written after a new key is durable and before that key signs. It is replaced
as a whole, so that a crash leaves the state before or the state after. A key that no book names was never
used.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from remit.adapters.keys.secret_files import create_secret, read_secret, replace_secret
from remit.core.errors import KeyUnavailable
from remit.core.keys.own_keys import HeldKey, KeyKind, KeyStanding

_ORDER = {standing: place for place, standing in enumerate(KeyStanding)}


class KeyVersion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a key. `until` is as in `core.keys.own_keys.HeldKey`."""

    version: int
    id: str
    standing: KeyStanding
    made: datetime
    until: datetime | None = None


Entries = tuple[KeyVersion, ...]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How the keys of a kind are rotated. `ahead`: the next key is created and published before it signs.

    `overlap`: how long a previous key's signatures are accepted; `None`: until it is retired by id.
    `remembered`: a key whose time is over is destroyed, but its public half stays known.
    """

    kind: KeyKind
    overlap: timedelta | None
    ahead: bool = True
    remembered: bool = False


class _Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: KeyKind
    keys: Entries


def place_of(folder: Path, kind: KeyKind) -> Path:
    """Return the path of a kind's book."""
    return folder / f"{kind}.json"


def read_book(folder: Path, kind: KeyKind) -> Entries | None:
    """Return the entries, or `None` if there is no book.

    Raises `KeyUnavailable` for a book that is invalid or of another kind.
    """
    place = place_of(folder, kind)
    if not place.is_symlink() and not place.exists():
        return None
    try:
        page = msgspec.json.decode(read_secret(place), type=_Page)
    except msgspec.DecodeError as fault:
        raise _unusable(place, str(fault)) from fault
    current = [one for one in page.keys if one.standing is KeyStanding.CURRENT]
    if page.kind is not kind or len(current) != 1 or len({one.version for one in page.keys}) < len(page.keys):
        raise _unusable(place, "another kind, or not exactly one current key")
    return page.keys


def write_book(folder: Path, kind: KeyKind, entries: Entries) -> None:
    """Replace the book, atomically and durably."""
    replace_secret(place_of(folder, kind), _written(kind, entries))


def begin_book(folder: Path, kind: KeyKind, entries: Entries) -> Entries:
    """Create the book unless another process was first; return its entries."""
    create_secret(place_of(folder, kind), _written(kind, entries))
    return read_book(folder, kind) or entries


def turned(entries: Entries, rules: Rules, fresh: Entries, now: datetime, *, at_once: bool) -> Entries:
    """Return the entries after a rotation that adds `fresh`, whose standings are already set.

    In a regular rotation the next key becomes the current one. With `at_once` a fresh key does; the earlier
    next key is dropped, and earlier keys are accepted no longer (unless the kind has no overlap). Where keys
    are remembered, their public halves stay known.
    """
    kept: list[KeyVersion] = []
    for one in entries:
        if one.standing is KeyStanding.CURRENT:
            until = now + rules.overlap if rules.overlap is not None else None
            kept.append(msgspec.structs.replace(one, standing=KeyStanding.PREVIOUS, until=until))
        elif one.standing is KeyStanding.NEXT:
            if not at_once:
                kept.append(msgspec.structs.replace(one, standing=KeyStanding.CURRENT))
        else:
            kept.append(one)
    if at_once and rules.overlap is not None:
        kept = [msgspec.structs.replace(one, until=now) for one in kept]
    return ordered((*fresh, *kept))


def over(entries: Entries, rules: Rules, now: datetime) -> tuple[Entries, Entries]:
    """Split the entries into those that stay and those whose time is over at `now`."""
    gone = tuple(
        one
        for one in entries
        if one.standing is KeyStanding.PREVIOUS and one.until is not None and one.until <= now
    )
    kept = tuple(one for one in entries if one not in gone)
    if rules.remembered:
        kept += tuple(msgspec.structs.replace(one, standing=KeyStanding.RETIRED) for one in gone)
    return ordered(kept), gone


def ordered(entries: Entries) -> Entries:
    """Return the entries ordered as next, current, previous and retired, each with the newest first."""
    return tuple(sorted(entries, key=lambda one: (_ORDER[one.standing], -one.version)))


def current_of(entries: Entries) -> KeyVersion:
    """Return the entry of the key that signs."""
    return next(one for one in entries if one.standing is KeyStanding.CURRENT)


def held(entries: Entries, kind: KeyKind) -> tuple[HeldKey, ...]:
    """Return the entries in the port's form."""
    return tuple(
        HeldKey(kind=kind, id=one.id, standing=one.standing, made=one.made, until=one.until)
        for one in entries
    )


def _written(kind: KeyKind, entries: Entries) -> bytes:
    return msgspec.json.format(msgspec.json.encode(_Page(kind, entries)), indent=2) + b"\n"


def _unusable(place: Path, debug: str) -> KeyUnavailable:
    return KeyUnavailable(
        f"`{place}` is not a key register", remediation="restore the file from a backup", debug=debug
    )
