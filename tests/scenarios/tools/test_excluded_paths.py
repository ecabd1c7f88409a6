# SPDX-License-Identifier: Apache-2.0
"""Absolute paths that a tool file, a task type and its parameter exclude, with ordinary work beside them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from remit.core.errors import Malformed
from remit.rehearse import Rehearsal
from tests.worlds.rehearsed_tools import outcome_of, rehearsed

CONFIG = """
upstreams:
  files: {command: [not, started]}
"""
TOOLS = """
upstream: files
tools:
  write:
    effect: irreversible
    audience: internal
    # What lies in these folders is deployed.
    production: true
    labels: {class: internal, trust: trusted}
    arguments:
      path: {role: selector}
      text: {role: content}
    when:
      - arguments: {path: {all: [{path_under: /srv}, {not: {glob: "/srv/live*/**"}}]}}
        effect: reversible
        production: false
"""
TASK = """
task: tidy
purpose: Tidy up the notes.
run_by: [rehearsed-agent]
requested_by: [rehearsed-person]
parameters:
  folder: {}
  target: {required: false, constraint: {all: [{path_under: /srv}, {not: {prefix: /srv/keys}}]}}
grants:
  - tool: files/write
    arguments:
      path: {all: [{path_under: "/srv/{folder}"}, {not: {glob: "/srv/{folder}/*/.ssh"}}]}
      text: {anything: {}}
"""
EVASIONS = (
    "/srv/notes/ana/.ssh/key",
    "/srv/notes/ana/.ssh",
    "/srv/notes/ana/.SSH/key",
    "/srv/notes//ana/.ssh/key",
    "/srv/notes/./ana/.ssh",
    "/srv/notes/ana/x/../.ssh/key",
    "/srv/notes/ana",
    "/srv/notes/ana/.ssh/",
    "/srv/notes/ana/.ssh.",
    "/srv/notes/ana/.%73sh",
    "/srv/notes",
    "srv/notes/ana/a.md",
    "/srv/notes/../keys/a",
    "/srv/keys/a",
)


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """Provide the files under the default policies."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "tasks").mkdir()
    (folder / "tasks/tidy.yaml").write_text(TASK, encoding="utf-8")
    with rehearsed(folder, CONFIG, TOOLS) as made:
        yield made


def test_ordinary_paths_beside_the_excluded_ones_pass(rehearsal: Rehearsal) -> None:
    """In the folder of the parameter, and in no folder that is deployed."""
    task = rehearsal.open(task="tidy", intent="Tidy up", params={"folder": "notes"})
    for path in ("/srv/notes/ana/plans/a.md", "/srv/notes/ana/.ssh-notes/a.md"):
        assert outcome_of("files", task, "write", path=path, text="x") == "permit", path


@pytest.mark.parametrize("path", EVASIONS)
def test_no_spelling_of_an_excluded_path_passes_the_grant(rehearsal: Rehearsal, path: str) -> None:
    """Nor a directory above or below one."""
    task = rehearsal.open(task="tidy", intent="Tidy up", params={"folder": "notes"})
    assert outcome_of("files", task, "write", path=path, text="x") == "deny"


@pytest.mark.parametrize("path", ["/srv/live/a/b.md", "/srv/LIVE-2/a/b.md", "/srv/live-2/b/a/c.md"])
def test_an_excluded_path_is_the_worst_case_in_a_tool_file(rehearsal: Rehearsal, path: str) -> None:
    """It is deployed, and agents of other environments do not change it."""
    task = rehearsal.open(task="tidy", intent="Tidy up", params={"folder": path.split("/")[2]})
    assert outcome_of("files", task, "write", path=path, text="x") == "deny"


@pytest.mark.parametrize(
    "target", ["/srv/keys", "/srv/keys-old", "/srv/x/../keys", "/srv//keys", "/srv/KEYS", "/srv"]
)
def test_an_excluded_path_is_no_parameter(rehearsal: Rehearsal, target: str) -> None:
    """The task is not opened; with another path it is."""
    given = {"folder": "notes", "target": "/srv/notes"}
    rehearsal.open(task="tidy", intent="Tidy up", params=given)
    with pytest.raises(Malformed):
        rehearsal.open(task="tidy", intent="Tidy up", params=given | {"target": target})
