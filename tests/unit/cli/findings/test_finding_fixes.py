# SPDX-License-Identifier: Apache-2.0
"""The drafts that close findings: they load with the real readers, and nothing of a finding leads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from remit.cli.findings import fix
from remit.cli.findings.secret_search import copies_of, find_secret, place_below
from remit.config import examine_config, load_bundle, load_config
from remit.config.scaffold import scaffold
from remit.core.discovery.delivery import facts_of
from remit.core.discovery.discovered import Discovered, FilePlace
from remit.core.discovery.fix_drafts import FixChoices, FixDraft, drafted
from remit.core.errors import ConfigInvalid, Conflict, Malformed, NotFound, RemitError
from remit.core.findings.finding import Finding
from remit.core.findings.kinds import FindingKind
from tests.samples.discovered import KEY, a_server, an_exposed
from tests.worlds.values import START, TENANT

Json = Any


def a_finding(found: Discovered) -> Finding:
    """Return a delivered finding."""
    return Finding(
        tenant=TENANT,
        id=found.id,
        kind=found.kind,
        about=found.about,
        facts=facts_of(found),
        first_seen=START,
        last_seen=START,
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Provide a folder as `remit init` makes it."""
    scaffold(tmp_path)
    return tmp_path / "remit.yaml"


HOSTILE = 'x"\n  evil: {command: [sh]}\n#\u202e{{}}{role}; drop table x; --'


@pytest.mark.parametrize("command", [(), ("uvx", "database-mcp==1.2.3")])
@pytest.mark.parametrize("person", ["", "group:sales"])
@pytest.mark.parametrize("hostile", ["", HOSTILE])
@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("postgresql", "postgres"),
        ("github-token", "github"),
        ("aws-access-key", "aws"),
        ("openbao", "openbao"),
        ("stripe", "oauth"),
        ("", "oauth"),
    ],
)
def test_every_draft_loads(
    config: Path, kind: str, source: str, hostile: str, person: str, command: tuple[str, ...]
) -> None:
    """Whatever names a finding has: they come out as plain names, and change nothing else."""
    evidence = {"type": kind, "target": f"db.example.com:5432/crm{hostile}", "agent": f"crm-bot{hostile}"}
    before = load_config(config)
    for tables in ((), ("customers", "crm.orders", 'x"; drop table y; --')):
        choices = FixChoices(
            name=f"n{len(tables)}", command=command, tables=tables, requested_by=person, tool=f"ask{hostile}"
        )
        draft = drafted(a_finding(an_exposed(**evidence)), choices, frozenset(before.upstreams))
        fix.apply(fix.changes_of(draft, config), config)
        after = load_config(config)
        assert set(after.upstreams) - set(before.upstreams) == {draft.upstream}
        lease = after.upstreams[draft.upstream].lease
        assert lease is not None
        assert list(lease.sources) == [source]
        assert "drop table" not in draft.yaml
        assert f"use-{draft.upstream}" in load_bundle(after).task_types
        before = after
    assert yaml.safe_load(config.read_text())["upstreams"].keys() == before.upstreams.keys()


def test_a_draft_that_does_not_load_leaves_nothing(config: Path) -> None:
    """All files are as before."""
    files = {path: path.read_bytes() for path in config.parent.rglob("*") if path.is_file()}
    draft = drafted(a_finding(an_exposed()), FixChoices(server="ftp://nowhere"), frozenset())
    with pytest.raises(ConfigInvalid):
        fix.apply(fix.changes_of(draft, config), config)
    assert files == {path: path.read_bytes() for path in config.parent.rglob("*") if path.is_file()}
    assert not examine_config(config)[1]


def test_a_draft_overwrites_no_file(config: Path) -> None:
    """Nor a link that stands in its place."""
    draft = drafted(a_finding(an_exposed()), FixChoices(name="crm"), frozenset())
    link = config.parent / "tasks" / "use-crm.yaml"
    link.symlink_to(config.parent / "elsewhere.yaml")
    with pytest.raises(Conflict, match="exists"):
        fix.changes_of(draft, config)


def test_the_patch_is_one_that_git_applies(config: Path) -> None:
    """New files come from /dev/null, and the lines of the configuration stay."""
    draft = drafted(a_finding(an_exposed()), FixChoices(name="crm"), frozenset())
    patch = fix.patch_of(fix.changes_of(draft, config), config.parent)
    assert "--- a/remit.yaml\n+++ b/remit.yaml\n" in patch
    assert "--- /dev/null\n+++ b/tasks/use-crm.yaml\n" in patch
    assert "\n-" not in patch.replace("\n--- ", "\n")
    assert "the-first" not in patch


