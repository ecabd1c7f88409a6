# SPDX-License-Identifier: Apache-2.0
"""The policies that a command is given: a folder, a version, or what the server has."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from remit.core.errors import NotFound
from remit.core.json_value import Json

POLICIES: Final = "policies"
ENDING: Final = ".cedar"


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


def given(folder: Path) -> dict[str, Json]:
    """Return the part of a request that holds the policies of a folder, with their counters."""
    from remit.config.bundle.history import counters_in

    place = folder / POLICIES if (folder / POLICIES).is_dir() else folder
    return {"policies": sources(folder), "history": msgspec.to_builtins(counters_in(place))}


def asked(folder: str, version: int) -> Json:
    """Return the part of a request that names the policies of a candidate."""
    if folder:
        return given(Path(folder))
    return {"version": version} if version else {}
