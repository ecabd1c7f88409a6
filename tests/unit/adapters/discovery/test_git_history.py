# SPDX-License-Identifier: Apache-2.0
"""Histories of Git give each version once, also deleted ones; nothing that a repository names is run."""

import os
import subprocess
from pathlib import Path

import pytest

from remit.adapters.discovery.git_history import MESSAGE, GitHistory, repositories
from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.scan import SkippedFile, SkipReason
from remit.core.errors import SourceUnavailable

OLD, NEW = b"TOKEN=swordfish-77\n", b"TOKEN=whale-99\n"


def _git(folder: Path, *arguments: str, content: bytes | None = None) -> str:
    done = subprocess.run(
        [
            "git",
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.com",
            "-c",
            "protocol.file.allow=always",
            *arguments,
        ],
        cwd=folder,
        input=content,
        check=True,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(folder)},
    )
    return done.stdout.decode().strip()


def _commit(folder: Path, message: str, **files: bytes | None) -> str:
    for name, content in files.items():
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content)
    _git(folder, "add", "-A")
    _git(folder, "commit", "-qm", message, "--allow-empty")
    return _git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository in which a file was added, changed and deleted."""
    folder = tmp_path / "shop"
    folder.mkdir()
    _git(folder, "init", "-q", "-b", "main")
    _commit(folder, "first", env=OLD, readme=b"hello\n")
    _commit(folder, "second", env=NEW)
    _commit(folder, "third", env=None)
    return folder


def _chunks(history: GitHistory) -> list[FileChunk]:
    return [one for one in history.chunks() if isinstance(one, FileChunk)]


def _files(chunks: list[FileChunk]) -> list[FileChunk]:
    return [one for one in chunks if one.file != MESSAGE]


def test_versions_that_were_changed_or_deleted_are_read_once_with_their_commit(repository: Path) -> None:
    """The place is the path, and the commit that brought the version."""
    chunks = _chunks(GitHistory(repository, repository))
    first, second = _git(repository, "rev-parse", "HEAD~2", "HEAD~1").split()
    assert {(one.file, one.content, one.commit) for one in _files(chunks)} == {
        ("env", OLD, first),
        ("env", NEW, second),
        ("readme", b"hello\n", first),
    }
    assert sorted(one.content for one in chunks if one.file == MESSAGE) == [b"first", b"second", b"third"]


def test_what_no_branch_holds_any_more_is_read(repository: Path) -> None:
    """An amended commit, a deleted branch, and a file that was added and never committed."""
    _git(repository, "checkout", "-qb", "side")
    _commit(repository, "side", side=b"side secret\n")
    _git(repository, "checkout", "-q", "main")
    _git(repository, "branch", "-qD", "side")
    _git(repository, "hash-object", "-w", "--stdin", content=b"dangling secret\n")
    texts = {one.content: one for one in _chunks(GitHistory(repository, repository))}
    assert texts[b"side secret\n"].file == "side"
    assert texts[b"dangling secret\n"].file.startswith(".git/objects/")


def test_what_a_merge_itself_brings_is_read(repository: Path) -> None:
    """A secret may come with the resolution of a merge alone."""
    _git(repository, "checkout", "-qb", "side", "HEAD~1")
    _commit(repository, "side", side=b"side\n")
    _git(repository, "checkout", "-q", "main")
    _git(repository, "merge", "-q", "--no-commit", "side")
    merge = _commit(repository, "merge", evil=b"evil secret\n")
    assert {one.content: one.commit for one in _chunks(GitHistory(repository, repository))}[
        b"evil secret\n"
    ] == merge


def test_a_later_scan_reads_only_what_came_since(repository: Path) -> None:
    """What the last scan has seen is known, whichever references lead to it."""
    history = GitHistory(repository, repository)
    _chunks(history)
    later = GitHistory(repository, repository, known=history.seen)
    assert later.holds(history.seen)
    assert _chunks(later) == []
    assert later.seen == history.seen
    _commit(repository, "fourth", more=b"more\n")
    _git(repository, "checkout", "-q", "--orphan", "other")
    _commit(repository, "fifth", other=b"other\n")
    _git(repository, "hash-object", "-w", "--stdin", content=b"dangling\n")
    again = GitHistory(repository, repository, known=later.seen)
    assert {one.content for one in _files(_chunks(again))} == {b"more\n", b"other\n", b"dangling\n"}


def test_a_history_that_lost_versions_is_read_from_its_beginning(repository: Path) -> None:
    """A force push and a clean-up have removed them: what was remembered may be gone."""
    history = GitHistory(repository, repository)
    _chunks(history)
    _git(repository, "reset", "-q", "--hard", "HEAD~1")
    assert GitHistory(repository, repository).holds(history.seen)
    _git(repository, "reflog", "expire", "--expire=now", "--all")
    _git(repository, "gc", "-q", "--prune=now")
    assert not GitHistory(repository, repository).holds(history.seen)


def test_packed_bare_shallow_and_worktree_repositories_are_read(repository: Path, tmp_path: Path) -> None:
    """Each way to keep a history has the same versions."""
    _git(repository, "worktree", "add", "-q", str(tmp_path / "tree"))
    _git(repository, "gc", "-q")
    _git(tmp_path, "clone", "-q", "--bare", str(repository), "bare.git")
    _git(tmp_path, "clone", "-q", "--depth", "2", f"file://{repository}", "shallow")
    for name, expected in (("shop", OLD), ("bare.git", OLD), ("tree", OLD), ("shallow", NEW)):
        contents = {one.content for one in _chunks(GitHistory(tmp_path / name, tmp_path))}
        assert expected in contents, name


def test_submodules_have_histories_of_their_own(repository: Path, tmp_path: Path) -> None:
    """Their objects are below `.git/modules`."""
    inner = tmp_path / "inner"
    inner.mkdir()
    _git(inner, "init", "-q")
    _commit(inner, "inner", key=b"inner secret\n")
    _git(repository, "submodule", "add", "-q", str(inner), "lib/inner")
    (found,) = repositories(repository)
    assert b"inner secret\n" in {one.content for one in _chunks(GitHistory(found, repository))}


def test_programs_that_a_repository_names_are_not_run(repository: Path) -> None:
    """Monitors, filters, pagers, hooks, signatures, helpers and replacements are not even read."""
    mark = repository / "ran"
    program = repository / "evil.sh"
    program.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n", encoding="utf-8")
    program.chmod(0o755)
    programs = (
        "core.fsmonitor", "core.pager", "core.sshCommand", "core.editor", "core.askPass",
        "core.alternateRefsCommand", "diff.external", "diff.evil.textconv", "filter.evil.clean",
        "filter.evil.smudge", "gpg.program", "uploadpack.packObjectsHook", "credential.helper", "pager.log",
        "pager.cat-file", "interactive.diffFilter", "alias.log", "core.attributesFile", "include.path",
        "core.hooksPath",
    )  # fmt: skip
    others = {
        "log.showSignature": "true", "extensions.partialClone": "origin", "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::{program}", "remote.origin.vcs": "evil", "protocol.ext.allow": "always",
    }  # fmt: skip
    with (repository / ".git" / "config").open("a", encoding="utf-8") as config:
        for key, value in {**dict.fromkeys(programs, str(program)), **others}.items():
            section, _, name = key.rpartition(".")
            first, _, second = section.partition(".")
            config.write(f'[{first} "{second}"]\n' if second else f"[{first}]\n")
            config.write(f"    {name} = {value}\n")
    (repository / ".git" / "info").mkdir(exist_ok=True)
    (repository / ".git" / "info" / "attributes").write_text("* diff=evil filter=evil\n", encoding="utf-8")
    missing = "1" * 40
    (repository / ".git" / "refs" / "heads" / "gone").write_text(f"{missing}\n", encoding="utf-8")
    contents = {one.content for one in _chunks(GitHistory(repository, repository))}
    assert {OLD, NEW} <= contents
    assert not mark.exists()


def test_histories_that_lead_out_of_the_root_are_refused(repository: Path, tmp_path: Path) -> None:
    """A `.git` file, a link, and alternates may name another person's repository."""
    root = tmp_path / "scanned"
    for name in ("pointing", "linked", "borrowing", "objects"):
        (root / name).mkdir(parents=True)
    (root / "pointing" / ".git").write_text(f"gitdir: {repository}/.git\n", encoding="utf-8")
    (root / "linked" / ".git").symlink_to(repository / ".git")
    for name in ("borrowing", "objects"):
        _git(root / name, "init", "-q")
    alternates = root / "borrowing" / ".git" / "objects" / "info" / "alternates"
    alternates.write_text(f"{repository}/.git/objects\n", encoding="utf-8")
    os.rename(root / "objects" / ".git" / "objects", root / "old")
    (root / "objects" / ".git" / "objects").symlink_to(repository / ".git" / "objects")
    for name in ("pointing", "linked", "borrowing", "objects"):
        with pytest.raises(SourceUnavailable, match="leads out"):
            _chunks(GitHistory(root / name, root))
    with pytest.raises(SourceUnavailable, match="no history"):
        _chunks(GitHistory(tmp_path, tmp_path))


