# SPDX-License-Identifier: Apache-2.0
"""`remit completion`: the scripts are read by real shells, which then complete what there is."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from remit.cli.command_list import COMMANDS
from remit.cli.completion import Shell, all_commands
from remit.cli.main import run

SHELLS: tuple[Shell, ...] = get_args(Shell)
#: Completes its arguments as bash would, and prints what it would offer, one a line.
_BASH = """
source "$1"; shift
complete -p remit >/dev/null || exit 9
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_remit
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the script of each shell, by its name."""
    made = tmp_path_factory.mktemp("scripts")
    for shell in SHELLS:
        (made / shell).write_text(all_commands().generate_completion(shell=shell))
    return made


def in_bash(scripts: Path, *words: str) -> set[str]:
    """Say what bash offers for the last of these words."""
    command = ["bash", "--norc", "-c", _BASH, "-", str(scripts / "bash"), "remit", *words]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    return {line for line in said.stdout.splitlines() if line}


def verbs_of(name: str, module: str, attribute: str) -> set[str]:
    """Return the verbs of a noun."""
    return {word for word in getattr(importlib.import_module(module), attribute) if not word.startswith("-")}


def test_bash_completes_every_command_and_every_verb(scripts: Path) -> None:
    """None is missing, for all of them come from one list."""
    assert in_bash(scripts, "") == {one.name for one in COMMANDS}
    for one in COMMANDS:
        if one.usage == "VERB":
            assert in_bash(scripts, one.name, "") == verbs_of(one.name, one.module, one.attribute)


def test_bash_completes_options_wherever_they_stand(scripts: Path, tmp_path: Path) -> None:
    """A command's own behind it, and what stands everywhere before it."""
    assert in_bash(scripts, "pol") == {"policy"}
    own = in_bash(scripts, "policy", "apply", "--")
    assert own == {"--reason", "--confirm", "--wait", "--help"}
    assert in_bash(scripts, "--json", "policy", "apply", "--w") == {"--wait"}
    assert in_bash(scripts, "--config", "elsewhere", "policy", "ap") == {"apply"}
    assert {"--json", "--config", "--as", "--help", "--version"} == in_bash(scripts, "--")
    assert in_bash(scripts, "no-such-command", "x", "") <= {one.name for one in COMMANDS}
    (tmp_path / "remit.yaml").touch()
    assert in_bash(scripts, "--config", f"{tmp_path}/re") == {f"{tmp_path}/remit.yaml"}


def test_bash_completes_words_of_closed_sets(scripts: Path) -> None:
    """States, kinds, shells: whatever an argument can only be."""
    assert in_bash(scripts, "completion", "") == set(SHELLS)
    assert in_bash(scripts, "key", "rotate", "se") == {"sealing"}
    assert in_bash(scripts, "approvals", "--state", "p") == {"pending"}


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish here")
def test_fish_completes(scripts: Path) -> None:
    """It reads the script, and offers the same."""
    asked = ("remit policy apply --w", "remit key rotate se")
    command = "; ".join((f"source {scripts / 'fish'}", *(f"complete -C '{one}'" for one in asked)))
    said = subprocess.run(["fish", "-N", "-c", command], capture_output=True, text=True, check=True)
    assert [line.partition("\t")[0] for line in said.stdout.splitlines()] == ["--wait", "sealing"]


def test_every_shell_knows_every_command() -> None:
    """Also those that cannot be tried here."""
    for shell in SHELLS:
        text = all_commands().generate_completion(shell=shell)
        for one in COMMANDS:
            assert one.name in text, (shell, one.name)
        assert "wait" in text


def test_it_is_written_where_the_shell_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By `--install`, which says where that is."""
    for name in ("ZSH", "ZSH_CUSTOM", "ZDOTDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run(["completion", "bash", "--install"]) == 0
    written = tmp_path / ".local/share/bash-completion/completions/remit"
    assert written.read_text() == all_commands().generate_completion(shell="bash")
    assert written.name in "".join(capsys.readouterr().out.split())


def test_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """As the shell reads it, or in JSON."""
    assert run(["completion", "zsh"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("#compdef remit")
    assert run(["completion", "zsh", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"shell": "zsh", "script": printed}


def test_a_shell_that_is_not_known_is_a_usage_fault(capsys: pytest.CaptureFixture[str]) -> None:
    """With those that are."""
    assert run(["completion", "tcsh"]) == 2
    assert "bash" in capsys.readouterr().err
