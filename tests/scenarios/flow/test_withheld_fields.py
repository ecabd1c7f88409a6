# SPDX-License-Identifier: Apache-2.0
"""Threat: one read of a profile makes a task secret for good, or hands a password to an agent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from remit.core.flow.records.withheld_fields import NOTES, UNREADABLE
from remit.core.tools.tool import WithheldBy
from remit.rehearse import Rehearsal, RehearsedTask

Json = Any
TOOLS = """
upstream: bank
tools:
  profile:
    effect: none
    audience: self
    labels: {class: internal, trust: trusted}
    fields:
      password: {class: restricted, categories: [secret], withhold: true}
      salary: {class: confidential}
      note: {trust: untrusted}
  log_in:
    effect: irreversible
    audience: self
    labels: {class: internal, trust: trusted}
    arguments: {password: {role: content}}
  secrets:
    effect: none
    audience: self
    labels: {class: restricted, trust: trusted}
  tell:
    effect: irreversible
    audience: external
    labels: {class: internal, trust: trusted}
    arguments: {to: {role: destination}, text: {role: content}}
    asked_by: [tell, write]
"""
CONFIG = """
upstreams:
  bank: {command: [not, started]}
classes:
  order: [public, internal, confidential, restricted]
  clearance: {self: restricted, internal: confidential, external: internal}
"""
TASK = """
task: {name}
purpose: help a person
run_by: [agent, heir]
requested_by: [person]
grants:
  - {{tool: bank/profile, other_arguments: true, ceilings: {{result_class: {ceiling}}}}}
  - {{tool: bank/secrets, other_arguments: true}}
  - {{tool: bank/tell, other_arguments: true}}
delegates: {{to: [heir]}}
{more}
"""
SECRET = "hunter2-longer"
ANN = {"name": "Ann", "password": SECRET, "salary": 71500}
NOTE = NOTES[WithheldBy.TOOL]


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A bank under the default policies, with task types that see more and less."""
    folder = tmp_path_factory.mktemp("bank")
    for name in ("tools", "tasks"):
        (folder / name).mkdir()
    (folder / "remit.yaml").write_text(CONFIG, encoding="utf-8")
    (folder / "tools/bank.yaml").write_text(TOOLS, encoding="utf-8")
    for name, ceiling, more in (
        ("clerk", "confidential", ""),
        ("greeter", "confidential", "withhold: {above: internal}"),
        ("heir", "restricted", "requires_person: false"),
    ):
        text = TASK.format(name=name, ceiling=ceiling, more=more)
        (folder / f"tasks/{name}.yaml").write_text(text, encoding="utf-8")
    with Rehearsal(folder) as made:
        yield made


def begin(rehearsal: Rehearsal, kind: str) -> RehearsedTask:
    """Open a task."""
    return rehearsal.open(
        task=kind, agent="agent", on_behalf_of="person", intent="Tell ann@example.com what her profile says"
    )


def profile(task: RehearsedTask, given: Json) -> str:
    """Read a profile; return what the agent gets."""
    call = task.call("bank/profile", {})
    assert call.permitted, call.reasons
    return json.dumps(task.result(call, given))


def tells(task: RehearsedTask, text: str) -> str:
    """Say what becomes of a message to the person's own address."""
    return str(task.call("bank/tell", {"to": "ann@example.com", "text": text}).outcome)


def test_a_task_that_read_a_profile_may_still_write(rehearsal: Rehearsal) -> None:
    """The ordinary work: the withheld field raises no label, and its ceiling does not count either."""
    task = begin(rehearsal, "greeter")
    got = profile(task, ANN)
    assert SECRET not in got
    assert "71500" not in got
    assert NOTE in got
    assert NOTES[WithheldBy.TASK] in got
    assert (task.label.data_class, task.label.categories) == ("internal", frozenset())
    assert tells(task, "Your name is Ann") == "permit"


def test_what_another_type_withholds_counts_here(rehearsal: Rehearsal) -> None:
    """A clerk sees the salary and no password; the salary is confidential, and stays in the house."""
    task = begin(rehearsal, "clerk")
    got = profile(task, json.dumps(ANN))
    assert SECRET not in got
    assert "71500" in got
    assert task.label.data_class == "confidential"
    assert tells(task, "You earn 71500") == "deny"


@pytest.mark.parametrize(
    "given",
    [
        f"The password of Ann is {SECRET}",
        f"name: Ann\npassword: {SECRET}\nnote: '{SECRET}? really'",
        f'{{"password": "x", "password": "{SECRET}"}}',
        f"name: Ann\n# password: {SECRET}",
    ],
)
def test_an_outsider_cannot_have_a_field_released(rehearsal: Rehearsal, given: str) -> None:
    """An unreadable result, or a guess in a note, is withheld whole; the task's label stays."""
    task = begin(rehearsal, "greeter")
    got = profile(task, given)
    assert SECRET not in got
    assert UNREADABLE in got
    assert task.label.data_class == "internal"


def test_the_withheld_value_is_not_learnt(rehearsal: Rehearsal) -> None:
    """A value that the agent has from elsewhere does not come from the profile."""
    task = begin(rehearsal, "greeter")
    profile(task, ANN)
    flow = task.call("bank/tell", {"to": "ann@example.com", "text": SECRET}).flow
    assert str(flow.arguments["text"].provenance) == "unknown"


def test_the_evidence_names_what_was_withheld(rehearsal: Rehearsal) -> None:
    """The fields, and never their values; a whole result is named by a star."""
    task = begin(rehearsal, "greeter")
    profile(task, ANN)
    profile(task, "free text")
    called = rehearsal.events("tool.called", task=task.id)
    assert [one["facts"].get("withheld") for one in called] == [["password", "salary"], ["*"]]
    assert SECRET not in json.dumps(called)


def test_a_tool_that_returns_nothing_else_is_refused(rehearsal: Rehearsal) -> None:
    """Where a label is the whole result's, nothing of it could be released."""
    refused = begin(rehearsal, "greeter").call("bank/secrets", {})
    assert (str(refused.outcome), [one.code for one in refused.reasons]) == ("deny", ["withheld"])
    assert begin(rehearsal, "clerk").call("bank/secrets", {}).permitted


def test_a_task_below_sees_no_more(rehearsal: Rehearsal) -> None:
    """A child of a type that sees everything keeps the rule of its parent."""
    parent = begin(rehearsal, "greeter")
    child = parent.hand_down(agent="heir", task="heir", brief="read the profile")
    assert "71500" not in profile(child, ANN)
