# SPDX-License-Identifier: Apache-2.0
"""Steps 3 and 4: describe the call, and decide it.

The order of a decision, each a refusal if it fails:

0. no argument reaches remit's own files: this holds in observe mode too;
1. the tool was reviewed and is unchanged since;
2. policy: forbid wins, default deny, any error of the engine is a refusal;
3. the task's grants: at least one that names the tool permits these arguments;
4. the requirements of the call's tier: assurance, and from operator up a sender-constrained token;
5. budget is reserved;
6. if every remaining forbid is waivable, an approval is looked up, of this exact call or a bounded one that
   covers it; step 5 of the call consumes it. If a person has just denied the same call, or permitted a
   narrower one, the question is not asked again;
7. the permit's obligations can be met.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from remit.core.cooperative_steps import Steps
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.approval import Approval, OvertakenBy
from remit.core.decisions.bounded_approval import offered
from remit.core.decisions.decision import Decision, Outcome, PolicyAnswer, Reason, RuleRef, weigh
from remit.core.decisions.question import QuestionedValue
from remit.core.decisions.value_sources import questioned
from remit.core.errors import BudgetExhausted
from remit.core.flow.argument_narrowing import placed
from remit.core.flow.facts import Flow, chains, judging
from remit.core.flow.justification import Provenance, bare
from remit.core.flow.provenance import Index
from remit.core.flow.records.participants import addressees, narrowed
from remit.core.identity.principals import Principal
from remit.core.identity.workload import Assurance
from remit.core.ids import ID_BYTES, make_id
from remit.core.json_value import Json
from remit.core.label import Audience, Classes, Label, Unseen
from remit.core.policy.bundle import Bundle
from remit.core.tasks.grant import Grant
from remit.core.tasks.grant_scope import scoped
from remit.core.tasks.history import CountedOutcome
from remit.core.tasks.plan import UNPLANNED
from remit.core.tools.tool import (
    Argument,
    ArgumentRole,
    Effect,
    Tier,
    Tool,
    ToolState,
    WithheldBy,
    undescribed,
)
from remit.ports.runtime import Entropy, OwnFiles
from remit.ports.store.approvals import ApprovalStore
from remit.ports.store.changes import Take
from remit.services.decisions.approval_lookups import NO_ANSWER, Answers, StandingAnswers
from remit.services.decisions.approvers import Approvers
from remit.services.decisions.decision_reasons import (
    argument_reasons,
    own_files,
    participants_of,
    plan_departures,
    policy_reasons,
)
from remit.services.decisions.obligations import unmet
from remit.services.decisions.person_lookups import lookup_for
from remit.services.policy.bundle import AppliedBundle, Policies
from remit.services.policy.evaluation import Evaluations
from remit.services.tasks.histories import Histories
from remit.services.tasks.live_tasks import LiveTask
from remit.services.tools.pinned_tools import ToolCatalogue

# Module-level names: a class lookup finds a member through the metaclass, which is ten times slower.
_PERMIT, _DENY, _DEFER = Outcome.PERMIT, Outcome.DENY, Outcome.DEFER
_NONE = Effect.NONE
_CHANGED, _GONE = ToolState.CHANGED, ToolState.GONE
_NOTHING_UNSEEN = Unseen()
_NO_RULES: frozenset[RuleRef] = frozenset()

#: The minimum assurance of each tier; a site may require more by policy.
TIER_ASSURANCE = {
    Tier.CONVERSATION: Assurance.ASSERTED,
    Tier.ASSISTANT: Assurance.ASSERTED,
    Tier.OPERATOR: Assurance.SHARED_SECRET,
    Tier.AUTONOMOUS: Assurance.SHARED_SECRET,
}
_ONESELF = Audience("self")


class Ruling(msgspec.Struct, frozen=True):
    """A decision, together with the budget and the approval that step 5 must take for it.

    `request` has the history that was considered. `takes` of a refusal is only what history counts. `lapsed`
    is a question that ended without an answer, and is recorded as ended with this refusal. `overtaken` are
    approvals that rest on something else, and are withdrawn with the new question.
    """

    decision: Decision
    request: AccessRequest
    takes: tuple[Take, ...] = ()
    approval: Approval | None = None
    lapsed: Approval | None = None
    overtaken: tuple[tuple[Approval, OvertakenBy], ...] = ()


_COUNTED_PERMIT = frozenset({CountedOutcome.PERMITTED})
_COUNTED_APPROVED = frozenset({CountedOutcome.PERMITTED, CountedOutcome.APPROVED})
_COUNTED_REFUSED = frozenset({CountedOutcome.REFUSED})
_NOT_COUNTED: frozenset[CountedOutcome] = frozenset()


def _spent(error: BudgetExhausted) -> Reason:
    return Reason(code=error.code, text=error.message, remediation=error.remediation, rule="task budget")


def _counted_as(decision: Decision) -> frozenset[CountedOutcome]:
    """Return as what a decided call counts; a question to people does not count."""
    if decision.proceeds:
        return _COUNTED_APPROVED if decision.approval else _COUNTED_PERMIT
    return _COUNTED_REFUSED if decision.outcome is _DENY else _NOT_COUNTED


class Authorizer:
    """Describes and decides calls."""

    def __init__(
        self,
        *,
        store: ApprovalStore,
        approvers: Approvers,
        policies: Policies,
        tools: ToolCatalogue,
        histories: Histories,
        entropy: Entropy,
        tenant: str,
        observed: frozenset[str],
        unconstrained: frozenset[str] = frozenset(),
        own_files: OwnFiles | None = None,
        addressees: frozenset[str] = frozenset(),
    ) -> None:
        """Take the dependencies.

        `observed` are the upstreams in observe mode. `unconstrained` are the upstreams whose calls need no
        sender-constrained token, whatever their tier. `addressees` are those that a rule may notify.
        """
        self._answers: Answers = StandingAnswers(store, approvers, tenant)
        self._policies = policies
        self._tools = tools
        self.histories = histories
        self._entropy = entropy
        self._tenant = tenant
        self._observed = observed
        self._unconstrained = unconstrained
        self._own_files = own_files
        self._addressees = addressees
        self.evaluations = Evaluations()

    @property
    def observed(self) -> frozenset[str]:
        """The upstreams in observe mode."""
        return self._observed

    def observes(self, upstream: str) -> bool:
        """Return whether an upstream is in observe mode: its calls are decided and recorded, never
        refused.
        """
        return upstream in self._observed

    def observe(self, upstreams: frozenset[str]) -> None:
        """Let exactly these upstreams be in observe mode, for the calls that are described from now on."""
        self._observed = upstreams

    def constrains(self, upstream: str) -> bool:
        """Return whether calls of tier operator and above need a sender-constrained token."""
        return upstream not in self._unconstrained

    def unheard(self, live: LiveTask) -> bool:
        """Return whether a task is of a type that asks because no words of a person are known to it."""
        kind = self._policies.applied.bundle.task_types.get(live.task.type)
        return kind is not None and kind.unheard(live.task.intent)

    def describing(
        self,
        principal: Principal,
        live: LiveTask,
        upstream: str,
        name: str,
        arguments: dict[str, Json],
        now: datetime,
    ) -> Steps[AccessRequest]:
        """Step 3. Return the access request of a call; done in steps, because the arguments may be large.

        The tool is as the arguments make it. The flow is as the task's index knows it at this moment.
        """
        own = "" if self._own_files is None else (yield from self._own_files.reached_by(upstream, arguments))
        bundle = self._policies.applied.bundle
        tool = seen_by(self.tool(f"{upstream}/{name}").called_with(arguments), live, bundle)
        tool = yield from placed(live.index, tool, arguments)
        tool = narrowed(tool, addressees(live.index, tool, arguments))
        if live.index.persons.awaits(live.grants):
            live.index.persons.expect(name for one in self._offered(live) for name in one.personal)
        flow = yield from judging(live.index, tool, arguments, label=lambda: live.label, plan=live.task.plan)
        if self.unheard(live):
            flow = msgspec.structs.replace(flow, facts=msgspec.structs.replace(flow.facts, unheard=True))
        # INVARIANT: no other task runs from here on, so the label is the one with which the flow was judged.
        if flow.facts.to_self:
            tool = msgspec.structs.replace(tool, audience=_ONESELF)
        grants = live.grants.get(tool.id, ())
        return AccessRequest(
            principal=principal,
            agent=live.agent,
            task=live.task,
            tool=tool,
            arguments=arguments,
            grants=grants,
            tier=tool.tier,
            label=live.label,
            cleared=bundle.classes.cleared(tool.audience, live.label),
            now=now,
            observed=upstream in self._observed,
            unconstrained=upstream in self._unconstrained,
            flow=flow,
            own_files=own,
            unscoped=tool.tier is Tier.AUTONOMOUS and not scoped(grants, tool, arguments),
        )

    def tool(self, tool_id: str) -> Tool:
        """Return a tool as it is described; what is not known of it is assumed to be the worst."""
        upstream, _, name = tool_id.partition("/")
        return self._tools.get(tool_id) or undescribed(upstream, name, self._policies.applied.bundle.classes)

    def known(self, tool: Tool) -> bool:
        """Return whether an upstream offers the tool."""
        return self._tools.get(tool.id) is not None

    async def decide(self, request: AccessRequest, live: LiveTask) -> Ruling:
        """Step 4. Decide; reserve budget on the live task if the outcome is Permit."""
        # The whole decision uses one version of the policies, even if another is applied in the meantime.
        applied = self._policies.applied
        if not self.histories.needed(applied):
            return await self._decide(request, live, applied)
        # INVARIANT: no other call of the family is decided between the look at its history and the
        # reservation.
        async with self.histories.turn(live) as history:
            described = self.histories.described(request, live, history, applied)
            return await self._decide(described, live, applied)

    async def again(self, request: AccessRequest, live: LiveTask, answers: Answers) -> Ruling:
        """Decide a recorded call once more, with the history that its request has and these answers.

        By the same code as `decide`, on a task that no call is made of. Nothing is committed.
        """
        return await self._decide(request, live, self._policies.applied, answers)

    async def _decide(
        self, request: AccessRequest, live: LiveTask, applied: AppliedBundle, answers: Answers | None = None
    ) -> Ruling:
        own = own_files(request)
        grant, reasons = (None, [*own]) if own else self._refusals(request)
        reasons += self._unseen(request, live)
        answer = await self.evaluations.of(applied.policy, request)
        found, (outcome, rules) = NO_ANSWER, weigh(answer, _NO_RULES)
        if reasons:
            outcome = _DENY
        elif outcome is _DEFER:
            found = await (answers or self._answers).to(request, answer, rules, applied.bundle.classes)
            if found.approval is not None:
                outcome, rules = weigh(answer, found.waived)
            elif found.refusal is not None:
                outcome, reasons = _DENY, [found.refusal]
        approval = found.approval
        if outcome is _PERMIT and (lacking := unmet(request, answer.obligations, approval, self._addressees)):
            outcome = _DENY
            reasons += lacking
        reasons += policy_reasons(answer, outcome)
        if outcome is not _PERMIT and answer.flow:
            reasons = self._with_lookups(
                reasons + _flow_reasons(request, answer, live.index), request, answer, live
            )
        if outcome is not _PERMIT:
            reasons += participants_of(request)
            reasons += plan_departures(request) if request.flow.facts.plan == UNPLANNED else ()
        takes: tuple[Take, ...] = ()
        observed = request.observed and not own
        if outcome is _PERMIT or observed:
            tool = request.tool
            budgets = live.takes(grant, request.arguments, effectful=tool.effect is not _NONE, tool=tool)
            try:
                live.reserve(budgets)
                takes = budgets
            except BudgetExhausted as error:
                outcome = _DENY
                reasons.append(_spent(error))
        decision = Decision(
            id=make_id("dec", self._entropy.bytes(ID_BYTES)),
            outcome=outcome,
            reasons=tuple(reasons),
            rules=rules,
            waived=tuple(sorted(found.waived)) if approval and outcome is _PERMIT else (),
            approval=approval.id if approval and outcome is _PERMIT else "",
            obligations=answer.obligations if outcome is not _DENY else (),
            bundle=applied.digest,
            observed=observed and outcome is not _PERMIT,
            questioned=_questioned(request, answer, reasons, live.index) if outcome is _DEFER else (),
            offer=offered(request, ordinary=answer.most_calls, high_risk=answer.most_high_risk)
            if outcome is _DEFER and not answer.asking
            else None,
            approvers=answer.approvers if outcome is _DEFER else (),
            approval_left=approval.left - 1 if approval and approval.bounds and outcome is _PERMIT else None,
            instead=found.instead if outcome is _DENY else None,
        )
        takes += self.histories.holding(request, live, _counted_as(decision), applied)
        used = approval if decision.approval else None
        return Ruling(decision, request, takes, used, found.lapsed, found.overtaken)

    def _refusals(self, request: AccessRequest) -> tuple[Grant | None, list[Reason]]:
        """Return the grant that permits the call, or the reasons outside policy that refuse it."""
        tool = request.tool
        if not request.grants:
            return None, [
                Reason(
                    code="not-granted",
                    text=f"task type `{request.task.type}` does not grant `{tool.id}`",
                    rule=f"task type {request.task.type}",
                    remediation="open a task of a type that grants it",
                )
            ]
        if tool.state in (_CHANGED, _GONE):
            text = "has changed since it was reviewed" if tool.state is _CHANGED else "is no longer offered"
            return None, [
                Reason(
                    code="tool-suspended",
                    text=f"`{tool.id}` {text}",
                    rule="pinned tool description",
                    remediation=f"ask an administrator to run `remit tool diff {tool.id}`",
                )
            ]
        if request.principal.assurance < TIER_ASSURANCE[request.tier]:
            need = TIER_ASSURANCE[request.tier].word
            return None, [
                Reason(
                    code="assurance",
                    text=f"a call of tier {request.tier.word} needs an identity of assurance {need} or "
                    "higher",
                    rule="tier demands",
                    remediation="authenticate the agent with a key",
                )
            ]
        if request.lacks_sender:
            return None, [
                Reason(
                    code="sender-constraint",
                    text=f"a call of tier {request.tier.word} needs a token that is bound to its sender",
                    rule="tier demands",
                    remediation="ask for permits with a bound token (DPoP or mTLS)"
                    if request.enforcement_point
                    else "call through `remit run` or `remit connect`, or send DPoP proofs",
                )
            ]
        return self._granting(request)

    def _granting(self, request: AccessRequest) -> tuple[Grant | None, list[Reason]]:
        """Return the first grant that permits the arguments, or the reasons of the grant that came
        closest.
        """
        classes = self._policies.applied.bundle.classes
        rank, worst = classes.rank, _brings(request, classes).data_class
        best: list[Reason] | None = None
        for grant in request.grants:
            reasons = argument_reasons(grant, request)
            for ceiling in grant.result_classes:
                if rank(worst) > rank(ceiling):
                    text = f"`{request.tool.id}` may return {worst} data"
                    reasons.append(Reason(code="result-class", text=text, rule=f"result_class {ceiling}"))
            if not reasons:
                return grant, []
            if best is None or len(reasons) < len(best):
                best = reasons
        return None, best or []

    def _unseen(self, request: AccessRequest, live: LiveTask) -> list[Reason]:
        """Return the reason to refuse a call whose result, not only a field of it, the task never sees."""
        bundle = self._policies.applied.bundle
        rules = never_sees(live, bundle)
        if not rules or not any(
            rule.covers(_brings(request, bundle.classes), bundle.classes) for rule in rules
        ):
            return []
        tool, of = request.tool.id, request.task.type
        return [
            Reason(
                code="withheld",
                text=f"`{tool}` returns data that tasks of type `{of}` do not see",
                rule=f"withhold of task type {of}",
                remediation="open a task of a type that sees it",
            )
        ]

    def _offered(self, live: LiveTask) -> list[Tool]:
        """Return the tools that a task may call."""
        return [tool for one in live.grants if (tool := self._tools.get(one)) is not None]

    def _with_lookups(
        self, reasons: list[Reason], request: AccessRequest, answer: PolicyAnswer, live: LiveTask
    ) -> list[Reason]:
        """Return the reasons; each personal argument that rules object to names the look-up to reach it."""
        rule = next((rule for rule, fact in answer.flow if fact.startswith("personal")), "")
        for name in request.tool.personal if rule else ():
            if name not in request.flow.arguments or name in request.flow.owned:
                continue
            way = lookup_for(request.tool, name, self._offered(live), live.index.persons)
            known = next(
                (at for at, one in enumerate(reasons) if (one.code, one.argument) == ("flow", name)), None
            )
            if way and known is not None:
                reasons[known] = msgspec.structs.replace(reasons[known], remediation=way)
            elif way:
                text = f"`{bare(name)}` is not in a record that a parameter of this task reaches"
                reasons.append(Reason(code="flow", text=text, remediation=way, rule=rule, argument=name))
        return reasons


def carries(tool: Tool, classes: Classes, *, withheld: bool = False) -> Label:
    """Return the worst label that a tool's result can have, with the labels of its fields.

    `withheld`: the result does not pass through step 8, so that withheld fields count, too.
    """
    label = tool.label
    for field in tool.fields:
        if field.withheld is None or withheld:
            label = label.join(field.label, classes)
    return label


def _brings(request: AccessRequest, classes: Classes) -> Label:
    """Return the worst label that a call's result can bring into its task."""
    # A result that another program receives does not pass through step 8.
    return carries(request.tool, classes, withheld=bool(request.enforcement_point))


