# SPDX-License-Identifier: Apache-2.0
"""Threat: an attacker who can write into the folder of the bundle makes remit read, run or believe something
else.
"""

import os
from pathlib import Path

import pytest

from remit.config import load_bundle, load_config, problems
from remit.config.reading.folder import MAX_FILE_BYTES, MAX_FILES
from remit.core.errors import ConfigInvalid

REMIT = "upstreams: {files: {command: [python, files.py]}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a small sound bundle in its own folder."""
    root = tmp_path / "bundle"
    for name in ("policies", "tools", "tasks"):
        (root / name).mkdir(parents=True)
    (root / "remit.yaml").write_text(REMIT)
    (root / "policies" / "all.cedar").write_text("permit (principal, action, resource);\n")
    (root / "tools" / "files.yaml").write_text("upstream: files\ntools: {read: {effect: none}}\n")
    assert problems(root) == []
    return root


def the_only(folder: Path) -> str:
    """The only problem of a bundle, which also keeps it from being loaded."""
    (found,) = [str(problem) for problem in problems(folder)]
    with pytest.raises(ConfigInvalid):
        load_bundle(load_config(folder))
    assert "\n" not in found
    return found


def test_a_link_out_of_the_folder_is_not_followed(folder: Path) -> None:
    """A policy, a tool file or a whole folder that is a link to elsewhere is refused by its name."""
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "x.cedar").write_text("permit (principal, action, resource);\n")
    (folder / "policies" / "x.cedar").symlink_to(outside / "x.cedar")
    assert the_only(folder).startswith("policies/x.cedar: is a link out of the bundle's folder")
    (folder / "policies" / "x.cedar").unlink()
    (folder / "policies" / "sub").symlink_to(outside, target_is_directory=True)
    assert the_only(folder).startswith("policies/sub: is a link out of the bundle's folder")


def test_a_link_within_the_folder_is_a_file_like_any_other(folder: Path) -> None:
    """A link that stays inside is read, and counts in the digest under its own name."""
    before = load_bundle(load_config(folder))
    (folder / "policies" / "more.cedar").symlink_to(folder / "policies" / "all.cedar")
    after = load_bundle(load_config(folder))
    assert after.digest != before.digest
    assert len(after.policies) == 2


def test_a_circle_of_links_ends(folder: Path) -> None:
    """A folder that links to itself is refused, not walked for ever."""
    (folder / "policies" / "again").symlink_to(folder / "policies", target_is_directory=True)
    assert the_only(folder).startswith("policies/again: is already read under another name")
    (folder / "policies" / "again").unlink()
    (folder / "tools" / "loop.yaml").symlink_to(folder / "tools" / "loop.yaml")
    assert the_only(folder).startswith("tools/loop.yaml: ")


def test_a_dead_link_is_named(folder: Path) -> None:
    """A link to nothing is a missing file with a name."""
    (folder / "tools" / "gone.yaml").symlink_to(folder / "tools" / "nothing.yaml")
    assert the_only(folder).startswith("tools/gone.yaml: file does not exist")


def test_a_pipe_does_not_make_remit_wait(folder: Path) -> None:
    """A named pipe in place of a file is refused at once."""
    os.mkfifo(folder / "tools" / "pipe.yaml")
    assert the_only(folder).startswith("tools/pipe.yaml: is not a plain file")


def test_a_huge_file_is_not_read_whole(folder: Path) -> None:
    """A file above the bound is refused by its size."""
    with (folder / "policies" / "huge.cedar").open("wb") as huge:
        huge.truncate(MAX_FILE_BYTES + 1)
    assert the_only(folder).startswith("policies/huge.cedar: is larger than 1024 KiB")


def test_too_many_files_are_refused(folder: Path) -> None:
    """The number of files of a bundle is bounded."""
    for number in range(MAX_FILES + 2):
        (folder / "policies" / f"{number}.cedar").touch()
    assert "more than 2000" in str(problems(folder)[0])


def test_a_bomb_of_aliases_is_refused_at_its_first_anchor(folder: Path) -> None:
    """A few lines that would unfold to billions of values are refused where the first is named."""
    bomb = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    (folder / "tools" / "bomb.yaml").write_text(bomb)
    assert the_only(folder) == "tools/bomb.yaml:1: uses an anchor or an alias; write the value out"


def test_a_second_key_cannot_hide_behind_the_first(folder: Path) -> None:
    """Two values for one key, of which a reviewer sees the first and a parser takes the last, are refused."""
    (folder / "tools" / "files.yaml").write_text(
        "upstream: files\ntools:\n  read:\n    effect: irreversible\n    effect: none\n"
    )
    assert the_only(folder).startswith("tools/files.yaml:5: `effect`: is given twice, first in line 4")


def test_text_that_reads_other_than_it_looks_is_refused(folder: Path) -> None:
    """Bidirectional controls, with which a policy can be shown in another order than it has, are refused."""
    (folder / "policies" / "all.cedar").write_text(
        "// \u202e forbid\npermit (principal, action, resource);\n"
    )
    assert the_only(folder).startswith("policies/all.cedar:1: holds U+202E")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\xef\xbb\xbfupstream: files\n", b"upstream: \xc3\x28\n"])
def test_bytes_that_are_not_plain_utf8_are_refused(folder: Path, content: bytes) -> None:
    """Other encodings and byte order marks are refused with the line."""
    (folder / "tools" / "x.yaml").write_bytes(content)
    assert the_only(folder).startswith("tools/x.yaml:1: ")


def test_a_secret_written_out_never_reaches_a_message(folder: Path) -> None:
    """A password in the configuration is refused, and the refusal does not repeat it."""
    (folder / "remit.yaml").write_text(
        "upstreams:\n  a: {url: 'https://x.example', headers: {Authorization: hunter2hunter2}}\n"
        "  b: {command: [x, '--token=ghp_abcdefghijklmnopqrstuvwx'], env: {DB_PASSWORD: hunter2hunter2}}\n"
        "  c: {url: 'https://ana:hunter2hunter2@x.example'}\n"
    )
    found = [str(problem) for problem in problems(folder)]
    told = " ".join(found)
    assert "hunter2" not in told
    assert "ghp_" not in told
    assert sum("looks like a literal secret" in line for line in found) == 3
    assert sum("contains a name or password" in line for line in found) == 1
