# SPDX-License-Identifier: Apache-2.0
"""Threat: what an agent reads makes it want a tool its work never needed. Its plan, said before, stands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.errors import Forbidden
from remit.core.tasks.plan import PlanEntry
from remit.rehearse import Rehearsal, RehearsedTask

STORY = Path(__file__).parents[3] / "examples" / "story"
CONTRACT = (STORY / "legal" / "contracts" / "C-42.md").read_text()
PLAN = ("contracts/read", "contracts/write_summary", "tickets/comment")
NOTE = {"ticket": "T-1", "text": "C-42 is summarised"}


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Rehearsal]:
    """The bundle of the story, under the default policies."""
    shutil.copytree(STORY / "bundle", tmp_path / "bundle")
    names = ("contracts", "mail", "tickets", "deploy", "git", "register")
    upstreams = {name: {"command": ["false"]} for name in names}
    (tmp_path / "bundle" / "remit.yaml").write_text(
        json.dumps({"upstreams": upstreams, "groups": {"legal": ["lena"]}})
    )
    with Rehearsal(tmp_path / "bundle") as made:
        yield made


def planned(
    story: Rehearsal, *entries: str | PlanEntry, plan: tuple[str, ...] | None = PLAN
) -> RehearsedTask:
    """A task whose agent has said what it will need."""
    return story.open(
        task="summarise-contract",
        agent="contract-bot",
        on_behalf_of="lena",
        intent="Summarise contract C-42 for the board, and note in ticket T-1 that it is done",
        params={"contract": "C-42", "ticket": "T-1"},
        plan=entries or plan,
    )


def read(task: RehearsedTask) -> None:
    """The agent reads the contract with the hidden instruction."""
    assert task.read("contracts/read", {"path": "contracts/C-42.md"}, CONTRACT).outcome is Outcome.PERMIT


def test_work_that_was_planned_goes_on_after_reading(story: Rehearsal) -> None:
    """No approval is needed."""
    task = planned(story)
    read(task)
    summary = {"contract": "C-42", "text": "1,200 gauges"}
    assert task.read("contracts/write_summary", summary, "done").outcome is Outcome.PERMIT
    assert task.read("tickets/comment", NOTE, "done").outcome is Outcome.PERMIT


def test_what_an_injected_instruction_asks_for_is_refused(story: Rehearsal) -> None:
    """The mail that the contract asks for was never planned, and its address came from there."""
    task = planned(story)
    read(task)
    mail = task.call("mail/send", {"to": "verify@collector.test", "subject": "C-42", "body": "all of it"})
    assert mail.outcome is Outcome.DENY
    assert mail.flow.facts.plan == "unplanned"


def test_an_extension_that_only_an_injected_instruction_asks_for_is_refused(story: Rehearsal) -> None:
    """No human is asked who could say yes to it: without a plan the call itself would be refused, too."""
    task = planned(story)
    read(task)
    for wish in ("mail/send", PlanEntry("mail/send", {"to": {"exact": "verify@collector.test"}})):
        refused = task.extend(wish)
        assert refused.decision is not None
        assert refused.decision.outcome is Outcome.DENY
        assert "plan/unasked-later" in [one.id for one in refused.decision.rules]
        assert "later message" in refused.decision.reasons[0].remediation
    assert story.events("plan.extended") == []


def test_a_first_plan_that_only_an_injected_instruction_asks_for_is_refused(story: Rehearsal) -> None:
    """A task without a plan is not opened by declaring one; a plan of reads alone is a question."""
    task = planned(story, plan=None)
    read(task)
    refused = task.extend("contracts/read", "mail/send")
    assert refused.decision is not None
    assert refused.decision.outcome is Outcome.DENY
    asked = task.extend("contracts/read")
    assert asked.decision is not None
    assert asked.decision.outcome is Outcome.DEFER


def test_an_extension_that_the_person_asks_for_waits_for_a_human_after_reading(story: Rehearsal) -> None:
    """The recorded decision has the label and what was read; a denial ends it."""
    task = planned(story)
    read(task)
    task.user("Please send a mail with the summary to the board")
    asked = task.extend("mail/send")
    assert asked.decision is not None
    assert asked.decision.outcome is Outcome.DEFER
    assert [one.text for one in asked.decision.reasons if one.code == "plan-flow"] == [
        "untrusted data came with call 1, `contracts/read`"
    ]
    (decided,) = [one for one in story.events("decision.made") if one["facts"]["tool"] == "remit/plan"]
    assert (decided["facts"]["outcome"], decided["facts"]["class"]) == ("defer", "confidential")
    assert decided["values"]["arguments"] == {"add": [{"tool": "mail/send"}]}
    task.deny(asked)
    again = task.extend("mail/send")
    assert again.decision is not None
    assert again.decision.outcome is Outcome.DENY
    assert story.events("plan.extended") == []


def test_an_approved_extension_still_meets_every_other_rule(story: Rehearsal) -> None:
    """A human let the task mail; where to is another question, and so is who may learn what was read."""
    task = planned(story)
    read(task)
    task.user("Please send a mail with the summary to the board")
    task.approve(task.extend("mail/send"))
    assert task.extend("mail/send").holds
    (grown,) = story.events("plan.extended")
    assert (grown["facts"]["trust"], grown["facts"]["read"]) == ("untrusted", [[1, "contracts/read"]])
    mail = task.call("mail/send", {"to": "verify@collector.test", "subject": "C-42", "body": "all of it"})
    assert mail.outcome is Outcome.DENY
    assert mail.flow.facts.plan == "planned"
    assert {"data/clearance", "flow/destination"} <= set(mail.rules)


def test_an_extension_before_reading_is_the_agents_own_word(story: Rehearsal) -> None:
    """It is recorded; what it was not extended by is refused, with the remediation."""
    task = planned(story, "contracts/read")
    refused = task.call("tickets/comment", NOTE)
    assert (refused.outcome, refused.reasons[0].rule) == (Outcome.DENY, "plan/first")
    assert "extend the plan" in refused.reasons[0].remediation
    assert task.extend("tickets/comment").holds
    (grown,) = story.events("plan.extended")
    assert (grown["facts"]["trust"], grown["facts"]["read"]) == ("trusted", [])
    read(task)
    assert task.read("tickets/comment", NOTE, "done").outcome is Outcome.PERMIT


def test_an_extension_by_what_was_not_asked_for_waits_for_a_human_from_the_start(story: Rehearsal) -> None:
    """Nothing was read yet, as far as remit sees; reads need no question."""
    task = planned(story, "contracts/read")
    asked = task.extend("mail/send")
    assert asked.decision is not None
    assert asked.decision.outcome is Outcome.DEFER
    assert [one.id for one in asked.decision.rules] == ["plan/unasked"]
    task.approve(asked)
    assert task.extend("mail/send").holds


def test_an_unplanned_call_after_reading_may_be_let_through_alone(story: Rehearsal) -> None:
    """The person's words lead to it, so a human sees that very call; the plan stays as it was."""
    task = planned(story, "contracts/read")
    read(task)
    asked = task.call("tickets/comment", NOTE)
    assert asked.outcome is Outcome.DEFER
    assert "flow/ask-unplanned" in asked.rules
    task.approve(asked)
    assert task.read("tickets/comment", NOTE, "done").outcome is Outcome.PERMIT
    assert task.call("tickets/comment", NOTE).outcome is Outcome.DEFER
    assert story.events("plan.extended") == []


