# SPDX-License-Identifier: Apache-2.0
"""What is ended after a backup took the place of the store, before anything may start on it.

What was ended, revoked or used since the backup would live again, and no record says what that was. So:

1. what happened to the log is recorded, before anything else, and so is again whose keys were destroyed since
   the backup: the next restore is to know it
2. everything ends: each task with its leases, permits and approvals. With a loss, everything is also locked,
   until two administrators accept the loss (`services.endings.locks`)
3. with a loss, each agent is suspended until it is reviewed, and each delegation is revoked: which ones were
   retired or revoked since is not known
4. the store may start

Sessions, codes and refresh tokens are not in a backup. A process that stops before step 4 leaves a store on
which nothing starts; the restore is then repeated as a whole.
"""

from __future__ import annotations

import contextlib
from typing import Final

import msgspec

from remit.core.endings.closure import Cause
from remit.core.evidence.event import Event
from remit.core.evidence.events.state_rows import StateChanged
from remit.core.evidence.events.system import LogRestored, SubjectForgotten
from remit.core.evidence.restore import LOSS, UNSETTLED, Loss, RestoredLog
from remit.core.identity.principals import AgentState
from remit.core.scope import ScopeKind
from remit.ports.runtime import Clock
from remit.ports.store.changes import PutValue
from remit.ports.store.tasks import TaskStore
from remit.ports.store.units import Unit
from remit.services.endings.ending import Endings
from remit.services.identity.directory import Directory
from remit.services.people.delegations import Delegations

BY: Final = "remit restore"
_REASON: Final = "a backup was restored"
_EVERY: Final = 1_000_000


class Restoration:
    """Settles a restored store."""

    def __init__(
        self,
        *,
        store: TaskStore,
        clock: Clock,
        revocations: Endings,
        directory: Directory,
        delegations: Delegations,
        tenant: str,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._revocations = revocations
        self._directory = directory
        self._delegations = delegations
        self._tenant = tenant

    async def settle(self) -> RestoredLog:
        """Take steps 1 to 4, and return what is known of the loss."""
        done = msgspec.convert(await self._store.value(self._tenant, UNSETTLED), RestoredLog)
        lost = done.loss is not Loss.NONE
        now = self._clock.now()
        told = LogRestored(
            backup=done.backup,
            made=done.made,
            size=done.size,
            root=done.root,
            loss=done.loss,
            lost_size=done.lost_size,
            lost_root=done.lost_root,
            lost_checkpoint=done.lost_note,
        )
        kept = (PutValue(self._tenant, LOSS, msgspec.to_builtins(done)),) if lost else ()
        # Step 1.
        forgotten = (SubjectForgotten(key=key, reason=_REASON, by=BY) for key in done.forgotten)
        said = (Event.of(one, at=now, tenant=self._tenant, subject=BY) for one in (told, *forgotten))
        await self._store.commit(Unit(kept, tuple(said)))
        # Step 2.
        await self._revocations.end_scope(
            ScopeKind.EVERYTHING, "*", reason=_REASON, by=BY, lock=lost, cause=Cause.RESTORED
        )
        if lost:
            await self._suspend()
        # Step 4.
        await self._store.commit(Unit((PutValue(self._tenant, UNSETTLED, None),), tenant=self._tenant))
        return done

    async def _suspend(self) -> None:
        """Take step 3."""
        for agent in await self._directory.agents():
            if agent.usable:
                await self._directory.move(agent.name, AgentState.SUSPENDED, by=BY, reason=_REASON)
        now = self._clock.now()
        for one in await self._store.delegations(self._tenant, limit=_EVERY):
            if one.live_at(now):
                # One whose row others changed before the backup is refused as it stands.
                with contextlib.suppress(StateChanged):
                    await self._delegations.revoke(one.id, by=BY, reason=_REASON)
