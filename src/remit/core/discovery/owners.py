# SPDX-License-Identifier: Apache-2.0
"""Whose a file is by the home folder that it is in, and the owners of several places."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MOST_OWNERS: Final = 3
_LONGEST: Final = 1_000
_NAME: Final = r"([A-Za-z0-9][A-Za-z0-9._-]{0,60})"
_HOME: Final = re.compile(rf"(?:^|/)(?:home|Users)/{_NAME}(?:/|$)")
#: What only a home folder holds: a copy of one is known by it, whatever the folder above is called.
_ONLY_IN_HOMES: Final = re.compile(
    rf"^((?:.*/)?{_NAME})/(?:\.(?:bash|zsh|python|psql|mysql|node_repl)_history$|\.netrc$|\.pgpass$|\.git-credentials$|"
    r"\.claude\.json$|\.claude/projects/|\.codex/sessions/|\.aws/|\.ssh/|\.kube/|\.gnupg/|"
    r"Library/Application Support/|AppData/Roaming/)"
)
_NOT_PEOPLE: Final = re.compile(
    r"(?i)(?:shared|public|runner|vscode|node|ubuntu|app|user|default|guest|root|home|dotfiles|backup|files)$"
)


class HomeFolders:
    """The home folders among the files of a scan, by their paths below its base."""

    def __init__(self, files: Iterable[str] = ()) -> None:
        """Look at the files."""
        self._homes: dict[str, str] = {}
        for file in files:
            found = _ONLY_IN_HOMES.match(_plain(file))
            if found is not None and not _NOT_PEOPLE.match(found[2]):
                self._homes[found[1]] = found[2]

    def person_of(self, *paths: str) -> str:
        """Return the person whose home the paths are in; empty where they name none, or several."""
        people = {name for path in paths for name in self._people(_plain(path))}
        people = {one for one in people if not _NOT_PEOPLE.match(one)}
        return people.pop() if len(people) == 1 else ""

    def _people(self, path: str) -> list[str]:
        folder = path
        while folder:
            if folder in self._homes:
                return [self._homes[folder]]
            folder = folder.rpartition("/")[0]
        return [found[1] for found in _HOME.finditer(path)]


def one_owner(owners: Iterable[str]) -> str:
    """Return the owners of several places as one text: each once, in order, and three at most."""
    names = dict.fromkeys(name for one in owners for name in one.split(", ") if name)
    names = {one: None for one in names if not (one.startswith("@") and one[1:] in names)}
    return ", ".join(list(names)[:MOST_OWNERS])


def _plain(path: str) -> str:
    return path[:_LONGEST].replace("\\", "/")
