# SPDX-License-Identifier: Apache-2.0
"""Checks of configuration and bundle from their files alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from remit.compose import last_seen_tools, policy_engine, surveying_engine
from remit.config import Config, examine_bundle, examine_config
from remit.core.errors import ConfigInvalid, KeyUnavailable, NotFound, StoreUnavailable
from remit.core.json_value import Json
from remit.core.policy.bundle import Bundle
from remit.core.policy.reach import Openness, ReachSurvey
from remit.core.tools.tool import Tool
from remit.ports.policy import Problem
from remit.services.policy.reach import survey
from remit.services.tools.pinned_tools import as_last_seen

_NO_UPSTREAM = re.compile(r"`([^`]+)` is not an upstream of `remit\.yaml`")
_NO_CLASS = re.compile(r"`[^`]+` is not a data class")


def examine(path: Path) -> list[Json]:
    """Return all problems in the wire form.

    The order is: configuration, tools, task types, policies, then what all of these together would permit.
    """
    if not path.is_file():
        raise NotFound(f"{path}: not found", remediation="run `remit init`, or give `--config`")
    config, faults = examine_config(path)
    found = [_problem(fault) for fault in faults]
    if config is not None:
        broken = {fault.key for fault in faults if fault.key}
        found += [one for one in _rest(config) if one not in found and not _follows(one, broken)]
    return [msgspec.to_builtins(one) for one in found]


def _rest(config: Config) -> list[Problem]:
    try:
        return _bundle(config)
    except ConfigInvalid as fault:
        return [_problem(fault)]


def _follows(one: Problem, broken: set[str]) -> bool:
    """Return whether a problem only follows from a section of the configuration that could not be read."""
    if named := _NO_UPSTREAM.search(one.text):
        section = f"upstreams.{named[1]}"
        return any(key == section or key.startswith(f"{section}.") for key in broken)
    named = _NO_CLASS.search(one.text)
    return named is not None and not one.file and any(key.startswith("classes.") for key in broken)


def _bundle(config: Config) -> list[Problem]:
    bundle, faults = examine_bundle(config)
    engine = policy_engine(config)
    tools, unseen = last_seen(config, bundle)
    types = list(bundle.task_types.values())
    found = (
        [_problem(fault) for fault in faults]
        + unseen
        + engine.check(bundle.policies, tools, types, counters=bundle.history)
    )
    if all(one.severity != "error" for one in found):
        bundle = msgspec.structs.replace(bundle, tools={tool.id: tool for tool in tools})
        found += _surveyed(config, bundle)
    return found


def _surveyed(config: Config, bundle: Bundle) -> list[Problem]:
    try:
        return list(_toxic(survey(bundle, surveying_engine(config), config.groups)))
    except ConfigInvalid as fault:
        if config.policy.kind != "opa":
            raise
        # A server may decide by policies that cannot be evaluated here.
        text = f"what the policies permit in all cannot be surveyed here: {fault.message}"
        return [Problem("warning", text, remediation=fault.remediation)]


def last_seen(config: Config, bundle: Bundle) -> tuple[list[Tool], list[Problem]]:
    """Return the tools, joined with what their upstreams offered last if the store is readable.

    Files can be checked without the store too, for example when a change to them is reviewed.
    """
    try:
        return last_seen_tools(config, bundle), []
    except (ConfigInvalid, KeyUnavailable, StoreUnavailable) as fault:
        place = getattr(fault, "place", "")
        text = (
            "the stored tool lists of upstreams cannot be read: "
            f"{place}{': ' if place else ''}{fault.message}"
        )
        return as_last_seen(bundle, ()), [Problem("warning", text, remediation=fault.remediation)]


def _toxic(found: ReachSurvey) -> Iterator[Problem]:
    """Report each task type in which no rule separates untrusted content, private data and outlets."""
    for one in found.toxic:
        if one.openness is Openness.OPEN:
            name = one.runner.task_type.name
            yield Problem(
                severity="warning",
                text=f"task type `{one.runner.name}` combines private data, untrusted content and an "
                "external effect, and nothing breaks the path",
                file="tasks",
                remediation=f"`remit paths --task {name}` shows the path, and the smallest change that "
                "breaks it",
            )


def _problem(fault: ConfigInvalid) -> Problem:
    # File and line have their own fields; repeated in the text they would push its words off the line.
    place = (
        f"{fault.file}:{fault.line}: "
        if fault.file and fault.line
        else f"{fault.file}: "
        if fault.file
        else ""
    )
    return Problem(
        severity="error",
        text=fault.message.removeprefix(place),
        file=fault.file,
        line=fault.line,
        remediation=fault.remediation,
    )
