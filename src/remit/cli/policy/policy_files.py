# SPDX-License-Identifier: Apache-2.0
"""The policies that a command is given: a folder, a version, or what the server has."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Final

import msgspec

from remit.cli.exit_codes import UsageFault
from remit.core.errors import NotFound
from remit.core.json_value import Json

POLICIES: Final = "policies"
#: Endings of policy files, by language: Cedar, Rego, and a bundle of Rego that `remit policy build` made.
ENDINGS: Final = (".cedar", ".rego", ".tar.gz")
#: The word for the version in force.
IN_FORCE: Final = "in-force"


def sources(folder: Path) -> list[dict[str, str]]:
    """Return the policy files of a folder: those below `policies/`, or else those in it."""
    place = folder / POLICIES if (folder / POLICIES).is_dir() else folder
    found = sorted(place.rglob("*")) if place.is_dir() else []
    found = [path for path in found if path.name.endswith(ENDINGS) and path.is_file()]
    if not found:
        raise NotFound(
            f"{folder}: no policy file (`*.cedar`, `*.rego`) here",
            remediation="give a folder as `remit init` makes it, or one with policy files",
        )
    if len({path.suffix for path in found}) > 1:
        raise UsageFault(
            f"{folder}: policies in several languages, and only one of them can count",
            remediation="give a folder with the files of one language",
        )
    return [
        {"file": f"{POLICIES}/{path.relative_to(place).as_posix()}", "text": _text(path)} for path in found
    ]


def given(folder: Path) -> dict[str, Json]:
    """Return the part of a request that holds the policies of a folder, with their counters."""
    from remit.config.bundle.history import counters_in

    place = folder / POLICIES if (folder / POLICIES).is_dir() else folder
    return {"policies": sources(folder), "history": msgspec.to_builtins(counters_in(place))}


def _text(path: Path) -> str:
    """Return a file as a policy source has it: base64, if it is binary."""
    return base64.b64encode(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text("utf-8")


def asked(folder: str, version: int) -> Json:
    """Return the part of a request that names the policies of a candidate."""
    if folder:
        return given(Path(folder))
    return {"version": version} if version else {}


def is_folder(given: str) -> bool:
    """Return whether a version is given as a folder."""
    return bool(given) and given != IN_FORCE and not given.isdigit()


def named(version: str) -> Json:
    """Return the part of a request that names a version: a folder, a number, or the one in force."""
    if version == IN_FORCE:
        return {"in_force": True}
    if version.isdigit():
        return {"version": int(version)}
    return given(Path(version)) if version else {}
