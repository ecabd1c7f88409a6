# SPDX-License-Identifier: Apache-2.0
"""Bound tasks: the only cache of live state.

A task that has made a call is held here with its label, its lease, its use of budgets and the calls that it
has in hand, so that a call of an already bound task reads nothing from the database. The fence is never
cached: the store's live mapping of epochs is looked at on each call.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

from remit.core.child import account_of
from remit.core.errors import BudgetExhausted, Fenced, NotFound, Unauthenticated
from remit.core.grant import Grant
from remit.core.identity import Agent, Memberships
from remit.core.label import Classes, Label
from remit.core.provenance import KEY_BYTES, Index
from remit.core.revocation import call_scopes, risen, scopes_of
from remit.core.task import Budgets, Task, TaskState
from remit.core.token import AccessClaims
from remit.ports.runtime import Clock, Entropy
from remit.ports.store import Store, TakeBudget, Usage
from remit.services.accounts import Drawn, drawn_from, own_accounts, total
from remit.services.met import begun, hear

Json = Any

#: How many bound tasks are held; the least recently used ones with nothing in hand are forgotten first.
CAPACITY = 10_000


class LiveCall:
    """One call in hand: from its decision to its close."""

    __slots__ = ("cut", "decision", "effect", "on_cut", "scopes", "sent", "tool")

    def __init__(self, decision: str, tool: str, effect: str, scopes: tuple[str, ...]) -> None:
        """Start with nothing sent; `on_cut` is set once there is an exchange that can be cut."""
        self.decision = decision
        self.tool = tool
        self.effect = effect
        self.scopes = scopes
        self.sent = False
        self.cut = False
        self.on_cut: Callable[[], None] | None = None

    def stop(self) -> None:
        """Cut the call: nothing more of it is sent or released."""
        self.cut = True
        if self.on_cut is not None:
            self.on_cut()


class LiveTask:
    """A bound task. Owned by one event loop; label, budgets and what it has met have no other home while it
    lives. Label and budgets are in the store as well, `index` is not: a task that is bound anew after it has
    made calls knows nothing but its intent, and takes nothing for trusted any more.
    """

    def __init__(
        self,
        task: Task,
        agent: Agent,
        *,
        used: dict[str, Usage],
        ancestors: dict[str, Budgets],
        now_boot_s: float,
        key: bytes,
        drawn: Mapping[Grant, tuple[Drawn, ...]] | None = None,
        bound: Callable[[str], LiveTask | None] = lambda _: None,
    ) -> None:
        """Bind a task that is active now; `used` tells what its accounts have spent so far, `key` is random.

        `drawn` gives what of its ancestors a call under a grant is counted against too; `bound` finds those
        that are bound.
        """
        self.task = task
        self.agent = agent
        self.label: Label = task.label
        #: The label that the store is known to hold: what it does not hold yet goes into every commit.
        self.kept_label: Label = task.label
        self.bounds = {**ancestors, task.id: task.budgets}
        self.bounds_bytes = any(one.result_bytes is not None for one in self.bounds.values())
        self.unbounded = dict.fromkeys(self.bounds, Budgets())
        self.own = own_accounts(task)
        self.scopes = scopes_of(task)
        self.authority_hash = task.authority_hash
        self.in_hand: set[LiveCall] = set()
        self.open_calls = 0
        self.lease_until_s = now_boot_s + task.lease_s if task.lease_s else None
        self.idle_until_s = now_boot_s + task.idle_s if task.idle_s else None
        self.grants: dict[str, tuple[Grant, ...]] = {}
        for grant in task.grants:
            self.grants[grant.tool] = (*self.grants.get(grant.tool, ()), grant)
        self._scopes_by_tool: dict[str, tuple[str, ...]] = {}
        self._used = used
        self._reserved: dict[str, Usage] = {}
        self._drawn = drawn or {}
        self._bound = bound
        parent = bound(task.parent)
        #: How many calls it has been permitted; the number of the last one.
        self.calls = used.get(task.id, Usage()).calls
        self.index: Index = begun(task, key, calls=self.calls, above=parent.index if parent else None)
        #: Whoever holds it takes a result in: one at a time, however long it is.
        self.learning = asyncio.Lock()
        self.turns_heard = len(task.intent.turns)

    def call_scopes(self, tool: str) -> tuple[str, ...]:
        """Give the scopes of a call to `tool`."""
        found = self._scopes_by_tool.get(tool)
        if found is None:
            found = self._scopes_by_tool[tool] = call_scopes(self.task, tool)
        return found

    def renew(self, now_boot_s: float) -> None:
        """Start the lease anew."""
        if self.task.lease_s:
            self.lease_until_s = now_boot_s + self.task.lease_s

    def lapsed(self, now_boot_s: float) -> bool:
        """Whether nobody has renewed the lease in time, or used the task for too long."""
        return (self.lease_until_s is not None and now_boot_s >= self.lease_until_s) or (
            self.idle_until_s is not None and not self.in_hand and now_boot_s >= self.idle_until_s
        )

    def touch(self, now_boot_s: float) -> None:
        """Start the idle time anew: the task is in use."""
        if self.task.idle_s:
            self.idle_until_s = now_boot_s + self.task.idle_s

    def rise(self, label: Label, classes: Classes) -> bool:
        """Join `label` into the task's label; say whether it rose."""
        joined = self.label.join(label, classes)
        if joined == self.label:
            return False
        self.label = joined
        return True

    def rose_beside(self, decided: Label, own: Label, classes: Classes) -> bool:
        """Say whether another call has raised the label since one was decided under `decided`."""
        return self.label is not decided and self.label != decided.join(own, classes)

    def takes(
        self, grant: Grant | None, arguments: dict[str, Json], *, effectful: bool
    ) -> tuple[TakeBudget, ...]:
        """Give what a call spends: from the task and its ancestors, and from the ceilings of its grant."""
        out = [TakeBudget(self.bounds, calls=1, effectful_calls=int(effectful))]
        if grant is None:
            return tuple(out)
        if grant.calls is not None or grant.amounts:
            own = Drawn(account_of(self.task, grant), grant.calls, grant.amounts)
            for one in (own, *(self._drawn.get(grant, ()) if self._drawn else ())):
                out += one.takes(arguments)
        return tuple(out)

    def reserve(self, takes: tuple[TakeBudget, ...]) -> None:
        """Hold budget for a call that is being decided; raises `BudgetExhausted` and holds nothing then.

        The commit of step 5 counts it for good, against all ancestors too.
        """
        for take in takes:
            for account, budgets in take.bounds.items():
                owner = self._owner(account)
                if owner is not None:
                    owner.check_account(account, budgets, take)
        for take in takes:
            self._move(self._reserved_of, take, 1)

    def check_account(self, account: str, budgets: Budgets, take: TakeBudget) -> None:
        """Raise `BudgetExhausted` where one of the task's own accounts cannot pay."""
        used = total(self._used.get(account, Usage()), self._reserved.get(account, Usage()))
        what = "the grant's ceiling" if "#" in account else "the task's budget"
        for bound, spent, wanted, word in (
            (budgets.calls, used.calls, take.calls, "calls" if "#" not in account else ""),
            (budgets.effectful_calls, used.effectful_calls, take.effectful_calls, "effectful calls"),
            (budgets.result_bytes, used.result_bytes, 1, "result bytes"),
        ):
            if bound is not None and wanted and spent + wanted > bound:
                raise BudgetExhausted(
                    " ".join(f"{what} of {word} is used up".split()), way_out="open a new task", step=4
                )

    def settle(self, takes: tuple[TakeBudget, ...], *, taken: bool) -> None:
        """Turn a reservation into use, or give it back."""
        for take in takes:
            self._move(self._reserved_of, take, -1)
            if taken:
                self._move(self._used_of, take, 1)

    def count_result(self, size_bytes: int) -> None:
        """Count what a result brought in, against all ancestors too."""
        self._move(self._used_of, TakeBudget(self.unbounded, result_bytes=size_bytes), 1)

    def _owner(self, account: str) -> LiveTask | None:
        """Give the bound task that an account belongs to; that of an ancestor may not be bound."""
        return self if account in self.own else self._bound(account.partition("#")[0])

    @staticmethod
    def _used_of(owner: LiveTask) -> dict[str, Usage]:
        return owner._used

    @staticmethod
    def _reserved_of(owner: LiveTask) -> dict[str, Usage]:
        return owner._reserved

    def _move(self, into: Callable[[LiveTask], dict[str, Usage]], take: TakeBudget, sign: int) -> None:
        change = Usage(sign * take.calls, sign * take.effectful_calls, sign * take.result_bytes)
        for account in take.bounds:
            owner = self._owner(account)
            if owner is not None:
                book = into(owner)
                book[account] = total(book.get(account, Usage()), change)


