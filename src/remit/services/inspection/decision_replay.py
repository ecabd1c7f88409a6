# SPDX-License-Identifier: Apache-2.0
"""Decide a recorded decision again from the evidence alone, and compare the bytes.

1. The inputs: the call, and what earlier events say (`core.evidence.replay_inputs`). What is not there, not
   disclosed or not kept ends the replay with the reason: nothing is assumed.
2. The decision: the gateway's own `Authorizer` decides the rebuilt request, under the bundle that the event
   names by its digest. What people have answered is taken as recorded.
3. The comparison: outcome, rules with the digests of their texts, reasons and obligations, byte by byte.
   Reasons that only tell where a value came from decide nothing, and the evidence has the index behind them
   only in part: where they differ, they are listed as taken from the record.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from remit.core.canonical import encode
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.decisions.decision import Decision, Outcome, PolicyAnswer, Reason, RuleRef
from remit.core.decisions.decision_facts import (
    NOT_COUNTED,
    CannotReplay,
    rebuilt,
    recounted,
    with_uncounted,
)
from remit.core.decisions.obligations import REQUIRE_REASON
from remit.core.decisions.policy_replay import POLICY_CODES
from remit.core.evidence.replay_inputs import RecordedApproval, RecordedDecision
from remit.core.flow.justification import Encounter, Justification, Provenance, Stated
from remit.core.flow.provenance import KEY_BYTES
from remit.core.identity.principals import Agent
from remit.core.identity.workload import Confirmation
from remit.core.json_value import Json
from remit.core.label import Classes, Trust, Unseen
from remit.core.policy.bundle import Bundle
from remit.core.tasks.history import HistoryCounter
from remit.core.tasks.plan import PLAN_GRANT
from remit.core.tools.tool import Tool, undescribed
from remit.services.decisions.approval_lookups import NO_ANSWER, StandingAnswer
from remit.services.decisions.authorizer import Authorizer, seen_by
from remit.services.policy.bundle import Policies
from remit.services.tasks.live_tasks import LiveTask

#: Reasons that tell how a value came into the task, or what a question was withdrawn for.
EXPLAINING: Final = frozenset({"flow", "participants", "unread", "plan", "approval-withdrawn"})
#: Reasons whose words name a time that the evidence does not have.
ANSWERED: Final = frozenset({"denied", "narrowed", "unanswered"})
#: Reasons of step 4 beside those of policies: where the replay does not give them, it disagrees.
DECIDING: Final = frozenset(
    {
        *("not-granted", "tool-not-granted", "assurance", "sender-constraint", "result-class", "withheld"),
        *("argument-undeclared", "argument-look-alike", "argument-missing", "argument-refused"),
        *("amount-refused", "not-understood"),
        *POLICY_CODES,
    }
)
#: Why a decision cannot be decided again, and what to do about it.
WHY: Final[Mapping[str, tuple[str, str]]] = {
    "not-asked": ("it was refused before any policy was asked", "read its reasons with `remit audit show`"),
    "no-facts": ("a version of remit recorded it that did not keep the facts", "replay a newer decision"),
    "terms-unknown": (
        "the terms of its task are not in this evidence, or not disclosed in it",
        "export the evidence with values; tasks of an older remit or of forgotten people have no terms",
    ),
    "agent-unknown": ("the facts of its agent are not in this evidence", "export the evidence with values"),
    "agent-changed": (
        "its agent has changed since its task was opened, in a way that the evidence does not tell",
        "replay a decision of a task that was opened after the change",
    ),
    "tool-unknown": (
        "what the upstream said of its tool is not in this evidence",
        "export the evidence whole, without `--task`, and with values",
    ),
    "tool-placed": (
        "its tool's effect or audience depended on what the task had read",
        "see what that was with `remit audit chain`",
    ),
    "class-gone": ("its data class does not exist in the bundle", "give the bundle that decided"),
    "values-hidden": (
        "a sensitive argument is kept only by its digest, or the call was too large to be kept",
        "ask the upstream's own records for the value",
    ),
    "values-forgotten": ("its arguments cannot be read any more", "they were forgotten on purpose"),
    "not-disclosed": (
        "values that it rests on are not disclosed in this evidence",
        "export the evidence with values, as someone who may see them",
    ),
    "too-many-arguments": ("it had more arguments than its event names", "read them with `remit audit show`"),
    "history-unknown": ("a rule reads a counter that did not count then", "give the bundle that decided"),
    "approval-unknown": (
        "the question or the answer behind its approval is not in this evidence, or was narrowed",
        "export the evidence whole, without `--task`",
    ),
    "step-up": (
        "a rule demands a fresh sign-in of the approver, which the evidence does not tell",
        "ask the identity provider's own records",
    ),
    "carries-out": (
        "another party made the call, and the evidence does not tell which obligations it meets",
        "ask the enforcement point",
    ),
    "parent-unknown": (
        "the tasks above its own are not in this evidence, and task types withhold data",
        "export the evidence whole, without `--task`",
    ),
    "refused-later": (
        "something beside policies and grants refused it: a budget, an end, a file of remit, a lost tool",
        "read its reasons with `remit audit show`",
    ),
    "bundle-unknown": (
        "the bundle that decided is not at hand",
        "give its files with `--bundle FOLDER`, from your repository",
    ),
    "bundle-invalid": ("the bundle does not load here", "see `remit policy check`"),
}


class ReplayVerdict(enum.StrEnum):
    """What a replay says."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    CANNOT = "cannot be replayed"


class ReplayedDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded decision beside the one that was made again.

    `differs` are the fields that differ, `taken` what the record alone says. `because` and `remedy` are set
    where the decision cannot be replayed.
    """

    index: int
    decision: str
    at: str
    agent: str
    task: str
    tool: str
    verdict: ReplayVerdict
    recorded: dict[str, Json]
    replayed: dict[str, Json] | None = None
    differs: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    because: str = ""
    remedy: str = ""


class RecordedAnswers:
    """`Answers` of people as the evidence has them, for one recorded decision."""

    def __init__(self, decision: RecordedDecision) -> None:
        """Take the decision."""
        self._facts: Mapping[str, Any] = decision.record["facts"]
        self._asked = decision.approval

    async def to(
        self, request: AccessRequest, answer: PolicyAnswer, rules: tuple[RuleRef, ...], classes: Classes
    ) -> StandingAnswer:
        """Return the recorded answer where it is about this call and these rules; raise `CannotReplay`."""
        facts, asked = self._facts, self._asked
        refused = next((one for one in facts.get("reasons", ()) if one["code"] in ANSWERED), None)
        used = facts["outcome"] == Outcome.PERMIT and facts.get("approval")
        if not used and refused is None:
            return NO_ANSWER
        if asked is None:
            raise CannotReplay("approval-unknown")
        exact = asked.call == request.call_digest
        if (asked.task, asked.tool) != (request.task.id, request.tool.id) or not (exact or asked.bounded):
            return NO_ANSWER
        shown = frozenset(RuleRef(*one) for one in asked.rules)
        if refused is not None:
            states = {"unanswered": ("pending", "expired")}.get(refused["code"], (refused["code"],))
            if asked.state not in states or not shown >= frozenset(rules):
                return NO_ANSWER
            return StandingAnswer(refusal=Reason(code=refused["code"], rule=refused["rule"], text=""))
        if asked.state != ApprovalState.APPROVED or asked.uses >= asked.most:
            return NO_ANSWER
        if answer.asking:
            raise CannotReplay("step-up")
        if asked.comment is None and any(one.startswith(REQUIRE_REASON) for one in answer.obligations):
            raise CannotReplay("not-disclosed")
        return StandingAnswer(approval=_approval(asked, request), waived=shown)


def _approval(asked: RecordedApproval, request: AccessRequest) -> Approval:
    return Approval(
        tenant=request.principal.tenant,
        id=asked.id,
        task=asked.task,
        agent=request.agent.name,
        requested_for=request.task.on_behalf_of,
        tool=asked.tool,
        call=asked.call,
        arguments=request.arguments,
        rules=tuple(RuleRef(*one) for one in asked.rules),
        state=ApprovalState.APPROVED,
        requested=request.now,
        expires=request.now,
        comment=asked.comment or "",
    )


class DecisionReplay:
    """Decides recorded decisions again, under the bundle that `policies` have in force."""

    def __init__(
        self, policies: Policies, authorizer: Authorizer, counted: Sequence[HistoryCounter] | None = None
    ) -> None:
        """Take the services; `counted` are the counters of the bundle that decided, if it is another one."""
        self._policies = policies
        self._authorizer = authorizer
        self._counted = counted

    async def decide(self, decision: RecordedDecision) -> tuple[AccessRequest, Decision]:
        """Decide again; raise `CannotReplay` where the evidence does not have what the decision rests on."""
        applied = self._policies.applied
        request, live = self._request(decision, applied.bundle)
        counted = applied.bundle.history if self._counted is None else self._counted
        changed = recounted(counted, applied.bundle.history)
        request = with_uncounted(request, applied.policy.history, changed)
        ruling = await self._authorizer.again(request, live, RecordedAnswers(decision))
        made = ruling.decision
        if NOT_COUNTED in request.history.values() and _coded(made.reasons, "policy-error"):
            raise CannotReplay("history-unknown")
        if request.enforcement_point and (made.obligations or _coded(made.reasons, "obligation")):
            raise CannotReplay("carries-out")
        return request, made

    def _request(self, decision: RecordedDecision, bundle: Bundle) -> tuple[AccessRequest, LiveTask]:
        record, values, task = decision.record, decision.values, decision.task
        facts = record["facts"]
        if not facts["bundle"]:
            raise CannotReplay("not-asked")
        _check_disclosed(record, values)
        if task is None:
            raise CannotReplay("terms-unknown")
        if decision.types is None and any(one.withhold != Unseen() for one in bundle.task_types.values()):
            raise CannotReplay("parent-unknown")
        agent = _agent(decision)
        tool = self._tool(decision, bundle)
        if any(spec.sensitive and name in values["arguments"] for name, spec in tool.arguments.items()):
            raise CannotReplay("values-hidden")
        request = rebuilt(record, values, task=task, agent=agent, tool=tool, classes=bundle.classes)
        live = LiveTask(
            task,
            request.agent,
            used={},
            ancestors={},
            now_boot_s=0.0,
            key=bytes(KEY_BYTES),
            types=decision.types or (),
        )
        principal = msgspec.structs.replace(request.principal, confirmation=_sender(facts["sender"]))
        flow = msgspec.structs.replace(request.flow, arguments=_justified(facts))
        request = msgspec.structs.replace(
            request,
            principal=principal,
            tool=seen_by(request.tool, live, bundle),
            grants=(PLAN_GRANT,) if tool.id == PLAN_GRANT.tool else task.grants_for(tool.id),
            flow=flow,
            observed=facts.get("observed", False),
            unconstrained=bool(facts.get("sender_constraint")),
            enforcement_point=facts.get("enforced_by", ""),
            asked_with=_sender(facts.get("asked_with", "bearer")),
            stated_reason=values.get("stated_reason", ""),
        )
        return request, live

    def _tool(self, decision: RecordedDecision, bundle: Bundle) -> Tool:
        name = decision.record["facts"]["tool"]
        tools = {one.id: one for one in self._policies.tools_of(bundle)}
        offer = decision.offers.get(name)
        if offer is not None and offer.accepted not in decision.surfaces:
            raise CannotReplay("tool-unknown")
        partly = offer is None and not decision.whole and name != PLAN_GRANT.tool
        if partly and (name not in tools or not tools[name].surface):
            raise CannotReplay("tool-unknown")
        upstream, _, last = name.partition("/")
        return tools.get(name) or undescribed(upstream, last, bundle.classes)


def _check_disclosed(record: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    sealed = record.get("sealed", {})
    for name in ("arguments", "record", "stated_reason"):
        if name in sealed and name not in values:
            raise CannotReplay("not-disclosed")
    arguments = values.get("arguments")
    if isinstance(arguments, dict) and arguments.keys() == {"sha256", "size_bytes"}:
        raise CannotReplay("values-hidden")
    if not isinstance(arguments, dict):
        raise CannotReplay("values-forgotten")


def _agent(decision: RecordedDecision) -> Agent:
    if decision.agent is None or decision.task is None:
        raise CannotReplay("agent-unknown")
    known = {**decision.agent, "groups": tuple(decision.agent["groups"])}
    tenant, name = decision.task.tenant, decision.task.agent
    return Agent(tenant=tenant, name=name, created=datetime.fromtimestamp(0, UTC), created_by="", **known)


def _sender(word: str) -> Confirmation:
    """Return a stand-in for the key that bound a token: a decision reads only whether there was one."""
    if word == "mtls":
        return Confirmation(x5t_s256="recorded")
    return Confirmation(jkt="recorded") if word == "dpop" else Confirmation()


def _justified(facts: Mapping[str, Any]) -> dict[str, Justification]:
    """Return the recorded justification of each argument, with the calls that its value came from."""
    found: dict[str, Justification] = {}
    for one in facts.get("flow", ()):
        stated = one.get("stated")
        kind, _, name = (stated or "").partition(" ")
        origins = one.get("origins", ())
        found[one["argument"]] = Justification(
            Provenance(one["provenance"]),
            stated=Stated(parameter=name if kind == "parameter" else "") if stated else None,
            origins=tuple(
                Encounter(call, met, tool, field, Trust(trust)) for call, met, tool, field, trust in origins
            ),
        )
    return found


def compared(
    decision: RecordedDecision, request: AccessRequest | None, made: Decision | None, bundle: str
) -> ReplayedDecision:
    """Return a recorded decision beside the one that was made again; `bundle` is the digest that it has.

    Raises `CannotReplay` where something beside policies and grants refused the call.
    """
    record, values = decision.record, decision.values
    facts = record["facts"]
    said = _said(
        facts["outcome"],
        facts["rules"],
        facts.get("reasons", []),
        facts.get("obligations", []),
        facts.get("approval", ""),
        facts,
    )
    told = ReplayedDecision(
        index=decision.index,
        decision=record.get("call", ""),
        at=record["at"],
        agent=record.get("agent", ""),
        task=record.get("task", ""),
        tool=facts["tool"],
        verdict=ReplayVerdict.CANNOT,
        recorded=said,
    )
    if request is None or made is None:
        return told
    form = (request.tool.effect.value, request.tool.audience.name, request.tier.word)
    if form != (facts["effect"], facts["audience"], facts["tier"]):
        raise CannotReplay("tool-placed")
    again = _said(
        made.outcome.value,
        [[one.id, one.digest] for one in made.rules],
        [{"code": one.code, "rule": one.rule} for one in made.reasons],
        list(made.obligations),
        made.approval,
        {"bundle": bundle, "observed": made.observed},
    )
    differs = [name for name in said if encode(said[name]) != encode(again[name])]
    taken: list[str] = []
    if "reasons" in differs and _deciding(said["reasons"]) == _deciding(again["reasons"]):
        differs.remove("reasons")
        taken.append("reasons that tell where values came from")
    if "reasons" in differs and made.outcome.value != facts["outcome"]:
        _check_refused_later(facts, again["reasons"])
    _compare_words(record, values, made, differs, taken)
    return msgspec.structs.replace(
        told,
        verdict=ReplayVerdict.DISAGREES if differs else ReplayVerdict.AGREES,
        replayed=again,
        differs=tuple(differs),
        taken=tuple(taken),
    )


def _said(
    outcome: str, rules: Json, reasons: Json, obligations: Json, approval: str, facts: Mapping[str, Any]
) -> dict[str, Json]:
    return {
        # A question has an id by chance; a permit rests on one answer.
        "approval": approval if outcome == Outcome.PERMIT else "",
        "outcome": outcome,
        "rules": rules,
        "reasons": reasons,
        "obligations": obligations,
        "observed": bool(facts.get("observed", False)),
        "bundle": facts["bundle"],
    }


def _deciding(reasons: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    return [one for one in reasons if one["code"] not in EXPLAINING]


def _coded(reasons: Sequence[Reason], code: str) -> bool:
    return any(one.code == code for one in reasons)


def _check_refused_later(facts: Mapping[str, Any], again: Sequence[Mapping[str, str]]) -> None:
    """Raise `CannotReplay` where the record refuses for nothing that policies or grants could say."""
    if facts["outcome"] != Outcome.DENY:
        return
    more = [one["code"] for one in _deciding(facts["reasons"]) if one not in again]
    if more and not any(code in DECIDING or code in ANSWERED for code in more):
        raise CannotReplay("refused-later")


def _compare_words(
    record: Mapping[str, Any],
    values: Mapping[str, Any],
    made: Decision,
    differs: list[str],
    taken: list[str],
) -> None:
    """Compare the words of the reasons that decide, where they are disclosed."""
    if differs or not record["facts"].get("reasons"):
        return
    if "reasons" not in values:
        taken.append("the words of the reasons, which are not disclosed")
        return
    codes = [one["code"] for one in record["facts"]["reasons"]]
    for name, said, again in (
        ("words", values["reasons"], [one.text for one in made.reasons]),
        ("remedies", values.get("remedies", [""] * len(codes)), [one.remediation for one in made.reasons]),
    ):
        kept = [one for one, code in zip(said, codes, strict=False) if code not in EXPLAINING | ANSWERED]
        new = [
            one
            for one, reason in zip(again, made.reasons, strict=True)
            if reason.code not in EXPLAINING | ANSWERED
        ]
        if kept != new:
            differs.append(name)
        elif list(said) != again and "reasons that tell where values came from" not in taken:
            taken.append(f"{name} that tell where values came from, or until when an answer counts")
