# SPDX-License-Identifier: Apache-2.0
"""What remit does with the programs behind a proof: absent, slow, talkative or wrong, they prove nothing."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from remit.adapters.policy.cedar.proof import solver
from remit.adapters.policy.cedar.proof.counterexample import UnreadableExample, read
from remit.adapters.policy.cedar.proof.symbolic_compiler import PROGRAM, SymbolicCompiler
from remit.core.errors import NotFound

PRINTED = """\
principal: Agent::"a\\"b", action: Action::"desk/note", resource: Tool::"desk/note"
context: {args: {amount: -3, price: decimal("1.5000")}, now: datetime("2026-01-02").offset(duration("1h"))}
entities: [
  Agent::"a\\"b" in [Group::"ops"] {
    name: "a",
    state: "active"
  },
  Tool::"desk/note" in [Upstream::"desk"] {
    state: "pinned"
  },
]
"""


def scripted(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a program that stands in for `cedar`, and a solver that is never called."""
    program = folder / "cedar"
    program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    program.chmod(0o700)
    monkeypatch.setenv(PROGRAM, str(program))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


def test_without_the_program_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One command, and its parts."""
    monkeypatch.setenv(PROGRAM, "/nowhere/cedar")
    with pytest.raises(NotFound) as fault:
        SymbolicCompiler()
    assert "make proof" in fault.value.remediation
    assert "--features analyze" in fault.value.remediation


def test_a_cedar_without_the_analyzer_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program that distributions have was built without it."""
    scripted(tmp_path, "exit 2", monkeypatch)
    with pytest.raises(NotFound) as fault:
        SymbolicCompiler().programs()
    assert "cannot analyze" in fault.value.message


def test_a_question_that_takes_too_long_proves_nothing_and_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole group of processes ends."""
    scripted(tmp_path, f"sleep 600 & echo $! > {tmp_path}/child; wait", monkeypatch)
    found = SymbolicCompiler(seconds=1).implies("", "desk/note", {}, {})
    assert (found.holds, found.example) == (False, "")
    assert "longer than" in found.fault
    child = int((tmp_path / "child").read_text())
    until = time.monotonic() + 30
    while time.monotonic() < until and Path(f"/proc/{child}").exists() and _runs(child):
        time.sleep(0.05)
    assert not _runs(child)


def _runs(process: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


@pytest.mark.parametrize(
    "body",
    ["echo 'x: VERIFIED'; exit 1", "echo VERIFIEDx", "exit 0", "echo 'not: verified' >&2; exit 3"],
)
def test_any_other_answer_proves_nothing(body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the two known answers count, and only of a program that ends well."""
    scripted(tmp_path, body, monkeypatch)
    found = SymbolicCompiler().never_errs("", "desk/note", {})
    assert (found.holds, found.example) == (False, "")
    assert found.fault


def test_when_the_time_of_a_proof_is_up_every_further_question_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No program is started any more."""
    scripted(tmp_path, f"touch {tmp_path}/started; echo 'x: VERIFIED'", monkeypatch)
    found = SymbolicCompiler(seconds=0).implies("", "desk/note", {}, {})
    assert not found.holds
    assert not (tmp_path / "started").exists()


def test_the_programs_get_no_secrets_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They read policies of others."""
    monkeypatch.setenv("REMIT_TOKEN", "secret")
    scripted(tmp_path, f"env > {tmp_path}/env; echo 'x: VERIFIED'", monkeypatch)
    assert SymbolicCompiler().implies("", "desk/note", {}, {}).holds
    assert "secret" not in (tmp_path / "env").read_text()


def test_a_printed_call_is_read_by_cedars_own_parser() -> None:
    """Negative numbers, decimals, times, and an id with a quotation mark."""
    call = read(PRINTED, ())
    assert (call.agent["name"], call.groups, call.state) == ("a", ("ops",), "pinned")
    assert call.context["args"] == {"amount": -3, "price": 1.5}
    assert call.context["now"] == datetime(2026, 1, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "principal: User", PRINTED.replace("context:", "with:"), PRINTED[:200]])
def test_a_call_in_another_form_is_not_guessed(text: str) -> None:
    """Another version of the program may print it differently."""
    with pytest.raises(UnreadableExample):
        read(text, ())


def test_the_solver_answers_each_command_at_once() -> None:
    """The compiler waits for each answer before it goes on."""
    pytest.importorskip("cvc5", reason="the solver is an extra")
    with subprocess.Popen(
        [sys.executable, "-P", solver.__file__, "--lang", "smt"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": os.pathsep.join(one for one in sys.path if one)},
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write("(set-logic ALL)\n(declare-const x Int)\n(assert (> x 3))\n(check-sat)\n")
        child.stdin.flush()
        assert child.stdout.readline() == "sat\n"
        child.stdin.write("(assert (< x 3))\n(check-sat)\n")
        child.stdin.flush()
        assert child.stdout.readline() == "unsat\n"
        child.stdin.close()
        assert child.wait(30) == 0