class Live:
    """All bound tasks of one process, which is one enforcement point."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        entropy: Entropy,
        tenant: str,
        members: Memberships,
        authority: Callable[[Task], str] = attrgetter("authority_hash"),
    ) -> None:
        """Begin with nothing bound; `authority` gives what tokens say of a task's authority."""
        self._authority = authority
        self._members = members
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._tenant = tenant
        self._tasks: OrderedDict[str, LiveTask] = OrderedDict()

    async def bind(self, claims: AccessClaims, now: datetime, *, used: bool = True) -> LiveTask:
        """Step 2. Give the live task of a token, or refuse. `used` is whether that counts against idleness.

        Raises `Unauthenticated` where the token names no task or another agent's, `Fenced` where the task has
        ended, run out, been fenced or lost its lease.
        """
        if not claims.task:
            raise Unauthenticated(
                "the token is bound to no task",
                code="no-task",
                way_out="open a task and use its token",
                step=2,
            )
        live = self._tasks.get(claims.task)
        if live is None:
            live = await self.load(claims.task)
        if live.task.agent != claims.client_id or live.task.on_behalf_of != claims.principal.on_behalf_of:
            raise Unauthenticated("the token is of another task", code="token-task", step=2)
        if claims.authority_hash and claims.authority_hash != live.authority_hash:
            raise Unauthenticated("the token speaks of another authority", code="token-authority", step=2)
        if claims.issued < live.agent.tokens_from:
            raise Unauthenticated("the token was withdrawn", code="token-withdrawn", step=2)
        chain = tuple(actor.name for actor in claims.chain) or (claims.client_id,)
        if live.task.lineage and chain != live.task.actors:
            raise Unauthenticated("the token tells of another chain", code="token-task", step=2)
        self.check(live, now)
        if not used:
            return live
        live.touch(self._clock.boot_s())
        for one in live.task.lineage:
            # Who works for a task through a child of it is not idle.
            if (parent := self._tasks.get(one.task)) is not None:
                parent.touch(self._clock.boot_s())
        return live

    def check(self, live: LiveTask, now: datetime) -> None:
        """Refuse a task that permits nothing any more; from memory alone."""
        task = live.task
        if task.state is not TaskState.ACTIVE:
            raise Fenced(
                f"task `{task.id}` is {task.state.value}",
                code="task-ended",
                way_out="open a new task",
                step=2,
            )
        if now >= task.deadline:
            raise Fenced(
                f"task `{task.id}` has run out", code="task-expired", way_out="open a new task", step=2
            )
        if live.lapsed(self._clock.boot_s()):
            raise Fenced(
                f"the lease of task `{task.id}` has run out",
                code="task-lease",
                way_out="open a new task",
                step=2,
            )
        if not live.agent.usable:
            # Its tasks are ended too; but that is a commit of its own, before which remit may have stopped.
            raise Fenced(
                f"agent `{task.agent}` is {live.agent.state.value}",
                code="agent-state",
                way_out="ask its owner",
                step=2,
            )
        fenced = risen(task.epochs, self._store.epochs(self._tenant), live.scopes)
        if fenced:
            raise Fenced(f"`{fenced}` has been ended", code="fenced", way_out="open a new task", step=2)
        for one in task.lineage:
            # The end of a parent whose lease ran out is a commit of its own, before which a child may call.
            parent = self._tasks.get(one.task)
            if parent is not None and parent.lapsed(self._clock.boot_s()):
                raise Fenced(
                    f"the lease of task `{one.task}` has run out, and `{task.id}` was handed down from it",
                    code="task-lease",
                    way_out="open a new task",
                    step=2,
                )

    def fenced(self, live: LiveTask, scopes: Iterable[str]) -> str:
        """Give the first of `scopes` that has been ended since the task was opened; from memory, without
        waiting.
        """
        return risen(live.task.epochs, self._store.epochs(self._tenant), scopes)

    async def load(self, task_id: str) -> LiveTask:
        """Bind a task from the store."""
        task = await self._store.task(self._tenant, task_id)
        agent = await self._store.agent(self._tenant, task.agent) if task else None
        if task is None or agent is None:
            raise NotFound(f"there is no task `{task_id[:80]}`", code="no-task", step=2)
        ancestors: dict[str, Budgets] = {}
        above: list[Task] = []
        for name in task.ancestors:
            ancestor = await self._store.task(self._tenant, name)
            ancestors[name] = ancestor.budgets if ancestor else Budgets(calls=0)
            above += [ancestor] if ancestor else []
        used = {name: await self._store.usage(self._tenant, name) for name in own_accounts(task)}
        # Another call may have bound it while this one read: the first binding stays, for it owns the label.
        live = self._tasks.get(task_id)
        if live is None:
            agent = self._members.of_agent(agent)
            live = LiveTask(
                task,
                agent,
                used=used,
                ancestors=ancestors,
                now_boot_s=self._clock.boot_s(),
                key=self._entropy.bytes(KEY_BYTES),
                drawn=drawn_from(task, above) if above else None,
                bound=self._tasks.get,
            )
            live.authority_hash = self._authority(task)
            self._tasks[task_id] = live
            self._shrink()
        return live

    def get(self, task_id: str) -> LiveTask | None:
        """Give a bound task, if it is bound."""
        return self._tasks.get(task_id)

    def all(self) -> list[LiveTask]:
        """Give every bound task."""
        return list(self._tasks.values())

    def replace(self, task: Task) -> None:
        """Show the live task its new state."""
        live = self._tasks.get(task.id)
        if live is not None:
            live.task = task
            live.turns_heard = hear(live.index, task, live.turns_heard)

    def refresh_agent(self, agent: Agent) -> None:
        """Show live tasks the new state of their agent."""
        for live in self._tasks.values():
            if live.agent.name == agent.name:
                live.agent = self._members.of_agent(agent)

    def drop(self, task_id: str) -> None:
        """Forget a task that has ended."""
        self._tasks.pop(task_id, None)

    def _shrink(self) -> None:
        while len(self._tasks) > CAPACITY:
            for name, live in self._tasks.items():
                # A task with calls in hand, or whose lease lives here alone, is not forgotten.
                if not live.in_hand and live.lease_until_s is None and live.idle_until_s is None:
                    del self._tasks[name]
                    break
            else:
                return
