# SPDX-License-Identifier: Apache-2.0
"""The tier of a call brings its controls by the default policies: none for what only talks or reads, and for
what cannot be undone a scope, an approval and an end, where no person stands behind the task.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.adapters.policy.cedar import CedarPolicies
from remit.config.scaffold import scaffold
from remit.core.label import Audience
from remit.core.tasks.task import Budgets, Runbook
from remit.core.tools.tool import Argument, ArgumentRole, Effect
from remit.rehearse import Rehearsal, RehearsedTask
from remit.rehearse.case_runs import CaseRuns
from remit.rehearse.policy_cases import read_cases
from tests.samples.decision_requests import changed, changes
from tests.samples.decision_vectors import load
from tests.samples.policy_requests import READ, guardrails
from tests.servers import opa_server

RUNBOOK = Runbook(("group:operations",), ("group:operations",))
SCOPED = {
    "tool": "services/restart",
    "arguments": {"service": {"exact": "checkout"}, "instances": {"range": {"min": 1, "max": 2}}},
}
OPEN = {"tool": "services/restart", "arguments": {"service": {"anything": {}}, "instances": {"anything": {}}}}
RESTART = {"service": "checkout", "instances": 1}


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """The three task types that remit ships, with the guardrails of `remit init`."""
    folder = tmp_path_factory.mktemp("types") / "bundle"
    scaffold(folder, task_types=True)
    with Rehearsal(folder) as made:
        made.agent("heal-bot", environment="production")
        yield made


def alone(made: Rehearsal, name: str, grant: Any, **changes: Any) -> RehearsedTask:
    """Open a task that the agent requests itself, of a type with one grant."""
    kind = made.task_type(
        name, grants=[grant], run_by=["heal-bot"], requested_by=["agent:heal-bot"], requires_person=False
    )
    made.run(made.stage.add_type(msgspec.structs.replace(kind, **changes), open_to_all=False))
    return made.open(task=name, agent="heal-bot", on_behalf_of="")


def test_a_runbook_acts_without_a_question(rehearsal: Rehearsal) -> None:
    """Its steps were approved in advance, and its grants say where they go."""
    task = alone(rehearsal, "runbook", SCOPED, runbook=RUNBOOK)
    assert task.call("services/restart", RESTART).outcome == "permit"


def test_high_risk_without_a_person_is_a_question(rehearsal: Rehearsal) -> None:
    """The same call of a type that no one has approved in advance, however well it is scoped."""
    task = alone(rehearsal, "no-runbook", SCOPED)
    asked = task.call("services/restart", RESTART)
    assert (asked.outcome, asked.rules) == ("defer", ("tiers/high-risk",))
    task.approve(asked)
    assert task.call("services/restart", RESTART).outcome == "permit"


def test_a_runbook_without_a_scope_is_a_question(rehearsal: Rehearsal) -> None:
    """Approval in advance is of known steps: a grant of anything is none."""
    task = alone(rehearsal, "wide-runbook", OPEN, runbook=RUNBOOK)
    asked = task.call("services/restart", RESTART)
    assert (asked.outcome, asked.rules) == ("defer", ("tiers/high-risk", "tiers/unscoped"))


def test_an_argument_that_is_left_out_is_not_scoped(rehearsal: Rehearsal) -> None:
    """The upstream chooses a value for it, which may be all services; no grant has chosen that."""
    wide = alone(
        rehearsal, "omitting", {"tool": "services/restart", "other_arguments": True}, runbook=RUNBOOK
    )
    for arguments in ({}, {"service": "checkout"}, {"instances": 1}):
        asked = wide.call("services/restart", arguments)
        assert (asked.outcome, asked.rules) == ("defer", ("tiers/high-risk", "tiers/unscoped")), arguments
    one = {"tool": "services/restart", "arguments": {"service": {"exact": "checkout"}}}
    closed = alone(rehearsal, "closed", one, runbook=RUNBOOK)
    assert closed.call("services/restart", {"service": "checkout"}).outcome == "permit"


def test_an_open_task_keeps_no_approval_that_its_type_has_lost(rehearsal: Rehearsal) -> None:
    """A runbook that is withdrawn counts for no further call."""
    task = alone(rehearsal, "withdrawn", SCOPED, runbook=RUNBOOK)
    assert task.call("services/restart", RESTART).outcome == "permit"
    kind = rehearsal.stage.services.policies.applied.bundle.task_types["withdrawn"]
    without = msgspec.structs.replace(kind, runbook=None)
    rehearsal.run(rehearsal.stage.add_type(without, open_to_all=False))
    assert task.call("services/restart", RESTART).rules == ("tiers/high-risk",)


def test_authority_that_outlasts_its_work_is_refused(rehearsal: Rehearsal) -> None:
    """Two hours with nothing that ends the task: any of a budget, a completing call or an hour will do."""
    two_hours = 7200
    lasting = alone(rehearsal, "lasting", SCOPED, runbook=RUNBOOK, deadline_s=two_hours)
    refused = lasting.call("services/restart", RESTART)
    assert (refused.outcome, refused.rules) == ("deny", ("tiers/lasting",))
    endings: dict[str, dict[str, Any]] = {
        "an-hour": {"deadline_s": 3600},
        "counted": {"deadline_s": two_hours, "budgets": Budgets(calls=5)},
        "completed": {"deadline_s": two_hours, "ends_after": ("services/restart",)},
    }
    for name, ending in endings.items():
        task = alone(rehearsal, name, SCOPED, runbook=RUNBOOK, **ending)
        assert task.call("services/restart", RESTART).outcome == "permit", name


def test_a_budget_that_only_refuses_ends_nothing(rehearsal: Rehearsal) -> None:
    """With `when_spent: refuse` the task lives on after its last call."""
    changes = {"deadline_s": 7200, "budgets": Budgets(calls=5), "ends_when_spent": False, "runbook": RUNBOOK}
    task = alone(rehearsal, "patient", SCOPED, **changes)
    assert task.call("services/restart", RESTART).rules == ("tiers/lasting",)


def test_reading_meets_no_rule_of_the_tiers(rehearsal: Rehearsal) -> None:
    """However long the task lasts, and whatever its grant leaves open."""
    grant = {"tool": "services/status", "other_arguments": True}
    task = alone(rehearsal, "watching", grant, deadline_s=86_400)
    assert task.call("services/status", {"service": "checkout"}).outcome == "permit"


def test_a_person_stands_in_for_the_rules(rehearsal: Rehearsal) -> None:
    """Where a person requested the task, that person's words decide, as before."""
    rehearsal.person("carol", groups=["operations"])
    rehearsal.task_type("by-hand", grants=[OPEN], run_by=["heal-bot"], requested_by=["carol"])
    intent = "restart one instance of checkout"
    task = rehearsal.open(task="by-hand", agent="heal-bot", on_behalf_of="carol", intent=intent)
    assert task.call("services/restart", RESTART).outcome == "permit"


