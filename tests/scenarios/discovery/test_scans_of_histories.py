# SPDX-License-Identifier: Apache-2.0
"""A repository with its history is scanned again: what has not changed is not read, and nothing is missed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from random import Random

import pytest

from remit.compose.discovery.scans import discovery_scans, histories
from remit.core.discovery.scan import ScanReport
from remit.services.discovery.scans import ScanRequest
from tests.secrets_corpus.values import SECRETS

FIRST, SECOND = (SECRETS["ghp"](Random(number)) for number in (1, 2))


def git(folder: Path, *arguments: str) -> None:
    """Run a command of Git."""
    author = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(("git", *author, *arguments), cwd=folder, check=True, capture_output=True)


def commit(folder: Path, text: str) -> None:
    """Commit one file with a text."""
    (folder / "settings.env").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "settings")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a repository whose first commit holds a token that the second removes."""
    made = tmp_path / "shop"
    made.mkdir()
    git(made, "init", "-q", "-b", "main")
    commit(made, f"GITHUB_TOKEN={FIRST}\n")
    commit(made, "GITHUB_TOKEN=${GITHUB_TOKEN}\n")
    return made


def scanned(folder: Path) -> ScanReport:
    """Scan a repository with its history and a memory."""
    state = folder.parent / "state"
    state.mkdir(mode=0o700, exist_ok=True)
    roots = (str(folder),)
    request = ScanRequest(
        base=str(folder), roots=roots, scope="shop", histories=histories(roots, str(folder))
    )
    return discovery_scans(key=b"k" * 32, folder=state, processes=1).scan(request)


def test_a_second_scan_reads_no_version_again_and_knows_its_secrets(folder: Path) -> None:
    """The finding stays, with its commit."""
    first, second = scanned(folder), scanned(folder)
    assert [one.finding for one in first.found] == [one.finding for one in second.found]
    assert second.found[0].finding.places[0].commit
    assert first.counts.read_bytes > second.counts.read_bytes == 0
    assert not second.fixed


def test_a_new_reference_and_a_forced_one_are_seen(folder: Path) -> None:
    """Only what they bring is read."""
    scanned(folder)
    git(folder, "checkout", "-q", "--orphan", "other")
    commit(folder, f"GITHUB_TOKEN={SECOND}\n")
    git(folder, "branch", "-M", "main")
    git(folder, "rm", "-q", "settings.env")
    git(folder, "commit", "-qm", "clean")
    report = scanned(folder)
    assert len([one for one in report.found if one.finding.kind.value == "secret-exposed"]) == 2
    assert not report.fixed
    assert report.counts.read_bytes < 150


def test_what_a_clean_up_removed_is_fixed(folder: Path) -> None:
    """The token is in no version any more."""
    before = scanned(folder)
    git(folder, "checkout", "-q", "--orphan", "other")
    git(folder, "commit", "-qm", "clean")
    git(folder, "branch", "-M", "main")
    git(folder, "reflog", "expire", "--expire=now", "--all")
    git(folder, "gc", "-q", "--prune=now")
    report = scanned(folder)
    assert (len(report.found), len(report.fixed)) == (0, len(before.found)) != (0, 0)
