# SPDX-License-Identifier: Apache-2.0
"""Shadow a candidate: it decides beside the policies in force, after each answer, and changes nothing.

INVARIANT: a call never waits for a candidate. A call that was decided is put into a bounded queue once its
answer has been given. A thread decides it in short turns, within a share of one core. A call for which the
queue has no room is counted as not shadowed.

Each process shadows what it decides itself. What it counts is in the store, so that it survives a restart and
the report covers all replicas.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision, PolicyAnswer
from remit.core.decisions.decision_facts import NOT_COUNTED, recounted, with_uncounted
from remit.core.decisions.policy_replay import PolicyReplay, ReplayedCall
from remit.core.decisions.policy_shadow import (
    USUAL_SHARE,
    Shadow,
    ShadowTally,
    compared,
    from_stored,
    joined,
    stored,
)
from remit.core.errors import Busy, ConfigInvalid, Conflict, NotFound, RemitError
from remit.core.evidence.event import Event, timestamp
from remit.core.evidence.events.system import ShadowDiffered, ShadowStarted, ShadowStopped
from remit.core.ids import ID_BYTES, make_id
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.tasks.history import HistoryCounter
from remit.core.tools.tool import Tool
from remit.ports.policy import LoadedPolicy
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import PutValue
from remit.ports.store.principals import PrincipalStore
from remit.ports.store.units import Unit
from remit.services.policy.bundle import AppliedBundle, Policies

log = logging.getLogger("remit.shadow")

CURRENT_KEY: Final = "shadow.current"
TALLY_KEY: Final = "shadow.tally:"
#: Calls that wait to be shadowed.
MAX_WAITING: Final = 500
#: Calls that the thread decides before other work gets its turn.
TURN: Final = 16
#: Seconds before a turn, in which answers are sent and calls gather.
PAUSE_S: Final = 0.02
#: Differences that one process records one by one; further ones are only counted.
MAX_RECORDED: Final = 1000

Waiting = tuple[AccessRequest, Decision]


class ShadowReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found so far: the candidate, what all replicas have counted, and what each of them says."""

    shadow: Shadow
    in_force: bool
    replay: PolicyReplay
    tallies: tuple[ShadowTally, ...]