def test_no_call_for_a_person_is_decided_otherwise_than_without_the_rules() -> None:
    """Over requests of every shape: the rules of the tiers change calls of tasks without a person alone."""
    with_rules, sources = load(CedarPolicies(), guardrails()), guardrails()
    without = load(CedarPolicies(), [one for one in sources if "45-tiers" not in one.file])
    differ = 0
    for change in changes(1500, seed=74):
        request = changed(change)
        same = with_rules.evaluate(request) == without.evaluate(request)
        assert same or change.get("unattended"), change
        differ += not same
    assert differ > 100


def test_calls_alike_but_for_scope_or_risk_do_not_share_an_answer() -> None:
    """What is remembered of the last call never answers for a call that is scoped less, or riskier."""
    policy = load(CedarPolicies(), guardrails())
    tool = msgspec.structs.replace(
        READ,
        effect=Effect.IRREVERSIBLE,
        audience=Audience("external"),
        arguments={"path": Argument(ArgumentRole.DESTINATION), "lines": Argument(ArgumentRole.CODE)},
    )
    quiet = changed({"unattended": True})
    quiet = msgspec.structs.replace(quiet, tool=tool, tier=tool.tier)
    unscoped = msgspec.structs.replace(quiet, unscoped=True)
    risky = msgspec.structs.replace(quiet, arguments={"path": "C-42", "lines": 1})
    for asked, rules in ((quiet, set()), (unscoped, {"tiers/unscoped"}), (risky, {"tiers/high-risk"})):
        for _ in range(3):
            found = {one.id for one in policy.evaluate(asked).waivable}
            assert {one for one in found if one.startswith("tiers/")} == rules


