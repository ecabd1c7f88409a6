# SPDX-License-Identifier: Apache-2.0
"""The walk: which files it yields, and which it leaves out."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from remit.adapters.discovery.file_owners import CodeOwners
from remit.adapters.discovery.file_tree import OsFileTree
from remit.core.discovery.scan import SkippedFile, SkipReason
from remit.ports.discovery.scans import FoundFile, ScanBounds


def write(root: Path, *names: str, **contents: str) -> None:
    """Write files, with these contents or a word."""
    for name in names:
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("text")
    for name, content in contents.items():
        (root / f".{name}").write_text(content)


def walked(
    root: Path, *, all_files: bool = False, roots: tuple[Path, ...] = (), depth: int = 64
) -> list[str]:
    """Return the places that a walk yields."""
    tree = OsFileTree(all_files=all_files)
    found = tree.files([str(one) for one in roots or (root,)], str(root), ScanBounds(depth=depth))
    return [one.file for one in found if isinstance(one, FoundFile)]


def test_ignore_files_count_for_their_folder_and_below(tmp_path: Path) -> None:
    """The deepest file decides, as in Git."""
    write(
        tmp_path, "a.txt", "a.tmp", "deep/b.tmp", "deep/kept.tmp", "built/x.txt", gitignore="*.tmp\n/built/\n"
    )
    (tmp_path / "deep" / ".gitignore").write_text("!kept.tmp\n")
    assert walked(tmp_path) == [".gitignore", "a.txt", "deep/.gitignore", "deep/kept.tmp"]
    assert "built/x.txt" in walked(tmp_path, all_files=True)


def test_git_agrees_with_what_is_ignored(tmp_path: Path) -> None:
    """Git itself lists the same files, for patterns of each form."""
    patterns = "*.tmp\n!keep.tmp\n/top\nany/\ndeep/**/x.txt\nq?.txt\n[ab].md\n\\#odd\n**/far\ntrail \n"
    names = (
        "a.tmp keep.tmp top/a.txt deep/top/a.txt deep/any/a.txt deep/1/2/x.txt x.txt qq.txt qqq.txt a.md c.md"
    )
    write(tmp_path, *names.split(), "#odd", "one/far/a.txt", "one/fare/a.txt", "trail", gitignore=patterns)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    assert sorted(walked(tmp_path)) == sorted(listed.stdout.decode().split("\0")[:-1])


def test_files_in_which_secrets_stand_are_read_although_git_ignores_them(tmp_path: Path) -> None:
    """They are ignored because they hold secrets. Only `.remitignore` leaves them out."""
    write(
        tmp_path,
        ".env",
        ".env.local",
        "app.log",
        ".claude/settings.json",
        gitignore=".env*\n*.log\n.claude/\n",
    )
    assert walked(tmp_path) == [".env", ".env.local", ".gitignore", ".claude/settings.json"]
    (tmp_path / ".remitignore").write_text(".env.local\n.claude\n")
    assert walked(tmp_path, all_files=True) == [".env", ".gitignore", ".remitignore", "app.log"]


def test_a_broken_pattern_leaves_the_others_in_force(tmp_path: Path) -> None:
    """A line that is no pattern is passed over."""
    write(tmp_path, "a.tmp", "b.txt", gitignore="!\n*.tmp\n[z-a]\n\\\n")
    assert walked(tmp_path) == [".gitignore", "b.txt"]


def test_rules_of_the_repository_count_in_a_folder_of_it(tmp_path: Path) -> None:
    """A scan of one folder leaves out what a scan of the whole would."""
    write(tmp_path, "sub/a.tmp", "sub/b.txt", gitignore="*.tmp\n")
    (tmp_path / ".git").mkdir()
    assert walked(tmp_path, roots=(tmp_path / "sub",)) == ["sub/b.txt"]


def test_installed_code_and_objects_are_left_out(tmp_path: Path) -> None:
    """Folders of other people's code, and kinds that hold no text."""
    write(tmp_path, "node_modules/a/index.js", ".venv/b.py", ".git/config", "a.png", "b.PY", "key.pem")
    assert walked(tmp_path) == ["b.PY", "key.pem"]


def test_two_roots_that_overlap_are_walked_once(tmp_path: Path) -> None:
    """Each file is yielded once."""
    write(tmp_path, "a/b/c.txt", "a/d.txt")
    assert walked(tmp_path, roots=(tmp_path / "a", tmp_path / "a" / "b")) == ["a/d.txt", "a/b/c.txt"]


def test_folders_that_are_too_deep_are_told(tmp_path: Path) -> None:
    """A tree without an end ends the walk there, and is named."""
    write(tmp_path, "1/2/3/x.txt", "1/x.txt")
    found = list(OsFileTree().files([str(tmp_path)], str(tmp_path), ScanBounds(depth=2)))
    assert SkippedFile(file="1/2/3", why=SkipReason.DEEP) in found
    assert walked(tmp_path, depth=2) == ["1/x.txt"]


@pytest.mark.parametrize(
    ("file", "owner"),
    [
        ("docs/a.md", "@org/docs"),
        ("src/x/a.py", "ada@example.com"),
        ("a.txt", "@org/all"),
        ("src/free.py", ""),
    ],
)
def test_the_last_rule_of_code_owners_names_the_owner(tmp_path: Path, file: str, owner: str) -> None:
    """A rule without an owner takes the owner away."""
    rules = "# all\n* @org/all\n\n[Section] @nobody\n/docs/ @org/docs # text\nsrc/ ada@example.com\nfree.py\n"
    write(tmp_path, ".github/CODEOWNERS", file)
    (tmp_path / ".github" / "CODEOWNERS").write_text(rules)
    (tmp_path / ".git").mkdir()
    assert CodeOwners().owner_of(str(tmp_path / file)) == owner


def test_a_file_in_a_home_folder_is_its_person_s() -> None:
    """Without code owners, the home folder says whose it is."""
    assert CodeOwners().owner_of("/home/ada/.claude/settings.json") == "ada"
    assert CodeOwners().owner_of("/Users/ada/x") == "ada"
    assert CodeOwners().owner_of("/srv/x") == ""


@pytest.mark.parametrize("around", [True, False])
def test_a_copy_of_a_repository_has_its_own_code_owners(tmp_path: Path, around: bool) -> None:
    """Unless the repository around it names owners: there, a file deeper down counts for nothing."""
    write(tmp_path, "copies/crm/CODEOWNERS", "copies/crm/a.py", "other.py")
    (tmp_path / "copies" / "crm" / "CODEOWNERS").write_text("* @org/crm\n")
    (tmp_path / ".git").mkdir()
    if around:
        (tmp_path / "CODEOWNERS").write_text("* @org/all\n")
    owners = CodeOwners()
    assert owners.owner_of(str(tmp_path / "copies/crm/a.py")) == ("@org/all" if around else "@org/crm")
    assert owners.owner_of(str(tmp_path / "other.py")) == ("@org/all" if around else "")
