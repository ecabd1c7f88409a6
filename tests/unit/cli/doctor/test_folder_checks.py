# SPDX-License-Identifier: Apache-2.0
"""Looking at a folder tells each fault once, with its place, and nothing that only follows from it."""

from pathlib import Path

import pytest

from remit.cli.doctor.files import examine
from remit.config.scaffold import keep_from_git, scaffold


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as `remit init` makes it."""
    scaffold(tmp_path)
    return tmp_path


def changed(folder: Path, old: str, new: str) -> list[str]:
    """Change the configuration, and say what is wrong with it."""
    place = folder / "remit.yaml"
    text = place.read_text()
    assert old in text
    place.write_text(text.replace(old, new, 1))
    return [f"{Path(one['file']).name}:{one['line']}: {one['text']}" for one in examine(place)]


def test_a_folder_as_it_is_made_is_sound(folder: Path) -> None:
    """Nothing is wrong with it."""
    assert examine(folder / "remit.yaml") == []


def test_a_class_that_there_is_not_is_told_with_its_place(folder: Path) -> None:
    """Tools cannot be read then, and what is said is where the class stands."""
    told = changed(folder, "# classes:", "classes: {clearance: {self: secret}}\n# classes:")
    (one,) = told
    assert one.endswith("`classes.clearance.self`: `secret` is not a data class")
    assert one.startswith("remit.yaml:")
    assert ":None:" not in one


def test_an_upstream_that_cannot_be_read_is_no_reason_to_remove_its_tools(folder: Path) -> None:
    """Its section is told, and not each file that names it."""
    (one,) = changed(folder, "    mode: enforce", "    url: http://127.0.0.1:1/mcp")
    assert "has both `command` and `url`" in one


def test_files_can_be_looked_at_without_the_address_of_the_database(folder: Path) -> None:
    """A machine that does not know it, such as one where changes are reviewed, is warned."""
    place = folder / "remit.yaml"
    place.write_text(f"{place.read_text()}\nstore: {{kind: postgres, url: 'env:REMIT_NO_SUCH_ADDRESS'}}\n")
    (one,) = examine(place)
    assert one["severity"] == "warning"
    assert one["text"].startswith("the stored tool lists of upstreams cannot be read: ")
    assert one["remediation"]


def test_a_rule_for_every_tool_may_read_an_argument_that_a_tool_file_declares(folder: Path) -> None:
    """What a rehearsal enforces is no error when the files are looked at."""
    (folder / "tools" / "files.yaml").write_text(
        "upstream: files\n"
        "tools:\n"
        "  get:\n"
        "    effect: none\n"
        "    audience: self\n"
        "    labels: {class: public}\n"
        "    schema: {type: object, properties: {record: {type: string}}}\n"
    )
    rule = (
        '@id("known") forbid (principal, action in Action::"call", resource)\n'
        'when { context.provenance has record && context.provenance.record == "unknown" };\n'
    )
    (folder / "policies" / "50-known.cedar").write_text(rule)
    assert [
        one["text"] for one in examine(folder / "remit.yaml") if one["file"].endswith("known.cedar")
    ] == []


def test_git_is_told_once(folder: Path) -> None:
    """Existing lines stay, and where no folder exists none is made."""
    keep_from_git(folder / "none")
    assert not (folder / "none").exists()
    (folder / ".gitignore").write_text("mine\n")
    keep_from_git(folder)
    assert (folder / ".gitignore").read_text() == "mine\n"
