# SPDX-License-Identifier: Apache-2.0
"""The guide to exports of confidential contracts, followed to its end in both languages: its files, its
commands, and what they print, against a `remit up`.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.architecture.tree import ROOT
from tests.gateways.remit_up import Remit
from tests.servers import cedar_program, opa_server

PAGE = (ROOT / "docs" / "howto" / "block-confidential-exports.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```([a-z]+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
#: What differs from run to run: each is one word for the comparison.
VARIES = re.compile(
    r"\b(?:tsk|dec)_[a-z2-7]+|\bsha256:[0-9a-f]+|\b[0-9a-f]{12}\b"
    r"|\b\d\d:\d\d:\d\d\b|\b\d+ (?:s|min) ago|\b\d+(?:\.\d+)+"
)
CONFIRM = re.compile(r"--confirm sha256:[0-9a-f]+")
DECISION = re.compile(r"remit explain (dec_[a-z2-7]+)")
PROMPT = "Return to version 1? [y/N] y\n"
PROVES = "remit policy prove"


class Step(NamedTuple):
    """A file to write, or a command with what it prints; in one language, or in both."""

    only: str
    path: str
    command: str
    text: str


def steps() -> Iterator[Step]:
    """Read the page in its order."""
    for found in BLOCK.finditer(PAGE):
        before = PAGE[: found.start()].rstrip().rpartition("\n\n")[2]
        only = next((one for one in ("Cedar", "Rego") if before.startswith(f"In {one}")), "")
        kind, text = found.groups()
        if kind != "console":
            first, _, rest = text.partition("\n")
            yield Step(only, first.lstrip("/# "), "", rest)
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, told = part.partition("\n")
            yield Step(only, "", command, told)


def one_word(text: str) -> str:
    """Return a text in which what varies is alike, and lines may be broken anywhere."""
    return " ".join(VARIES.sub("#", text).split())


def agrees(told: str, shown: str) -> bool:
    """Return whether a command printed what the page shows, where `...` stands for anything."""
    parts = re.split(r"(?:^|(?<=\s))\.\.\.(?=\s|$)", shown)
    pattern = r"\s*".join(
        itertools.chain(*zip(map(re.escape, map(one_word, parts)), [".*"] * len(parts), strict=True))
    )
    return re.fullmatch(pattern.removesuffix(r"\s*.*"), one_word(told)) is not None


class Walk:
    """One reader's way through the page, in one language."""

    def __init__(self, language: str, folder: Path) -> None:
        """Begin in the clone."""
        self.language = language
        self.remit = Remit(folder / "desk")
        self.remit.env["PATH"] = (
            f"{folder / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        )
        self.remit.env |= {
            name: os.environ[name] for name in ("REMIT_OPA", "REMIT_CEDAR") if name in os.environ
        }
        self.remit.env["PYTHONPATH"] = os.pathsep.join(
            [self.remit.env["PYTHONPATH"], os.environ.get("PYTHONPATH", "")]
        )
        command = folder / "bin" / "remit"
        command.parent.mkdir()
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m remit "$@"\n')
        command.chmod(0o755)
        self.decision = ""

    def follow(self, *, without: str = "", until: str = "") -> list[str]:
        """Take each step but the command `without`, up to the command `until`; return the commands."""
        taken = []
        for step in steps():
            if step.only not in ("", self.language) or (without and step.command == without):
                continue
            if step.path:
                path = self.remit.folder / step.path
                path.parent.mkdir(exist_ok=True)
                path.write_text(step.text, encoding="utf-8")
                continue
            if not self.remit.url and step.command.startswith("remit agent"):
                self.remit.start()
                self.remit.enter()
            told = self.shell(step.command)
            shown = step.text.replace(PROMPT, "")
            assert not shown or agrees(told, shown), (
                f"{step.command}\n--- printed\n{told}\n--- shown\n{shown}"
            )
            taken.append(step.command)
            if step.command == until:
                break
        return taken

    def shell(self, command: str) -> str:
        """Run one command as the page has it, in the clone until remit is up; return what it prints."""
        command = command.replace("../desk", str(self.remit.folder)).replace(
            "dec_4kzgbo4l4pgzlvby", self.decision
        )
        told = self.printed(command)
        if command.startswith("remit policy rollback"):  # without a terminal, the digest answers the question
            told = self.printed(f"{command} {CONFIRM.findall(told)[-1]}")
        self.decision = next(iter(DECISION.findall(told)[-1:]), self.decision)
        return told

    def printed(self, command: str) -> str:
        """Run one command as a shell would; return both streams."""
        if self.remit.url and command.startswith("remit ") and not command.startswith("remit run"):
            said = self.remit(*shlex.split(command)[1:])  # in this process, which saves starting Python
            return said.out + said.err
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.remit.folder if self.remit.url else ROOT,
            env=self.remit.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout

    def exported(self) -> list[str]:
        """Return who has received an export, in order."""
        lines = (self.remit.folder / "contracts" / "exported.txt").read_text().splitlines()
        return [line for line in lines if line.startswith("to ")]


@pytest.fixture
def walks(tmp_path: Path) -> Iterator[list[Walk]]:
    """The walks of a test, whose servers end with it."""
    begun: list[Walk] = []
    yield begun
    for one in begun:
        if one.remit.process is not None and one.remit.process.poll() is None:
            one.remit.stop()


SENT = ["to sales@example.com:", "to board@example.com:", "to board@example.com:"]


def test_the_page_works_in_cedar(walks: list[Walk], tmp_path: Path) -> None:
    """All but the proof, which needs two more programs."""
    walks.append(Walk("Cedar", tmp_path))
    taken = walks[0].follow(without=PROVES)
    assert taken[-2].startswith("remit policy rollback")
    assert walks[0].exported() == SENT  # what was sent after the rule came into force is not among them


def test_the_page_works_in_rego(walks: list[Walk], tmp_path: Path) -> None:
    """With the same cases, commands and answers; instead of a proof it says that there is none."""
    opa_server.program()
    walks.append(Walk("Rego", tmp_path))
    walks[0].remit.env["PATH"] += f"{os.pathsep}{opa_server.installed().parent}"
    taken = walks[0].follow()
    assert PROVES in taken
    assert walks[0].exported() == SENT


def test_the_proof_of_the_page_is_what_it_shows(walks: list[Walk], tmp_path: Path) -> None:
    """With the analyzer and the solver, in Cedar."""
    cedar_program.installed()
    walks.append(Walk("Cedar", tmp_path))
    assert walks[0].follow(until=PROVES)[-1] == PROVES
