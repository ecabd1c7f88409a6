# SPDX-License-Identifier: Apache-2.0
"""A file of a control is read whole or refused, with the line that is wrong."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from remit.cli.report.control_files import CONTROLS, FRAMEWORKS, framework, measures
from remit.core.controls.control import Control
from remit.core.errors import ConfigInvalid
from remit.core.findings.meanings import FINDING_MEANINGS

DOCS = Path(__file__).resolve().parents[4] / "docs"
ALL = [one for name in FRAMEWORKS for one in framework(name).controls]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of remit's own files, to be spoilt."""
    shutil.copytree(Path(str(CONTROLS)), tmp_path / "controls")
    return tmp_path / "controls"


def test_the_frameworks_are_whole() -> None:
    """Ten risks of agents, ten of identities, seven layers; the outcomes of CSF that concern agents."""
    assert [one.id for one in framework("asi").controls] == [f"ASI{n:02}" for n in range(1, 11)]
    ids = {one.id for one in framework("csf").controls}
    assert {f"PR.AA-0{n}" for n in range(1, 7)} <= ids
    assert [one.id for one in framework("nhi").controls] == [f"NHI{n}" for n in range(1, 11)]
    assert [one.id for one in framework("maestro").controls] == [f"L{n}" for n in range(1, 8)]
    assert {"PR.DS-01", "PR.DS-02", "PR.DS-10", "PR.PS-04", "ID.AM-08", "DE.CM-09", "RS.MA-01"} <= ids


@pytest.mark.parametrize("name", ["iso-42001", "eu-ai-act"])
def test_mappings_are_never_met(name: str) -> None:
    """What a law or a management system asks is more than calls of agents can show."""
    assert all(one.at_best == "partly" and one.outside for one in framework(name).controls)


def test_each_measure_is_used() -> None:
    """One that answers no control counts for nothing."""
    assert {check.measure for one in ALL for check in one.checks} == set(measures())


@pytest.mark.parametrize("control", ALL, ids=lambda one: one.id)
def test_each_control_leads_to_pages_and_commands_that_exist(control: Control) -> None:
    """Its mechanisms are documented, and what to do next can be typed."""
    for one in control.answered_by:
        assert (DOCS / one.see).is_file()
    commands = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    for command in re.findall(r"`(remit [^`]+)`", f"{control.next} {control.outside}"):
        words = command.split(" --")
        assert f"\n{words[0]}" in commands, command
        assert all(
            f"`--{option.split()[0]}`" in commands or f"--{option}" in commands for option in words[1:]
        )


@pytest.mark.parametrize(
    "control", framework("asi").controls + framework("nhi").controls, ids=lambda one: one.id
)
def test_findings_break_the_risks_that_count_them(control: Control) -> None:
    """The reference of findings and the files of the risks say the same."""
    counted = {kind for check in control.checks for kind in check.kinds}
    assert counted == {kind for kind, meaning in FINDING_MEANINGS.items() if control.id in meaning.controls}


@pytest.mark.parametrize(
    ("old", "new", "line", "word"),
    [
        ("asks: ", "askes: ", 4, "askes"),
        ("measure: intents-stated", "measure: intents", 11, "`intents` is not a measure"),
        ("partly: 50", "partly: 101", 12, "partly"),
        ("partly: 50", "partly: many", 12, "partly"),
        ("partly: 50", "met: 40\n    partly: 50", 13, "is above `met`"),
        ("kinds: [poisoned-tool", "kinds: [poisonous-tool", 19, "poisonous-tool"),
        (
            "    kinds: [poisoned-tool, toxic-combination, new-destination, refused-retried]\n",
            "",
            17,
            "`kinds`",
        ),
        ("id: ASI01", "id: ASI02", 2, "not the name of the file"),
        ("title: ", "title: &a ", 3, "anchor"),
        ("title: ", "\ttitle: ", 3, "tab"),
    ],
)
def test_a_mistake_is_named_with_its_line(copied: Path, old: str, new: str, line: int, word: str) -> None:
    """Nothing is measured by a file that is not understood."""
    file = copied / "asi" / "ASI01.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigInvalid) as refused:
        framework("asi", copied)
    assert (refused.value.file, refused.value.line) == ("ASI01.yaml", line)
    assert word in str(refused.value)
    assert refused.value.remediation


def test_a_measure_says_what_it_counts(copied: Path) -> None:
    """Or its numbers would mean nothing."""
    (copied / "measures" / "calls-bound.sql").write_text("-- SPDX\n-- calls\nSELECT 1", encoding="utf-8")
    with pytest.raises(ConfigInvalid, match=r"calls-bound\.sql:2"):
        framework("asi", copied)
