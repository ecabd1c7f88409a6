# SPDX-License-Identifier: Apache-2.0
"""Transcripts are found and read line by line, and nothing else is opened."""

import os
from pathlib import Path

import pytest

from remit.cli.hindsight import transcript_files
from remit.cli.hindsight.transcript_files import find, lines
from tests.samples.assistant_sessions import Claude, Codex


def test_the_clients_folders_in_a_home_are_searched(tmp_path: Path) -> None:
    """Each client has its place; other files in a home are not transcripts."""
    Claude().write(tmp_path)
    Codex().write(tmp_path)
    chats = tmp_path / ".gemini" / "tmp" / "p" / "chats"
    chats.mkdir(parents=True)
    (chats / "session-1.jsonl").write_text("{}\n")
    (chats.parent / "logs.json").write_text("[]")
    (tmp_path / "notes.jsonl").write_text("{}\n")
    assert [one.client for one in find([tmp_path]).files] == ["claude-code", "codex", "gemini-cli"]


def test_a_file_and_a_folder_may_be_given_and_count_once(tmp_path: Path) -> None:
    """The same transcript by two ways is one."""
    path = Claude().write(tmp_path)
    assert [one.path for one in find([path, path.parent, tmp_path]).files] == [path]


def test_links_are_passed_over_and_counted(tmp_path: Path) -> None:
    """Neither a linked file nor a loop of folders is followed."""
    path = Claude().write(tmp_path)
    secret = tmp_path / "secret.jsonl"
    secret.write_text("{}\n")
    (path.parent / "link.jsonl").symlink_to(secret)
    (path.parent / "loop").symlink_to(path.parent.parent)
    found = find([tmp_path])
    assert [one.path for one in found.files] == [path]
    assert found.links == 2


def test_only_files_are_opened(tmp_path: Path) -> None:
    """A pipe under the name of a transcript stops nothing."""
    path = Claude().write(tmp_path)
    os.mkfifo(path.parent / "pipe.jsonl")
    assert [one.path for one in find([tmp_path]).files] == [path]
    with pytest.raises(OSError, match="not a file"):
        list(lines(path.parent / "pipe.jsonl"))


def test_a_line_that_is_too_long_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines before and behind it are read."""
    monkeypatch.setattr(transcript_files, "MAX_LINE", 100)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"first\n" + b"x" * 1_000_000 + b"\nlast\n" + b"y" * 99 + b"\n" + b"z" * 500)
    assert list(lines(path)) == [b"first\n", None, b"last\n", b"y" * 99 + b"\n", None]


def test_a_subagents_file_comes_after_its_session(tmp_path: Path) -> None:
    """Its parent is known from its folder."""
    path = Claude("z").write(tmp_path)
    folder = path.parent / "a" / "subagents"
    folder.mkdir(parents=True)
    (folder / "agent-1.jsonl").write_text("{}\n")
    assert [one.parent for one in find([tmp_path]).files] == ["", "a"]
