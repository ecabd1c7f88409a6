# SPDX-License-Identifier: Apache-2.0
"""The index of a repository: what the next commit would change."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from remit.adapters.discovery.staged_files import StagedFiles
from remit.core.discovery.chunk import FileChunk
from remit.core.errors import SourceUnavailable


class Repository:
    """A repository with a commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q")

    def git(self, *arguments: str) -> None:
        """Run `git`."""
        names = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        subprocess.run(["git", *names, *arguments], cwd=self.folder, check=True, capture_output=True)

    def write(self, name: str, content: str | bytes, *, stage: bool = True) -> None:
        """Write a file, and stage it."""
        place = self.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        if stage:
            self.git("add", "-f", name)

    def staged(self) -> dict[str, bytes]:
        """Return what is staged."""
        return {
            one.file: one.content for one in StagedFiles(self.folder).chunks() if isinstance(one, FileChunk)
        }


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Return a new repository without commits."""
    return Repository(tmp_path)


def test_the_first_commit_is_read_whole(repository: Repository) -> None:
    """There is nothing to compare it with."""
    repository.write("a.txt", "one")
    assert repository.staged() == {"a.txt": b"one"}


def test_only_what_is_staged_is_read_and_as_it_is_staged(repository: Repository) -> None:
    """Not what is committed, deleted or only in the working tree."""
    repository.write("old.txt", "old")
    repository.write("gone.txt", "gone")
    repository.git("commit", "-qm", "first")
    repository.write("new name\n.txt", "new")
    repository.write("old.txt", "staged")
    repository.write("old.txt", "working tree", stage=False)
    repository.git("rm", "-q", "gone.txt")
    (repository.folder / "link").symlink_to("/etc/passwd")
    repository.git("add", "link")
    repository.write("image.dat2", b"\0\1\2")
    assert repository.staged() == {"new name\n.txt": b"new", "old.txt": b"staged"}


def test_no_program_that_the_repository_names_is_run(repository: Repository) -> None:
    """Its configuration, attributes and hooks are another person's."""
    repository.write("a.txt", "one")
    repository.git("commit", "-qm", "first")
    program = repository.folder / "program"
    program.write_text(f"#!/bin/sh\ntouch {repository.folder}/ran\ncat\n")
    program.chmod(0o755)
    repository.write("a.txt", "two")
    repository.write(".gitattributes", "* diff=x filter=x text\n", stage=False)
    core = "core.fsmonitor core.pager core.sshCommand core.gitProxy core.askPass diff.external"
    for name in (*core.split(), "diff.x.textconv", "diff.x.command", "filter.x.smudge", "filter.x.process"):
        repository.git("config", name, str(program))
    assert repository.staged() == {"a.txt": b"two"}
    assert not (repository.folder / "ran").exists()


def test_a_folder_outside_of_repositories_is_refused(tmp_path: Path) -> None:
    """The refusal says what to do."""
    with pytest.raises(SourceUnavailable) as refused:
        list(StagedFiles(tmp_path).chunks())
    assert "repository" in refused.value.remediation
