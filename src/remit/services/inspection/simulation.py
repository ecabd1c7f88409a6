# SPDX-License-Identifier: Apache-2.0
"""Simulate a bundle: decide recorded calls again under it, beside the bundle in force.

Both bundles are loaded apart from the one that serves, and evaluated in a thread in short turns, so that
calls continue. Nothing is recorded and nothing changes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Outcome, PolicyAnswer, weigh
from remit.core.decisions.decision_facts import (
    NOT_COUNTED,
    CannotReplay,
    rebuilt,
    recounted,
    with_uncounted,
)
from remit.core.decisions.policy_replay import (
    PolicyReplay,
    ReplayedCall,
    refused_elsewhere,
    reproduced,
    waived,
)
from remit.core.errors import Busy
from remit.core.evidence.event import EventKind
from remit.core.evidence.merkle import leaf_hash
from remit.core.identity.principals import Agent, AgentState, Memberships
from remit.core.label import Label
from remit.core.policy.bundle import Bundle
from remit.core.tasks.task import Task
from remit.core.tools.tool import Tool, undescribed
from remit.ports.policy import LoadedPolicy
from remit.ports.store.combined import TasksAndPrincipals
from remit.ports.store.log import Entry
from remit.services.evidence.log import Evidence
from remit.services.policy.bundle import Policies

#: Decisions that one simulation reads at most, and by default.
MOST: Final = 100_000
USUAL: Final = 10_000
PAGE: Final = 1_000
#: Decisions that the thread decides before others get their turn.
TURN: Final = 100


class Side(msgspec.Struct, frozen=True):
    """One of the two bundles: its policies, and its tools as they are registered now."""

    bundle: Bundle
    policy: LoadedPolicy
    tools: Mapping[str, Tool]

    def tool(self, tool_id: str) -> Tool:
        """Return a tool; what is not known of it is assumed to be the worst."""
        upstream, _, name = tool_id.partition("/")
        return self.tools.get(tool_id) or undescribed(upstream, name, self.bundle.classes)


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """The result, the two bundles, and how long the deciding took, without the reading."""

    before: str
    after: str
    replay: PolicyReplay
    deciding_s: float


class Simulations:
    """Simulates bundles, one at a time."""

    def __init__(
        self,
        *,
        store: TasksAndPrincipals,
        log: Evidence,
        policies: Policies,
        members: Memberships,
        tenant: str,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._log = log
        self._policies = policies
        self._members = members
        self._tenant = tenant
        self._running = asyncio.Lock()

    async def run(
        self,
        candidate: Bundle,
        *,
        limit: int = USUAL,
        before: Bundle | None = None,
        every: bool = False,
        by: str = "",
    ) -> Simulated:
        """Decide the last `limit` recorded decisions under `candidate`, and under the bundle `before`.

        `before` is by default the bundle in force. With `every`, each call is decided under both, which shows
        whether the record reproduces it; else only where a rule that differs can match, and the answer is
        not the recorded one. Raises `ConfigInvalid` for a
        bundle that is not valid, and `Busy` while another simulation runs, or too many checks of `by` wait.
        """
        if self._running.locked():
            raise Busy("another simulation is running", remediation="wait until it has ended")
        async with self._running:
            old = await self._side(before or self._policies.applied.bundle, by)
            new = await self._side(candidate, by)
            turns = _Turns(old, new, every=every)
            at, left = await self._log.size(), min(limit, MOST)
            while left > 0 and at > 0:
                page = await self._log.pages(
                    before=at, limit=min(left, PAGE), kinds=(EventKind.DECISION_MADE,)
                )
                if not page:
                    break
                at = page[0].index
                left -= len(page)
                await self._prepare(turns, page)
                # Like calls follow each other: most of what decides them is then the same.
                ordered = sorted(page, key=lambda one: (one.task, one.index))
                for start in range(0, len(ordered), TURN):
                    await asyncio.to_thread(turns.decide, ordered[start : start + TURN])
            return Simulated(
                before=old.bundle.digest,
                after=new.bundle.digest,
                replay=turns.replay,
                deciding_s=turns.deciding_s,
            )

    async def _side(self, bundle: Bundle, by: str) -> Side:
        loaded = await self._policies.tried(bundle, by=by)
        return Side(bundle, loaded, {tool.id: tool for tool in self._policies.tools_of(bundle)})

    async def _prepare(self, turns: _Turns, page: Sequence[Entry]) -> None:
        """Read the tasks and agents of some decisions."""
        for entry in page:
            if entry.task and entry.task not in turns.tasks:
                task = await self._store.task(self._tenant, entry.task)
                turns.tasks[entry.task] = task
                if task is not None and task.agent not in turns.agents:
                    agent = await self._store.agent(self._tenant, task.agent)
                    turns.agents[task.agent] = None if agent is None else self._members.of_agent(agent)


class _Turns:
    """The state of one simulation, used by one thread at a time."""

    def __init__(self, old: Side, new: Side, *, every: bool) -> None:
        self._every = every
        #: Whether the same rules of both bundles apply, for each tool in each of its forms, and each agent.
        self._alike: dict[tuple[str, str, str, str], bool] = {}
        self._old = old
        self._new = new
        self.tasks: dict[str, Task | None] = {}
        self.agents: dict[str, Agent | None] = {}
        #: Whether both bundles describe a tool alike.
        self._same: dict[str, bool] = {}
        self._labels: dict[Label, Label] = {}
        self._states: dict[tuple[str, AgentState], Agent] = {}
        #: Counters that count something else than when the calls were decided.
        self._recounted = recounted(old.bundle.history, new.bundle.history)
        self.replay = PolicyReplay()
        self.deciding_s = 0.0

    def decide(self, entries: Sequence[Entry]) -> None:
        """Decide some recorded calls again."""
        began = time.thread_time()
        for entry in entries:
            self.replay.read += 1
            try:
                self._decide(entry)
            except CannotReplay as why:
                self.replay.skipped[str(why)] += 1
        self.deciding_s += time.thread_time() - began

    def _decide(self, entry: Entry) -> None:
        if leaf_hash(entry.leaf) != entry.leaf_hash:
            raise CannotReplay("changed-in-store")
        # From here on only the leaf counts, and the values that it commits to.
        record: dict[str, Any] = msgspec.json.decode(entry.leaf)
        if (record["kind"], record.get("task", "")) != (entry.kind, entry.task) or entry.openings == {}:
            raise CannotReplay("changed-in-store")
        facts = record["facts"]
        task = self.tasks.get(entry.task)
        if task is None:
            raise CannotReplay("task-gone")
        agent = self.agents.get(task.agent)
        if agent is None:
            raise CannotReplay("agent-changed")
        old, new = self._old, self._new
        values = entry.opened or {}
        request = self._rebuilt(record, values, old, task, agent)
        if (request.tool.effect.value, request.tool.audience.name, request.tier.word) != (
            facts["effect"],
            facts["audience"],
            facts["tier"],
        ):
            raise CannotReplay("tool-changed")
        other = self._asked_of(new, record, values, request)
        if not self._every and other is request and self._unaffected(request):
            self.replay.unaffected += 1
            return
        if refused_elsewhere(facts):
            self.replay.refused_elsewhere += 1
            self.replay.replayed += 1
            return
        after = _answer(new.policy, other)
        if self._stays(facts, after):
            self.replay.stays(Outcome(facts["outcome"]))
            return
        answer = _answer(old.policy, request)
        if facts["bundle"] == old.bundle.digest and not reproduced(facts, answer):
            raise CannotReplay("not-reproduced")
        free = waived(facts, answer)
        (was, rules_before), (will, rules_after) = weigh(answer, free), weigh(after, free)
        if was is will:
            self.replay.stays(was)
            return
        self.replay.count(
            ReplayedCall(
                decision=record.get("call", ""),
                at=record["at"],
                tool=facts["tool"],
                agent=task.agent,
                person=task.on_behalf_of,
                task=task.id,
                task_type=task.type,
                before=was,
                after=will,
                rules_before=tuple(rule.id for rule in rules_before),
                rules_after=tuple(rule.id for rule in rules_after),
                why=tuple(one.text for one in after.reasons),
            )
        )

    def _stays(self, facts: dict[str, Any], after: PolicyAnswer) -> bool:
        """Return whether the answer is what was recorded, under the bundle that is compared with.

        Then the other bundle need not be asked. A difference is always asked about, so that only what the
        record reproduces counts as a change.
        """
        approved = facts.get("approval") and facts["outcome"] == Outcome.PERMIT.value
        if self._every or approved or facts["bundle"] != self._old.bundle.digest:
            return False
        return weigh(after, frozenset())[0] is Outcome(facts["outcome"])

    def _unaffected(self, request: AccessRequest) -> bool:
        """Return whether the same rules of both bundles can match a call."""
        tool, agent = request.tool, request.agent
        key = (tool.id, tool.effect.value, agent.name, agent.state.value)
        alike = self._alike.get(key)
        if alike is None:
            alike = self._old.policy.applicable(tool, agent) == self._new.policy.applicable(tool, agent)
            self._alike[key] = alike
        return alike

    def _asked_of(
        self, new: Side, record: dict[str, Any], values: dict[str, Any], request: AccessRequest
    ) -> AccessRequest:
        """Return the request as the other bundle describes its tool."""
        name = record["facts"]["tool"]
        same = self._same.get(name)
        if same is None:
            same = new.tool(name) == self._old.tool(name) and new.bundle.classes == self._old.bundle.classes
            self._same[name] = same
        if same and self._as_counted(new, request) is request:
            return request
        return self._rebuilt(record, values, new, request.task, request.agent)

    def _rebuilt(
        self, record: dict[str, Any], values: dict[str, Any], side: Side, task: Task, agent: Agent
    ) -> AccessRequest:
        tool, classes = side.tool(record["facts"]["tool"]), side.bundle.classes
        request = rebuilt(record, values, task=task, agent=agent, tool=tool, classes=classes)
        request = self._as_counted(side, request)
        # Equal labels and agents are one object, by which an engine recognises what it was asked before.
        return msgspec.structs.replace(
            request,
            label=self._labels.setdefault(request.label, request.label),
            agent=self._states.setdefault((agent.name, request.agent.state), request.agent),
        )

    def _as_counted(self, side: Side, request: AccessRequest) -> AccessRequest:
        """Return a request without the values of counters that a side's rules read and that are not known."""
        other = self._recounted if side is self._new else frozenset()
        return with_uncounted(request, side.policy.history, other)


def _answer(policy: LoadedPolicy, request: AccessRequest) -> PolicyAnswer:
    """Return the answer of some policies; raise `CannotReplay` where they read what was not kept."""
    answer = policy.evaluate(request)
    if answer.errors and any(
        isinstance(value, dict) and "sha256" in value for value in request.arguments.values()
    ):
        raise CannotReplay("values-hidden")
    if answer.errors and NOT_COUNTED in request.history.values():
        raise CannotReplay("history-unknown")
    return answer