def test_a_child_has_no_approval_that_its_parent_lacks(rehearsal: Rehearsal) -> None:
    """A task of a runbook, delegated from a task without one, asks as its parent would."""
    rehearsal.agent("second-bot", environment="production")
    kind = rehearsal.task_type(
        "delegating",
        grants=[SCOPED],
        run_by=["heal-bot", "second-bot"],
        requested_by=["agent:heal-bot"],
        requires_person=False,
        hand_down_to=["second-bot"],
    )
    runbook = msgspec.structs.replace(kind, name="as-runbook", runbook=RUNBOOK)
    rehearsal.run(rehearsal.stage.add_type(runbook, open_to_all=False))
    parent = rehearsal.open(task="delegating", agent="heal-bot", on_behalf_of="")
    child = parent.hand_down(agent="second-bot", task="as-runbook")
    assert child.call("services/restart", RESTART).rules == ("tiers/high-risk",)
    parent = rehearsal.open(task="as-runbook", agent="heal-bot", on_behalf_of="")
    child = parent.hand_down(agent="second-bot")
    assert child.call("services/restart", RESTART).outcome == "permit"


def test_a_runbook_is_reviewed_after_each_of_its_tasks(rehearsal: Rehearsal) -> None:
    """The finding names the task and the people; its event is in the evidence."""
    task = alone(rehearsal, "reviewed", SCOPED, runbook=RUNBOOK)
    task.end()
    seen = [
        one["facts"]["seen"]
        for one in rehearsal.events("finding.seen")
        if one["facts"]["finding_kind"] == "review-due"
    ]
    wanted = {
        "task": task.id,
        "task_type": "reviewed",
        "review_by": ["group:operations"],
        "ended": "completed",
    }
    assert wanted in seen


def test_the_first_completing_call_is_the_last_call(rehearsal: Rehearsal) -> None:
    """An error of the tool completes nothing; after a success nothing more is permitted."""
    task = alone(
        rehearsal, "completing", SCOPED, runbook=RUNBOOK, ends_after=("services/restart",), deadline_s=7200
    )
    failed = task.call("services/restart", RESTART)
    task.result(failed, "no such instance", error=True)
    done = task.call("services/restart", RESTART)
    task.result(done, "restarted")
    refused = task.call("services/restart", RESTART)
    assert (refused.outcome, refused.reasons[-1].code) == ("deny", "work-done")


def test_the_shipped_types_are_what_they_say(rehearsal: Rehearsal) -> None:
    """No external audience, no effect, and a runbook that ends with its incident."""
    bundle = rehearsal.stage.services.policies.applied.bundle
    kinds = bundle.task_types
    audiences = {bundle.tools[one.tool].audience.name for one in kinds["experiment"].grants}
    assert audiences == {"self"}
    assert kinds["retrieve"].budgets.effectful_calls == 0
    assert {bundle.tools[one.tool].effect.value for one in kinds["retrieve"].grants} == {"none"}
    assert kinds["self-heal"].ends_after == ("services/close_incident",)
    assert kinds["self-heal"].runbook == RUNBOOK


@pytest.mark.parametrize("engine", ["cedar", "rego"])
def test_each_shipped_type_has_a_story_that_holds(
    tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every case is decided as written, and both rules of the types speak, in both languages."""
    if engine == "rego":
        monkeypatch.setenv("PATH", str(opa_server.installed().parent), prepend=os.pathsep)
    scaffold(tmp_path, task_types=True, engine=engine)
    cases = read_cases(tmp_path)
    assert {one.case.task for one in cases} >= {"experiment", "retrieve", "self-heal"}
    with Rehearsal(tmp_path) as made:
        runs = CaseRuns(made)
        results = runs.run(cases)
        assert [one for one in results if not one.holds] == []
        assert set(runs.coverage().spoke) == {"task-types/experiment-inside", "task-types/retrieve-reads"}
        assert runs.coverage().share == 100
