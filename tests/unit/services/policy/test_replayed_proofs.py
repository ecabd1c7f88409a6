# SPDX-License-Identifier: Apache-2.0
"""A call that a prover finds counts only if the policies in use decide it so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from remit.adapters.policy.cedar.rule_groups import extension
from remit.adapters.policy.facts import Facts, context_shape, parameters
from remit.core.errors import ConfigInvalid, NotFound
from remit.core.label import Classes
from remit.core.policy.proof import (
    PossibleCall,
    ProofAnswer,
    ProofPrograms,
    ProofQuestion,
    ProofVerdict,
    verdict_of,
)
from remit.services.policy.proofs import WantedProof, prove
from tests.proofs.labelled import ENGINE, side
from tests.proofs.mutated_bundles import BASE, Bundle
from tests.proofs.small_world import CLASSES, LARGEST, NOTE, TASK_TYPES, every_call

LESS: Bundle = tuple(rule for rule in BASE if rule.name != "note/planned")


def call(**flow: Any) -> PossibleCall:
    """A call of `desk/note` as a prover would find it."""
    (request, *_) = every_call(NOTE, [])
    context = Facts(CLASSES, TASK_TYPES, 1000).context(
        context_shape(NOTE, parameters(TASK_TYPES)), request, extension
    )
    context["now"] = request.now
    context["flow"] = {**context["flow"], **flow}
    agent = {
        "name": "ada",
        "owner": "kim",
        "purpose": "",
        "environment": "",
        "initiative": "",
        "state": "active",
        "manifest": "",
    }
    return PossibleCall(agent, (), "pinned", context, (("context", "flow", "plan"),))


class Scripted:
    """A prover that says what it was told to."""

    def __init__(self, *answers: ProofAnswer) -> None:
        """Take the answers."""
        self._answers = answers

    def programs(self) -> ProofPrograms:
        """Some versions."""
        return ProofPrograms("4", "1")

    def change(self, *asked: Any, **more: Any) -> Iterator[ProofAnswer]:
        """The answers."""
        return iter(self._answers)

    errors = bounded = reached = change


def answer(
    example: PossibleCall | None, question: ProofQuestion = ProofQuestion.NO_WIDER, rule: str = ""
) -> ProofAnswer:
    """An answer with a call, which refutes; without one, it proves."""
    verdict = ProofVerdict.PROVEN if example is None else ProofVerdict.REFUTED
    return ProofAnswer(
        question=question,
        tool=NOTE.id,
        effect="reversible",
        audience="internal",
        verdict=verdict,
        example=example,
        rule=rule,
    )


def proven(*answers: ProofAnswer, after: Bundle = LESS, **wanted: Any) -> ProofAnswer:
    """The first answer of a proof by a scripted prover."""
    found = prove(Scripted(*answers), side(BASE), side(after), WantedProof(**wanted), engine=ENGINE)
    return found.answers[0]


def test_a_call_that_the_policies_decide_so_refutes() -> None:
    """And both decisions are told, with the rules that speak."""
    found = proven(answer(call(plan="unplanned", asked=True)))
    assert (found.verdict, found.before, found.after) == (ProofVerdict.REFUTED, "deny", "permit")
    assert found.rules == ("base/all",)
    assert found.example is not None
    assert found.example.facts == {"context.flow.plan": "unplanned"}


def test_a_call_that_the_policies_decide_otherwise_is_told_as_a_disagreement() -> None:
    """It is neither hidden nor counted as a widening."""
    found = proven(answer(call(plan="planned", asked=True)))
    assert (found.verdict, found.before, found.after) == (ProofVerdict.UNDECIDED, "permit", "permit")
    assert "disagrees" in found.why


def test_a_call_that_cannot_happen_is_told() -> None:
    """The tool has no such audience."""
    impossible = call()
    impossible.context["audience"] = "external"
    found = proven(answer(impossible))
    assert found.verdict is ProofVerdict.UNDECIDED
    assert "cannot happen" in found.why


def test_a_guardrail_counts_as_it_was_before() -> None:
    """A change of the guardrail does not change what it is measured by."""
    asked = answer(call(plan="unplanned"), ProofQuestion.BOUNDED, "note/planned")
    assert proven(asked, guardrail="note/planned").verdict is ProofVerdict.REFUTED
    asked = answer(call(plan="planned"), ProofQuestion.BOUNDED, "note/planned")
    assert proven(asked, guardrail="note/planned").verdict is ProofVerdict.UNDECIDED
    with pytest.raises(NotFound):
        proven(guardrail="note/another")


def test_another_agent_refutes_and_a_named_one_does_not() -> None:
    """By its name or its group."""
    one = answer(call(plan="none"), ProofQuestion.REACHED_ONLY_BY)
    assert proven(one, reached_by=("group:ops",)).verdict is ProofVerdict.REFUTED
    assert proven(one, reached_by=("ada",)).verdict is ProofVerdict.UNDECIDED


def test_an_error_counts_only_of_the_rule_in_question() -> None:
    """The rule fails for the largest number."""
    failing = (
        *BASE,
        msgspec.structs.replace(BASE[7], name="note/depth", conditions=("context.crossings + 1 > 5",)),
    )
    largest = call()
    largest.context["crossings"] = LARGEST
    one = answer(largest, ProofQuestion.NEVER_ERRS, "note/depth")
    assert proven(one, after=failing).verdict is ProofVerdict.REFUTED
    one = answer(largest, ProofQuestion.NEVER_ERRS, "note/planned")
    assert proven(one, after=failing).verdict is ProofVerdict.UNDECIDED


def test_one_refuted_answer_refutes_and_one_open_answer_leaves_open() -> None:
    """Whatever else is proven."""
    yes = answer(None)
    no = answer(call())
    maybe = msgspec.structs.replace(yes, verdict=ProofVerdict.UNDECIDED)
    assert verdict_of([yes, yes]) is ProofVerdict.PROVEN
    assert verdict_of([yes, maybe]) is ProofVerdict.UNDECIDED
    assert verdict_of([maybe, no, yes]) is ProofVerdict.REFUTED


def test_what_no_proof_compares_is_refused() -> None:
    """Other data classes, and a tool that does not exist."""
    after = side(LESS)
    other = msgspec.structs.replace(after.bundle, classes=Classes(order=("open", "closed")))
    changed = msgspec.structs.replace(after, bundle=other)
    with pytest.raises(ConfigInvalid):
        prove(Scripted(), side(BASE), changed, WantedProof(), engine=ENGINE)
    with pytest.raises(NotFound):
        prove(Scripted(), side(BASE), after, WantedProof(tools=("desk/none",)), engine=ENGINE)
