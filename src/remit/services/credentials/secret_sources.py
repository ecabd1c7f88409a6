# SPDX-License-Identifier: Apache-2.0
"""Standing secrets that are kept elsewhere (`ports/secret_source`), read in advance and repeatedly.

1. each secret is read before it is needed, and again at intervals; calls carry a changed one from then on
2. if the source clearly denies the secret, the value read before is no longer valid
3. if the source does not answer, the value stays valid for at most `KEEP`, and not beyond its own expiry

INVARIANT: a secret that was read is kept in memory only, and in no message.
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

#: How long a secret stays valid while its source cannot be asked.
KEEP: Final = timedelta(minutes=5)
#: Seconds between two reads.
EVERY_S: Final = 15.0


class SecretTaker(Protocol):
    """A consumer of a secret: it receives the secret, or the reason why there is none."""

    def put(self, value: str) -> None:
        """Take the value that is valid from now on."""
        ...

    def refuse(self, fault: KeyUnavailable) -> None:
        """Take the reason why no value is valid."""
        ...


class _Kept:
    """The state of one secret."""

    def __init__(self, source: SecretSource, name: str, places: Sequence[SecretTaker]) -> None:
        self.source = source
        self.name = name
        self.places = tuple(places)
        self.read: ReadSecret | None = None
        self.read_s = 0.0
        self.why = ""


class FetchedSecrets:
    """All secrets of one process that are read from sources, by reference. For one event loop."""

    def __init__(self, clock: Clock) -> None:
        """Start with no arguments."""
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    async def add(
        self, source: SecretSource, wanted: Mapping[str, Sequence[SecretTaker]], scheme: str
    ) -> None:
        """1. Add the secrets of a source, by name; read each of them now."""
        for name, places in wanted.items():
            self._kept[f"{scheme}:{name}"] = _Kept(source, name, places)
        await self.refresh()

    async def refresh(self) -> None:
        """1. Read all secrets again. For a background loop."""
        await asyncio.gather(*(self._read(where, kept) for where, kept in self._kept.items()))

    def since(self, where: str) -> datetime | None:
        """Return when the current value of a secret was set, if its source states it."""
        kept = self._kept.get(where)
        return kept.read.since if kept is not None and kept.read is not None else None

    def version(self, where: str) -> int:
        """Return the version number of a secret at its source; 0 if it has none."""
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
        """Do step 3."""
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