def test_an_unplanned_call_that_the_words_do_not_lead_to_is_refused(story: Rehearsal) -> None:
    """No human is asked about another ticket than the one that the person named."""
    task = planned(story, "contracts/read")
    read(task)
    refused = task.call("tickets/comment", NOTE | {"ticket": "T-7"})
    assert refused.outcome is Outcome.DENY
    assert "flow/unplanned" in refused.rules


def test_planned_arguments_bind(story: Rehearsal) -> None:
    """Another value departs from the plan, although the grant would permit it."""
    exact = PlanEntry("contracts/write_summary", {"text": {"length": {"max": 20}}})
    task = planned(story, "contracts/read", exact)
    long = {"contract": "C-42", "text": "x" * 21}
    refused = task.call("contracts/write_summary", long)
    assert refused.outcome is Outcome.DENY
    assert [one.argument for one in refused.reasons if one.code == "plan"] == ["text"]
    assert task.read("contracts/write_summary", long | {"text": "short"}, "done").outcome is Outcome.PERMIT


def test_a_plan_widens_nothing(story: Rehearsal) -> None:
    """What the task type does not grant is an error at open, and refused and recorded later."""
    with pytest.raises(Forbidden, match="contracts/export"):
        planned(story, "contracts/read", "contracts/export")
    task = planned(story)
    refused = task.extend("contracts/export")
    assert refused.decision is not None
    assert refused.decision.outcome is Outcome.DENY
    other = PlanEntry("contracts/read", {"path": {"exact": "contracts/C-43.md"}})
    assert task.extend(other).holds
    assert task.call("contracts/read", {"path": "contracts/C-43.md"}).outcome is Outcome.DENY
