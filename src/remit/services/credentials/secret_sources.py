# SPDX-License-Identifier: Apache-2.0
"""Standing secrets that lie elsewhere (`ports/secret_source`), read ahead and read again.

1. each is read before anything needs it, and again every so often: a changed one is carried from then on
2. where its source clearly says no, what was read before counts no more
3. where its source says nothing, it goes on counting for `KEEP`, and no longer; nor beyond its own end

INVARIANT: what is read lies in memory alone, and in no message.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from remit.core.errors import KeyUnavailable
from remit.ports.runtime import Clock
from remit.ports.secret_source import GONE, ReadSecret, SecretSource

log = logging.getLogger("remit.secrets")

#: How long a secret counts whose source cannot be asked.
KEEP: Final = timedelta(minutes=5)
#: Seconds between two readings.
EVERY_S: Final = 15.0


class SecretTaker(Protocol):
    """Whoever wants a secret: it is put there, or why there is none."""

    def put(self, value: str) -> None:
        """Take what counts from now on."""
        ...

    def refuse(self, fault: KeyUnavailable) -> None:
        """Take that nothing counts, and why."""
        ...


class _Kept:
    """What is known of one secret."""

    def __init__(self, source: SecretSource, name: str, places: Sequence[SecretTaker]) -> None:
        self.source = source
        self.name = name
        self.places = tuple(places)
        self.read: ReadSecret | None = None
        self.read_s = 0.0
        self.why = ""


class FetchedSecrets:
    """All such secrets of one process, by what names them. For one event loop."""

    def __init__(self, clock: Clock) -> None:
        """Begin with none."""
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    async def add(
        self, source: SecretSource, wanted: Mapping[str, Sequence[SecretTaker]], scheme: str
    ) -> None:
        """1. Look after the secrets that a source has, by name; each is read now."""
        for name, places in wanted.items():
            self._kept[f"{scheme}:{name}"] = _Kept(source, name, places)
        await self.refresh()

    async def refresh(self) -> None:
        """1. Read all of them again; for a background loop."""
        await asyncio.gather(*(self._read(where, kept) for where, kept in self._kept.items()))

    def since(self, where: str) -> datetime | None:
        """Say since when a secret is the one that it is, where its source tells."""
        kept = self._kept.get(where)
        return kept.read.since if kept is not None and kept.read is not None else None

    def version(self, where: str) -> int:
        """Return its number at its source; 0 where it has none."""
        kept = self._kept.get(where)
        return kept.read.version if kept is not None and kept.read is not None else 0

    async def _read(self, where: str, kept: _Kept) -> None:
        try:
            found = await kept.source.read(kept.name)
        except KeyUnavailable as fault:
            if kept.why != fault.message:
                log.warning("secret `%s` was not read: %s", where, fault)
            kept.why = fault.message
            if kept.read is None or fault.code == GONE or self._over(kept):
                self._refuse(kept, fault)
            return
        if kept.why:
            log.warning("secret `%s` was read again", where)
        kept.read, kept.read_s, kept.why = found, self._clock.boot_s(), ""
        if self._over(kept):
            self._refuse(kept, _ended(where))
            return
        for place in kept.places:
            place.put(found.value)

    def _over(self, kept: _Kept) -> bool:
        """3."""
        assert kept.read is not None
        until = kept.read.until
        return self._clock.boot_s() - kept.read_s > KEEP.total_seconds() or (
            until is not None and self._clock.now() >= until
        )

    def _refuse(self, kept: _Kept, fault: KeyUnavailable) -> None:
        kept.read = None
        for place in kept.places:
            place.refuse(fault)


def _ended(where: str) -> KeyUnavailable:
    return KeyUnavailable(
        f"secret `{where}` has expired there",
        code=GONE,
        remediation="write a new version of the secret",
    )