def never_sees(live: LiveTask, bundle: Bundle) -> list[Unseen]:
    """Return the rules about data that a task never sees: those of its type, and of the tasks above it."""
    types = [found for name in live.types if (found := bundle.task_types.get(name)) is not None]
    return [one.withhold for one in types if one.withhold != _NOTHING_UNSEEN]


def seen_by(tool: Tool, live: LiveTask, bundle: Bundle) -> Tool:
    """Return a tool as a task sees it: its type may withhold further fields of the results."""
    rules = never_sees(live, bundle)
    if not rules:
        return tool
    return msgspec.structs.replace(
        tool,
        fields=tuple(
            msgspec.structs.replace(one, withheld=one.withheld or WithheldBy.TASK)
            if any(rule.covers(one.label, bundle.classes) for rule in rules)
            else one
            for one in tool.fields
        ),
    )


def _flow_reasons(request: AccessRequest, answer: PolicyAnswer, index: Index) -> list[Reason]:
    """Explain how the value of each argument whose provenance a rule objects to came into the task.

    If the rule objects to no argument, but to untrusted data in the task, explain where that data came from.
    """
    said = dict(chains(request.flow))
    found = [
        Reason(code="flow", text=f"{said[name]}{_written(request, name)}", rule=rule, argument=name)
        for name, rule in _objected(request.tool, request.flow, answer.flow).items()
        if name in said
    ]
    tainted = next((rule for rule, fact in answer.flow if fact == "tainted"), "")
    if tainted and not found and (first := index.untrusted(1)):
        found.append(Reason(code="flow", text=f"untrusted data first came with {first[0]}", rule=tainted))
    return found


