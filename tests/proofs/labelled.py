# SPDX-License-Identifier: Apache-2.0
"""Compares proofs about mutated bundles with what every call of the small world shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from remit.adapters.policy.cedar import CedarPolicies
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Outcome, PolicyAnswer, weigh
from remit.core.policy import bundle as bundles
from remit.core.policy.proof import ProofAnswer, ProofQuestion, ProofVerdict, verdict_of
from remit.core.tools.tool import Tool
from remit.services.policy.proofs import PolicyProof, ProofSide, WantedProof, prove
from tests.proofs.mutated_bundles import BASE, Bundle, mutated, sources
from tests.proofs.small_world import CLASSES, TASK_TYPES, TOOLS, every_call

ENGINE = CedarPolicies(classes=CLASSES)
_OPENNESS = {Outcome.DENY: 0, Outcome.DEFER: 1, Outcome.PERMIT: 2}
MAX_SECONDS = 300.0


class Judged(msgspec.Struct, frozen=True):
    """What one tool's calls show of a mutated bundle, and what the proof says."""

    seed: int
    mutation: str
    tool: str
    calls: int
    wider: bool
    errs: bool
    said_wider: ProofVerdict
    said_errs: ProofVerdict
    answers: int
    why: tuple[str, ...] = ()

    @property
    def missed(self) -> bool:
        """Whether the proof calls something proven that a call refutes."""
        proven = ProofVerdict.PROVEN
        return (self.wider and self.said_wider is proven) or (self.errs and self.said_errs is proven)

    @property
    def false_alarm(self) -> bool:
        """Whether the proof refutes what every call shows."""
        refuted = ProofVerdict.REFUTED
        return (not self.wider and self.said_wider is refuted) or (
            not self.errs and self.said_errs is refuted
        )

    @property
    def decided(self) -> bool:
        """Whether the proof leaves nothing open."""
        return ProofVerdict.UNDECIDED not in (self.said_wider, self.said_errs)


def side(bundle: Bundle, tools: Sequence[Tool] = TOOLS) -> ProofSide:
    """Return a bundle of the small world as one side of a proof."""
    found = sources(bundle)
    loaded = ENGINE.load(found, tools, TASK_TYPES, [])
    return ProofSide(
        bundle=bundles.Bundle(
            policies=found, task_types={one.name: one for one in TASK_TYPES}, classes=CLASSES
        ),
        tools=tools,
        rules=loaded.rules(),
        decide=loaded.evaluate,
    )


def proof(before: ProofSide, after: ProofSide, wanted: WantedProof | None = None) -> PolicyProof:
    """Return a proof about two bundles of the small world."""
    asked = wanted or WantedProof()
    return prove(ENGINE.prover(), before, after, asked, engine=ENGINE, seconds=MAX_SECONDS)


def judged(seed: int) -> tuple[list[Judged], float]:
    """Return what calls and proof say of a mutated bundle, by tool, and the seconds of the proof."""
    bundle, said = mutated(seed)
    before, after = side(BASE), side(bundle)
    found = proof(before, after)
    out = []
    for tool in TOOLS:
        calls = list(every_call(tool, [rule.text for rule in (*BASE, *bundle) if rule.meets(tool.id)]))
        wider, errs = _shown(calls, before.decide, after.decide)
        answers = [one for one in found.answers if one.tool == tool.id]
        out.append(
            Judged(
                seed=seed,
                mutation=said,
                tool=tool.id,
                calls=len(calls),
                wider=wider,
                errs=errs,
                said_wider=verdict_of(one for one in answers if one.question is not ProofQuestion.NEVER_ERRS),
                said_errs=verdict_of(one for one in answers if one.question is ProofQuestion.NEVER_ERRS),
                answers=len(answers),
                why=tuple(_why(answers)),
            )
        )
    return out, found.seconds


def _why(answers: Sequence[ProofAnswer]) -> list[str]:
    return list(dict.fromkeys(one.why for one in answers if one.why))


def _shown(
    calls: Sequence[AccessRequest],
    before: Callable[[AccessRequest], PolicyAnswer],
    after: Callable[[AccessRequest], PolicyAnswer],
) -> tuple[bool, bool]:
    """Return whether a call is permitted more than before, and whether a rule fails."""
    wider = errs = False
    for call in calls:
        found = after(call)
        errs = errs or bool(found.errors)
        if not wider:
            was, now = (weigh(one, frozenset())[0] for one in (before(call), found))
            wider = _OPENNESS[now] > _OPENNESS[was]
    return wider, errs
