# SPDX-License-Identifier: Apache-2.0
"""Lines of the command line: where they are broken, and what a misspelt option is told."""

import pytest

from remit.cli.main import run
from remit.cli.output import terminal as show


def test_the_front_page_breaks_where_the_terminal_ends(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On eighty columns no line is longer, and nothing is left out."""
    run([])
    whole = capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "80")
    run([])
    broken = capsys.readouterr().out
    assert max(map(len, broken.splitlines())) <= 80
    assert broken.split() == whole.split()


def test_a_line_that_is_broken_keeps_its_indent(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows begins below the first word, and no blank stands at an end."""
    monkeypatch.setenv("COLUMNS", "40")
    show.say("    a reason that is longer than ", show.text("one line of it", "dim"))
    assert capsys.readouterr().out == "    a reason that is longer than one\n    line of it\n"


@pytest.mark.parametrize(
    ("option", "meant"), [("--last", ""), ("--limt", "--limit"), ("--tsak", "--task"), ("--jsn", "--json")]
)
def test_an_option_that_there_is_not_is_told_with_the_one_meant(
    capsys: pytest.CaptureFixture[str], option: str, meant: str
) -> None:
    """One that is near is named, and none that is far: two dashes alone are no likeness."""
    assert run(["audit", "log", option, "3"]) == 2
    remediation = f"did you mean `{meant}`?" if meant else "see `remit audit log --help`"
    assert capsys.readouterr().err == f"error: option `{option}` does not exist; {remediation}\n"