class PolicyShadow:
    """Shadows one candidate at a time; for one event loop."""

    def __init__(
        self, *, policies: Policies, store: PrincipalStore, clock: Clock, entropy: Entropy, tenant: str
    ) -> None:
        """Begin without a candidate."""
        self._policies = policies
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._tenant = tenant
        #: This process among those that shadow the candidate.
        self._replica = ""
        self._shadow: Shadow | None = None
        self._loaded: LoadedPolicy | None = None
        self._beside: AppliedBundle | None = None
        self._tools: list[Tool] = []
        self._tally = ShadowTally()
        self._changed = False
        self._recorded = 0
        self._events: list[Event] = []
        self._waiting: deque[Waiting] = deque()
        self._work: asyncio.Task[None] | None = None

    # What calls do.

    def offer(self, request: AccessRequest, decision: Decision) -> None:
        """Have a call shadowed that has been answered and recorded; never waits and never raises."""
        if self._shadow is None:
            return
        replay = self._tally.replay
        replay.read += 1
        self._changed = True
        self._tally.between(request.now)
        if self._loaded is None:
            replay.skipped["not-ready"] += 1
        elif len(self._waiting) >= MAX_WAITING:
            replay.skipped["queue-full"] += 1
        else:
            self._waiting.append((request, decision))
            if self._work is None:
                self._work = asyncio.get_running_loop().create_task(self._until_empty())

    async def settled(self) -> None:
        """Wait until no call waits to be shadowed."""
        while (work := self._work) is not None:
            await asyncio.wait({work})

    async def close(self) -> None:
        """Stop deciding, and keep what was counted."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        try:
            await self._keep()
        except RemitError as fault:
            log.warning("what a shadow counted last could not be kept: %s", fault)

    # What people do.

    async def start(
        self,
        policies: Sequence[PolicySource],
        history: Sequence[HistoryCounter] = (),
        *,
        by: str,
        reason: str = "",
        share: int = USUAL_SHARE,
    ) -> Shadow:
        """Shadow a candidate: these policies and counters, with the tools and task types in force.

        Raises `ConfigInvalid` for policies that are not valid, and `Conflict` while another one is shadowed.
        """
        if (running := await self._current()) is not None:
            raise Conflict(
                f"another candidate is shadowed already, by {running.by}",
                remediation="see `remit policy shadow`, and stop it with `remit policy shadow stop`",
            )
        now = self._clock.now()
        shadow = Shadow(
            id=make_id("shd", self._entropy.bytes(ID_BYTES)),
            policies=tuple(policies),
            history=tuple(history),
            by=by,
            reason=reason,
            since=timestamp(now),
            share=share,
        )
        applied = self._policies.applied
        tools = self._policies.tools_of(applied.bundle)
        loaded = await self._policies.tried(_beside(applied.bundle, shadow), by=by)
        body = ShadowStarted(
            shadow=shadow.id,
            candidate=shadow.digest,
            bundle=applied.digest,
            rules=len(loaded.rules()),
            share=share,
            reason=reason,
            by=by,
        )
        changes = (
            PutValue(self._tenant, CURRENT_KEY, msgspec.to_builtins(shadow)),
            *self._without(await self._tallies()),
        )
        event = Event.of(body, at=now, tenant=self._tenant, subject=by)
        await self._store.commit(Unit(changes=changes, events=(event,)))
        self._begin(shadow)
        self._loaded, self._beside, self._tools = loaded, applied, tools
        return shadow

    async def report(self) -> ShadowReport | None:
        """Return what was found so far; None if no candidate is shadowed."""
        shadow = await self._current()
        if shadow is None:
            return None
        tallies = [one for one in await self._tallies(shadow.id) if one.replica != self._replica]
        if self._shadow is not None and self._shadow.id == shadow.id:
            tallies.append(self._tally)
        return ShadowReport(
            shadow=shadow,
            in_force=self._policies.applied.bundle.policies == shadow.policies,
            replay=joined(one.replay for one in tallies),
            tallies=tuple(tallies),
        )

    async def stop(self, *, by: str, reason: str = "") -> ShadowReport:
        """Stop the candidate on all replicas; return what was found. Raises `NotFound` if there is none."""
        if self._shadow is not None:
            await self.settled()
        found = await self.report()
        if found is None:
            raise NotFound("no candidate is shadowed", remediation="start one: `remit policy shadow FOLDER`")
        flips = found.replay.flips.values()
        body = ShadowStopped(
            shadow=found.shadow.id,
            candidate=found.shadow.digest,
            calls=found.replay.read,
            shadowed=found.replay.replayed,
            differing=sum(one.calls for one in flips),
            more_permissive=sum(one.calls for one in flips if one.more_permissive),
            reason=reason,
            by=by,
        )
        events = (*self._events, Event.of(body, at=self._clock.now(), tenant=self._tenant, subject=by))
        changes = (PutValue(self._tenant, CURRENT_KEY, None), *self._without(found.tallies))
        await self._store.commit(Unit(changes=changes, events=events))
        self._drop()
        return found

    # What the process does.

    async def turn(self) -> None:
        """Follow what people started or stopped on any replica, and keep what was counted."""
        shadow = await self._current()
        if shadow is None:
            self._drop()
            return
        if self._shadow is None or self._shadow.id != shadow.id:
            self._begin(shadow)
        if self._policies.applied is not self._beside:
            await self._load(shadow, self._policies.applied)
        await self._keep()

    async def _load(self, shadow: Shadow, applied: AppliedBundle) -> None:
        """Load the candidate for the tools and task types in force; it may not fit them any more."""
        tools = self._policies.tools_of(applied.bundle)
        if (
            self._loaded is None
            or self._beside is None
            or self._beside.bundle is not applied.bundle
            or tools != self._tools
        ):
            try:
                loaded = await self._policies.tried(_beside(applied.bundle, shadow))
            except Busy:
                return  # until the next turn
            except ConfigInvalid as fault:
                self._loaded = None
                self._tally.fault, self._tally.remediation = str(fault), fault.remediation
                self._changed = True
            else:
                if self._shadow is None or self._shadow.id != shadow.id:
                    return  # stopped meanwhile
                self._loaded = loaded
                self._tally.fault = self._tally.remediation = ""
        self._beside, self._tools = applied, tools

    def _begin(self, shadow: Shadow) -> None:
        self._drop()
        self._shadow = shadow
        self._replica = make_id("run", self._entropy.bytes(ID_BYTES))
        self._tally = ShadowTally(shadow=shadow.id, replica=self._replica)
        self._changed = True
        self._recorded = 0

    def _drop(self) -> None:
        self._shadow = self._loaded = self._beside = None
        self._waiting.clear()
        self._events = []

    @property
    def _new(self) -> frozenset[str]:
        """The counters that count something else than those in force, whose values are not known."""
        if self._shadow is None or self._beside is None:
            return frozenset()
        return recounted(self._beside.bundle.history, self._shadow.history)

    async def _until_empty(self) -> None:
        try:
            await asyncio.sleep(PAUSE_S)
            while self._waiting and self._shadow is not None and self._loaded is not None:
                shadow, turns = self._shadow, min(TURN, len(self._waiting))
                calls = [self._waiting.popleft() for _ in range(turns)]
                requests = [request for request, _ in calls]
                answers, used_s = await asyncio.to_thread(_decided, self._loaded, requests, self._new)
                if self._shadow is shadow:
                    self._tally.computing_s += used_s
                    for (request, decision), answer in zip(calls, answers, strict=True):
                        self._count(shadow, request, decision, answer)
                await asyncio.sleep(max(PAUSE_S, used_s * (100 / shadow.share - 1)))
        finally:
            self._work = None

    def _count(
        self, shadow: Shadow, request: AccessRequest, decision: Decision, answer: PolicyAnswer | str
    ) -> None:
        replay = self._tally.replay
        self._changed = True
        if decision.bundle not in self._tally.against:
            self._tally.against.append(decision.bundle)
        if isinstance(answer, str):
            replay.skipped[answer] += 1
            return
        call = compared(request, decision, answer)
        if call is None:
            replay.refused_elsewhere += 1
            replay.replayed += 1
        elif call.before is call.after:
            replay.stays(call.before)
        else:
            replay.count(call)
            self._record(shadow, request, decision, call)

    def _record(self, shadow: Shadow, request: AccessRequest, decision: Decision, call: ReplayedCall) -> None:
        if self._recorded >= MAX_RECORDED:
            self._tally.unrecorded += 1
            return
        self._recorded += 1
        body = ShadowDiffered(
            shadow=shadow.id,
            candidate=shadow.digest,
            bundle=decision.bundle,
            tool=call.tool,
            before=call.before.value,
            after=call.after.value,
            rules=list(call.rules_after),
        )
        self._events.append(
            Event.of(
                body,
                at=self._clock.now(),
                tenant=self._tenant,
                task=call.task,
                agent=call.agent,
                subject=request.task.subject,
                call=call.decision,
            )
        )

    async def _keep(self) -> None:
        """Write what was counted since the last turn."""
        if self._shadow is None or not self._changed:
            return
        key, events, self._events = self._key(self._shadow.id, self._replica), self._events, []
        self._changed = False
        try:
            change = PutValue(self._tenant, key, stored(self._tally))
            await self._store.commit(Unit(changes=(change,), events=tuple(events)))
        except RemitError:
            self._events, self._changed = [*events, *self._events], True
            raise

    def _key(self, shadow: str, replica: str) -> str:
        return f"{TALLY_KEY}{shadow}:{replica}"

    def _without(self, tallies: Sequence[ShadowTally]) -> list[PutValue]:
        return [PutValue(self._tenant, self._key(one.shadow, one.replica), None) for one in tallies]

    async def _current(self) -> Shadow | None:
        found = await self._store.value(self._tenant, CURRENT_KEY)
        return msgspec.convert(found, Shadow) if found else None

    async def _tallies(self, shadow: str = "") -> list[ShadowTally]:
        found = await self._store.values(self._tenant, f"{TALLY_KEY}{shadow}")
        return [from_stored(one) for one in found]


def _beside(bundle: Bundle, shadow: Shadow) -> Bundle:
    return msgspec.structs.replace(
        bundle, policies=shadow.policies, history=shadow.history, digest=shadow.digest
    )


def _decided(
    policy: LoadedPolicy, requests: Sequence[AccessRequest], new: frozenset[str]
) -> tuple[list[PolicyAnswer | str], float]:
    """Decide some requests, in a thread; return the answers, and the seconds of processor time.

    Instead of an answer stands the code of what prevented it. `new` are counters of the candidate alone.
    """
    began = time.thread_time()
    answers: list[PolicyAnswer | str] = []
    for request in requests:
        try:
            asked = with_uncounted(request, policy.history, new)
            answer = policy.evaluate(asked)
        except Exception:  # noqa: BLE001 - a candidate that fails is a finding, and nothing else may notice
            answers.append("failed")
            continue
        uncounted = answer.errors and NOT_COUNTED in asked.history.values()
        answers.append("history-unknown" if uncounted else answer)
    return answers, time.thread_time() - began
