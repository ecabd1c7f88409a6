# SPDX-License-Identifier: Apache-2.0
"""Cases for policies are read with their lines, rehearsed whole or decided alone, and say what differs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from remit.config.scaffold import scaffold
from remit.core.errors import ConfigInvalid, NotFound
from remit.rehearse import Rehearsal
from remit.rehearse.case_runs import CaseResult, CaseRuns
from remit.rehearse.policy_cases import read_cases

OWN = (
    '@id("own/untrusted")\n@reason("not from there")\n@remediation("ask its author")\n'
    'forbid (principal, action == Action::"notes/write_note", resource) when { context.label.untrusted };\n'
    '@id("own/night")\n@otherwise("approval")\n'
    'forbid (principal, action == Action::"notes/write_note", resource)\n'
    'when { context.now.toTime() < duration("6h") };\n'
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `remit init`, with two more rules."""
    place = tmp_path_factory.mktemp("bundle")
    scaffold(place)
    (place / "policies" / "50-own.cedar").write_text(OWN)
    return place


@pytest.fixture(scope="module")
def rehearsal(folder: Path) -> Iterator[Rehearsal]:
    """The bundle, made once."""
    with Rehearsal(folder) as made:
        yield made


def stated(body: str, step: str) -> str:
    """A file with one case of given facts."""
    return f"cases:\n  - case: stated\n    facts: {{{body}}}\n    steps:\n      - {{{step}}}\n"


def ran(rehearsal: Rehearsal, tmp_path: Path, text: str) -> CaseResult:
    """The result of the one case of a file."""
    (tmp_path / "cases.yaml").write_text(text)
    (result,) = CaseRuns(rehearsal).run(read_cases(tmp_path, (str(tmp_path / "cases.yaml"),)))
    return result


WRITE = "call: notes/write_note, arguments: {name: a, text: b}"
TASK = (
    "cases:\n"
    "  - case: The note of the task\n"
    "    task: tidy-note\n    agent: note-bot\n    on_behalf_of: ana\n    params: {note: shopping}\n"
    "    steps:\n"
    "      - call: notes/read_note\n"
    "        arguments: {name: NAME}\n"
    "        expect: permit\n"
    "        result: [milk, bread]\n"
)


def test_the_cases_of_init_hold(folder: Path, rehearsal: Rehearsal) -> None:
    """A newcomer begins with cases that pass, and with the rules that none of them reaches."""
    runs = CaseRuns(rehearsal)
    results = runs.run(read_cases(folder))
    assert [one.case for one in results if not one.holds] == []
    assert len(results) == 3
    covered = runs.coverage()
    assert (covered.spoke, covered.silent, covered.share) == ((), ("own/untrusted", "own/night"), 0)


def test_a_failure_shows_what_was_expected_what_came_and_each_rule_that_spoke(
    rehearsal: Rehearsal, tmp_path: Path
) -> None:
    """With the line of the call, the rule's own words and its remediation."""
    result = ran(rehearsal, tmp_path, stated("label: {untrusted: true}", f"{WRITE}, expect: permit"))
    (step,) = result.steps
    assert (result.holds, step.line, step.expected, step.got) == (False, 5, "permit", "deny")
    assert ("own/untrusted", "not from there", "ask its author") in [
        (one.rule, one.text, one.remediation) for one in step.reasons
    ]


