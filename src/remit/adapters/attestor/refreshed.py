# SPDX-License-Identifier: Apache-2.0
"""Cached values from external sources: keys of an issuer, the bundle of a trust domain."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from remit.core.errors import RemitError, SourceUnavailable
from remit.core.keys.jwks import MAX_KEYSET_BYTES
from remit.ports.runtime import Clock

log = logging.getLogger("remit")

T = TypeVar("T")

#: Longest time for one reading, with all its steps.
READ_TIMEOUT_S: Final = 5.0
#: Least seconds between readings, whichever caller asks and however the readings end.
PAUSE_S: Final = 10.0
#: Seconds for which a value is still used if it cannot be read again.
KEPT_S: Final = 24 * 3600.0


class RefreshedTrustBundle(Generic[T]):
    """A value that `read` returns together with the seconds for which it is fresh.

    Readings run one at a time, at most one in `pause_s`, each within `timeout_s`. A fresh value is returned
    at once. A stale value is read again first, unless the last attempt failed or the value is only a little
    old: then it is returned at once and read in the background. After `kept_s` without a successful reading
    it is no longer returned.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], Awaitable[tuple[T, float]]],
        clock: Clock,
        *,
        timeout_s: float = READ_TIMEOUT_S,
        pause_s: float = PAUSE_S,
        kept_s: float = KEPT_S,
    ) -> None:
        """Start without a value; `name` is used in messages."""
        self.name = name
        self._read = read
        self._clock = clock
        self._timeout_s = timeout_s
        self._pause_s = pause_s
        self._kept_s = kept_s
        self._value: T | None = None
        self._read_at = 0.0
        self._fresh_s = 0.0
        self._next_at = 0.0
        self._failure: SourceUnavailable | None = None
        self._reading: asyncio.Task[None] | None = None

    async def current(self) -> T:
        """Return the value; raise `SourceUnavailable` if there is none, in bounded time."""
        age = self._age()
        if age is None or (age >= 2 * self._fresh_s and self._failure is None):
            await self._renew()
        elif age >= self._fresh_s:
            self._begin()
        return self._held()

    async def renewed(self) -> T:
        """Return the value after one more reading, if one is permitted now; raise `SourceUnavailable`."""
        await self._renew()
        return self._held()

    async def fault(self) -> str:
        """Read the value; return why it is unavailable, or an empty text if it is available."""
        try:
            await self.current()
        except SourceUnavailable as unavailable:
            return unavailable.debug.rstrip("; ") or unavailable.message
        return ""

    async def close(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def _age(self) -> float | None:
        age = self._clock.boot_s() - self._read_at
        return None if self._value is None or age >= self._kept_s else age

    def _held(self) -> T:
        if self._value is None or self._age() is None:
            failure = self._failure
            raise SourceUnavailable(
                f"{self.name} is unavailable now",
                code=failure.code if failure else "source-unavailable",
                remediation="try again in a moment",
                debug=f"{failure}; {failure.debug}" if failure else "",
            )
        return self._value

    def _begin(self) -> asyncio.Task[None] | None:
        """Start a reading, or return the one in progress; None if it is too early for another."""
        if self._reading is None or self._reading.done():
            if self._clock.boot_s() < self._next_at:
                return None
            self._reading = asyncio.create_task(self._make(), name=f"read {self.name}")
        return self._reading

    async def _renew(self) -> None:
        if reading := self._begin():
            # A caller that waits may be cancelled; the others still need the value.
            await asyncio.shield(reading)

    async def _make(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                value, fresh_s = await self._read()
        except (RemitError, OSError, TimeoutError) as fault:
            if self._failure is None:
                log.warning("%s cannot be read: %s", self.name, str(fault) or "no answer in time")
            self._failure = (
                fault
                if isinstance(fault, SourceUnavailable)
                else SourceUnavailable(f"{self.name} cannot be read", debug=repr(fault))
            )
        else:
            self._value, self._fresh_s, self._failure = value, fresh_s, None
            self._read_at = self._clock.boot_s()
        finally:
            self._next_at = self._clock.boot_s() + self._pause_s


def read_source(path: Path) -> bytes:
    """Return a file with keys; of one that is too long, enough to see that."""
    with path.open("rb") as opened:
        return opened.read(MAX_KEYSET_BYTES + 1)
