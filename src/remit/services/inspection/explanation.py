# SPDX-License-Identifier: Apache-2.0
"""Explain one decision: the rules that spoke, the facts that they read, and what would change the answer.

The bundle that decided is loaded again from its kept version, and decides the recorded call again. What would
change the answer is found in the same way: one thing is changed, and the call is decided once more.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.counterfactuals import ChangeKind, Counterfactual, counterfactuals, not_tried
from remit.core.decisions.decision import Outcome, weigh
from remit.core.decisions.decision_facts import CannotReplay, rebuilt
from remit.core.decisions.policy_replay import MEANINGS, RANK, refused_elsewhere, reproduced, waived
from remit.core.errors import ConfigInvalid, NotFound
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Memberships
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.policy.bundle import Bundle
from remit.core.tools.tool import undescribed
from remit.ports.policy import LoadedPolicy, RuleInForce
from remit.ports.store.combined import TasksAndPrincipals
from remit.ports.store.log import Entry, EventSearch
from remit.services.evidence.event_search import EventSearches
from remit.services.evidence.log import readable
from remit.services.policy.bundle import AppliedBundle, Policies

Role = Literal["permits", "refuses", "asks", "waived"]
#: Decisions that are made again for one explanation.
MAX_TRIALS: Final = 600
#: Changes that are told of each kind.
MAX_TOLD: Final = 4
#: Events that raised the task's label and that are told.
MAX_RAISED: Final = 5
#: The facts of a call that say what the task has read.
LABEL_FACTS: Final = ("context.label.", "context.task_label.", "context.cleared")
LAST: Final = 2**62
NOT_ASKED: Final = "it was refused before any policy was asked"
NOT_KEPT: Final = "the bundle that decided is not kept any more"


class SpokenRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that spoke: what it did, its text as it was then, and the facts that it read, with their values.

    `absent` are facts that it reads and that the call does not have.
    """

    id: str
    role: Role
    reason: str
    text: str
    facts: dict[str, Json]
    absent: tuple[str, ...]


class LabelSource(msgspec.Struct, frozen=True, kw_only=True):
    """A tool whose result raised the task's label before the call, and the label since then."""

    at: str
    tool: str
    data_class: str
    categories: tuple[str, ...]
    untrusted: bool


