# SPDX-License-Identifier: Apache-2.0
"""Answers for doors that only answer: another enforcement point asks, and carries out what is permitted.

It holds no rule of its own: steps 1 to 5 are those of every call (`core.decisions.mediation.answer`,
`drive`).

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
from remit.core.decisions.mediation import (
    Answered,
    Bind,
    Bound,
    Decide,
    Delivery,
    Describe,
    Identify,
    Permitted,
    Record,
    Recorded,
    Refused,
    answer,
)
from remit.core.errors import Fenced, Malformed, NotFound
from remit.core.evidence.event import CallOutcome
from remit.core.identity.principals import Principal
from remit.core.label import Classes, Label
from remit.core.tools.tool import Tool
from remit.ports.store.changes import TakeBudget
from remit.ports.store.units import Unit
from remit.services.authzen.enforcement_points import AskedSubject, AskedSubjects, EnforcementPoint
from remit.services.decisions.authorizer import carries
from remit.services.decisions.call_events import outcome_events
from remit.services.mediation.call import RequestedCall
from remit.services.mediation.dependencies import Dependencies
from remit.services.mediation.driver import CallDriver
from remit.services.tasks.calls_in_flight import LiveCall
from remit.services.tasks.live_tasks import LiveTask

#: Permits whose result is waited for; one more, and the oldest is taken for `unknown`.
MAX_AWAITED = 20_000
#: What an enforcement point may report of a call.
REPORTABLE = frozenset(
    {CallOutcome.OK, CallOutcome.TOOL_ERROR, CallOutcome.PROTOCOL_ERROR, CallOutcome.NOT_SENT}
)


class EvaluationQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What an enforcement point wants to know: may this subject make this call?

    `caller` is the enforcement point itself.
    """

    point: EnforcementPoint
    caller: Principal
    subject: AskedSubject
    asked: RequestedCall


@dataclass(frozen=True, slots=True)
class Awaited:
    """A permit that was given, and whose result is not known yet."""

    request: AccessRequest
    decision: Decision
    live: LiveTask
    call: LiveCall
    until_s: float


class _Nowhere:
    """A `Sink` that is never used: nothing is released by a door that only answers."""

    async def release(self, chunk: Delivery) -> None:
        """Refuse; it is a defect to come here."""
        raise NotImplementedError


class EvaluationDriver(CallDriver):
    """One question on its way through steps 1 to 5."""

    def __init__(
        self, parts: Dependencies, question: EvaluationQuestion, subjects: AskedSubjects, permit_ttl_s: int
    ) -> None:
        """Begin before step 1."""
        super().__init__(parts, question.asked, _Nowhere())
        self._question = question
        self._subjects = subjects
        self._permit_ttl_s = permit_ttl_s
        self._given = False

    async def ask(self, within_s: float) -> tuple[Refused | Permitted, Awaited | None]:
        """Go to the end; a permit comes with what its result is waited for with, for `within_s` seconds."""
        end = await self.run(answer())
        assert not isinstance(end, Answered)
        if isinstance(end, Refused) or self._live is None or self._call is None:
            return end, None
        until_s = self._m.clock.boot_s() + self._permit_ttl_s + within_s
        return end, Awaited(end.request, end.decision, self._live, self._call, until_s)

    async def _identify(self, need: Identify) -> Principal:
        question = self._question
        self._claims = await self._subjects.claims(
            question.point, question.caller, question.subject, self._now
        )
        return self._claims.principal

    async def _bind(self, need: Bind) -> Bound:
        bound = await super()._bind(need)
        assert self._live is not None
        if not self._question.point.covers(self._live.agent):
            raise NotFound(
                f"`{self._question.point.name}` may not ask about this subject", code="no-task", step=2
            )
        return bound

    async def _describe(self, need: Describe) -> AccessRequest:
        assert self._claims is not None
        assert self._live is not None
        request = await describe(self._m, self._question, self._claims.principal, self._live, self._now)
        self._request = await self._m.stored_labels.seen(request)
        return self._request

    async def _decide(self, need: Decide) -> Decision:
        decision = await super()._decide(need)
        assert self._ruling is not None
        assert self._claims is not None
        if not decision.proceeds:
            return decision
        task, approval = need.request.task, self._ruling.approval
        bounds = [self._now + timedelta(seconds=self._permit_ttl_s), task.deadline]
        bounds += [approval.expires] if approval is not None else []
        expires = datetime.fromtimestamp(self._claims.expires, tz=self._now.tzinfo)
        decision = msgspec.structs.replace(decision, valid_until=min(*bounds, expires))
        self._ruling = msgspec.structs.replace(self._ruling, decision=decision)
        return decision

    def _carried(self, tool: Tool, classes: Classes) -> Label:
        """Whoever carries the call out shows no result: the worst that it can bring is taken on."""
        return carries(tool, classes)

    async def _record(self, need: Record) -> Recorded:
        recorded = await super()._record(need)
        if need.decision.proceeds:
            assert self._call is not None
            try:
                # An end that came while this was committed has not seen it as sent: then it is not given.
                self._look(self._call)
            except Fenced:
                events = outcome_events(
                    need.request, need.decision, CallOutcome.NOT_SENT, self._m.clock.now(), 0, "fence"
                )
                self._m.late.write(Unit(events=events))
                raise
            self._call.sent = True
            self._given = True
        return recorded

    def _let_go(self) -> None:
        super()._let_go()
        if self._given and self._live is not None and self._call is not None:
            self._live.in_hand.add(self._call)


