# SPDX-License-Identifier: Apache-2.0
"""Answers for endpoints that only answer: another enforcement point asks, and carries out what is permitted.

It holds no rule: steps 1 to 5 are those of every call (`core.decisions.mediation.answer`).

1. identify: the subject's token, or what an enforcement point that vouches says of it (`points`)
2. bind: the task, which must be one that this enforcement point may ask about
3. describe: the tool, which must be one that it guards
4. decide: as for every call; a permit also says until when it counts
5. record: as for every call. INVARIANT: the permit is durable before it is given, the task's label has risen
   to the worst that the tool's results are declared to carry, and from then on the call counts as one that is
   in hand and sent: an end that comes now lists it as indeterminate

The enforcement point then reports how the call ended. What it does not report in time is `unknown`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision
from remit.core.decisions.mediation import Delivery, Permitted, Refused, answer
from remit.core.errors import Fenced, Malformed, NotFound, RemitError
from remit.core.evidence.event import CallOutcome
from remit.core.identity.principals import Principal
from remit.core.label import Classes, Label
from remit.core.oauth.access_token import AccessClaims
from remit.core.tools.tool import Tool
from remit.ports.store.changes import TakeBudget
from remit.ports.store.units import Unit
from remit.services.authzen.enforcement_points import AskedSubject, AskedSubjects, EnforcementPoint
from remit.services.decisions.authorizer import carries
from remit.services.decisions.call_events import outcome_events
from remit.services.mediation.call import RequestedCall
from remit.services.mediation.call_log import CallTimer
from remit.services.mediation.dependencies import Dependencies
from remit.services.mediation.steps.bind import BoundTask, bind_task
from remit.services.mediation.steps.call_state import CallState
from remit.services.mediation.steps.decide import RuledCall, decide_call
from remit.services.mediation.steps.describe import DescribedCall
from remit.services.mediation.steps.record import RecordedCall, record_permit, record_refusal
from remit.services.tasks.calls_in_flight import LiveCall
from remit.services.tasks.live_tasks import LiveTask

#: Permits that may await a result at once; beyond this, the oldest is recorded as `unknown`.
MAX_AWAITED = 20_000
#: The outcomes that an enforcement point may report of a call.
REPORTABLE = frozenset(
    {CallOutcome.OK, CallOutcome.TOOL_ERROR, CallOutcome.PROTOCOL_ERROR, CallOutcome.NOT_SENT}
)


class EvaluationQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """The question of an enforcement point: may this subject make this call?

    `caller` is the enforcement point itself, `carries_out` the kinds of obligations that it can meet.
    `claims` are those of the subject's token where an endpoint of remit itself has authenticated its sender.
    """

    point: EnforcementPoint
    caller: Principal
    subject: AskedSubject
    asked: RequestedCall
    carries_out: frozenset[str] = frozenset()
    claims: AccessClaims | None = None


@dataclass(frozen=True, slots=True)
class Awaited:
    """A permit that was returned and whose result is not known yet."""

    request: AccessRequest
    decision: Decision
    live: LiveTask
    call: LiveCall
    until_s: float


class _Nowhere:
    """A `Sink` that is never used: an evaluation releases nothing."""

    async def release(self, chunk: Delivery) -> None:
        """Raise `NotImplementedError`; a call of this method is a defect."""
        raise NotImplementedError


class EvaluationSteps(CallState):
    """One question through steps 1 to 5."""

    refuse = record_refusal

    def __init__(
        self, deps: Dependencies, question: EvaluationQuestion, subjects: AskedSubjects, permit_ttl_s: int
    ) -> None:
        """Begin before step 1."""
        super().__init__(deps, question.asked, _Nowhere())
        self._question = question
        self._subjects = subjects
        self._permit_ttl_s = permit_ttl_s
        self._given: RecordedCall | None = None

    async def ask(self, within_s: float) -> tuple[Refused | Permitted, Awaited | None]:
        """Run to the end. A permit comes with its `Awaited` record.

        Its result may be reported until `within_s` seconds after the permit's lifetime.
        """
        end = await answer(self)
        if (given := self._given) is None:
            return end, None
        until_s = self.deps.clock.boot_s() + self._permit_ttl_s + within_s
        return end, Awaited(given.request, given.decision, given.live, given.in_flight, until_s)

    async def identify(self) -> AccessClaims:
        """Step 1. Return the subject's claims: by its token, or at the enforcement point's word."""
        question = self._question
        if question.claims is not None:
            return question.claims
        return await self._subjects.claims(question.point, question.caller, question.subject, self.now)

    async def bind(self, claims: AccessClaims) -> BoundTask:
        """Step 2. Raises `NotFound` for a task that the enforcement point may not ask about."""
        bound = await bind_task(self, claims)
        check_covered(self._question.point, bound.live)
        return bound

    async def describe(self, bound: BoundTask) -> DescribedCall:
        """Step 3. Raises `NotFound` for what the enforcement point does not guard."""
        request = await describe(self.deps, self._question, bound.claims.principal, bound.live, self.now)
        return DescribedCall(bound, await self.deps.stored_labels.seen(request))

    async def decide(self, described: DescribedCall) -> RuledCall:
        """Step 4. A permit says until when it counts."""
        ruled = await decide_call(self, described)
        if not ruled.decision.proceeds:
            return ruled
        task, approval = ruled.request.task, ruled.approval
        bounds = [self.now + timedelta(seconds=self._permit_ttl_s), task.deadline]
        bounds += [approval.expires] if approval is not None else []
        expires = datetime.fromtimestamp(described.bound.claims.expires, tz=self.now.tzinfo)
        decision = msgspec.structs.replace(ruled.decision, valid_until=min(*bounds, expires))
        return msgspec.structs.replace(ruled, decision=decision)

    async def record(self, ruled: RuledCall) -> RecordedCall:
        """Step 5. The call counts as sent from here on."""
        recorded = await record_permit(self, ruled)
        try:
            # An end that came during this commit did not see the call as sent, so the permit is withheld.
            self.look(recorded.live, recorded.in_flight)
        except Fenced:
            events = outcome_events(
                recorded.request, recorded.decision, CallOutcome.NOT_SENT, self.deps.clock.now(), 0, "fence"
            )
            counted = self.deps.authorizer.histories.ended(
                recorded.request, recorded.live, CallOutcome.NOT_SENT
            )
            self.deps.late.write(Unit(counted, events))
            raise
        recorded.in_flight.sent = True
        recorded.live.index.unseen = True
        self._given = recorded
        return recorded

    def carried(self, tool: Tool, classes: Classes) -> Label:
        """Return the worst that the call can bring, since its result is not seen."""
        return carries(tool, classes, withheld=True)

    def let_go(self) -> None:
        """Give back what the steps took. A permit that is out stays in hand."""
        super().let_go()
        if (given := self._given) is not None:
            given.live.in_hand.add(given.in_flight)


def check_covered(point: EnforcementPoint, live: LiveTask) -> None:
    """Raise `NotFound` for a task that an enforcement point may not ask about."""
    if not point.covers(live.agent):
        raise NotFound(f"`{point.name}` may not ask about this subject", code="no-task", step=2)


async def describe(
    parts: Dependencies, question: EvaluationQuestion, principal: Principal, live: LiveTask, now: datetime
) -> AccessRequest:
    """Step 3. Return the access request.

    Raises `NotFound` for a resource that the enforcement point does not guard.
    """
    asked, point = question.asked, question.point
    if asked.upstream not in point.resources:
        raise NotFound(
            f"`{point.name}` does not guard `{asked.upstream[:80]}`",
            code="no-resource",
            remediation="add it under `enforcement_points` in remit.yaml",
            step=3,
        )
    steps = parts.authorizer.describing(principal, live, asked.upstream, asked.name, asked.arguments, now)
    request = await parts.observer.turns.take(steps)
    request = await parts.surroundings.seen(request, live)
    return msgspec.structs.replace(
        request,
        enforcement_point=point.name,
        asked_with=question.caller.confirmation,
        stated_reason=asked.reason,
        carries_out=question.carries_out,
        unconstrained=request.unconstrained or not point.constrained,
    )


class AuthzenEvaluations:
    """Answers questions, and accepts reports on how the calls ended. For one event loop."""

    def __init__(
        self,
        parts: Dependencies,
        subjects: AskedSubjects,
        *,
        points: Mapping[str, EnforcementPoint],
        permit_ttl_s: int,
        report_within_s: int,
    ) -> None:
        """Take the dependencies; `points` are the enforcement points by the name of their agent."""
        self._m = parts
        self.points = points
        self._permit_ttl_s = permit_ttl_s
        self._report_within_s = report_within_s
        self._awaited: OrderedDict[str, Awaited] = OrderedDict()
        self.subjects = subjects

    def point(self, agent: str) -> EnforcementPoint | None:
        """Return the enforcement point of an agent, or `None` if the agent is not one."""
        return self.points.get(agent)

    async def answer(self, question: EvaluationQuestion) -> Refused | Permitted:
        """Decide and record; a permit is durable when this returns.

        Raises what steps 1 to 5 raise: `Unauthenticated`, `NotFound`, `Fenced`, `BudgetExhausted`,
        `StoreUnavailable` and so on. Each of them is a refusal.
        """
        steps = EvaluationSteps(self._m, question, self.subjects, self._permit_ttl_s)
        timer = CallTimer(self._m.clock, f"{question.asked.upstream}/{question.asked.name}")
        try:
            end, awaited = await steps.ask(self._report_within_s if question.point.reports else 0)
        except RemitError as fault:
            timer.failed(fault)
            raise
        timer.ended(end)
        if awaited is not None:
            self._awaited[end.decision.id] = awaited
            if len(self._awaited) > MAX_AWAITED:
                self._give_up(next(iter(self._awaited)))
        return end

    async def would(self, question: EvaluationQuestion) -> Decision:
        """Return the decision that `answer` would make now, and record nothing. Raises as `answer` does."""
        now = self._m.clock.now()
        claims = await self.subjects.claims(question.point, question.caller, question.subject, now)
        # A mere query does not count as use: it must not keep an idle task from ending.
        live = await self._m.live.bind(claims, now, used=False)
        self._m.live.check_running(live)
        check_covered(question.point, live)
        request = await describe(self._m, question, claims.principal, live, now)
        request = await self._m.stored_labels.seen(request)
        ruling = await self._m.authorizer.decide(request, live)
        live.settle(ruling.takes, taken=False)
        return ruling.decision

    async def report(
        self, point: EnforcementPoint, decision: str, outcome: CallOutcome, result_bytes: int
    ) -> AccessRequest:
        """Record the result of a permitted call in the evidence and the budgets, once.

        Raises `NotFound` if this enforcement point has no such permit that awaits its result.
        """
        if outcome not in REPORTABLE:
            raise Malformed(f"`{outcome.value}` cannot be reported", remediation="see the reference")
        awaited = self._awaited.get(decision)
        if awaited is None or awaited.request.enforcement_point != point.name:
            raise NotFound(
                f"no result of `{decision[:80]}` is expected",
                code="no-permit",
                remediation="report each permitted call once, soon after it ended",
            )
        # INVARIANT: removed before the first await, so that no result is counted twice.
        del self._awaited[decision]
        live = awaited.live
        now = self._m.clock.now()
        events = outcome_events(awaited.request, awaited.decision, outcome, now, result_bytes, "")
        try:
            done = live.worked(awaited.request.tool.id, outcome)
            take = TakeBudget(live.unbounded, result_bytes=result_bytes)
            counted = self._m.authorizer.histories.ended(awaited.request, live, outcome)
            await self._m.store.commit(Unit((take, *counted, *done), events))
        except BaseException:
            self._awaited[decision] = awaited
            raise
        live.count_result(result_bytes)
        live.in_hand.discard(awaited.call)
        return awaited.request

    async def sweep(self) -> int:
        """Record results that were not reported in time as `unknown`; return their number. For a background
        loop.
        """
        now_s = self._m.clock.boot_s()
        late = [name for name, one in self._awaited.items() if now_s >= one.until_s]
        for name in late:
            self._give_up(name)
        return len(late)

    def _give_up(self, decision: str) -> None:
        awaited = self._awaited.pop(decision)
        awaited.live.in_hand.discard(awaited.call)
        events = outcome_events(
            awaited.request,
            awaited.decision,
            CallOutcome.UNKNOWN,
            self._m.clock.now(),
            0,
            "not-reported",
        )
        counted = self._m.authorizer.histories.ended(awaited.request, awaited.live, CallOutcome.UNKNOWN)
        done = awaited.live.worked(awaited.request.tool.id, CallOutcome.UNKNOWN)
        self._m.late.write(Unit((*counted, *done), events))