class PossibleChange(msgspec.Struct, frozen=True, kw_only=True):
    """What the policies answer if something were otherwise; found by deciding the changed call."""

    kind: ChangeKind
    words: str
    outcome: Outcome


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a call was decided so.

    `version` is the version of the bundle, 0 if it has no number. `elsewhere` is whether something else than
    a policy refused the call; then no change of it is tried. `tried` is the number of changes that were
    decided, `not_tried` the facts of which none was. `missing` is why rules are told without facts and
    changes. `label` is how the task came by its label, where a rule that spoke has read the label.
    """

    decision: str
    outcome: Outcome
    bundle: str
    version: int
    rules: tuple[SpokenRule, ...]
    approval: str = ""
    elsewhere: bool = False
    changes: tuple[PossibleChange, ...] = ()
    tried: int = 0
    not_tried: tuple[str, ...] = ()
    missing: str = ""
    label: tuple[LabelSource, ...] = ()


class Explanations:
    """Explains decisions of one tenant."""

    def __init__(
        self,
        *,
        store: TasksAndPrincipals,
        searches: EventSearches,
        policies: Policies,
        members: Memberships,
        tenant: str,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._searches = searches
        self._policies = policies
        self._members = members
        self._tenant = tenant
        #: The policies that were loaded last, for as long as the same tools are registered.
        self._last: tuple[AppliedBundle, str, LoadedPolicy] | None = None
        #: Loaded policies are used by one thread at a time.
        self._turn = asyncio.Lock()

    async def of(self, decision: str, *, by: str = "", before: int = LAST) -> Explanation:
        """Return the explanation of a decision; raises `NotFound` for one that does not exist.

        Its event is sought below the index `before`.
        """
        entry = await self._entry(decision, before)
        record: dict[str, Any] = readable(entry)
        facts = record["facts"]
        numbers = await self._policies.versions.numbers()
        told = Explanation(
            decision=record["call"],
            outcome=Outcome(facts["outcome"]),
            bundle=facts["bundle"],
            version=max((one for one, digest in numbers.items() if digest == facts["bundle"]), default=0),
            rules=(),
            approval=facts.get("approval", ""),
            elsewhere=refused_elsewhere(facts),
        )
        if not facts["bundle"]:
            return msgspec.structs.replace(told, elsewhere=True, missing=NOT_ASKED)
        bundle = await self._bundle(facts["bundle"])
        if bundle is None:
            return msgspec.structs.replace(told, rules=_named(facts, {}), missing=NOT_KEPT)
        async with self._turn:
            told = await self._explained(told, record, entry.opened or {}, bundle, by)
        if any(fact.startswith(LABEL_FACTS) for one in told.rules for fact in one.facts):
            told = msgspec.structs.replace(told, label=await self._raised(record["task"], entry.index))
        return told

    async def _explained(
        self, told: Explanation, record: dict[str, Any], values: Mapping[str, Json], bundle: Bundle, by: str
    ) -> Explanation:
        facts = record["facts"]
        try:
            policy = await self._loaded(bundle, by)
        except ConfigInvalid as fault:
            return msgspec.structs.replace(told, rules=_named(facts, {}), missing=fault.message)
        rules = {one.id: one for one in policy.rules()}
        try:
            request = await self._request(record, values, bundle)
            inquiry = _Inquiry(policy, rules, bundle, request, facts)
            return await asyncio.to_thread(inquiry.explain, told)
        except CannotReplay as why:
            missing = MEANINGS.get(str(why), str(why))
            return msgspec.structs.replace(told, rules=_named(facts, rules), missing=missing)

    async def _entry(self, decision: str, before: int) -> Entry:
        wanted = EventSearch(call=decision, kinds=(EventKind.DECISION_MADE,))
        while decision:
            found = await self._searches.search(wanted, before=before, limit=1)
            if found.entries:
                return found.entries[0]
            if found.reached is None:
                break
            before = found.reached
        raise NotFound(
            f"decision `{decision[:80]}` does not exist",
            remediation="give the whole ID; in a flood of refusals only the first ones are recorded singly",
        )

    async def _raised(self, task: str, before: int) -> tuple[LabelSource, ...]:
        """Return how a task came by the label that it had at an event, the first source first."""
        wanted = EventSearch(task=task, kinds=(EventKind.LABEL_RAISED,))
        found = await self._searches.search(wanted, before=before, limit=MAX_RAISED)
        raised: list[dict[str, Any]] = [readable(one) for one in found.entries]
        return tuple(
            LabelSource(
                at=one["at"],
                tool=one["facts"]["by"],
                data_class=one["facts"]["class"],
                categories=tuple(one["facts"]["categories"]),
                untrusted=one["facts"]["trust"] == Trust.UNTRUSTED.value,
            )
            for one in raised
        )

    async def _bundle(self, digest: str) -> Bundle | None:
        applied = self._policies.applied.bundle
        return applied if applied.digest == digest else await self._policies.versions.bundle(digest)

    async def _loaded(self, bundle: Bundle, by: str) -> LoadedPolicy:
        applied = self._policies.applied
        if self._last is not None and self._last[0] is applied and self._last[1] == bundle.digest:
            return self._last[2]
        policy = await self._policies.tried(bundle, by=by)
        self._last = (applied, bundle.digest, policy)
        return policy

    async def _request(
        self, record: Mapping[str, Any], values: Mapping[str, Json], bundle: Bundle
    ) -> AccessRequest:
        """Return the recorded request; raise `CannotReplay`."""
        task = await self._store.task(self._tenant, record.get("task", ""))
        if task is None:
            raise CannotReplay("task-gone")
        agent = await self._store.agent(self._tenant, task.agent)
        if agent is None:
            raise CannotReplay("agent-changed")
        upstream, _, name = record["facts"]["tool"].partition("/")
        tools = {tool.id: tool for tool in self._policies.tools_of(bundle)}
        tool = tools.get(record["facts"]["tool"]) or undescribed(upstream, name, bundle.classes)
        agent = self._members.of_agent(agent)
        request = rebuilt(record, values, task=task, agent=agent, tool=tool, classes=bundle.classes)
        told = (record["facts"]["effect"], record["facts"]["audience"], record["facts"]["tier"])
        if (request.tool.effect.value, request.tool.audience.name, request.tier.word) != told:
            raise CannotReplay("tool-changed")
        return request


def _named(facts: Mapping[str, Any], rules: Mapping[str, RuleInForce]) -> tuple[SpokenRule, ...]:
    """Return the rules that a decision's event names, with their texts as far as they are known."""
    role: Role = {"permit": "permits", "deny": "refuses"}.get(facts["outcome"], "asks")  # type: ignore[assignment]
    return tuple(
        SpokenRule(
            id=name,
            role=role,
            reason=rules[name].reason.replace("{tool}", facts["tool"]) if name in rules else "",
            text=rules[name].text if name in rules and rules[name].digest == digest else "",
            facts={},
            absent=(),
        )
        for name, digest in facts["rules"]
    )


