# SPDX-License-Identifier: Apache-2.0
"""Waking the other replicas beside the store, and being woken.

1. what the store would wake others for is told by way of the waker, once it is committed; while one message
   is under way, what comes meanwhile is told by one more
2. what is heard is judged: made by a replica of this house, for this one, not met before. What is not costs
   nothing further
3. then the fleet looks: whatever was said, the store alone tells what is so
4. acknowledgements are told to those who have lately changed something, for only they wait; to all where
   nobody is known to have

Where nothing comes through, replicas look with each renewal of their leases. Nothing rests on a wake.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Final

import msgspec

from remit.core.errors import Malformed, RemitError
from remit.core.replicas import wakeup
from remit.core.replicas.forwarding import Numbers
from remit.core.replicas.wakeup import Nudge, Wake
from remit.ports.keys import SealingKeys
from remit.ports.runtime import Clock
from remit.ports.store.replicas import Fleet
from remit.ports.wakeup import Waker
from remit.services.replicas.replica_lease import Replicas

log = logging.getLogger("remit.replicas")

#: For how long somebody who has changed something is taken to wait for words about it.
ASKS_S: Final = 10.0
#: Seconds until a look because of replicas that nobody here has seen yet, however many say something.
STRANGE_S: Final = 0.25


class WakingState(msgspec.Struct, frozen=True, kw_only=True):
    """How replicas are woken: `how` is `postgres` or `nats`; `fault` why nothing comes through now.

    `counts` are messages since the start: `sent`, `heard` (and looked for), `repeated`, `refused` (which no
    replica of this house has made, or not for this one).
    """

    how: str
    fault: str = ""
    counts: dict[str, int] = {}

    @property
    def word(self) -> str:
        """What others are told of it."""
        return f"{self.how}, away" if self.fault else self.how


class WakeUp:
    """Tells and is told. For one event loop; nothing here raises."""

    def __init__(
        self,
        *,
        waker: Waker | None,
        fleet: Fleet | None,
        replicas: Replicas,
        sealing: SealingKeys,
        clock: Clock,
    ) -> None:
        """Take the parts; without a waker the store wakes by itself."""
        self._waker = waker
        self._fleet = fleet
        self._replicas = replicas
        self._sealing = sealing
        self._clock = clock
        self._ear = ""
        self._number = 0
        self._met: dict[str, Numbers] = {}
        self._askers: dict[str, float] = {}
        self._later: asyncio.TimerHandle | None = None
        self._due: set[Nudge] = set()
        self._sending: asyncio.Task[None] | None = None
        self._counts: Counter[str] = Counter()

    @property
    def state(self) -> WakingState | None:
        """How it stands; `None` where there can be no others."""
        if self._fleet is None:
            return None
        if self._waker is None:
            return WakingState(how="postgres")
        return WakingState(how="nats", fault=self._waker.fault, counts=dict(self._counts))

    async def begin(self) -> None:
        """Wake and be woken from now on; after this process became a replica."""
        if self._waker is None or self._fleet is None:
            return
        # Of the process, whatever its incarnations are called.
        self._ear = self._replicas.id
        self._fleet.wake_with(self.tell)
        await self._waker.begin(self._ear, self.heard, self._through)

    async def stop(self) -> None:
        """Wake nobody any longer."""
        if self._later is not None:
            self._later.cancel()
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        if self._waker is not None:
            await self._waker.close()

    # 1, 4.

    def tell(self, about: Nudge) -> None:
        """Have others look, soon."""
        self._due.add(about)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        assert self._waker is not None
        while self._due:
            due, self._due = self._due, set()
            for about in sorted(due):
                for ear in self._ears(about):
                    message = self._written(about, ear)
                    if message:
                        self._counts["sent"] += 1
                        await self._waker.send(message, ear)

    def _ears(self, about: Nudge) -> list[str]:
        if about is Nudge.CHANGE:
            return [""]
        now_s = self._clock.boot_s()
        self._askers = {ear: until_s for ear, until_s in self._askers.items() if now_s < until_s}
        return list(self._askers) or [""]

    def _written(self, about: Nudge, ear: str) -> bytes:
        assert self._waker is not None
        self._number += 1
        key = self._sealing.current
        wake = Wake(by=self._replicas.id, ear=self._ear, number=self._number, key=key, about=about, to=ear)
        try:
            return wakeup.written(wake, self._sealing.sealing_key(key), self._waker.channel)
        except RemitError as fault:
            log.warning("nobody is woken: %s", fault)
            return b""

    # 2, 3.

    def heard(self, message: bytes) -> None:
        """Judge what came, and look if it is what it should be."""
        assert self._fleet is not None
        try:
            wake = self._judged(message)
        except RemitError:
            self._counts["refused"] += 1
            return
        if wake.ear == self._ear:
            return  # what was said to all comes back
        if not self._met.setdefault(wake.by, Numbers()).fresh(wake.number):
            self._counts["repeated"] += 1
            return
        self._forget()
        if wake.about is Nudge.CHANGE:
            self._askers[wake.ear] = self._clock.boot_s() + ASKS_S
        self._counts["heard"] += 1
        if wake.by in self._replicas.others:
            self._fleet.nudge(wake.about)
        elif self._later is None:
            # It has entered since this replica looked last; or is gone, and somebody says again what it said.
            self._later = asyncio.get_running_loop().call_later(STRANGE_S, self._look_for_strangers)

    def _look_for_strangers(self) -> None:
        assert self._fleet is not None
        self._later = None
        self._fleet.nudge(Nudge.CHANGE)

    def _through(self) -> None:
        """What was said while nothing came through is looked at, by the others too."""
        assert self._fleet is not None
        self._fleet.nudge(Nudge.CHANGE)
        self.tell(Nudge.CHANGE)

    def _judged(self, message: bytes) -> Wake:
        """Return a wake that a replica of this house has made for this one; raises `Malformed`."""
        assert self._waker is not None
        wake = wakeup.read(message)
        sealing = self._sealing.sealing_key(wake.key) if wake.key else b""
        if not sealing or not wakeup.holds(message, sealing, self._waker.channel):
            raise Malformed("no replica of this house has made this", code="no-wake")
        if wake.to not in ("", self._ear):
            raise Malformed("this is for another replica", code="no-wake")
        return wake

    def _forget(self) -> None:
        """Keep what is remembered of senders within bounds."""
        most = 2 * len(self._replicas.others) + 8
        if len(self._met) > most:
            for gone in self._met.keys() - self._replicas.others.keys():
                del self._met[gone]
        if len(self._askers) > most:
            self._askers.clear()