def test_objects_that_would_hold_git_up_or_are_damaged_are_refused(repository: Path) -> None:
    """A pipe among them would make `git` wait for ever; a broken pack is not an empty history."""
    pipe = repository / ".git" / "objects" / "info" / "alternates"
    os.mkfifo(pipe)
    with pytest.raises(SourceUnavailable, match="a pipe"):
        _chunks(GitHistory(repository, repository))
    pipe.unlink()
    _git(repository, "gc", "-q")
    (pack,) = (repository / ".git" / "objects" / "pack").glob("*.pack")
    data = pack.read_bytes()
    pack.chmod(0o644)
    pack.write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceUnavailable, match="damaged"):
        _chunks(GitHistory(repository, repository))


def test_large_and_broken_versions_are_told(repository: Path) -> None:
    """The others are read."""
    _commit(repository, "large", large=b"a" * (17 << 20))
    broken = _git(repository, "hash-object", "-w", "--stdin", content=b"broken\n")
    place = repository / ".git" / "objects" / broken[:2] / broken[2:]
    place.chmod(0o644)
    history = GitHistory(repository, repository)
    read = list(history.chunks())
    assert OLD in {one.content for one in read if isinstance(one, FileChunk)}
    assert [one for one in read if isinstance(one, SkippedFile)] == [
        SkippedFile(file="large", why=SkipReason.LARGE)
    ]
    # It is told again, and nothing else is read.
    assert len(list(GitHistory(repository, repository, known=history.seen).chunks())) == 1
    place.write_bytes(b"no object")
    assert OLD in {one.content for one in _chunks(GitHistory(repository, repository))}
