# SPDX-License-Identifier: Apache-2.0
"""Carries out the draft of a finding: shows it as a patch, or writes it if the real readers take it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from remit.core.discovery.fix_drafts import FixDraft, yaml_lines
from remit.core.errors import ConfigInvalid, Conflict, Malformed

_VERSION: Final = re.compile(r"v?[0-9][A-Za-z0-9.+_-]{0,60}")
_PACKAGE: Final = re.compile(
    r"(@[A-Za-z0-9][A-Za-z0-9._-]*/)?[A-Za-z0-9][A-Za-z0-9._-]{0,120}((@|==)[A-Za-z0-9._^~<>=*-]{0,40})?"
)


class DraftChange(NamedTuple):
    """A file as it is and as it is to be; `before` is empty for a new one."""

    path: Path
    before: str
    after: str


def changes_of(draft: FixDraft, config: Path) -> list[DraftChange]:
    """Return what a draft changes in remit's folder; raises `ConfigInvalid`, or `Conflict` for a file that
    exists.
    """
    from remit.cli.wrap.folder import with_lines
    from remit.config import load_config

    if not draft.upstream:
        return []
    known = load_config(config)  # one that does not load is not extended
    folders = {"tools": known.at(known.tools), "tasks": known.at(known.tasks)}
    before = config.read_text(encoding="utf-8")

    def lines(margin: str) -> list[str]:
        return [
            f"{margin}{draft.upstream}: # drafted from a finding",
            *yaml_lines(draft.section, margin * 2),
        ]

    out = [DraftChange(config, before, with_lines(before, lines, config.name))]
    for name, text in draft.files.items():
        folder, _, file = name.partition("/")
        path = folders[folder] / file
        if path.exists() or path.is_symlink():
            raise Conflict(
                f"`{path}` exists already", code="exists", remediation="choose another name with `--name`"
            )
        out.append(DraftChange(path, "", text))
    return out


def patch_of(changes: list[DraftChange], folder: Path) -> str:
    """Return changes as `git apply` and `patch -p1` read them."""
    return "".join(line for one in changes for line in _hunks(one, folder))


def _hunks(change: DraftChange, folder: Path) -> Iterator[str]:
    name = change.path.relative_to(folder).as_posix()
    yield from difflib.unified_diff(
        change.before.splitlines(keepends=True),
        change.after.splitlines(keepends=True),
        f"a/{name}" if change.before else "/dev/null",
        f"b/{name}",
    )


def apply(changes: list[DraftChange], config: Path) -> None:
    """Write the changes, all or none; raises `ConfigInvalid` where the result does not load."""
    from remit.cli.wrap.backup import replace_file
    from remit.cli.wrap.folder import all_or_nothing, one_at_a_time
    from remit.config import load_bundle, load_config

    with one_at_a_time(), all_or_nothing([one.path for one in changes]):
        for one in changes:
            if one.before:
                if one.path.read_text(encoding="utf-8") != one.before:
                    raise Conflict(
                        f"`{one.path}` was changed by another program meanwhile", remediation="do it again"
                    )
                replace_file(one.path, one.after.encode("utf-8"))
            else:
                one.path.parent.mkdir(parents=True, exist_ok=True)
                with one.path.open("x", encoding="utf-8") as opened:
                    opened.write(one.after)
        load_bundle(load_config(config))


def pinned(text: str, draft: FixDraft, version: str, file: str) -> str:
    """Return a client's file with the version in its command.

    Raises `Malformed` for what is no package or version, `ConfigInvalid` unless the package stands there
    once, as a whole argument.
    """
    if not _VERSION.fullmatch(version):
        raise Malformed(
            f"`{version[:40]}` is not a fixed version", remediation="give one such as `--version 1.2.3`"
        )
    if not _PACKAGE.fullmatch(draft.pin) or not _PACKAGE.fullmatch(draft.pinned):
        raise Malformed("the finding names no package", remediation="write the version by hand")
    written = f'"{draft.pin}"'
    if text.count(written) != 1:
        raise ConfigInvalid(
            f"has the argument `{draft.pin}` {text.count(written)} times",
            file=file,
            remediation="write the version by hand",
        )
    return text.replace(written, f'"{draft.pinned}{version}"')
