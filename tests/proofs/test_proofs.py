# SPDX-License-Identifier: Apache-2.0
"""Proofs with the real compiler and the real solver; each test says what it needs where that is absent."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from remit.adapters.policy.cedar.proof import prover
from remit.adapters.policy.cedar.rule import parse
from remit.adapters.policy.cedar.rule_parts import rule_parts
from remit.core.policy.proof import ProofAnswer, ProofQuestion, ProofVerdict
from remit.core.tasks.plan import PLAN_TOOL
from remit.services.policy.proofs import WantedProof
from tests.proofs.labelled import judged, proof, side
from tests.proofs.mutated_bundles import BASE, Rule, sources
from tests.proofs.small_world import EXPORT, NOTE
from tests.servers import cedar_program

PROVEN, REFUTED, UNDECIDED = ProofVerdict.PROVEN, ProofVerdict.REFUTED, ProofVerdict.UNDECIDED


@pytest.fixture(autouse=True)
def program() -> str:
    """The programs, or a skipped test."""
    return cedar_program.installed()


def changed(name: str, **parts: object) -> tuple[Rule, ...]:
    """The rules, of which one has other parts; without parts it is gone."""
    return tuple(
        msgspec.structs.replace(rule, **parts) if rule.name == name else rule
        for rule in BASE
        if parts or rule.name != name
    )


def refuted(answers: Sequence[ProofAnswer]) -> list[tuple[str, str, ProofQuestion]]:
    """Tool, effect and question of what does not hold."""
    assert all(one.verdict is not UNDECIDED for one in answers), [one.why for one in answers]
    return [(one.tool, one.effect, one.question) for one in answers if one.verdict is REFUTED]


def test_a_dropped_guardrail_widens_where_nothing_else_refuses() -> None:
    """With a call that was decided again, in each form of the tool that the rule bounded."""
    found = proof(side(BASE), side(changed("desk/finance")))
    assert {(tool, effect) for tool, effect, _ in refuted(found.answers)} == {
        ("desk/export", "irreversible"),
        ("desk/export", "reversible"),
    }
    shown = next(one for one in found.answers if one.verdict is REFUTED)
    assert shown.before == "deny"
    assert shown.after in ("permit", "defer")
    assert shown.example is not None
    assert "finance" not in shown.example.groups


def test_a_change_that_no_tool_can_meet_asks_nothing() -> None:
    """Only tools whose rules differ are asked about."""
    found = proof(side(BASE), side(changed("note/planned")))
    assert {one.tool for one in found.answers} == {NOTE.id}
    assert proof(side(BASE), side(BASE)).answers == ()


def test_a_rule_that_asks_instead_of_refusing_widens_after_an_approval_only() -> None:
    """Two levels: by itself nothing more is permitted."""
    found = proof(side(BASE), side(changed("note/planned", asks=True)), WantedProof(tools=(NOTE.id,)))
    assert {question for _, _, question in refuted(found.answers)} == {ProofQuestion.NO_WIDER_AFTER_APPROVAL}


EXPORTS = Rule("desk/exports", "permit", 'action == Action::"desk/export"')


def test_a_permit_that_no_longer_asks_for_a_strong_sign_in_widens() -> None:
    """By itself; a person can permit what a person could before."""
    asking = msgspec.structs.replace(EXPORTS, owes="@step_up\n")
    found = proof(side((*BASE, asking)), side((*BASE, EXPORTS)))
    assert {question for _, _, question in refuted(found.answers)} == {ProofQuestion.NO_WIDER}
    shown = next(one for one in found.answers if one.verdict is REFUTED)
    assert (shown.before, shown.after) == ("defer", "permit")
    assert proof(side((*BASE, EXPORTS)), side((*BASE, asking))).verdict is PROVEN


@pytest.mark.parametrize("owes", ["@require_reason\n", '@notify("owners")\n'])
def test_a_permit_that_demands_less_is_not_proven(owes: str) -> None:
    """Though it permits no further call. Where another permit demands the same, nothing is lost."""
    owing = msgspec.structs.replace(EXPORTS, owes=owes)
    for after in ((*BASE, EXPORTS), BASE):
        found = proof(side((*BASE, owing)), side(after))
        assert found.verdict is UNDECIDED
        assert "may no longer demand" in next(one.why for one in found.answers if one.verdict is UNDECIDED)
    both = msgspec.structs.replace(owing, name="desk/both")
    assert proof(side((*BASE, owing, both)), side((*BASE, both))).verdict is PROVEN
    assert proof(side((*BASE, EXPORTS)), side((*BASE, owing))).verdict is PROVEN


def test_a_condition_that_says_the_same_in_other_words_is_proven() -> None:
    """Levels belong to words, purposes to task types: the solver knows it."""
    other = changed(
        "note/help", conditions=('context.task.type == "support"', "context.label.class_level >= 3")
    )
    found = proof(side(BASE), side(other))
    assert found.answers
    assert found.verdict is PROVEN


def test_an_overflow_is_found_before_anything_else() -> None:
    """remit refuses where a rule fails; what an engine would skip is not called proven."""
    over = changed("desk/limit", conditions=("context.args has amount && context.args.amount + 1 > 1001",))
    found = proof(side(BASE), side(over), WantedProof(tools=(EXPORT.id,)))
    first = found.answers[0]
    assert (first.question, first.verdict, first.rule) == (ProofQuestion.NEVER_ERRS, REFUTED, "desk/limit")
    assert first.example is not None
    assert first.example.facts["context.args.amount"] == 2**63 - 1


def test_a_failing_rule_that_is_gone_no_longer_refuses() -> None:
    """Cedar skipped it where it failed, so only its failure shows this widening."""
    failing = Rule("note/fails", "permit", BASE[7].action, ("context.max_crossings + context.crossings < 0",))
    found = proof(side((*BASE, failing)), side(BASE), WantedProof(tools=(NOTE.id,)))
    wider = [one for one in found.answers if one.question is ProofQuestion.NO_WIDER]
    assert wider
    assert all(one.verdict is REFUTED and one.before == "deny" for one in wider)


def test_a_redundant_rule_that_alone_reads_an_argument_is_open_when_it_goes() -> None:
    """It refused calls in which the argument has another type, which a solver does not see."""
    extra = Rule(
        "desk/extra", "forbid", BASE[1].action, ('context.args.channel == "none"', "context.label.untrusted")
    )
    same = Rule("desk/same", "forbid", BASE[1].action, ("context.label.untrusted",))
    found = proof(side((*BASE, extra, same)), side((*BASE, same)), WantedProof(tools=(EXPORT.id,)))
    wider = [one for one in found.answers if one.question is not ProofQuestion.NEVER_ERRS]
    assert {one.verdict for one in wider} == {UNDECIDED}
    assert all("context.args.channel" in one.why for one in wider)


def test_a_guardrail_bounds_what_the_new_rules_permit() -> None:
    """Proven while it is there, refuted when a change took it out."""
    asked = WantedProof(guardrail="note/planned")
    assert proof(side(BASE), side(BASE), asked).verdict is PROVEN
    found = proof(side(BASE), side(changed("note/planned")), asked)
    assert {question for _, _, question in refuted(found.answers)} == {ProofQuestion.BOUNDED}


def test_no_agent_outside_a_group_reaches_a_tool() -> None:
    """In each form: a form that the guardrail leaves out is reached by everyone."""
    finance = changed("desk/finance", conditions=('!(principal in Group::"finance")',))
    asked = WantedProof(tools=(EXPORT.id,), reached_by=("group:finance",))
    assert proof(side(BASE), side(finance), asked).verdict is PROVEN
    assert {effect for _, effect, _ in refuted(proof(side(BASE), side(BASE), asked).answers)} == {"none"}


def test_a_tool_that_is_described_otherwise_is_open() -> None:
    """A proof compares rules for one description."""
    other = msgspec.structs.replace(NOTE, production=True)
    found = proof(side(BASE), side(BASE, (EXPORT, other)))
    assert {(one.tool, one.verdict) for one in found.answers} == {(NOTE.id, UNDECIDED)}


def test_a_tool_whose_arguments_are_not_known_is_open_where_rules_read_them() -> None:
    """Until its upstream has listed it once; rules that read no argument are decided."""
    tools = (msgspec.structs.replace(EXPORT, surface={}), msgspec.structs.replace(NOTE, surface={}))
    found = proof(side(BASE, tools), side(changed("data/outside"), tools))
    verdicts = {(one.tool, one.verdict) for one in found.answers if one.question is ProofQuestion.NO_WIDER}
    assert verdicts == {(EXPORT.id, UNDECIDED), (NOTE.id, PROVEN), (PLAN_TOOL.id, PROVEN)}
    assert all(
        "until its upstream is connected" in one.why for one in found.answers if one.verdict is UNDECIDED
    )


def test_what_counts_as_unable_to_fail_is_proven_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The form of a rule decides it without the solver; asked all the same, the solver agrees."""
    rules, _ = parse(sources(BASE))
    assert not any(rule_parts(rule.policy)[2] for rule in rules)
    monkeypatch.setattr(prover, "rule_parts", lambda policy: ("", (), True))
    found = proof(side(BASE), side(BASE), WantedProof(errors=True, tools=(NOTE.id,)))
    assert {one.audience for one in found.answers} == {"internal", "self"}
    assert found.verdict is PROVEN


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1006))
def test_a_proof_about_a_mutated_bundle_says_what_every_call_shows(seed: int) -> None:
    """`make proofs` runs many more."""
    for one in judged(seed)[0]:
        assert not one.missed
        assert not one.false_alarm
        assert one.decided, one.why
