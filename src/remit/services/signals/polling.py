# SPDX-License-Identifier: Apache-2.0
"""Polling transmitters for events (RFC 8936): each event is acknowledged once its consequences are durable.

An event that was taken in but not acknowledged, because remit or the network stopped in between, comes again
and does nothing: its id is known. An event that cannot be taken in now is neither acknowledged nor refused,
and comes again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from remit.core.canonical import parse_strict
from remit.core.errors import Malformed, RemitError, SourceUnavailable, Unauthenticated
from remit.core.json_value import Json
from remit.ports.delivery import Deliver
from remit.ports.runtime import Clock
from remit.services.signals.receiver import HeardSignals

log = logging.getLogger("remit.signals")


#: Events requested at once, and rounds of one turn; the rest comes with the next turn.
MOST: Final = 50
ROUNDS: Final = 20
MAX_ANSWER_BYTES: Final = 2 * 1024 * 1024


class PolledSource(msgspec.Struct, frozen=True, kw_only=True):
    """A transmitter that is polled; `headers` is called each time, so that a renewed secret takes effect."""

    name: str
    url: str
    deliver: Deliver
    headers: Callable[[], Mapping[str, str]]
    every_s: float = 5.0


class _Answer(msgspec.Struct, frozen=True):
    sets: dict[str, str] = {}
    more: bool = msgspec.field(default=False, name="moreAvailable")


class Polling:
    """Polls all transmitters that are configured for it; for one event loop."""

    def __init__(self, signals: HeardSignals, sources: Mapping[str, PolledSource], clock: Clock) -> None:
        """Begin with nothing to acknowledge."""
        self._signals = signals
        self._clock = clock
        self.sources = sources
        #: Why polling fails, by transmitter.
        self.failing: dict[str, str] = {}
        self._due_s = dict.fromkeys(sources, 0.0)
        self._done: dict[str, list[str]] = {name: [] for name in sources}
        self._faults: dict[str, dict[str, Json]] = {name: {} for name in sources}

    async def turn(self) -> int:
        """Poll the transmitters that are due; return the number of events taken in. For a background loop."""
        taken = 0
        for name, source in self.sources.items():
            if self._clock.boot_s() < self._due_s[name]:
                continue
            try:
                taken += await self.poll(source)
            except RemitError as fault:
                if name not in self.failing:
                    log.warning("transmitter `%s` cannot be polled: %s", name, fault)
                self.failing[name] = fault.message
            else:
                self.failing.pop(name, None)
            self._due_s[name] = self._clock.boot_s() + source.every_s
        return taken

    async def poll(self, source: PolledSource) -> int:
        """Poll one transmitter until nothing is left, acknowledging each batch; raises
        `SourceUnavailable`.
        """
        taken = 0
        for _ in range(ROUNDS):
            answer = await self._ask(source)
            before = taken
            for key, token in answer.sets.items():
                taken += await self._take(source.name, key, token)
            if not answer.more and not self._done[source.name] and not self._faults[source.name]:
                break
            if answer.sets and taken == before and not self._faults[source.name]:
                break  # nothing can be taken in now: a retry would bring the same events
        return taken

    async def _ask(self, source: PolledSource) -> _Answer:
        done, faults = self._done[source.name], self._faults[source.name]
        asked: dict[str, Json] = {"maxEvents": MOST, "returnImmediately": True}
        asked |= {"ack": done} if done else {}
        asked |= {"setErrs": faults} if faults else {}
        answer = await source.deliver.post(
            source.url,
            msgspec.json.encode(asked),
            media="application/json",
            headers=source.headers(),
            max_bytes=MAX_ANSWER_BYTES,
        )
        if answer.status != 200:
            raise SourceUnavailable(f"it answered {answer.status}", code="poll-refused")
        # Acknowledgements are sent once; if they had been lost, the events would come again.
        self._done[source.name], self._faults[source.name] = [], {}
        try:
            value = parse_strict(answer.body, max_bytes=MAX_ANSWER_BYTES, max_depth=8)
            found = msgspec.convert(value, _Answer)
        except (Malformed, msgspec.ValidationError) as fault:
            raise SourceUnavailable(
                "its answer is not a poll response", code="poll-malformed", debug=str(fault)
            ) from None
        if len(found.sets) > MOST:
            raise SourceUnavailable("it returned more events than requested", code="poll-malformed")
        return found

    async def _take(self, name: str, key: str, token: str) -> int:
        try:
            await self._signals.receive(name, token)
        except (Malformed, Unauthenticated) as error:
            # RFC 8936 section 2.6: an error is an acknowledgement, too.
            self._faults[name][key] = {"err": error.code, "description": str(error)}
            return 0
        except RemitError as fault:
            log.warning("a signal of `%s` waits: %s", name, fault)
            return 0
        self._done[name].append(key)
        return 1
