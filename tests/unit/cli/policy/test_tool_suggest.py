# SPDX-License-Identifier: Apache-2.0
"""`remit tool suggest` and `remit tool show` at a real remit, before servers that others and we wrote."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from remit.config import problems
from tests.gateways.remit_up import Remit

SERVERS = Path(__file__).parents[4] / "examples" / "servers"
UPSTREAMS = ("contracts", "mail", "tickets", "deploy")
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mcp_server_git") is None, reason="mcp-server-git is not installed"
)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remit]:
    """Provide a remit before mcp-server-git and the servers of the examples, none of which is described."""
    made = Remit(tmp_path_factory.mktemp("suggest") / "house")
    made.folder.mkdir()
    assert made("init", ".").code == 0
    repository = made.folder / "repo"
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    program = str(Path(sys.executable).with_name("mcp-server-git"))
    lines = [f"  git: {{command: {json.dumps([program, '--repository', str(repository)])}}}"]
    for name in UPSTREAMS:
        (made.folder / name).mkdir()
        command = [sys.executable, str(SERVERS / f"{name}.py"), str(made.folder / name)]
        lines.append(f"  {name}: {{command: {json.dumps(command)}}}")
    config = made.folder / "remit.yaml"
    head, found, rest = config.read_text().partition("upstreams:\n")
    assert found
    config.write_text(head + found + "\n".join(lines) + "\n" + rest)
    made.start()
    made.enter()
    yield made
    made.stop()


@pytest.mark.slow
def test_a_draft_of_a_real_server_loads_and_describes_its_tools(services: Remit) -> None:
    """Each server is drafted to a file; the bundle is sound with them, and its tools are described."""
    for name in ("git", *UPSTREAMS):
        said = services("tool", "suggest", name, "--out", f"tools/{name}.yaml")
        assert said.code == 0, said.err
        assert "are marked `# review`" in said.out
    assert problems(services.folder) == []
    assert services("policy", "apply").code == 0
    tools = {one["tool"]: one for one in services.ask("tool", "list")["items"]}
    drafted = [one for one in tools.values() if one["upstream"] in ("git", *UPSTREAMS)]
    assert [one["tool"] for one in drafted if not one["described"]] == []
    assert {one["label"]["trust"] for one in drafted} == {"untrusted"}
    assert tools["git/git_status"]["effect"] == "none"
    assert tools["git/git_reset"]["effect"] == "irreversible"
    assert tools["mail/send"]["arguments"]["to"]["role"] == "destination"
    assert tools["mail/send"]["audience"] == "external"
    assert '# resource: "ticket/{ticket}"' in (services.folder / "tools" / "tickets.yaml").read_text()
    assert tools["deploy/deploy"]["production"]


def test_a_draft_is_printed_and_overwrites_nothing(services: Remit) -> None:
    """Without a file the text is printed; an existing file stays unless `--force` is given."""
    printed = services("tool", "suggest", "mail", "--all").out
    assert printed.startswith("# SPDX-License-Identifier: Apache-2.0\n# Drafted by `remit tool suggest mail`")
    place = services.folder / "own.yaml"
    place.write_text("mine\n")
    refused = services("tool", "suggest", "mail", "--all", "--out", "own.yaml")
    assert (refused.code, place.read_text()) == (2, "mine\n")
    assert "own.yaml: already exists; give another file" in refused.err
    assert services("tool", "suggest", "mail", "--all", "--out", "own.yaml", "--force").code == 0
    assert place.read_text() == printed


def test_what_the_person_knows_of_a_server_is_said_in_the_draft(services: Remit) -> None:
    """An audience and a class of the person's own stand in place of the worst; wrong ones are refused."""
    told = ("--audience", "internal", "--class", "internal", "--all")
    found = services.ask("tool", "suggest", "tickets", *told)
    assert {one["audience"] for one in found["tools"]} == {"internal"}
    assert "class: internal  # as given for this upstream" in found["text"]
    assert found["file"] is None
    wrong = services("tool", "suggest", "tickets", "--audience", "everyone")
    assert wrong.code == 2
    assert "`everyone` is not an audience; use `self`" in wrong.err
    assert "`secret` is not a data class" in services("tool", "suggest", "tickets", "--class", "secret").err
    unknown = services("tool", "suggest", "tikets")
    assert unknown.code == 2
    assert "the tools of `tikets` are not known; give an upstream" in unknown.err


def test_a_tool_is_shown_with_all_that_is_said_of_it(services: Remit) -> None:
    """`tool show` prints arguments with their marks, fields and variants; a wrong name is told."""
    said = services("tool", "show", "notes/write_note")
    assert said.code == 0, said.err
    assert "ARGUMENT" in said.out
    assert services.ask("tool", "show", "notes/write_note")["tool"] == "notes/write_note"
    assert (
        "tool `notes/nothing` does not exist; see `remit tool list`"
        in services("tool", "show", "notes/nothing").err
    )
