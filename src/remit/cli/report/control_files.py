# SPDX-License-Identifier: Apache-2.0
"""Read the files of controls and measures; the first mistake refuses, with its file and line."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, cast

import msgspec

from remit.config.reading.decoding import Problems, read
from remit.config.reading.yaml_lines import Node, read_text, read_yaml
from remit.core.controls.control import Control, Framework, Measure, mistakes
from remit.core.errors import ConfigInvalid

#: The files of remit: a folder for each framework, and one for the measures.
CONTROLS: Final = files("remit").joinpath("controls")
FRAMEWORKS: Final = ("asi", "csf", "nhi", "ai-rmf", "maestro", "iso-42001", "eu-ai-act")
_ABOUT: Final = "framework.yaml"


def measures(folder: Traversable = CONTROLS) -> dict[str, Measure]:
    """Return the measures by name; raises `ConfigInvalid`."""
    found = sorted(folder.joinpath("measures").iterdir(), key=lambda one: one.name)
    return {one.name.removesuffix(".sql"): _measure(one) for one in found if one.name.endswith(".sql")}


def _measure(file: Traversable) -> Measure:
    text = read_text(file.read_bytes(), file.name)
    comments = [line[2:].strip() for line in text.splitlines() if line.startswith("--")][1:]
    subjects, bar, holding = (comments or [""])[0].partition(" | ")
    if not bar:
        raise ConfigInvalid(
            "does not say what it counts",
            file=file.name,
            line=2,
            remediation="write `-- SUBJECTS | WHAT HOLDS` below the first line",
        )
    return Measure(
        name=file.name.removesuffix(".sql"),
        subjects=subjects,
        holding=holding,
        note=" ".join(comments[1:]),
        sql=text,
    )


def framework(name: str, folder: Traversable = CONTROLS) -> Framework:
    """Return a framework with its controls, by their names; raises `ConfigInvalid`."""
    known = measures(folder)
    here = folder.joinpath(name)
    about = cast(Framework, _read(here.joinpath(_ABOUT), Framework)[0])
    names = (one.name for one in here.iterdir() if one.name.endswith(".yaml") and one.name != _ABOUT)
    found = sorted(names, key=_by_number)
    controls = []
    for file in found:
        control, node = _read(here.joinpath(file), Control)
        for key, problem, remediation in mistakes(cast(Control, control), file.removesuffix(".yaml"), known):
            raise ConfigInvalid(problem, file=file, line=node.line_of(key), key=key, remediation=remediation)
        controls.append(cast(Control, control))
    controls.sort(key=lambda one: [one.id.startswith(prefix) for prefix in about.order], reverse=True)
    return msgspec.structs.replace(about, controls=tuple(controls))


def _by_number(name: str) -> list[tuple[int, str]]:
    """Return a key that orders `NHI2` before `NHI10`."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]


def _read(file: Traversable, kind: type[Control | Framework]) -> tuple[Control | Framework, Node]:
    node = read_yaml(read_text(file.read_bytes(), file.name), file.name)
    problems = Problems(file.name, Path())
    value = read(node, kind, problems)
    if problems.found:
        raise problems.found[0]
    return cast(Control | Framework, value), node
