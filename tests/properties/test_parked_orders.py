# SPDX-License-Identifier: Apache-2.0
"""Whatever comes in whatever order, a parked call is made at most once, and only by an answer that counts.

Each example is one agent with two parked calls, in complete services with an upstream. What the agent, its
approvers, the clock, a new process, other policies and the end of the task do is drawn.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit.core.errors import RemitError
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Role
from remit.core.policy.bundle import PolicySource
from remit.gateway.mcp.call_failures import NARROWED
from remit.ports.store.changes import PutPerson
from remit.ports.store.units import Unit
from remit.services.identity.directory import NewPerson
from remit.services.mediation.deferred_calls import KEPT_S
from tests.samples.tokens import task_token
from tests.servers.deferring_mcp import KNOWS
from tests.worlds.parking import PAY, ParkingWorld, parking_world

Json = Any
CALLS = (PAY, PAY | {"n": 7000})
APPROVERS = ("omar", "ada")
OPS = (
    *("look", "look", "look", "looks", "look for less", "call again", "cancel", "cancel and look"),
    *("yes", "yes", "yes", "no", "less", "take back", "answers"),
    *("without role", "with role", "forgotten", "restart", "five minutes", "an hour", "another rule"),
    *("end", "an hour back"),
)
steps = st.tuples(st.sampled_from(OPS), st.integers(0, len(CALLS) - 1), st.sampled_from(APPROVERS))


class Orders:
    """One run; `made` counts the payments that looks at a handle, or calls again, have led to."""

    def __init__(self, world: ParkingWorld) -> None:
        self.world = world
        self.handles: list[str] = []
        self.made: Counter[str] = Counter()
        self.over = False
        self.rules = 0

    async def begin(self) -> None:
        """Let the agent park its calls."""
        await self.world.services.identity.directory.add_person(
            NewPerson(name="ada", roles=(Role.APPROVER,)), by="remit"
        )
        self.handles = [await self.world.park(one) for one in CALLS]

    async def take(self, op: str, which: int, name: str) -> None:
        """Do one step."""
        before, handle = len(self.world.paid), self.handles[which]
        with contextlib.suppress(RemitError):
            await self._taken(op, which, name)
        self.made[handle] += len(self.world.paid) - before
        if self.over:
            assert len(self.world.paid) == before, "a call was made after the end"

    async def _taken(self, op: str, which: int, name: str) -> None:
        world, handle = self.world, self.handles[which]
        match op:
            case "look":
                await self._look(handle)
            case "looks":
                await asyncio.gather(*(self._look(handle) for _ in range(3)))
            case "look for less":
                await self._look(handle, meta=KNOWS | {NARROWED: "make"})
            case "cancel and look":
                await asyncio.gather(self._look(handle), world.ask("cancel", handle))
            case "cancel":
                await world.ask("cancel", handle)
            case "call again":
                told = (await world.pay(CALLS[which])).json.get("result", {})
                self.handles[which] = told.get("taskId", handle)
            case "yes":
                await self._answer(handle, name)
            case "no":
                await self._answer(handle, name, approve=False)
            case "less":
                await self._answer(handle, name, narrow={"n": 500 + which})
            case "answers":
                await asyncio.gather(
                    *(self._answer(handle, one) for one in APPROVERS),
                    self._look(handle),
                    return_exceptions=True,
                )
            case "take back":
                person = await world.services.identity.directory.person(name)
                await world.services.decisions.approvals.withdraw(handle, person)
            case "without role" | "with role":
                person = await world.services.identity.directory.person(name)
                roles = frozenset({Role.APPROVER if op == "with role" else Role.AUDITOR})
                changed = msgspec.structs.replace(person, roles=roles)
                await world.services.store.commit(Unit((PutPerson(changed),)))
            case _:
                await self._passes(op)

    async def _passes(self, op: str) -> None:
        """Let something happen that neither the agent nor an approver does."""
        world = self.world
        clock = world.gateway.clock
        match op:
            case "forgotten":
                clock.advance(KEPT_S)
                await world.services.mediation.parked.sweep()
            case "five minutes":
                clock.advance(300)
            case "an hour":
                clock.advance(3600)
            case "an hour back":
                clock.advance(-3600)
            case "restart":
                if not self.over:
                    await world.restart()
            case "another rule":
                self.rules += 1
                bundle = world.services.policies.applied.bundle
                (first, *_) = bundle.policies
                text = first.text.replace(
                    '@otherwise("approval")', f'@note("{self.rules}") @otherwise("approval")'
                )
                changed = msgspec.structs.replace(
                    bundle, policies=(PolicySource("base.cedar", text),), digest=f"sha256:{self.rules}"
                )
                await world.services.policies.apply(changed, by="root")
            case "end":
                self.over = True
                await world.services.endings.revocations.end_task(
                    world.gateway.task, reason="done", by="root"
                )

    async def _look(self, handle: str, meta: Json = KNOWS) -> None:
        token = await task_token(self.world.services, self.world.gateway.task)
        await self.world.ask("get", handle, meta=meta, token=token)

    async def _answer(self, handle: str, name: str, **how: Json) -> None:
        person = await self.world.services.identity.directory.person(name)
        await self.world.services.decisions.approvals.answer(handle, person, **({"approve": True} | how))

    async def check(self) -> None:
        """Compare what reached the upstream with the evidence."""
        facts = self.world.gateway.facts
        assert all(count <= 1 for count in self.made.values()), "one handle made two calls"
        permits = [one for one in await facts(EventKind.DECISION_MADE) if one["outcome"] == "permit"]
        used = Counter(one["approval"] for one in permits)
        assert all(used), "a call without an approval"
        assert max(used.values(), default=0) <= 1, "an approval permitted two calls"
        assert len(self.world.paid) <= len(permits)
        given = {
            one["instead"] if one["state"] == "narrowed" else one["approval"]
            for one in await facts(EventKind.APPROVAL_DECIDED)
            if one["state"] in ("approved", "narrowed")
        }
        assert used.keys() <= given, "a call without an answer"
        for one in await facts(EventKind.APPROVAL_REQUESTED):
            kept = await self.world.services.decisions.approvals.get(one["approval"])
            assert not (self.over and kept.state in ("pending", "approved")), "an end left a question open"


async def run(drawn: list[tuple[str, int, str]]) -> None:
    """Take drawn steps."""
    with tempfile.TemporaryDirectory() as folder:
        async with parking_world(Path(folder)) as world:
            orders = Orders(world)
            await orders.begin()
            for step in drawn:
                await orders.take(*step)
            await orders.check()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=8, max_size=24))
def test_a_parked_call_is_made_at_most_once(drawn: list[tuple[str, int, str]]) -> None:
    """In every order of looks, answers, cancellations, restarts, losses of roles, and the end."""
    asyncio.run(run(drawn))
