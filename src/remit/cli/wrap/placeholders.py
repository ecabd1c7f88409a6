# SPDX-License-Identifier: Apache-2.0
"""Placeholders in a client's file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

#: `${NAME}`, `${env:NAME}`, `${NAME:-default}`, `${input:id}`.
_PLACEHOLDER: Final = re.compile(r"\$\{(?:env:)?([^}:]*(?::[^}-][^}]*)?)(?::-([^}]*))?\}")
_WHOLE: Final = re.compile(r"(?:(Bearer|Basic|token) )?(?:(\$\{[^}]*\})|\$([A-Z_][A-Z0-9_]*))")


class Placeholder(NamedTuple):
    """A variable of a client, with the value that it has without being set."""

    name: str
    default: str | None


class Values:
    """The values of placeholders: the variables of this process, and what clients fill in themselves."""

    def __init__(self, environ: Mapping[str, str], project: Path | None) -> None:
        """Keep the variables; `project` is the folder of the file's project, if it has one."""
        self._environ = environ
        self._known = {"userHome": str(Path.home()), "pathSeparator": "/", "/": "/", "HOME": ""}
        del self._known["HOME"]
        if project is not None:
            self._known |= {"workspaceFolder": str(project), "workspaceFolderBasename": project.name}
            self._known["CLAUDE_PROJECT_DIR"] = str(project)

    def known(self, name: str) -> str | None:
        """Return the value that a client fills in itself."""
        return self._known.get(name)

    def is_set(self, name: str) -> bool:
        """Return whether a variable has a value here; `${X:-y}` treats an empty one as unset."""
        return name not in self._known and bool(self._environ.get(name))

    def of(self, part: Placeholder) -> str | None:
        """Return the value of a placeholder at this moment; None if there is none."""
        known = self.known(part.name)
        return known if known is not None else self._environ.get(part.name) or part.default

    def whole(self, text: str) -> tuple[str, Placeholder] | None:
        """Return the placeholder that makes up a whole value, with the word before it (`Bearer`)."""
        found = _WHOLE.fullmatch(text)
        if found is None:
            return None
        if found[3]:  # Gemini writes `$NAME`
            return found[1] or "", Placeholder(found[3], None)
        (_, part), *_ = parts_of(found[2])
        return None if part is None else (found[1] or "", part)


def parts_of(text: str) -> Iterator[tuple[str, Placeholder | None]]:
    """Yield the text before each placeholder with the placeholder, and the rest with None."""
    at = 0
    for found in _PLACEHOLDER.finditer(text):
        yield text[at : found.start()], Placeholder(found[1], found[2])
        at = found.end()
    yield text[at:], None
