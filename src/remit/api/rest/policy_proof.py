# SPDX-License-Identifier: Apache-2.0
"""Proofs: statements about policies that are answered for every possible call."""

from __future__ import annotations

from typing import Any

import msgspec

from remit.api.rest.policy_simulation import Compared, SimulationRooms, compared_bundle
from remit.api.rest.representations import View
from remit.api.rest.route import Body, Endpoint, RestRequest
from remit.core.canonical import digest
from remit.core.json_value import Json
from remit.core.policy.bundle import Bundle
from remit.core.policy.proof import ProofAnswer, ProofQuestion, ProofVerdict
from remit.services.identity.permissions import Duty
from remit.services.policy.proving import PolicyProof, WantedProof


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


async def prove(errand: RestRequest[SimulationRooms]) -> ProofView:
    """Prove or refute a statement about policies for every possible call; change nothing."""
    wanted: Prove = errand.body
    before, after = await _bundle(errand, wanted.before), await _bundle(errand, wanted.after)
    asked = WantedProof(
        tools=wanted.tools, guardrail=wanted.guardrail, reached_by=wanted.reached_by, errors=wanted.errors
    )
    return proof_view(await errand.rooms.inspection.proofs.prove(before, after, asked, by=errand.by))


async def _bundle(errand: RestRequest[SimulationRooms], wanted: Compared) -> Bundle:
    bundle = await compared_bundle(errand, wanted)
    if wanted.policies is None:
        return bundle
    # A proof is on record, so given policies have a name there, too.
    return msgspec.structs.replace(bundle, digest=digest(msgspec.to_builtins(wanted.policies)))


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
    call = one.example and ProvenCall(
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


ENDPOINTS: tuple[Endpoint[Any], ...] = (
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
