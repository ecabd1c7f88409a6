# SPDX-License-Identifier: Apache-2.0
"""The folder that `remit init` makes: small, commented and ready to run; and what git ignores in it."""

from __future__ import annotations

import contextlib
import re
import sys
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from remit.core.errors import ConfigInvalid

#: The folder of the default policies in each language; `remit.yaml` is written for the first.
_POLICIES = {"cedar": "policies/", "rego": "rego/"}
_CEDAR = "# Policies (Cedar), tool descriptions and task types:\n# policy: {kind: cedar, path: policies}\n"
_REGO = "# Policies (Rego), tool descriptions and task types:\npolicy: {kind: rego}\n"
#: The least that a folder needs to govern anything; the other files are the sample.
_BARE = ("remit.yaml", "policies/")
_LIMITS = "policies/"
_SAMPLE = re.compile(r"^  notes:\n.*?(?=^\n)", re.MULTILINE | re.DOTALL)


def scaffold(
    target: Path,
    *,
    python: str = sys.executable,
    sample: bool = True,
    engine: str = "cedar",
    task_types: bool = False,
) -> list[Path]:
    """Write the starting files into `target` and return them, in order.

    Without `sample` no server, tool or task is written, and the block `upstreams` is empty for the caller to
    fill. With `task_types` the task types to start from are written in place of the sample. `engine` is the
    language of the policies: `cedar` or `rego`. Nothing is overwritten: any existing file raises
    `ConfigInvalid`, and then nothing is written. `python` starts the example server; it must have remit's own
    libraries.
    """
    package = resources.files("remit")
    templates = _in_language(_templates(package / "templates"), engine)
    if task_types:
        templates = [(name, text) for name, text in templates if name.startswith(_LIMITS)]
        templates += _in_language(_templates(package / "starters"), engine)
    elif not sample:
        templates = [(name, _SAMPLE.sub("", text)) for name, text in templates if name.startswith(_BARE)]
    wanted = {target / name: text for name, text in templates}
    for path in wanted:
        if path.exists() or path.is_symlink():
            raise ConfigInvalid(
                "already exists",
                file=str(path),
                remediation="choose an empty folder, or move the file away",
            )
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        # In double quotes YAML reads a backslash as an escape.
        path.write_text(text.replace("@python@", python.replace("\\", "\\\\")), encoding="utf-8")
    return list(wanted)


def keep_from_git(folder: Path) -> None:
    """Make git ignore a folder with keys and secrets; keep existing entries."""
    place = folder / ".gitignore"
    if folder.is_dir() and not place.exists():
        # In a folder that is not writable, no new secret can be stored either.
        with contextlib.suppress(OSError):
            place.write_text("*\n", encoding="utf-8")


def _in_language(templates: list[tuple[str, str]], engine: str) -> list[tuple[str, str]]:
    """Return the templates with the policies of one language only."""
    chosen, first = _POLICIES[engine], _POLICIES["cedar"]
    found = []
    for name, template in templates:
        text = template.replace(_CEDAR, _REGO) if name == "remit.yaml" and chosen != first else template
        if name.startswith(chosen):
            found.append((first + name.removeprefix(chosen), text))
        elif not name.startswith(tuple(_POLICIES.values())):
            found.append((name, text))
    return found


def _templates(folder: Traversable, below: str = "") -> list[tuple[str, str]]:
    found = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir() and entry.name != "__pycache__":
            found += _templates(entry, f"{below}{entry.name}/")
        elif entry.is_file():
            found.append((below + entry.name, entry.read_text(encoding="utf-8")))
    return found
