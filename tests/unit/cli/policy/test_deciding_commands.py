# SPDX-License-Identifier: Apache-2.0
"""`remit policy shadow`, `remit explain` and `remit can --who`, as people read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from remit.config.scaffold import scaffold
from tests.gateways.remit_up import Remit, furnished
from tests.refusals import failure

RULE = (
    '@id("own/quiet")\n@reason("`{tool}` rests")\n'
    'forbid (principal, action == Action::"notes/read_note", resource);\n'
)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remit]:
    """A remit with people and an agent in it."""
    with furnished(tmp_path_factory.mktemp("cli")) as made:
        yield made


@pytest.fixture
def task(services: Remit) -> str:
    """An open task of note-bot."""
    opened = services.ask("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=shopping", by="ana")
    return str(opened["id"])


@pytest.fixture
def candidate(tmp_path: Path, services: Remit) -> Iterator[Path]:
    """A folder with a further rule; nothing is shadowed afterwards."""
    folder = tmp_path / "candidate"
    folder.mkdir()
    scaffold(folder)
    (folder / "policies" / "50-own.cedar").write_text(RULE)
    yield folder
    services("policy", "shadow", "stop")


def test_a_shadow_is_started_read_and_stopped(services: Remit, task: str, candidate: Path) -> None:
    """What it would have refused is shown with the rule; nothing was refused."""
    assert "No candidate is shadowed" in services("policy", "shadow").out
    started = services("policy", "shadow", str(candidate), "--reason", "quiet hours")
    assert (started.code, "quiet hours" in started.out) == (0, True)
    services.call(task, "read_note", {"name": "shopping"})
    stopped = services("policy", "shadow", "stop", "--reason", "seen enough")
    for needed in ("Stopped", "quiet hours", "1 of which it would have decided differently"):
        assert needed in stopped.out
    for needed in ("permitted -> refused", "own/quiet (1)", "note-bot (1)", "`notes/read_note` rests"):
        assert needed in stopped.out
    assert services.ask("policy", "shadow")["shadow"] is None


def test_a_shadow_says_what_is_wrong_with_the_question(services: Remit, candidate: Path) -> None:
    """Each with its remediation."""
    for words in (
        (str(candidate), "--version", "1"),
        ("--reason", "why"),
        (str(candidate), "--share", "0"),
        (str(candidate / "nothing"),),
        ("stop",),
    ):
        said = services("policy", "shadow", *words)
        assert said.code != 0, words
        assert ";" in said.err, said


def test_policies_in_several_languages_are_no_candidate(services: Remit, candidate: Path) -> None:
    """Only one of them could count."""
    (candidate / "policies" / "60-own.rego").write_text("package remit\n")
    said = services("policy", "shadow", str(candidate))
    assert (said.code, "several languages" in said.err) == (2, True)


def test_an_explanation_shows_rules_facts_and_what_would_change_it(services: Remit, task: str) -> None:
    """Under both of its names, and as JSON."""
    services.call(task, "read_note", {"name": "shopping"})
    items = services.ask("audit", "log", "--task", task, "--kind", "decision.made")["items"]
    decision = items[-1]["call"]
    said = services("explain", decision).out
    for needed in (
        "The rules that spoke",
        "base/granted-calls  permits: `notes/read_note` is in the task's grants",
        "| permit (principal",
        "if rule `base/granted-calls` did not exist: refused",
        "each by deciding this call again",
    ):
        assert needed in said
    other = services("policy", "explain", decision).out
    assert other.partition("The rules")[2] == said.partition("The rules")[2]  # the rest says how long ago
    assert "| permit" not in services("explain", decision, "--brief").out
    told = services.ask("explain", decision)["explanation"]
    assert (told["rules"][0]["id"], told["missing"]) == ("base/granted-calls", "")


def test_what_a_grant_refused_is_explained_as_such(services: Remit, task: str) -> None:
    """No rule is blamed for it."""
    told = failure(services.call(task, "read_note", {"name": "secrets"}))
    said = services("explain", told["decision"]).out
    assert "Something else than a policy refused it" in said
    assert "what would help: `name` must be `shopping`" in said
    assert "base/granted-calls  would permit it otherwise" in said
    assert "no rule forbids it" not in said.partition("base/granted-calls read")[0].partition("  | ")[0]


def test_who_can_call_a_tool_is_told_without_a_task(services: Remit) -> None:
    """By which task type, at whose request, with which arguments."""
    said = services("can", "--who", "notes/read_note")
    assert said.code == 0
    for needed in ("notes/read_note", "by task type tidy-note", "requested by", "{note}", "note-bot"):
        assert needed in said.out
    assert services.ask("can", "--who", "notes/read_note")["ways"][0]["task_type"] == "tidy-note"
    assert services("can", "--who", "notes/nothing").code == 2
    assert services("can").code == 2
    assert services("can", "note-bot", "--who", "notes/read_note").code == 2
