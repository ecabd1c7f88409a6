# SPDX-License-Identifier: Apache-2.0
"""The desk under a bundle that counts: tasks that can be handed down, and what their calls were told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from remit.core.decisions.mediation import End
from remit.core.tasks.history import HistoryCounter
from remit.core.tasks.task import Task
from remit.ports.store.units import Unit
from remit.services.evidence.log import readable
from remit.services.tasks.opening_rules import DelegatedOpening
from tests.samples.tokens import HELD, task_token
from tests.worlds.calls import ASK, TO_ALL, CallWorld, a_bundle, a_type
from tests.worlds.services import PERMIT
from tests.worlds.values import TENANT

Json = Any


class CountingDesk:
    """The desk of a world, whose bundle has counters and rules that read them."""

    def __init__(self, world: CallWorld, counters: Sequence[HistoryCounter], rules: str = "") -> None:
        self.world = world
        bundle = a_bundle(PERMIT + ASK + rules, digest="sha256:counting")
        types = {**bundle.task_types, "shared": a_type("shared", delegates=TO_ALL)}
        self.bundle = msgspec.structs.replace(bundle, history=tuple(counters), task_types=types)

    async def count(self) -> None:
        """Put the bundle in force."""
        await self.world.services.policies.apply(self.bundle, by="remit")

    async def open(self) -> tuple[Task, str]:
        """Open a task that may be handed down; gives it with a token."""
        return await self.world.open("shared")

    async def hand_down(self, task: Task) -> tuple[Task, str]:
        """Hand a task down to the other agent; gives the child task with a token."""
        services = self.world.services
        heir = await services.identity.directory.agent("other")
        child = await services.tasks.tasks.open_child(task.id, heir, DelegatedOpening())
        return child, await task_token(services, child.id, confirmation=HELD)

    async def told(self, end: End) -> dict[str, Json]:
        """Return the history that the evidence has for a decision."""
        found = [one for one in await self.events("decision.made") if one["call"] == end.decision.id]
        history: dict[str, Json] = found[-1]["facts"]["facts"]["history"]
        return history

    async def events(self, *kinds: str) -> list[dict[str, Json]]:
        """Return the events so far, once what is under way has been written."""
        services = self.world.services
        await services.mediation.mediator.count_refusals()
        await services.mediation.mediator.retry_late()
        await services.store.commit(Unit(tenant=TENANT))
        found: list[dict[str, Json]] = []
        while page := await services.evidence.log.pages(
            start=found[-1]["index"] + 1 if found else 0, limit=1000, kinds=kinds
        ):
            found += [readable(one) for one in page]
        return found


async def counting(world: CallWorld, counters: Sequence[HistoryCounter], rules: str = "") -> CountingDesk:
    """Return a counting desk in a world that has settled in."""
    desk = CountingDesk(world, counters, rules)
    await desk.count()
    return desk