def test_a_rule_that_should_decide_and_does_not_fails_the_case(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """The outcome may be right for a wrong reason."""
    step = f"{WRITE}, expect: deny, rules: [own/untrusted, own/night]"
    result = ran(rehearsal, tmp_path, stated("label: {untrusted: true}", step))
    assert (result.holds, result.steps[0].missing) == (False, ("own/night",))


@pytest.mark.parametrize(
    ("facts", "expect"),
    [
        ("now: 2026-01-05T05:59:59Z", "defer"),
        ("now: 2026-01-05T06:00:00Z", "permit"),
        ("agent: {state: suspended}", "deny"),
        ("assurance: asserted", "deny"),
        ("flow: {tainted: true, plan: unplanned}", "deny"),
        ("flow: {code: untrusted}", "deny"),
    ],
)
def test_facts_are_what_the_policies_read(
    rehearsal: Rehearsal, tmp_path: Path, facts: str, expect: str
) -> None:
    """Each fact that a case states counts; all others are harmless."""
    result = ran(rehearsal, tmp_path, stated(facts, f"{WRITE}, expect: {expect}"))
    assert result.holds, result


def test_a_task_is_rehearsed_with_its_grants_and_labels(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """What no grant of the task names is refused, whatever the policies say."""
    assert ran(rehearsal, tmp_path, TASK.replace("NAME", "shopping")).holds
    refused = ran(rehearsal, tmp_path, TASK.replace("NAME", "diary"))
    assert refused.steps[0].got == "deny"


@pytest.mark.parametrize(
    ("at", "expect"),
    [("", "permit"), ("2026-01-06T05:59:00Z", "defer"), ("2026-01-05T06:00:00Z", "permit")],
)
def test_a_task_is_opened_when_its_case_says(
    rehearsal: Rehearsal, tmp_path: Path, at: str, expect: str
) -> None:
    """At noon if it says nothing: no case depends on the hour of its run."""
    write = "notes/write_note\n        arguments: {name: shopping, text: milk}"
    text = TASK.replace("NAME", "shopping") + f"      - call: {write}\n        expect: {expect}\n"
    text = text.replace("    steps:", f"    at: {at}\n    steps:") if at else text
    assert ran(rehearsal, tmp_path, text).holds


@pytest.mark.parametrize(
    "demand",
    ["", '@approvers("3")', '@approver_group("owners")', '@approvers("2") @approver_group("a")'],
)
def test_a_deferred_call_can_be_approved_and_then_passes(tmp_path: Path, demand: str) -> None:
    """The case expects the question; as many people as the rule demands approve it, and the next step goes
    on.
    """
    scaffold(tmp_path / "asks")
    asks = 'forbid (principal, action == Action::"notes/read_note", resource);\n'
    own = tmp_path / "asks" / "policies" / "50-own.cedar"
    own.write_text(f'@id("ask")\n@otherwise("approval")\n{demand}\n{asks}')
    text = TASK.replace("NAME", "shopping").replace("expect: permit", "expect: defer\n        approve: true")
    with Rehearsal(tmp_path / "asks") as rehearsal:
        result = ran(rehearsal, tmp_path, text)
    assert result.holds, result


def test_a_case_that_cannot_begin_says_why(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """As the gateway would."""
    result = ran(rehearsal, tmp_path, TASK.replace("tidy-note", "tidy-nothing"))
    assert (result.holds, result.steps) == (False, ())
    assert "`tidy-nothing` does not exist" in result.fault


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (TASK.replace("expect: permit", "expect: permitt"), 10, "permitt"),
        (TASK.replace("    task: tidy-note\n", ""), 2, "a task, or facts"),
        (TASK.replace("    task:", "    facts: {}\n    task:"), 2, "one call"),
        (TASK.replace("notes/read_note", "read_note"), 8, "is not a tool"),
        (TASK.replace("params:", "parms:"), 6, "unknown key"),
    ],
)
def test_a_file_that_is_not_valid_names_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    """With what to write instead."""
    (tmp_path / "cases.yaml").write_text(text)
    with pytest.raises(ConfigInvalid) as refused:
        read_cases(tmp_path, (str(tmp_path),))
    assert (refused.value.line, says in refused.value.message) == (line, True)
    assert refused.value.remediation


@pytest.mark.parametrize(
    "facts",
    [
        "flow: {tained: true}",
        "flow: {tainted: perhaps}",
        "provenance: {name: untrustd}",
        "assurance: keybound",
        "now: noon",
    ],
)
def test_a_fact_that_does_not_exist_is_a_fault(rehearsal: Rehearsal, tmp_path: Path, facts: str) -> None:
    """A misspelt fact must not make a case pass."""
    result = ran(rehearsal, tmp_path, stated(facts, f"{WRITE}, expect: permit"))
    assert not result.holds
    assert result.fault
    assert result.remediation


def test_no_case_is_no_success(tmp_path: Path) -> None:
    """A pipeline whose cases were moved away must not be green."""
    with pytest.raises(NotFound):
        read_cases(tmp_path)
