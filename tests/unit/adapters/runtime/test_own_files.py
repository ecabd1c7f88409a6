# SPDX-License-Identifier: Apache-2.0
"""The forms in which an argument can name one of remit's own files, and what is not one."""

import os
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.runtime.own_files import PathsOfRemit
from remit.core.cooperative_steps import finish

Json = Any


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, its state, links to it, and the files of a person."""
    state = tmp_path / ".remit"
    state.mkdir()
    (state / "remit.db").write_text("evidence")
    (tmp_path / "remit.yaml").write_text("upstreams: {}")
    (tmp_path / "link").symlink_to(state)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "far").symlink_to("../link")
    os.link(state / "remit.db", tmp_path / "copy.db")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("STATE", str(state))
    return tmp_path


def reached(home: Path, arguments: Json) -> str:
    """Return the argument that reaches remit's own files."""
    places = [home / ".remit", home / "remit.yaml"]
    guard = PathsOfRemit(places, {"files": [home / "notes", home, home.parent / "elsewhere"]})
    return finish(guard.reached_by("files", arguments))


FORMS = [
    ".remit", ".remit/keys/token.json", "./.remit/./keys", "notes/../.remit", "../.remit/remit.db",
    "{home}/.remit", "{home}//.remit/", "{home}/notes/../.remit/keys", "~/.remit/keys", "~\\.remit",
    ".REMIT/remit.db", "Remit.YAML", "remit.yaml", "link", "link/new-file", "far/keys", "copy.db",
    ".remit/remit.db-wal", ".remit\\keys", "file://{home}/.remit", "FILE://localhost{home}/.remit/keys",
    "file:{home}/.remit", "file://{home}/%2Eremit/keys", "%2eremit/keys", "%252eremit", "$STATE/keys",
    "${{STATE}}/keys", ".rem*/keys/*", ".remi[t]", ".{{remit,x}}/keys", "{home}/.re?it/keys",
    "/proc/self/cwd/../.remit", "/proc/1/cwd/../.remit", "/proc/self/root{home}/.remit",
    "\uff0eremit/keys", " .remit/keys ", "'.remit'",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_path_is_recognised(home: Path, form: str) -> None:
    """Whatever a server makes of the text: links, `..`, case, URLs, encodings, patterns, variables."""
    text = form.format(home=home)
    assert reached(home, {"path": text}) == "path"
    assert reached(home, {"paths": ["notes/a.md", text]}) == "paths"
    assert reached(home, {"edit": {"of": [{text: "x"}]}}) == "edit"


@pytest.mark.parametrize(
    "line",
    ["cat ~/.remit/keys/*", "cd notes; sed p ../.remit/remit.db", 'cp "$STATE" /tmp', "tar c --file=.remit"],
)
def test_every_word_of_a_command_is_read(home: Path, line: str) -> None:
    """A command reaches a file by any of its words."""
    assert reached(home, {"command": line}) == "command"


def test_a_common_word_is_a_folder_only_where_files_are_named(tmp_path: Path) -> None:
    """`tasks` may be remit's folder and any other word: the argument, or a link, tells which."""
    (tmp_path / "tasks").mkdir()
    (tmp_path / "way").symlink_to("tasks")
    guard = PathsOfRemit([tmp_path / "tasks"], {"files": [tmp_path]})
    for arguments, found in (
        ({"query": "tasks"}, ""),
        ({"labels": {"tasks": ["tasks"]}}, ""),
        ({"directory": "tasks"}, "directory"),
        ({"query": "tasks/everyday.yaml"}, "query"),
        ({"name": "way"}, "name"),
    ):
        assert finish(guard.reached_by("files", arguments)) == found


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": "notes/a.md"}, {"path": "."}, {"path": ".remitted"}, {"pattern": "**/*.json"},
        {"text": "the keys are below .remit/keys, see remit.yaml"}, {"path": "\0.remit"}, {"n": 3},
        {"url": "https://example.com/.remit/keys"}, {"command": "ls notes"}, {"path": "x" * 5000},
    ],
)  # fmt: skip
def test_other_values_pass(home: Path, arguments: Json) -> None:
    """Other files pass, and so does a text that only speaks of remit's files."""
    assert reached(home, arguments) == ""
