# SPDX-License-Identifier: Apache-2.0
"""The sign of life of hooks in the evidence: an event at the start, each change and the end of a session."""

from __future__ import annotations

from typing import Literal

from remit.core.evidence.event import Event
from remit.core.evidence.events.guard import GuardHolding, GuardReported
from remit.ports.runtime import Clock
from remit.ports.store.units import Unit, UnitStore
from remit.services.guard.client import GuardedClient, GuardMode


class Heartbeat:
    """Writes the events."""

    def __init__(self, store: UnitStore, clock: Clock, tenant: str) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._tenant = tenant

    async def report(
        self,
        client: GuardedClient,
        task: str,
        state: Literal["start", "change", "end"],
        *,
        hooks: int,
        answers: dict[str, int],
        why: str = "",
    ) -> None:
        """Write what a session's hooks have reported so far, and whether they hold."""
        body = GuardReported(
            client=client.name,
            state=state,
            mode=client.mode.value,
            holding=holding(client),
            hooks=hooks,
            answers=answers,
            why=why,
        )
        event = Event.of(body, at=self._clock.now(), tenant=self._tenant, task=task, agent=client.agent)
        await self._store.commit(Unit(events=(event,)))


def holding(client: GuardedClient) -> GuardHolding:
    """Return whether a call that remit refuses to a client does not happen."""
    if client.mode is GuardMode.OBSERVE:
        return "observed"
    return "enforced" if client.mode is GuardMode.ENFORCE and client.managed else "not-enforced"
