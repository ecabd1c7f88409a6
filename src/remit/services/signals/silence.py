# SPDX-License-Identifier: Apache-2.0
"""Transmitters of signals that fall silent: a transmitter that reports nothing no longer ends anything.

1. where the configuration enables it, a verification event is requested from time to time (SSF 1.0 section
   8.1.4), with an unpredictable state
2. the last sign of life is stored with the token that brought it (`services.signals.receiver`). An event
   counts for its issue time, so that a withheld event counts for that time; a verification event counts only
   by the state that was requested last
3. a transmitter that was silent for too long is a finding, which is resolved once an event arrives
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from remit.core.errors import RemitError, SourceUnavailable
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from remit.ports.delivery import Deliver
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import PutValue
from remit.ports.store.units import Unit, UnitStore
from remit.services.findings.findings import Findings
from remit.services.signals.receiver import ASKED, HEARD

log = logging.getLogger("remit.signals")

STATE_BYTES: Final = 16


class WatchedTransmitter(msgspec.Struct, frozen=True, kw_only=True):
    """A transmitter that must not be silent for longer than `silent_after_s`.

    With a `url`, verification events of `stream` are requested there every `every_s`; `headers` is called
    each time, so that a renewed secret takes effect.
    """

    name: str
    silent_after_s: float
    url: str = ""
    stream: str = ""
    every_s: float = 900.0
    deliver: Deliver | None = None
    headers: Callable[[], Mapping[str, str]] = dict


class TransmitterSilence:
    """Watches transmitters. For one event loop; of several replicas, the one that does the shared chores."""

    def __init__(
        self,
        *,
        store: UnitStore,
        clock: Clock,
        entropy: Entropy,
        findings: Findings,
        tenant: str,
        watched: Mapping[str, WatchedTransmitter],
    ) -> None:
        """Begin now: silence before this start does not count."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._findings = findings
        self._tenant = tenant
        self.watched = watched
        self._begun: datetime | None = None
        self._due_s = dict.fromkeys(watched, 0.0)
        self._silent: set[str] = set()
        #: Why requesting a verification event fails, by transmitter.
        self.failing: dict[str, str] = {}

    async def turn(self) -> None:
        """Do steps 1 and 3. For a background loop."""
        if self._begun is None:
            self._begun = self._clock.now()
            open_now = await self._findings.about(
                state=FindingState.OPEN, kinds=(FindingKind.SIGNALS_SILENT,)
            )
            self._silent = {str(one.facts.get("transmitter", "")) for one in open_now}
        for name, one in self.watched.items():
            if one.url and self._clock.boot_s() >= self._due_s[name]:
                self._due_s[name] = self._clock.boot_s() + one.every_s
                await self._ask(one)
            await self._look(one)

    async def _ask(self, one: WatchedTransmitter) -> None:
        """Do step 1."""
        assert one.deliver is not None
        state = self._entropy.bytes(STATE_BYTES).hex()
        # Stored before the request: the event may arrive before the request's response.
        asked = PutValue(self._tenant, ASKED + one.name, {"state": state})
        await self._store.commit(Unit((asked,)))
        try:
            answer = await one.deliver.post(
                one.url,
                msgspec.json.encode({"stream_id": one.stream, "state": state}),
                media="application/json",
                headers=one.headers(),
            )
            if answer.status not in (200, 202, 204):
                raise SourceUnavailable(f"it answered {answer.status}", code="verification-refused")
        except RemitError as fault:
            if one.name not in self.failing:
                log.warning("transmitter `%s` cannot be asked for a verification event: %s", one.name, fault)
            self.failing[one.name] = fault.message
        else:
            self.failing.pop(one.name, None)

    async def _look(self, one: WatchedTransmitter) -> None:
        """Do step 3."""
        assert self._begun is not None
        kept = await self._store.value(self._tenant, HEARD + one.name)
        heard = datetime.fromisoformat(kept["at"]) if kept is not None else None
        since = self._begun if heard is None else max(heard, self._begun)
        silent = (self._clock.now() - since).total_seconds() >= one.silent_after_s
        about = f"transmitter:{one.name}"
        if silent and one.name not in self._silent:
            facts = {
                "transmitter": one.name,
                "since": heard.isoformat() if heard is not None else "",
                "why": self.failing.get(one.name, ""),
            }
            await self._findings.see(FindingKind.SIGNALS_SILENT, about, one.name, facts)
            self._silent.add(one.name)
        elif one.name in self._silent and heard is not None and not silent and heard >= self._begun:
            await self._findings.settle(
                FindingKind.SIGNALS_SILENT, about, by="remit", resolution="it sends events again"
            )
            self._silent.discard(one.name)
