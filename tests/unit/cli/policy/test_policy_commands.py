# SPDX-License-Identifier: Apache-2.0
"""`remit policy test`, `diff`, `prove` and `check` answer from files alone, for people and for pipelines."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from remit.adapters.policy.cedar.proof.symbolic_compiler import PROGRAM
from remit.cli.main import run
from remit.cli.policy.policy_files import given
from remit.config.scaffold import scaffold
from tests.servers import cedar_program

RULE = (
    '@id("own/quiet")\n@reason("notes rest")\n'
    'forbid (principal, action == Action::"notes/write_note", resource)'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as `remit init` makes it."""
    made = tmp_path / "made"
    made.mkdir()
    scaffold(made)
    return made


def remit(folder: Path, *words: str) -> int:
    """Run a command on a folder."""
    return run(["--config", str(folder), "policy", *words])


def test_the_first_cases_pass(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A newcomer sees that nothing fails."""
    assert remit(folder, "test") == 0
    assert "3 of 3 cases as expected" in capsys.readouterr().out


def test_a_failing_case_shows_place_call_and_rule(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And the exit code says it to a pipeline."""
    (folder / "policies" / "50-own.cedar").write_text(f"{RULE};\n")
    assert remit(folder, "test") == 2
    said = capsys.readouterr().out
    for part in (
        "failed: tests/tidy-note.yaml:4: The note of the task is read and written",
        "notes/write_note",
        "expected: permitted    got: refused",
        "own/quiet: notes rest",
        "2 of 3 cases as expected",
    ):
        assert part in said


def test_too_few_tested_rules_fail_a_pipeline(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rules that no case makes speak are named."""
    (folder / "policies" / "50-own.cedar").write_text(f"{RULE} when {{ context.label.untrusted }};\n")
    assert remit(folder, "test", "--fail-under", "50") == 2
    assert "no case makes `own/quiet` speak" in capsys.readouterr().out
    assert run(["--config", str(folder), "--json", "policy", "test"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["holds"], told["rules"]) == (True, {"spoke": [], "silent": ["own/quiet"], "share": 0})


def test_two_folders_are_compared_and_what_permits_more_fails_a_pipeline(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a server; a stricter change passes."""
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "policies" / "50-own.cedar").write_text(f"{RULE};\n")
    assert run(["policy", "diff", str(folder), str(other), "--fail-wider"]) == 0
    assert "permits nothing that was refused before" in capsys.readouterr().out
    assert run(["policy", "diff", str(other), str(folder), "--fail-wider", "--text"]) == 2
    said = capsys.readouterr().out
    assert "- own/quiet  permits more" in said
    assert "This change permits more than before." in said


def test_a_change_is_proven_or_refuted_from_two_folders(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the exact call, and an exit code for a pipeline; the way back is proven."""
    cedar_program.installed()
    strict = tmp_path / "strict"
    shutil.copytree(folder, strict)
    (strict / "policies" / "50-own.cedar").write_text(f"{RULE};\n")
    only = ("--tool", "notes/write_note")
    assert run(["policy", "prove", str(strict), str(folder), *only]) == 2
    said = capsys.readouterr().out
    for part in (
        "refuted notes/write_note",
        "audience",
        "before",
        "refused",
        "permitted by `base/granted-calls`",
    ):
        assert part in said
    assert run(["policy", "prove", str(folder), str(strict), *only, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {one["verdict"] for one in found["answers"]} == {"proven"}
    assert found["cedar"] >= "4.14"
    assert run(["policy", "diff", str(strict), str(folder)]) == 0
    assert "questions refuted" in capsys.readouterr().out


def test_without_the_analyzer_a_proof_says_how_to_install_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And `diff` says what it can say without it."""
    monkeypatch.setenv(PROGRAM, "/nowhere/cedar")
    assert run(["policy", "prove", str(folder), str(folder)]) == 2
    assert "make proof" in capsys.readouterr().err
    assert run(["policy", "diff", str(folder), str(folder)]) == 0


def test_one_statement_is_proven_at_a_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two of them would need two answers."""
    given = ["--errors", "--guardrail", "base/granted-calls"]
    assert run(["policy", "prove", str(folder), str(folder), *given]) == 2
    assert "one after the other" in capsys.readouterr().err


def test_a_misspelt_word_is_told_with_file_and_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check of the files exits 2."""
    (folder / "policies" / "50-own.cedar").write_text(f'{RULE}\nwhen {{ context.audience == "extern" }};\n')
    assert remit(folder, "check") == 2
    said = capsys.readouterr().out
    assert "policies/50-own.cedar:4" in said
    assert "did you mean `external`?" in said


def test_counters_are_compared_sent_and_checked(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A shorter window may permit more, and a misspelt counter is told with the nearest one."""
    rule = f"{RULE} when {{ context.history.reads > 3 }};\n"
    (folder / "policies" / "50-own.cedar").write_text(rule)
    history = folder / "policies" / "history.yaml"
    history.write_text("counters: {reads: {count: calls, tools: [notes/read_note], within: 1h}}\n")
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "policies" / "history.yaml").write_text(history.read_text().replace("1h", "1m"))
    assert run(["policy", "diff", str(folder), str(other), "--fail-wider"]) == 2
    said = capsys.readouterr().out
    assert "counter reads  may permit more" in said
    assert "differs in window_s, and starts again" in said
    sent = given(folder)
    assert sent["history"][0]["window_s"] == 3600
    assert [one["file"] for one in sent["policies"]][-1] == "policies/50-own.cedar"
    (folder / "policies" / "50-own.cedar").write_text(rule.replace("reads", "raeds"))
    assert remit(folder, "check") == 2
    said = capsys.readouterr().out
    assert "`context.history.raeds` does not exist" in said
    assert "did you mean `reads`?" in said
