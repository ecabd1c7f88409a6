# SPDX-License-Identifier: Apache-2.0
"""The keys of one kind in one folder (mode 0700), each key in a separate file (mode 0600)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Generic, TypeVar

from remit.adapters.keys.key_versions import (
    Entries,
    KeyVersion,
    Rules,
    begin_book,
    current_of,
    held,
    ordered,
    over,
    place_of,
    read_book,
    turned,
    write_book,
)
from remit.adapters.keys.secret_files import (
    alone,
    check_folder,
    create_secret,
    numbered,
    read_secret,
    remove_secret,
)
from remit.core.errors import ChangedMeanwhile, Conflict, KeyUnavailable
from remit.core.keys.own_keys import HeldKey, KeyStanding
from remit.ports.runtime import Clock

K = TypeVar("K")

_Stamp = tuple[int, int, int] | None
#: Seconds to wait for another process that is replacing a key of this kind and recording it.
TURN_PATIENCE_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFormat(Generic[K]):
    """How keys of a kind are created, read (raises `ValueError`) and named.

    `what` describes the keys in messages.
    """

    what: str
    suffix: str
    make: Callable[[datetime], bytes]
    read: Callable[[bytes], K]
    name: Callable[[K], str]


class KeyFolder(Generic[K]):
    """The keys of one kind that are stored in files.

    `keys` contains those that are not retired, by id, in the order of the book; `generation` rises when a key
    leaves it. Other processes may use the same folder: each takes over the others' changes to the book
    (`refresh`), and each change applies to the book's current content, by one process at a time.
    """

    def __init__(self, folder: Path, rules: Rules, craft: KeyFormat[K], clock: Clock) -> None:
        """Load the keys in `folder`, or create the first; raise `KeyUnavailable`."""
        self._folder = folder
        self._rules = rules
        self._craft = craft
        self._clock = clock
        self.keys: dict[str, K] = {}
        self.generation = 0
        self._lost: frozenset[str] = frozenset()
        check_folder(folder)
        self._stamp: _Stamp = self._stamped()
        self.entries: Entries = read_book(folder, rules.kind) or self._begin()
        self._load()

    @property
    def current(self) -> KeyVersion:
        """The entry of the key that signs."""
        return current_of(self.entries)

    @property
    def key(self) -> K:
        """The key that signs."""
        return self.keys[self.current.id]

    def held(self) -> tuple[HeldKey, ...]:
        """Return every entry in the port's form."""
        return held(self.entries, self._rules.kind)

    @property
    def changed(self) -> bool:
        """Whether another process has written the book since it was last read here."""
        return self._stamped() != self._stamp

    def doubt(self) -> None:
        """Force the next check to read the book itself, because a file server's metadata may be seconds
        old.
        """
        self._stamp = None

    def refresh(self) -> bool:
        """Take over another process's changes to the book; return whether there were any."""
        if not self.changed:
            return False
        stamp, found = self._stamped(), read_book(self._folder, self._rules.kind)
        entries = tuple(one for one in found or self.entries if one.id not in self._lost)
        another = entries != self.entries
        if another:
            self._hold(entries)
        self._stamp = stamp
        return another

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold the lock under which one process replaces a key and records that."""
        async with alone(self._folder / f".{self._rules.kind}.turn.lock", TURN_PATIENCE_S):
            self.doubt()
            yield

    def expect(self, seen: str) -> None:
        """Raise `ChangedMeanwhile` if `seen` is given and is no longer the newest key."""
        if seen and self.entries[0].id != seen:
            raise ChangedMeanwhile(
                f"another process has replaced the {self._rules.kind} key in the meantime",
                remediation="check `remit key list`, and replace the key again if still needed",
            )

    async def rotate(self, *, at_once: bool, seen: str = "") -> HeldKey:
        """Replace the key that signs; return the new one."""
        async with self._alone():
            # INVARIANT: of several callers that saw the same key, only one replaces it: the book is current,
            # and no other process changes it before this change is written.
            self.expect(seen)
            now, ahead = self._clock.now(), self._rules.ahead
            fresh = []
            if at_once or not ahead:
                fresh.append(self._make(now, KeyStanding.CURRENT))
            if ahead:
                fresh.append(self._make(now, KeyStanding.NEXT, above=fresh))
            # INVARIANT: new keys are durable before the book names them.
            self._settle(turned(self.entries, self._rules, tuple(fresh), now, at_once=at_once))
            if at_once:
                self._tidy()
            return self.held()[1 if ahead else 0]

    async def tidy(self) -> tuple[HeldKey, ...]:
        """Destroy the previous keys whose time is over, and return them."""
        if not over(self.entries, self._rules, self._clock.now())[1]:
            return ()
        async with self._alone():
            return self._tidy()

    def _tidy(self) -> tuple[HeldKey, ...]:
        kept, gone = over(self.entries, self._rules, self._clock.now())
        if gone:
            self._settle(kept)
            for one in gone:
                remove_secret(self._place(one.version))
        return held(gone, self._rules.kind)

    async def retire(self, id: str) -> None:
        """Destroy a previous key by its id; raise `Conflict` for any other key."""
        async with self._alone():
            found = [one for one in self.entries if one.id == id and one.standing is KeyStanding.PREVIOUS]
            if not found:
                raise Conflict(f"`{id[:80]}` is not a previous key", remediation="see `remit key list`")
            self._settle(tuple(one for one in self.entries if one not in found))
            for one in found:
                remove_secret(self._place(one.version))

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Lock the book against every other process and read it; the caller must not await anything
        inside.
        """
        async with alone(self._folder / ".lock"):
            self.doubt()
            self.refresh()
            yield

    def _stamped(self) -> _Stamp:
        try:
            found = place_of(self._folder, self._rules.kind).lstat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _begin(self) -> Entries:
        """Adopt keys that have no book yet, where the highest number signs, or create the first key."""
        now = self._clock.now()
        numbers = numbered(self._folder, self._rules.kind, self._craft.suffix)
        if not numbers:
            create_secret(self._place(1), self._craft.make(now))
            numbers = [1]
        until = now + self._rules.overlap if self._rules.overlap is not None else None
        entries = tuple(
            KeyVersion(
                version=number,
                id=self._craft.name(self._read(number)),
                standing=KeyStanding.PREVIOUS if place else KeyStanding.CURRENT,
                made=now,
                until=until if place else None,
            )
            for place, number in enumerate(numbers)
        )
        if self._rules.ahead:
            entries = ordered((self._make(now, KeyStanding.NEXT), *entries))
        return begin_book(self._folder, self._rules.kind, entries)

    def _load(self) -> None:
        """Read every key that the book names and that must exist."""
        keys: dict[str, K] = {}
        lost = []
        for one in self._living(self.entries):
            if one.standing is not KeyStanding.CURRENT and not self._place(one.version).exists():
                lost.append(one)  # a previous key ends when its file is deleted, a next key is created again
                continue
            key = self._read(one.version)
            if self._craft.name(key) != one.id:
                raise KeyUnavailable(
                    f"the key in `{self._place(one.version)}` is not the one named in "
                    f"`{self._rules.kind}.json`",
                    remediation="restore both files from the same backup",
                )
            keys[one.id] = key
        self.keys, self._lost = keys, frozenset(one.id for one in lost)
        self.entries = tuple(one for one in self.entries if one not in lost)
        if any(one.standing is KeyStanding.NEXT for one in lost):
            fresh = self._make(self._clock.now(), KeyStanding.NEXT)
            self._settle(ordered((fresh, *self.entries)))

    def _living(self, entries: Entries) -> Entries:
        """Return the entries whose key signs or whose signatures are accepted now.

        Loading deletes no expired key: another process may be using the same folder, and a destruction must
        be recorded (`tidy`).
        """
        kept, _ = over(entries, self._rules, self._clock.now())
        return tuple(one for one in kept if one.standing is not KeyStanding.RETIRED)

    def _make(
        self, now: datetime, standing: KeyStanding, above: list[KeyVersion] | None = None
    ) -> KeyVersion:
        """Create a key with a number that no other key has or had."""
        known = [one.version for one in (*self._entries(), *(above or ()))]
        known += numbered(self._folder, self._rules.kind, self._craft.suffix)
        version = max(known, default=0) + 1
        create_secret(self._place(version), self._craft.make(now))
        name = self._craft.name(self._read(version))
        if any(one.id == name for one in (*self._entries(), *(above or ()))):
            # The source of keys has returned a known key, perhaps the very one to be replaced.
            remove_secret(self._place(version))
            raise KeyUnavailable(
                f"the new {self._rules.kind} key is not a new one",
                remediation="check the source of the keys (OpenBao, or the random number generator)",
            )
        return KeyVersion(version=version, id=name, standing=standing, made=now)

    def _entries(self) -> Entries:
        return getattr(self, "entries", ())

    def _settle(self, entries: Entries) -> None:
        """Write the book, and load the keys that it names now."""
        write_book(self._folder, self._rules.kind, entries)
        self._stamp = self._stamped()
        self._hold(entries)

    def _hold(self, entries: Entries) -> None:
        keys: dict[str, K] = {}
        for one in self._living(entries):
            keys[one.id] = self.keys[one.id] if one.id in self.keys else self._read(one.version)
        self.entries = entries
        if self.keys.keys() - keys.keys():
            self.generation += 1
        self.keys = keys

    def _place(self, version: int) -> Path:
        return self._folder / f"{self._rules.kind}-{version}.{self._craft.suffix}"

    def _read(self, version: int) -> K:
        place = self._place(version)
        data = read_secret(place)
        try:
            return self._craft.read(data)
        except (ValueError, TypeError) as fault:
            raise KeyUnavailable(
                f"`{place}` does not contain {self._craft.what}",
                remediation="restore the file from a backup",
                debug=str(fault),
            ) from fault
