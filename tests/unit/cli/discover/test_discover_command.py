# SPDX-License-Identifier: Apache-2.0
"""`remit discover` as a person and a pipeline start it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from remit.cli.main import run

#: Assembled here, so that no scanner of this repository takes it for a secret.
PASSWORD = f"{'Vq7rT2'}-{'mZ9kLw'}-{'4x'}"
PROMPT = f"The database password for crm_admin on db.example.com is {PASSWORD}\n"


class Discover:
    """Runs the command in a folder, with a separate state."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.errors = ""

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Return the exit code and what was written to standard output."""
        code = run(["discover", *arguments])
        streams = self._capsys.readouterr()
        self.errors = streams.err
        return code, streams.out

    def json(self, *arguments: str) -> Any:
        """Return the answer for programs."""
        return json.loads(self(*arguments, "--json")[1])

    def write(self, name: str, content: str) -> None:
        """Write a file."""
        place = self.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)


@pytest.fixture
def discover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Discover:
    """Return the command in a folder with one secret in a prompt."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = Discover(tmp_path / "tree", capsys)
    made.write("agents/prompt.md", PROMPT)
    monkeypatch.chdir(made.folder)
    return made


def exposed(answer: Any) -> list[Any]:
    """Return the findings of exposed secrets."""
    return [one for one in answer["findings"] if one["kind"] == "secret-exposed"]


def test_a_secret_in_a_prompt_is_found_and_never_shown(discover: Discover) -> None:
    """In every form the place is there, and of the secret at most four characters."""
    found = exposed(discover.json())
    assert [one["places"][0]["file"] for one in found] == ["agents/prompt.md"]
    for form in ("text", "json", "sarif", "markdown", "html", "ocsf"):
        code, text = discover("--format", form)
        assert code == 0
        assert "agents/prompt.md" in text
        assert PASSWORD not in text
        assert PASSWORD[:-4] not in text


def test_a_pipeline_fails_on_what_is_open(discover: Discover) -> None:
    """Exit code 4 from the given severity on."""
    assert discover("--fail-on", "low")[0] == 4
    assert discover()[0] == 0
    (discover.folder / "agents" / "prompt.md").write_text("nothing\n")
    assert discover("--fail-on", "low")[0] == 0


def test_a_baseline_lets_pass_what_was_accepted_and_nothing_else(discover: Discover) -> None:
    """Under another user's state, too: the baseline holds the key of its fingerprints."""
    place = ".remit-baseline.json"  # In the scanned folder, as in a repository: it is no finding itself.
    assert discover("--baseline", place, "--write-baseline", "--because", "rotated on Friday")[0] == 0
    assert PASSWORD not in Path(place).read_text()
    assert discover("--baseline", place, "--fail-on", "low", "--no-memory")[0] == 0
    discover.write("more.md", PROMPT.replace(PASSWORD, PASSWORD[::-1]))
    assert discover("--baseline", place, "--fail-on", "low", "--no-memory")[0] == 4


def test_an_acceptance_ends_at_its_date(discover: Discover) -> None:
    """From then on the finding is open."""
    place = str(discover.folder.parent / "baseline.json")
    discover("--baseline", place, "--write-baseline", "--until", "2020-01-01")
    assert discover("--baseline", place, "--fail-on", "low")[0] == 4


def test_a_second_scan_says_since_when(discover: Discover) -> None:
    """The history of a folder goes on, however it is named."""
    first = exposed(discover.json())[0]
    second = exposed(discover.json(str(discover.folder)))[0]
    assert (first["standing"], second["standing"]) == ("new", "known")
    assert second["first_seen"] == first["first_seen"]


def test_a_tool_that_changes_is_found_until_its_change_is_accepted(discover: Discover) -> None:
    """The memory of a folder keeps what the tool was; another folder knows nothing of it."""
    place = str(discover.folder.parent / "baseline.json")
    discover("--baseline", place, "--write-baseline")

    def change(description: str) -> int:
        tool = {"name": "look", "description": description, "inputSchema": {"type": "object"}}
        discover.write("tools.json", json.dumps({"server": "weather", "tools": [tool]}))
        return len([one for one in opened() if one["kind"] == "tool-changed"])

    def opened() -> list[Any]:
        answer = discover.json("--baseline", place)
        return [one for one in answer["findings"] if one["standing"] != "accepted"]

    assert change("Return the weather.") == 0
    assert change("Return the weather of a port.") == 1
    assert change("Return the weather of a port.") == 1
    assert change("Return the weather.") == 0
    assert change("Return the weather of a harbor.") == 1
    discover("--baseline", place, "--write-baseline", "--because", "read by two people")
    assert change("Return the weather of a harbor.") == 0
    assert change("Return the weather of a bay.") == 1


def test_what_the_configuration_connects_is_governed(discover: Discover) -> None:
    """A server of a client with the name of an upstream goes through remit."""
    server = {"mcpServers": {"notes": {"command": "notes-mcp"}, "crm": {"command": "crm-mcp"}}}
    discover.write(".mcp.json", json.dumps(server))

    def ungoverned() -> set[str]:
        found = discover.json()["findings"]
        return {one["about"] for one in found if one["kind"] == "ungoverned-server"}

    assert ungoverned() == {"server:notes", "server:crm"}
    assert run(["init", "."]) == 0
    discover()
    assert ungoverned() == {"server:crm"}


def test_a_report_in_a_file_is_its_owner_s_alone(discover: Discover) -> None:
    """It says where secrets are."""
    place = discover.folder.parent / "report.html"
    assert discover("--format", "html", "--output", str(place)) == (0, "")
    assert place.stat().st_mode & 0o777 == 0o600
    assert "<h1>" in place.read_text()


def test_a_commit_hook_reads_the_index_alone(discover: Discover) -> None:
    """What is only in the working tree does not stop a commit."""
    subprocess.run(["git", "init", "-q"], check=True)
    assert discover("--staged", "--fail-on", "low")[0] == 0
    subprocess.run(["git", "add", "agents"], check=True)
    assert discover("--staged", "--fail-on", "low")[0] == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ("missing",),
        ("--write-baseline",),
        ("--because", "x"),
        ("--staged", "--history"),
        ("--baseline", "missing.json"),
        ("--baseline", "agents/prompt.md"),
        ("--fail-on", "worst"),
    ],
)
def test_a_command_line_that_is_not_understood_is_refused(
    discover: Discover, arguments: tuple[str, ...]
) -> None:
    """With one line that says what to write."""
    assert discover(*arguments)[0] == 2
    assert "; " in discover.errors