async def describe(
    parts: Dependencies, question: EvaluationQuestion, principal: Principal, live: LiveTask, now: datetime
) -> AccessRequest:
    """Step 3. Give the access request; raises `NotFound` for what the enforcement point does not guard."""
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
    return msgspec.structs.replace(
        request,
        enforcement_point=point.name,
        asked_with=question.caller.confirmation,
        unconstrained=request.unconstrained or not point.constrained,
    )


class AuthzenEvaluations:
    """Answers questions, and takes reports of how the calls ended. For one event loop."""

    def __init__(
        self,
        parts: Dependencies,
        subjects: AskedSubjects,
        *,
        points: Mapping[str, EnforcementPoint],
        permit_ttl_s: int,
        report_within_s: int,
    ) -> None:
        """Take the parts; `points` are the enforcement points by the name of their agent."""
        self._m = parts
        self.points = points
        self._permit_ttl_s = permit_ttl_s
        self._report_within_s = report_within_s
        self._awaited: OrderedDict[str, Awaited] = OrderedDict()
        self.subjects = subjects

    def point(self, agent: str) -> EnforcementPoint | None:
        """Return the enforcement point that an agent is, if it is one."""
        return self.points.get(agent)

    async def answer(self, question: EvaluationQuestion) -> Refused | Permitted:
        """Decide and record; a permit is durable when this returns.

        Raises what steps 1 to 5 raise: `Unauthenticated`, `NotFound`, `Fenced`, `BudgetExhausted`,
        `StoreUnavailable` and so on. Each of them is a refusal.
        """
        drive = EvaluationDriver(self._m, question, self.subjects, self._permit_ttl_s)
        end, awaited = await drive.ask(self._report_within_s)
        if awaited is not None:
            self._awaited[end.decision.id] = awaited
            if len(self._awaited) > MAX_AWAITED:
                self._give_up(next(iter(self._awaited)))
        return end

    async def would(self, question: EvaluationQuestion) -> Decision:
        """Decide and record nothing: what `answer` would say right now. Raises as `answer` does."""
        now = self._m.clock.now()
        claims = await self.subjects.claims(question.point, question.caller, question.subject, now)
        # Whoever only looks keeps no task from ending when nobody works on it.
        live = await self._m.live.bind(claims, now, used=False)
        if not question.point.covers(live.agent):
            raise NotFound(f"`{question.point.name}` may not ask about this subject", code="no-task", step=2)
        request = await describe(self._m, question, claims.principal, live, now)
        request = await self._m.stored_labels.seen(request)
        ruling = await self._m.authorizer.decide(request, live)
        live.settle(ruling.takes, taken=False)
        return ruling.decision

    async def report(
        self, point: EnforcementPoint, decision: str, outcome: CallOutcome, result_bytes: int
    ) -> AccessRequest:
        """Take the result of a permitted call into the evidence and the budgets, once.

        Raises `NotFound` where this enforcement point has no such permit that waits for its result.
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
        # INVARIANT: taken out before anything is waited for, so that no result is counted twice.
        del self._awaited[decision]
        live = awaited.live
        now = self._m.clock.now()
        events = outcome_events(awaited.request, awaited.decision, outcome, now, result_bytes, "")
        try:
            await self._m.store.commit(Unit((TakeBudget(live.unbounded, result_bytes=result_bytes),), events))
        except BaseException:
            self._awaited[decision] = awaited
            raise
        live.count_result(result_bytes)
        live.in_hand.discard(awaited.call)
        return awaited.request

    async def sweep(self) -> int:
        """Take for `unknown` what was not reported in time; gives how many. For a background loop."""
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
        self._m.late.write(Unit(events=events))