@pytest.mark.parametrize(
    "named",
    ["../secret", "/etc/passwd", "a/../../secret", "link", "linked/secret", "", "..", "a\0b", "..\\x"],
)
def test_a_finding_names_no_file_outside_the_scanned_folder(tmp_path: Path, named: str) -> None:
    """By no way up, and by no link."""
    root = tmp_path / "root"
    (tmp_path / "outside").mkdir()
    (root / "a").mkdir(parents=True)
    (tmp_path / "secret").write_text("the-first")
    (tmp_path / "outside" / "secret").write_text("the-first")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "linked").symlink_to(tmp_path / "outside")
    with pytest.raises(Malformed, match="below"):
        place_below(root, named)
    finding = {"id": "fnd_x", "about": an_exposed().about, "facts": facts_of(an_exposed(file=named))}
    with pytest.raises(RemitError):
        find_secret(finding, root, KEY)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Use the password the-first, please.", "the-first"),
        ('DB="postgresql://crm:p%40ss-w0rd!@db/crm"', "p%40ss-w0rd!"),
        ("st st st: best st", "best"),
        ("das Paßwort ist größer-als-st\nst", "größer-als-st"),
    ],
)
def test_the_secret_is_found_again_by_its_fingerprint(tmp_path: Path, text: str, secret: str) -> None:
    """Exactly it, wherever its last characters stand besides."""
    (tmp_path / "prompt.md").write_text(text)
    one = an_exposed(secret, "prompt.md")
    finding = {"id": "fnd_x", "about": one.about, "facts": msgspec.to_builtins(facts_of(one))}
    found = find_secret(finding, tmp_path, KEY)
    assert found.secret == secret
    assert secret not in repr(found)
    with pytest.raises(NotFound):
        find_secret(finding, tmp_path, b"another key")


def test_every_copy_of_the_secret_is_found_in_the_files_of_the_finding(tmp_path: Path) -> None:
    """One that stays would still be exposed; a longer word is another one."""
    names = ("a.md", "b.env", "c.md", "gone.md")
    for name, text in zip(names, ("s3cret! s3cret!", 'P="s3cret!"', "s3cret!s"), strict=False):
        (tmp_path / name).write_text(text)
    one = an_exposed("s3cret!", "a.md")
    one = msgspec.structs.replace(one, places=tuple(FilePlace(file=name) for name in names))
    finding = {"id": "fnd_x", "about": one.about, "facts": msgspec.to_builtins(facts_of(one))}
    copies = copies_of(find_secret(finding, tmp_path, KEY), finding, tmp_path)
    assert [(each.file.name, each.starts) for each in copies] == [("a.md", [0, 8]), ("b.env", [3])]
    assert "s3cret" not in repr(copies)


def unpinned(package: str, advice: str = "", version: str = "") -> FixDraft:
    """Return the draft for a command without a fixed version."""
    one = msgspec.structs.replace(
        a_server(),
        kind=FindingKind.UNPINNED_COMMAND,
        evidence={"package": package, "version": version},
        remediation=advice,
    )
    return drafted(a_finding(one), FixChoices())


def test_a_version_is_written_only_where_it_is_clear() -> None:
    """One whole argument, a fixed version; else a person does it."""
    text = '{"command": "npx", "args": ["-y", "@acme/files", "/srv/@acme/files"]}'
    assert '"@acme/files@1.2.3"' in fix.pinned(text, unpinned("@acme/files"), "1.2.3", "x.json")
    moving = unpinned("@acme/files", version="latest")
    assert fix.pinned('["@acme/files@latest"]', moving, "1.2.3", "x") == '["@acme/files@1.2.3"]'
    python = unpinned("files", "write it, such as `files==1.2.3`")
    assert fix.pinned('["files"]', python, "1.2.3", "x.json") == '["files==1.2.3"]'
    for package, version in (("@acme/files", "latest"), ("@acme/files", '1"'), ('x", "evil', "1.2.3")):
        with pytest.raises(Malformed):
            fix.pinned(text, unpinned(package), version, "x.json")
    with pytest.raises(ConfigInvalid, match="2 times"):
        fix.pinned('["files", "files"]', python, "1.2.3", "x.json")
    assert unpinned("image", "such as `image@sha256:DIGEST`").pin == ""


def test_an_escalation_path_and_other_kinds_have_words() -> None:
    """What has no file here says what a person does."""
    path = msgspec.structs.replace(
        a_server(), kind=FindingKind.ESCALATION_PATH, steps=("a", "b"), remediation="remove iam:PassRole"
    )
    draft = drafted(a_finding(path), FixChoices())
    assert draft.notes == ("the path: a; b", "remove iam:PassRole")
    assert drafted(a_finding(a_server("files")), FixChoices()).wrap == "files"
    assert not drafted(
        a_finding(msgspec.structs.replace(path, kind=FindingKind.POISONED_TOOL)), FixChoices()
    ).yaml
