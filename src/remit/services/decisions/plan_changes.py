# SPDX-License-Identifier: Apache-2.0
"""Extension of the plans of open tasks: an agent needs more tools than it declared at the start.

An extension is decided like a call, as a call of the tool `remit/plan`, which no upstream offers:

1. the task is open, grants what is requested, and every ancestor task has it in its plan;
2. policy decides whether the plan may grow, with the task's label and with what the extension adds in its
   context. By the default rules, a tool that changes or discloses something must be requested in the person's
   words, or a person is asked about exactly this extension; once the task has read untrusted data, it is
   refused without such words, and a person is asked about all else, except reads of one's own without
   arguments that select anything;
3. the decision, the use of an approval and the longer plan are committed together.

The first plan of a task that was opened without one is an extension too: it narrows the task, but afterwards
its entries count as foreseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Decision, Outcome, Reason
from remit.core.errors import Forbidden
from remit.core.evidence.event import Event
from remit.core.evidence.events.tasks import PlanExtended
from remit.core.flow.facts import Flow, FlowFacts
from remit.core.flow.plan_extension import growth, handed_over
from remit.core.identity.principals import Actor, Principal, person_of
from remit.core.ids import ID_BYTES, make_id
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.oauth.access_token import AccessClaims
from remit.core.oauth.proof_facts import best_assurance
from remit.core.tasks.plan import PLAN_GRANT, PLAN_TOOL, Plan, PlanWish, extended, read_plan, within
from remit.core.tasks.task import Task, TaskState
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import Change, CheckFence, PutTask
from remit.ports.store.units import Unit, UnitStore
from remit.services.decisions.approval_lookups import use_of
from remit.services.decisions.approvals import Approvals, AskedQuestion
from remit.services.decisions.authorizer import Authorizer, Ruling
from remit.services.decisions.call_events import decision_event
from remit.services.decisions.circumstances import Surroundings
from remit.services.decisions.obligations import due_notifications
from remit.services.decisions.refusals import Refusals
from remit.services.policy.shadow import PolicyShadow
from remit.services.tasks.live_tasks import LiveTask, LiveTasks
from remit.services.tasks.tasks import Tasks

#: An extension that names what the task does not grant is refused before policy is asked.
_REFUSED: Final = FlowFacts()


class Extension(msgspec.Struct, frozen=True):
    """The result of a request for a longer plan: the current task, and the decision.

    `decision` is `None` if the plan already contained everything.
    """

    task: Task
    decision: Decision | None = None

    @property
    def holds(self) -> bool:
        """Whether the plan contains what was requested."""
        return self.decision is None or self.decision.outcome is Outcome.PERMIT


class Plans:
    """Extends the plans of open tasks. For one event loop."""

    def __init__(
        self,
        *,
        store: UnitStore,
        clock: Clock,
        entropy: Entropy,
        live: LiveTasks,
        tasks: Tasks,
        authorizer: Authorizer,
        approvals: Approvals,
        refusals: Refusals,
        shadow: PolicyShadow,
        surroundings: Surroundings,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._live = live
        self._tasks = tasks
        self._authorizer = authorizer
        self._approvals = approvals
        self._refusals = refusals
        self._shadow = shadow
        self._surroundings = surroundings

    async def extend(
        self, task_id: str, wished: Sequence[PlanWish], *, by: str, claims: AccessClaims | None = None
    ) -> Extension:
        """Request a longer plan on behalf of `by`; `claims` are those of the agent's token, if the agent
        asks.

        Raises `NotFound`, `Malformed`, `Fenced` if the task has ended, and `Busy` if too many of its
        questions are open. A refusal is not an error: the returned value states it.
        """
        live = await self._live.load(task_id)
        async with self._tasks.changing(task_id), self._approvals.turn(task_id):
            now = self._clock.now()
            self._live.check(live, now)
            try:
                entries = await self._wanted(live, wished)
            except Forbidden as error:
                request = self._request(live, _written(wished), claims, now)
                return await self._refuse(live, request, self._denied(error))
            if extended(live.task.plan, entries) == live.task.plan:
                return Extension(live.task)
            request = self._request(live, entries_of(entries), claims, now, self._facts(live, entries, by))
            request = await self._surroundings.seen(request, live)
            clean = live.is_clean
            ruling = await self._ruling(live, request)
            asked = None
            if ruling.decision.outcome is Outcome.DEFER:
                asked = await self._asked(live, ruling)
                if asked.is_new and await self._approvals.is_answered(request):
                    # The answer came after the decision had looked for one.
                    ruling = await self._ruling(live, request)
                    again = ruling.decision.outcome is Outcome.DEFER
                    asked = await self._asked(live, ruling) if again else None
            request = ruling.request
            if ruling.decision.outcome is not Outcome.PERMIT:
                refused = await self._refuse(live, request, ruling, asked)
                self._shadow.offer(request, ruling.decision)
                return refused
            extension = await self._extend(live, request, ruling, entries, by)
            self._shadow.offer(request, ruling.decision)
            if clean:
                live.index.clean.plan(entries)
            return extension

    async def _ruling(self, live: LiveTask, request: AccessRequest) -> Ruling:
        """Step 2. The calls under an extension count against budgets, not the extension itself."""
        ruling = await self._authorizer.decide(request, live)
        live.settle(ruling.takes, taken=False)
        return ruling

    async def _asked(self, live: LiveTask, ruling: Ruling) -> AskedQuestion:
        """Return the question to a person about an extension."""
        # A rule's objection names only the first untrusted call; the approver of an extension sees all of
        # them.
        reasons = [one for one in ruling.decision.reasons if one.code != "flow"]
        shown = msgspec.structs.replace(ruling.decision, reasons=(*reasons, *_what_was_read(live)))
        return await self._approvals.asking(ruling.request, shown, ruling.overtaken)

    async def _wanted(self, live: LiveTask, wished: Sequence[PlanWish]) -> Plan:
        """Step 1."""
        entries = read_plan(wished, live.grants.keys())
        for name in live.task.ancestors:
            entries = within(entries, (await self._tasks.get(name)).plan)
        return entries

    def _facts(self, live: LiveTask, entries: Plan, by: str) -> FlowFacts:
        """Return what policies read of an extension; the extension itself is not subject to the plan."""
        tools = [self._authorizer.tool(one) for one in dict.fromkeys(entry.tool for entry in entries)]
        by_person = by != "" and by == person_of(live.task.intent.requested_by)
        facts = growth(live.index.utterance, tools, first=live.task.plan is None, by_person=by_person)
        return msgspec.structs.replace(
            facts,
            tainted=live.label.trust is Trust.UNTRUSTED,
            handed=handed_over(live.index, tools),
            unheard=self._authorizer.unheard(live),
        )

    def _request(
        self,
        live: LiveTask,
        add: list[Json],
        claims: AccessClaims | None,
        now: datetime,
        facts: FlowFacts = _REFUSED,
    ) -> AccessRequest:
        task = live.task
        proven = claims.principal if claims is not None else None
        principal = Principal(
            tenant=task.tenant,
            agent=task.agent,
            on_behalf_of=task.on_behalf_of,
            chain=tuple(Actor(name) for name in task.actors),
            assurance=proven.assurance if proven else best_assurance(live.agent),
        )
        if proven:
            principal = msgspec.structs.replace(
                principal, method=proven.method, confirmation=proven.confirmation
            )
        return AccessRequest(
            principal=principal,
            agent=live.agent,
            task=task,
            tool=PLAN_TOOL,
            arguments={"add": add},
            grants=(PLAN_GRANT,),
            tier=PLAN_TOOL.tier,
            label=live.label,
            cleared=True,
            now=now,
            flow=Flow(facts),
        )

    def _denied(self, error: Forbidden) -> Decision:
        reason = Reason(code=error.code, text=error.message, remediation=error.remediation, rule="plan")
        return Decision(
            id=make_id("dec", self._entropy.bytes(ID_BYTES)), outcome=Outcome.DENY, reasons=(reason,)
        )

    async def _refuse(
        self,
        live: LiveTask,
        request: AccessRequest,
        refused: Ruling | Decision,
        asked: AskedQuestion | None = None,
    ) -> Extension:
        ruling = refused if isinstance(refused, Ruling) else Ruling(refused, request)
        decision, asking = (asked.decision, asked.unit) if asked is not None else (ruling.decision, Unit())
        if ruling.lapsed is not None:
            asking = self._approvals.lapsing(ruling.lapsed, request)
        if asking.changes:
            asking = Unit((CheckFence(live.task.epochs, live.scopes), *asking.changes), asking.events)
        await self._refusals.record(decision_event(request, decision), asking)
        return Extension(live.task, decision)

    async def _extend(
        self, live: LiveTask, request: AccessRequest, ruling: Ruling, entries: Plan, by: str
    ) -> Extension:
        """Step 3. INVARIANT: the plan grows in the commit that records the reason."""
        decision = ruling.decision
        task = msgspec.structs.replace(live.task, plan=extended(live.task.plan, entries), label=live.label)
        changes: list[Change] = [CheckFence(live.task.epochs, live.scopes)]
        if ruling.approval is not None:
            changes.append(use_of(ruling.approval, request, request.now))
        changes.append(PutTask(task, expected=TaskState.ACTIVE))
        grown = PlanExtended(
            tools=sorted({one.tool for one in entries}),
            declared=live.task.plan is None,
            data_class=live.label.data_class,
            trust=live.label.trust,
            read=[[met.call, met.tool] for met in live.index.untrusted()],
            add=request.arguments["add"],
            by=by,
        )
        event = Event.of(
            grown,
            at=request.now,
            tenant=task.tenant,
            task=task.id,
            agent=task.agent,
            subject=request.task.subject,
            call=decision.id,
        )
        due = due_notifications(request, decision)
        await self._store.commit(Unit(tuple(changes), (decision_event(request, decision), *due, event)))
        self._live.replace(task)
        return Extension(task, decision)


def entries_of(plan: Plan) -> list[Json]:
    """Return entries in the form of a request: the tool, and the statements about its arguments."""
    return [{"tool": one.tool, **({"arguments": one.arguments} if one.arguments else {})} for one in plan]


def _written(wished: Sequence[PlanWish]) -> list[Json]:
    return [{"tool": one} if isinstance(one, str) else msgspec.to_builtins(one) for one in wished]


def _what_was_read(live: LiveTask) -> list[Reason]:
    """Return, for the approver, the calls that brought untrusted data."""
    return [
        Reason(code="plan-flow", text=f"untrusted data came with call {met.call}, `{met.tool}`", rule="plan")
        for met in live.index.untrusted()
    ]