class _Inquiry:
    """Decides one recorded call again and again; used by one thread."""

    def __init__(
        self,
        policy: LoadedPolicy,
        rules: Mapping[str, RuleInForce],
        bundle: Bundle,
        request: AccessRequest,
        facts: Mapping[str, Any],
    ) -> None:
        self._policy = policy
        self._rules = rules
        self._bundle = bundle
        self._request = request
        self._facts = facts
        self._tried = 0
        self._answer = policy.evaluate(request)
        if self._answer.errors and any(
            isinstance(value, dict) and "sha256" in value for value in request.arguments.values()
        ):
            raise CannotReplay("values-hidden")

    def explain(self, told: Explanation) -> Explanation:
        """Return the explanation with rules, facts and changes; raise `CannotReplay`."""
        answer = self._answer
        if not told.elsewhere and not reproduced(self._facts, answer):
            raise CannotReplay("not-reproduced")
        refused = {one.id for one in (*answer.forbids, *answer.waivable)}
        permits = answer.permits
        if refused and not permits:
            permits = self._policy.without(frozenset(refused)).evaluate(self._request).permits
        approved = bool(told.approval) and told.outcome is Outcome.PERMIT
        rules = (
            *(self._spoken(one.id, "refuses") for one in answer.forbids),
            *(self._spoken(one.id, "waived" if approved else "asks") for one in answer.waivable),
            *(self._spoken(one.id, "permits") for one in permits),
        )
        told = msgspec.structs.replace(told, rules=rules)
        if told.elsewhere:
            return told
        free = waived(self._facts, answer)
        outcome = weigh(answer, free)[0]
        reads, changes = (
            self._from_permit(bool(free)) if outcome is Outcome.PERMIT else self._from_refusal(outcome)
        )
        return msgspec.structs.replace(
            told, changes=_told(changes), tried=self._tried, not_tried=not_tried(reads)
        )

    def _spoken(self, name: str, role: Role) -> SpokenRule:
        rule, facts = self._rules[name], self._policy.facts(self._request, name)
        absent = tuple(one for one in rule.reads if one not in facts)
        reason = rule.reason.replace("{tool}", self._request.tool.id)
        return SpokenRule(id=name, role=role, reason=reason, text=rule.text, facts=facts, absent=absent)

    def _from_refusal(self, outcome: Outcome) -> tuple[frozenset[str], list[PossibleChange]]:
        """Return what would make the answer permit more."""
        answer, request = self._answer, self._request
        found: list[PossibleChange] = []
        if answer.forbids or answer.waivable or answer.asking:
            approved = weigh(answer, frozenset((*answer.waivable, *answer.asking)))[0]
            found.append(PossibleChange(kind="approval", words="a person approved it", outcome=approved))
        objecting = [one.id for one in (*answer.forbids, *answer.waivable)]
        found += self._without(objecting, outcome)
        speaking = objecting or [
            one.id
            for one in self._policy.applicable(request.tool, request.agent)
            if self._rules[one.id].does == "permits"
        ]
        reads = self._reads(speaking)
        wider = [one for one in self._changed(request, speaking) if RANK[one[1]] > RANK[outcome]]
        if not wider:
            wider = self._pairs(speaking, outcome)
        found += [
            PossibleChange(kind=one.kind, words=one.words, outcome=result) for one, result in _best(wider)
        ]
        return reads, found

    def _from_permit(self, approved: bool) -> tuple[frozenset[str], list[PossibleChange]]:
        """Return what would make the answer permit less."""
        answer, request = self._answer, self._request
        found: list[PossibleChange] = []
        if approved:
            outcome = weigh(answer, frozenset())[0]
            found.append(PossibleChange(kind="approval", words="no person had approved it", outcome=outcome))
        for one in answer.permits:
            outcome = self._decided(self._policy.without(frozenset({one.id})), request)
            if outcome is not Outcome.PERMIT:
                words = f"rule `{one.id}` did not exist"
                found.append(PossibleChange(kind="rule", words=words, outcome=outcome))
        guards = [
            one.id
            for one in self._policy.applicable(request.tool, request.agent)
            if self._rules[one.id].does != "permits"
        ]
        narrower = [
            (one, result)
            for one, result in self._changed(request, guards)
            if one.kind == "argument" and RANK[result] < RANK[Outcome.PERMIT]
        ]
        found += [
            PossibleChange(kind=one.kind, words=one.words, outcome=result) for one, result in _first(narrower)
        ]
        return frozenset(), found

    def _without(self, objecting: Sequence[str], outcome: Outcome) -> list[PossibleChange]:
        """Return which rules would have to be gone: each by itself, or else all of them."""
        found = []
        for names in ([[one] for one in objecting], [list(objecting)] if len(objecting) > 1 else []):
            for gone in names:
                result = self._decided(self._policy.without(frozenset(gone)), self._request)
                if RANK[result] > RANK[outcome]:
                    told = ", ".join(f"`{one}`" for one in gone)
                    words = f"rule {told} did not exist" if len(gone) == 1 else f"none of {told} existed"
                    found.append(PossibleChange(kind="rule", words=words, outcome=result))
            if found:
                break
        return found

    def _pairs(self, speaking: Sequence[str], outcome: Outcome) -> list[tuple[Counterfactual, Outcome]]:
        """Return pairs of changes that help together, where no single one does."""
        found = []
        for first, _ in list(self._changed(self._request, speaking)):
            for second, result in self._changed(first.request, speaking):
                other = (second.kind, second.about) != (first.kind, first.about)
                if other and RANK[result] > RANK[outcome]:
                    words = f"{first.words}, and {second.words}"
                    pair = Counterfactual(first.kind, f"{first.about} {second.about}", words, second.request)
                    found.append((pair, result))
            if found:
                break
        return found[:1]

    def _changed(
        self, request: AccessRequest, speaking: Sequence[str]
    ) -> Iterator[tuple[Counterfactual, Outcome]]:
        """Yield the changes of what some rules read, each with the answer to the changed call."""
        compared = [one for name in speaking for one in self._rules[name].compared]
        tool, now = request.tool.id, self._request.task.type
        types = [
            one.name
            for one in self._bundle.task_types.values()
            if one.name != now and any(grant.tool == tool for grant in one.grants)
        ]
        for one in counterfactuals(
            request, self._reads(speaking), compared, classes=self._bundle.classes, types=types
        ):
            if self._tried >= MAX_TRIALS:
                return
            yield one, self._decided(self._policy, one.request)

    def _decided(self, policy: LoadedPolicy, request: AccessRequest) -> Outcome:
        self._tried += 1
        return weigh(policy.evaluate(request), frozenset())[0]

    def _reads(self, names: Sequence[str]) -> frozenset[str]:
        return frozenset(one for name in names for one in self._rules[name].reads)


def _first(found: Sequence[tuple[Counterfactual, Outcome]]) -> list[tuple[Counterfactual, Outcome]]:
    """Return the first change about each thing."""
    kept: dict[tuple[str, str], tuple[Counterfactual, Outcome]] = {}
    for one, result in found:
        kept.setdefault((one.kind, one.about), (one, result))
    return list(kept.values())


def _best(found: Sequence[tuple[Counterfactual, Outcome]]) -> list[tuple[Counterfactual, Outcome]]:
    """Return the first of the changes about each thing that permit the most."""
    return _first(sorted(found, key=lambda one: -RANK[one[1]]))


def _told(changes: Sequence[PossibleChange]) -> tuple[PossibleChange, ...]:
    """Return a bounded number of changes of each kind."""
    counted: Counter[str] = Counter()
    kept = []
    for one in changes:
        counted[one.kind] += 1
        if counted[one.kind] <= MAX_TOLD:
            kept.append(one)
    return tuple(kept)