def _written(request: AccessRequest, argument: str) -> str:
    """Return who wrote the data from which a value was read, if remit saw the write."""
    for met in request.flow.arguments[argument].origins:
        if (written := request.rest.through.get(met.decision)) is not None:
            return f"; that had read {written}"
    return ""


def _questioned(
    request: AccessRequest, answer: PolicyAnswer, reasons: Sequence[Reason], index: Index
) -> tuple[QuestionedValue, ...]:
    """Return the values that a deferred call asks a person about."""
    said = {one.argument: one.text for one in reasons if one.code == "flow" and one.argument}
    if any(fact == "content_foreign" for _, fact in answer.flow):
        # A text of the agent can carry a link of others, and is explained by no reason itself.
        carrying = {
            name for name in request.flow.arguments if "content" in _kinds(request.tool.arguments.get(name))
        }
        said |= dict.fromkeys(sorted(carrying - said.keys()), "")
    return questioned(index, request, said) if said else ()


#: Facts of the flow about the arguments of one kind, each with their worst provenance.
_KINDS = frozenset({"destination", "selector", "personal", "content", "code", "secret", "choice"})


def _objected(tool: Tool, flow: Flow, read: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return the arguments that rules object to, each with the first such rule.

    `read` lists the facts of the flow that these rules have read.
    """
    out: dict[str, str] = {}
    # Recipients and selectors come before content: a rule about both is about them.
    for rule, fact in sorted(read, key=lambda one: one[1] == "content"):
        head, _, named = fact.partition(".")
        kind, _, _ = head.partition("_")
        if kind == "content" and flow.facts.content != Provenance.UNTRUSTED:
            continue
        for name, one in flow.arguments.items():
            if head == "provenance":
                objects = name == named
            else:
                # Of several arguments of one kind, those with the worst provenance count.
                objects = (
                    kind in _KINDS
                    and one.provenance.value == getattr(flow.facts, kind)
                    and kind in _kinds(tool.arguments.get(name))
                )
            if objects:
                out.setdefault(name, rule)
    return out


def _kinds(spec: Argument | None) -> tuple[str, ...]:
    """Return the kinds of facts to which an argument contributes."""
    if spec is None:
        return (ArgumentRole.CONTENT.value,)
    own = "choice" if spec.least else "secret" if spec.secret else spec.role.value
    return (own, "personal") if spec.personal else (own,)
