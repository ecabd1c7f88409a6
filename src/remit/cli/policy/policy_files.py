# SPDX-License-Identifier: Apache-2.0
"""The policies that a command is given: a folder, a version, or what the server has."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from remit.core.errors import NotFound
from remit.core.json_value import Json

POLICIES: Final = "policies"
ENDING: Final = ".cedar"
#: The word for the version in force.
IN_FORCE: Final = "in-force"


def sources(folder: Path) -> list[dict[str, str]]:
    """Return the policy files of a folder: those below `policies/`, or else those in it."""
    place = folder / POLICIES if (folder / POLICIES).is_dir() else folder
    found = sorted(place.glob(f"**/*{ENDING}")) if place.is_dir() else []
    if not found:
        raise NotFound(
            f"{folder}: no policy file (`*{ENDING}`) here",
            remediation="give a folder as `remit init` makes it, or one with policy files",
        )
    return [
        {"file": f"{POLICIES}/{path.relative_to(place).as_posix()}", "text": path.read_text("utf-8")}
        for path in found
    ]


def asked(folder: str, version: int) -> Json:
    """Return the part of a request that names the policies of a candidate."""
    if folder:
        return {"policies": sources(Path(folder))}
    return {"version": version} if version else {}


def is_folder(given: str) -> bool:
    """Return whether a version is given as a folder."""
    return bool(given) and given != IN_FORCE and not given.isdigit()


def named(given: str) -> Json:
    """Return the part of a request that names a version: a folder, a number, or the one in force."""
    if given == IN_FORCE:
        return {"in_force": True}
    if given.isdigit():
        return {"version": int(given)}
    return {"policies": sources(Path(given))} if given else {}
