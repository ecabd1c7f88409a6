# SPDX-License-Identifier: Apache-2.0
"""Proves what a change of policies does, and has each call that the proof finds decided again.

A prover and an engine are two programs. A call that one finds counts only if the other one decides it so; a
disagreement is told, and leaves the question open.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Outcome, PolicyAnswer, weigh
from remit.core.decisions.possible_request import ImpossibleCall, request_of
from remit.core.errors import Busy, ConfigInvalid, NotFound
from remit.core.evidence.event import Event
from remit.core.evidence.events.system import PolicyProven
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.policy.proof import ProofAnswer, ProofPrograms, ProofQuestion, ProofVerdict, verdict_of
from remit.core.tasks.plan import PLAN_TOOL
from remit.core.tools.tool import Tool
from remit.ports.policy import PolicyEngine, PolicyProver, ProvedPolicies, RuleInForce
from remit.ports.runtime import Clock
from remit.ports.store.principals import PrincipalStore
from remit.ports.store.units import Unit
from remit.services.policy.bundle import Policies

Decide = Callable[[AccessRequest], PolicyAnswer]
_OPENNESS: Final = {Outcome.DENY: 0, Outcome.DEFER: 1, Outcome.PERMIT: 2}
_WIDENINGS: Final = (ProofQuestion.NO_WIDER, ProofQuestion.NO_WIDER_AFTER_APPROVAL)
_PERMIT_ALL: Final = '@id("proof/everything") permit (principal, action, resource);\n'
_GROUP: Final = "group:"
#: Seconds of one proof in a server: a client waits for its answer.
MAX_SECONDS: Final = 45.0


class WantedProof(msgspec.Struct, frozen=True, kw_only=True):
    """What to prove: by default that a change permits nothing more; else one of the other statements.

    `tools` limits it to these. `guardrail` is the id of a rule that must bound everything, `reached_by` are
    the only agents and groups (`group:NAME`) that may reach the tools. `errors` asks of every rule whether it
    can fail.
    """

    tools: tuple[str, ...] = ()
    guardrail: str = ""
    reached_by: tuple[str, ...] = ()
    errors: bool = False


class ProofSide(msgspec.Struct, frozen=True, kw_only=True):
    """One of two versions: its bundle, its tools as they are registered, and how its policies decide."""

    bundle: Bundle
    tools: Sequence[Tool]
    rules: Sequence[RuleInForce]
    decide: Decide

    @property
    def proved(self) -> ProvedPolicies:
        """The policies in the form that a prover takes."""
        types = list(self.bundle.task_types.values())
        return ProvedPolicies(self.bundle.policies, self.tools, types, self.bundle.history)


class PolicyProof(msgspec.Struct, frozen=True, kw_only=True):
    """The answers to what was asked about two versions, and the programs behind them."""

    before: str
    after: str
    verdict: ProofVerdict
    programs: ProofPrograms
    answers: tuple[ProofAnswer, ...]
    seconds: float


def prove(
    prover: PolicyProver,
    before: ProofSide,
    after: ProofSide,
    wanted: WantedProof,
    *,
    engine: PolicyEngine,
    seconds: float = MAX_SECONDS,
) -> PolicyProof:
    """Return a proof; it takes up to `seconds`. `engine` loads a guardrail by itself.

    Raises `NotFound` where the programs are not installed, or for an unknown tool or rule, and
    `ConfigInvalid` for policies that are not valid or two versions that no proof compares.
    """
    started = time.monotonic()
    programs = prover.programs()
    unknown = sorted({*wanted.tools} - {tool.id for tool in (*after.tools, PLAN_TOOL)})
    if unknown:
        raise NotFound(f"tool `{unknown[0][:80]}` does not exist", remediation="see `remit tool list`")
    if before.bundle.classes != after.bundle.classes:
        raise ConfigInvalid(
            "the data classes of the two versions differ, and a proof compares rules for the same classes",
            remediation="prove the change of rules with the old classes first, then change the classes",
        )
    only = frozenset(wanted.tools)
    guarded: Decide | None = None
    if wanted.guardrail:
        guardrail = _rule(wanted.guardrail, before, after)
        source = PolicySource(guardrail.file, _PERMIT_ALL + guardrail.text)
        types = after.proved.task_types
        loaded = engine.load([source], after.tools, types, [], aside=True)
        assert not loaded.served, "a prover is there only where this process evaluates policies"
        guarded = loaded.evaluate
        found = prover.bounded(after.proved, guardrail, only, seconds=seconds)
    elif wanted.reached_by:
        found = prover.reached(after.proved, wanted.reached_by, only, seconds=seconds)
    elif wanted.errors:
        found = prover.errors(after.proved, only, seconds=seconds)
    else:
        found = prover.change(before.proved, after.proved, only, seconds=seconds)
    replay = _Replay(before, after, wanted, guarded)
    answers = tuple(replay.of(one) for one in found)
    return PolicyProof(
        before=before.bundle.digest,
        after=after.bundle.digest,
        verdict=verdict_of(answers),
        programs=programs,
        answers=answers,
        seconds=round(time.monotonic() - started, 2),
    )


def _rule(name: str, before: ProofSide, after: ProofSide) -> PolicySource:
    """Return the text of a rule as it was, so that a change does not change the measure, or as it is."""
    for rule in (*before.rules, *after.rules):
        if rule.id == name:
            text = rule.text if f'"{name}"' in rule.text else f'@id("{name}")\n{rule.text}'
            return PolicySource("guardrail.cedar", text)
    raise NotFound(f"rule `{name[:80]}` does not exist", remediation="see `remit policy rules`")


class _Replay:
    """Has the calls that a proof finds decided by the policies as they are in use."""

    def __init__(
        self, before: ProofSide, after: ProofSide, wanted: WantedProof, guarded: Decide | None
    ) -> None:
        self._before, self._after = before.decide, after.decide
        self._classes = after.bundle.classes
        self._tools = {tool.id: tool for tool in (*after.tools, PLAN_TOOL)}
        self._wanted, self._guarded = wanted, guarded

    def of(self, answer: ProofAnswer) -> ProofAnswer:
        """Return an answer as the replay of its call leaves it."""
        if answer.example is None:
            return answer
        try:
            request = request_of(answer.example, self._tools[answer.tool], self._classes)
        except (ImpossibleCall, msgspec.ValidationError, KeyError, ValueError) as fault:
            return _open(answer, f"the call that was found cannot happen: {fault}")
        was, found = self._before(request), self._after(request)
        before, (after, rules) = weigh(was, frozenset())[0], weigh(found, frozenset())
        answer = msgspec.structs.replace(
            answer, before=before.value, after=after.value, rules=tuple(rule.id for rule in rules)
        )
        if self._agrees(answer, request, found, _OPENNESS[before], _OPENNESS[after]):
            return answer
        why = "the rehearsal disagrees with the proof about this call"
        return _open(answer, f"{why}: {'; '.join(found.errors)}" if found.errors else why)

    def _agrees(
        self, answer: ProofAnswer, request: AccessRequest, found: PolicyAnswer, before: int, after: int
    ) -> bool:
        """Return whether the call shows that the statement does not hold."""
        match answer.question:
            case ProofQuestion.NEVER_ERRS:
                return any(f"`{answer.rule}`" in error for error in found.errors)
            case ProofQuestion.NO_WIDER:
                return after > before and after == _OPENNESS[Outcome.PERMIT]
            case ProofQuestion.NO_WIDER_AFTER_APPROVAL:
                return after > before == _OPENNESS[Outcome.DENY]
            case ProofQuestion.BOUNDED:
                spoken = self._guarded(request) if self._guarded else PolicyAnswer()
                if any(rule.id == answer.rule for rule in spoken.waivable):
                    return after == _OPENNESS[Outcome.PERMIT]
                return after > 0 and any(rule.id == answer.rule for rule in spoken.forbids)
            case ProofQuestion.REACHED_ONLY_BY:
                agent = request.agent
                names = {agent.name, *(f"{_GROUP}{group}" for group in agent.groups)}
                return after > 0 and names.isdisjoint(self._wanted.reached_by)


def _open(answer: ProofAnswer, why: str) -> ProofAnswer:
    return msgspec.structs.replace(answer, verdict=ProofVerdict.UNDECIDED, why=why)


class PolicyProofs:
    """Proves statements about the bundles of one tenant, one after the other, and records what came out."""

    def __init__(
        self,
        *,
        prover: PolicyProver | None,
        engine: PolicyEngine,
        policies: Policies,
        store: PrincipalStore,
        clock: Clock,
        tenant: str,
    ) -> None:
        """Take the prover; None where policies are in a language that none knows."""
        self._prover = prover
        self._engine = engine
        self._policies = policies
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._running = asyncio.Lock()

    async def prove(self, before: Bundle, after: Bundle, wanted: WantedProof, *, by: str) -> PolicyProof:
        """Return a proof, which is on record.

        Raises like `prove`, and `Busy` while another proof is under way.
        """
        if self._running.locked():
            raise Busy("another proof is under way", remediation="try again in a minute")
        async with self._running:
            prover = self.prover()
            old, new = await self._side(before, by), await self._side(after, by)
            found = await asyncio.to_thread(prove, prover, old, new, wanted, engine=self._engine)
        await self._record(found, wanted, by)
        return found

    def prover(self) -> PolicyProver:
        """Return the prover; raises `ConfigInvalid` where there is none."""
        if self._prover is None:
            raise ConfigInvalid(
                "a proof is about policies in Cedar", remediation="use `remit policy simulate`"
            )
        return self._prover

    async def _side(self, bundle: Bundle, by: str) -> ProofSide:
        loaded = await self._policies.tried(bundle, by=by)
        return ProofSide(
            bundle=bundle,
            tools=self._policies.tools_of(bundle),
            rules=loaded.rules(),
            decide=loaded.evaluate,
        )

    async def _record(self, found: PolicyProof, wanted: WantedProof, by: str) -> None:
        count = dict.fromkeys(ProofVerdict, 0)
        for one in found.answers:
            count[one.verdict] += 1
        proven = PolicyProven(
            bundle=found.after,
            before=found.before,
            verdict=found.verdict.value,
            proven=count[ProofVerdict.PROVEN],
            refuted=count[ProofVerdict.REFUTED],
            undecided=count[ProofVerdict.UNDECIDED],
            guardrail=wanted.guardrail,
            reached_by=wanted.reached_by,
            tools=wanted.tools,
            cedar=found.programs.cedar,
            solver=found.programs.solver,
            by=by,
        )
        event = Event.of(proven, at=self._clock.now(), tenant=self._tenant, subject=by)
        await self._store.commit(Unit(events=(event,)))
