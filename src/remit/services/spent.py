# SPDX-License-Identifier: Apache-2.0
"""Tasks whose budgets were used up before this process began end at its start, not at their next call."""

from __future__ import annotations

from remit.core.revocation import Cause, Closure
from remit.core.task import TaskState
from remit.ports.store import Store
from remit.services.accounts import own_accounts, used_up
from remit.services.live import Live
from remit.services.revocations import Revocations


async def end_spent(store: Store, live: Live, revocations: Revocations, tenant: str) -> list[Closure]:
    """End them; gives the closures. For the start of the one process on a store: then no call is in hand."""
    out = []
    for task in await store.tasks(tenant, state=TaskState.ACTIVE, limit=1_000_000):
        if not task.ends_when_spent or live.get(task.id) is not None:
            continue
        used = {name: await store.usage(tenant, name) for name in own_accounts(task)}
        if why := used_up(task, used):
            out.append(await revocations.expire_one(task.id, why, Cause.BUDGET))
    return out
