# SPDX-License-Identifier: Apache-2.0
"""Whose a file is: by the code owners of its repository, else by the home folder that it is in."""

from __future__ import annotations

import os
import pwd
from typing import Final

from pathspec import GitIgnoreSpec

from remit.adapters.discovery.ignore_files import FAULTS, lines_of

_PLACES: Final = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
_MOST_OWNERS: Final = 3


class CodeOwners:
    """`ports.discovery.scans.FileOwners` of this machine; rules are read once for each repository."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._repositories: dict[str, str] = {}
        self._rules: dict[str, tuple[GitIgnoreSpec, list[str]] | None] = {}

    def owner_of(self, path: str) -> str:
        """Return the code owners of a file, else the person whose home folder holds it."""
        return self._code_owners(path) or _home_owner(path)

    def _code_owners(self, path: str) -> str:
        repository = self._repository(os.path.dirname(path))
        if not repository:
            return ""
        if repository not in self._rules:
            self._rules[repository] = _rules(repository)
        rules = self._rules[repository]
        if rules is None:
            return ""
        spec, owners = rules
        # The last pattern that matches decides, as in an ignore file.
        index = spec.check_file(path[len(repository) :].lstrip("/")).index
        return owners[index] if index is not None else ""

    def _repository(self, folder: str) -> str:
        known = self._repositories.get(folder)
        if known is None:
            parent = os.path.dirname(folder)
            if os.path.lexists(f"{folder}/.git"):
                known = folder
            else:
                known = self._repository(parent) if parent != folder else ""
                # A copy of a repository, without its history, is told by its own file of owners.
                if not (known and _named(known)) and _named(folder):
                    known = folder
            self._repositories[folder] = known
        return known


def _named(folder: str) -> bool:
    return any(os.path.isfile(f"{folder}/{place}") for place in _PLACES)


def _rules(repository: str) -> tuple[GitIgnoreSpec, list[str]] | None:
    for place in _PLACES:
        patterns, owners = [], []
        for line in lines_of(f"{repository}/{place}"):
            pattern, *names = line.partition(" #")[0].split()
            if pattern.startswith(("[", "^[", "!")):
                continue  # A section of GitLab.
            patterns.append(pattern)
            owners.append(", ".join(names[:_MOST_OWNERS]))
        if patterns:
            try:
                return GitIgnoreSpec.from_lines(patterns), owners
            except FAULTS:
                return None
    return None


def _home_owner(path: str) -> str:
    folder = path
    while (parent := os.path.dirname(folder)) != folder:
        if os.path.basename(parent) in ("home", "Users") and os.path.dirname(parent) == "/":
            return os.path.basename(folder)
        folder = parent
    home = os.path.expanduser("~")
    if path.startswith(f"{home}/"):
        try:
            return pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            return ""
    return ""
