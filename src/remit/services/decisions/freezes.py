# SPDX-License-Identifier: Apache-2.0
"""Change freezes: declared by a person with a reason and an end, lifted by a person with a reason.

A freeze decides nothing by itself. Policies read it (`context.environment.frozen`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from remit.core.circumstances.change_freeze import ChangeFreeze
from remit.core.errors import Malformed, NotFound
from remit.core.evidence.event import Event
from remit.core.evidence.events.system import ChangeFrozen, FreezeLifted
from remit.core.ids import ID_BYTES, make_id
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import PutValue
from remit.ports.store.units import Unit, UnitStore

#: Prefix of what is stored.
FREEZE: Final = "freeze:"
MAX_FREEZE: Final = timedelta(days=90)
#: Most freezes at once.
MAX_FREEZES: Final = 100


class Freezes:
    """Declares and lifts change freezes."""

    def __init__(self, *, store: UnitStore, clock: Clock, entropy: Entropy, tenant: str) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._tenant = tenant

    async def in_force(self) -> list[ChangeFreeze]:
        """Return the freezes that are in force, the one that ends first first."""
        now = self._clock.now()
        found = [one for one in await self._all() if now < one.until]
        return sorted(found, key=lambda one: one.until)

    async def declare(self, until: datetime, *, reason: str, by: str) -> ChangeFreeze:
        """Declare a freeze from now on; raise `Malformed` for an end that is past or too far away."""
        now = self._clock.now()
        if not reason.strip():
            raise Malformed("a freeze needs a reason", remediation="state why nothing should change")
        if not now < until <= now + MAX_FREEZE:
            raise Malformed(
                f"a freeze ends in the future, at most {MAX_FREEZE.days} days from now",
                code="freeze-end",
                remediation="give another end",
            )
        kept = await self._all()
        gone = [one for one in kept if one.until <= now]
        if len(kept) - len(gone) >= MAX_FREEZES:
            raise Malformed(
                f"{MAX_FREEZES} freezes are in force", code="too-many-freezes", remediation="lift one"
            )
        freeze = ChangeFreeze(
            id=make_id("frz", self._entropy.bytes(ID_BYTES)), reason=reason, by=by, since=now, until=until
        )
        changes = (
            *(PutValue(self._tenant, FREEZE + one.id, None) for one in gone),
            PutValue(self._tenant, FREEZE + freeze.id, msgspec.to_builtins(freeze)),
        )
        frozen = ChangeFrozen(freeze=freeze.id, until=until.isoformat(), reason=reason, by=by)
        await self._store.commit(Unit(changes, (self._event(frozen, by),)))
        return freeze

    async def lift(self, freeze_id: str, *, reason: str, by: str) -> ChangeFreeze:
        """End a freeze before its time; raises `NotFound`, and `Malformed` without a reason."""
        if not reason.strip():
            raise Malformed("lifting a freeze needs a reason", remediation="state why changes are safe")
        found = [one for one in await self.in_force() if one.id == freeze_id]
        if not found:
            raise NotFound(
                f"freeze `{freeze_id[:80]}` is not in force", remediation="see `remit freeze list`"
            )
        lifted = FreezeLifted(freeze=freeze_id, reason=reason, by=by)
        gone = PutValue(self._tenant, FREEZE + freeze_id, None)
        await self._store.commit(Unit((gone,), (self._event(lifted, by),)))
        return found[0]

    async def _all(self) -> list[ChangeFreeze]:
        return [msgspec.convert(one, ChangeFreeze) for one in await self._store.values(self._tenant, FREEZE)]

    def _event(self, body: ChangeFrozen | FreezeLifted, by: str) -> Event:
        return Event.of(body, at=self._clock.now(), tenant=self._tenant, subject=by)
