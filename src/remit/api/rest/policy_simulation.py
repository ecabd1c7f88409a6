# SPDX-License-Identifier: Apache-2.0
"""Policies tried without effect: compared, on recorded calls, and by proof for every possible call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Body, Endpoint, RestRequest
from remit.core.canonical import digest
from remit.core.decisions.decision import Outcome
from remit.core.decisions.policy_replay import MEANINGS, Flips, PolicyReplay, ReplayedCall
from remit.core.json_value import Json
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.policy.proof import ProofAnswer, ProofQuestion, ProofVerdict
from remit.core.tasks.history import HistoryCounter
from remit.services.identity.permissions import Duty, require
from remit.services.inspection.assembly import InspectionServices
from remit.services.inspection.simulation import MOST, USUAL, Simulated
from remit.services.policy.bundle import Policies
from remit.services.policy.policy_changes import PolicyChange, changes, widest
from remit.services.policy.proofs import PolicyProof, WantedProof


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationRooms:
    """The rooms that these endpoints work with."""

    policies: Policies
    inspection: InspectionServices


class Simulate(Body, frozen=True, kw_only=True):
    """What to simulate: the given policies, an earlier version, or else the bundle in the server's folder.

    With `policies`, tools and task types are those in force, and so are the counters without `history`.
    `limit` is the number of recorded decisions, the
    newest first. With `every`, each call is decided under both versions.
    """

    policies: tuple[PolicySource, ...] | None = None
    history: tuple[HistoryCounter, ...] | None = None
    version: Annotated[int, msgspec.Meta(ge=0)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST)] = USUAL
    every: bool = False


class Counted(View, frozen=True, kw_only=True):
    """A name, and how many calls have it."""

    name: str
    calls: int


class FlippedCall(View, frozen=True, kw_only=True):
    """A recorded call that would be decided differently; `remit explain` shows it by `decision`."""

    decision: str
    at: Moment
    tool: str
    agent: str
    person: str
    task: str
    task_type: str
    rules_before: tuple[str, ...]
    rules_after: tuple[str, ...]
    why: tuple[str, ...]


class FlipView(View, frozen=True, kw_only=True):
    """Calls that change from one outcome to another, counted by what they have in common.

    `rules` are the rules that refuse or ask, before if the calls would now be permitted, else after.
    """

    before: Outcome
    after: Outcome
    more_permissive: bool
    calls: int
    agents: tuple[Counted, ...]
    task_types: tuple[Counted, ...]
    people: tuple[Counted, ...]
    tools: tuple[Counted, ...]
    rules: tuple[Counted, ...]
    examples: tuple[FlippedCall, ...]


class Skipped(View, frozen=True, kw_only=True):
    """Decisions that cannot be decided again exactly, and why."""

    code: str
    meaning: str
    decisions: int


class SimulatedView(View, frozen=True, kw_only=True):
    """What would change.

    `before` and `after` are the digests of the two bundles. Of the decisions `read`, no changed rule can
    match those `unaffected`, `replayed` were decided again, and `skipped` could not be. `refused_elsewhere`
    were refused by a grant, a budget or a token, so no policy can change them. `rate` is the number of
    decisions that one core decides in a second.
    """

    before: str
    after: str
    read: int
    unaffected: int
    replayed: int
    unchanged: int
    refused_elsewhere: int
    skipped: tuple[Skipped, ...]
    flips: tuple[FlipView, ...]
    rate: int


class Compared(Body, frozen=True, kw_only=True):
    """Policies to compare: given ones with their counters, those of a version, or the bundle in force."""

    policies: tuple[PolicySource, ...] | None = None
    history: tuple[HistoryCounter, ...] | None = None
    version: Annotated[int, msgspec.Meta(ge=0)] = 0
    in_force: bool = False


class Compare(Body, frozen=True, kw_only=True):
    """What to compare: by default the bundle in force with the one in the server's folder.

    With `recorded`, also what changes for the last `limit` recorded decisions, for auditors.
    """

    before: Compared = Compared(in_force=True)
    after: Compared = Compared()
    recorded: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST)] = USUAL


class ComparedView(View, frozen=True, kw_only=True):
    """What differs; `wider` is whether any of it permits more (`yes`), may do so (`maybe`), or cannot (`no`).

    `before` and `after` are the digests of the two bundles.
    """

    before: str
    after: str
    wider: Literal["yes", "maybe", "no"]
    changes: tuple[PolicyChange, ...]
    recorded: SimulatedView | None = None


class Prove(Body, frozen=True, kw_only=True):
    """What to prove: by default that the change of the bundle in force permits nothing more.

    The new policies are those in the server's folder, unless `after` says otherwise. `tools` limits the proof
    to these. `guardrail` is the id of a rule that must bound everything that the new policies permit,
    `reached_by` are the only agents and groups (`group:NAME`) that may reach the tools. With `errors` each
    rule is asked whether it can fail.
    """

    before: Compared = Compared(in_force=True)
    after: Compared = Compared()
    tools: tuple[str, ...] = ()
    guardrail: str = ""
    reached_by: tuple[str, ...] = ()
    errors: bool = False


class ProvenCall(View, frozen=True, kw_only=True):
    """A call for which a statement does not hold: the agent's groups, and the facts that the rules read.

    `before` and `after` are how remit decides it by the two versions, `rules` those that decide after.
    """

    groups: tuple[str, ...]
    facts: dict[str, Json]
    before: str
    after: str
    rules: tuple[str, ...]


class ProofAnswerView(View, frozen=True, kw_only=True):
    """The answer to one question about the calls of a tool with one effect and audience.

    `undecided` proves nothing; `why` is the reason.
    """

    question: ProofQuestion
    tool: str
    effect: str
    audience: str
    verdict: ProofVerdict
    rule: str = ""
    call: ProvenCall | None = None
    why: str = ""


class ProofView(View, frozen=True, kw_only=True):
    """A proof about two bundles, with the versions of Cedar's symbolic compiler and of the solver.

    No answers: no tool's calls can be decided differently.
    """

    before: str
    after: str
    verdict: ProofVerdict
    answers: tuple[ProofAnswerView, ...]
    cedar: str
    solver: str
    seconds: float


async def compare(errand: RestRequest[SimulationRooms]) -> ComparedView:
    """Return what differs between two bundles, in words and for recorded calls; change nothing."""
    wanted: Compare = errand.body
    policies = errand.rooms.policies
    if wanted.recorded:
        assert errand.person is not None
        require(errand.person, Duty.AUDIT)
    before, after = (
        await compared_bundle(errand, wanted.before),
        await compared_bundle(errand, wanted.after),
    )
    old, new = await policies.tried(before, by=errand.by), await policies.tried(after, by=errand.by)
    found = changes(before, after, old.rules(), new.rules())
    recorded = None
    if wanted.recorded:
        recorded = simulated_view(
            await errand.rooms.inspection.simulations.run(
                after, limit=wanted.limit, before=before, by=errand.by
            )
        )
    return ComparedView(
        before=before.digest,
        after=after.digest,
        wider=widest(found),
        changes=tuple(found),
        recorded=recorded,
    )


async def simulate(errand: RestRequest[SimulationRooms]) -> SimulatedView:
    """Decide recorded calls again under other policies; change nothing."""
    wanted: Simulate = errand.body
    given = Compared(policies=wanted.policies, history=wanted.history, version=wanted.version)
    candidate = await compared_bundle(errand, given)
    return simulated_view(
        await errand.rooms.inspection.simulations.run(
            candidate, limit=wanted.limit, every=wanted.every, by=errand.by
        )
    )


def simulated_view(found: Simulated) -> SimulatedView:
    """Return the result of a simulation."""
    replay = found.replay
    changed = sum(one.calls for one in replay.flips.values())
    return SimulatedView(
        before=found.before,
        after=found.after,
        read=replay.read,
        unaffected=replay.unaffected,
        replayed=replay.replayed,
        unchanged=replay.replayed - changed,
        refused_elsewhere=replay.refused_elsewhere,
        skipped=tuple(
            Skipped(code=code, meaning=MEANINGS.get(code, code), decisions=count)
            for code, count in replay.skipped.most_common()
        ),
        flips=flip_views(replay),
        rate=int(replay.read / found.deciding_s) if found.deciding_s else 0,
    )


async def prove(errand: RestRequest[SimulationRooms]) -> ProofView:
    """Prove or refute a statement about policies for every possible call; change nothing."""
    wanted: Prove = errand.body
    before, after = await _named_bundle(errand, wanted.before), await _named_bundle(errand, wanted.after)
    asked = WantedProof(
        tools=wanted.tools, guardrail=wanted.guardrail, reached_by=wanted.reached_by, errors=wanted.errors
    )
    return proof_view(await errand.rooms.inspection.proofs.prove(before, after, asked, by=errand.by))


async def _named_bundle(errand: RestRequest[SimulationRooms], wanted: Compared) -> Bundle:
    bundle = await compared_bundle(errand, wanted)
    if wanted.policies is None:
        return bundle
    # A proof is on record, so given policies have a name there, too.
    return msgspec.structs.replace(
        bundle, digest=digest(msgspec.to_builtins((wanted.policies, wanted.history)))
    )


def proof_view(found: PolicyProof) -> ProofView:
    """Return a proof."""
    return ProofView(
        before=found.before,
        after=found.after,
        verdict=found.verdict,
        answers=tuple(_answer(one) for one in found.answers),
        cedar=found.programs.cedar,
        solver=found.programs.solver,
        seconds=found.seconds,
    )


def _answer(one: ProofAnswer) -> ProofAnswerView:
    call = None
    if one.example is not None:
        call = ProvenCall(
            groups=one.example.groups,
            facts=one.example.facts,
            before=one.before,
            after=one.after,
            rules=one.rules,
        )
    return ProofAnswerView(
        question=one.question,
        tool=one.tool,
        effect=one.effect,
        audience=one.audience,
        verdict=one.verdict,
        rule=one.rule,
        call=call,
        why=one.why,
    )


async def compared_bundle(errand: RestRequest[Any], wanted: Compared) -> Bundle:
    """Return the bundle that a request names."""
    policies: Policies = errand.rooms.policies
    if wanted.policies is not None:
        now = policies.applied.bundle
        history = now.history if wanted.history is None else wanted.history
        return msgspec.structs.replace(now, policies=wanted.policies, history=history, digest="given")
    if wanted.version:
        return await policies.versions.of(wanted.version)
    if wanted.in_force:
        return policies.applied.bundle
    # It reads files, so it runs outside of the event loop.
    return await asyncio.to_thread(errand.desk.reload)


def flip_views(replay: PolicyReplay) -> tuple[FlipView, ...]:
    """Return what differs, first what permits more."""
    flips = sorted(replay.flips.values(), key=lambda one: (not one.more_permissive, -one.calls))
    return tuple(_flip(one) for one in flips)


def _flip(one: Flips) -> FlipView:
    def counted(names: dict[str, int]) -> tuple[Counted, ...]:
        ordered = sorted(names.items(), key=lambda item: (-item[1], item[0]))
        return tuple(Counted(name=name, calls=calls) for name, calls in ordered)

    return FlipView(
        before=one.before,
        after=one.after,
        more_permissive=one.more_permissive,
        calls=one.calls,
        agents=counted(one.agents),
        task_types=counted(one.task_types),
        people=counted(one.people),
        tools=counted(one.tools),
        rules=counted(one.rules),
        examples=tuple(_call(each) for each in one.examples),
    )


def _call(one: ReplayedCall) -> FlippedCall:
    return msgspec.convert(msgspec.structs.asdict(one), FlippedCall, strict=False)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/api/v1/policies/diff",
        summary="Compare two policy bundles, and mark what permits more",
        serve=compare,
        people=Duty.OVERSEE,
        takes=Compare,
        gives=ComparedView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/policies/simulate",
        summary="Decide recorded calls again under other policies",
        serve=simulate,
        people=Duty.AUDIT,
        takes=Simulate,
        gives=SimulatedView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/policies/prove",
        summary="Prove for every possible call that a change of policies permits nothing more",
        serve=prove,
        people=Duty.OVERSEE,
        takes=Prove,
        gives=ProofView,
    ),
)
