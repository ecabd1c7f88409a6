# SPDX-License-Identifier: Apache-2.0
"""Looking at configuration and bundle from their files alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from remit.compose import last_seen_tools, policy_engine
from remit.config import Config, examine_bundle, examine_config
from remit.core.errors import ConfigInvalid, NotFound
from remit.ports.policy import Problem

Json = Any


def examine(path: Path) -> list[Json]:
    """Give all that is wrong, as the wire writes it: configuration, tools, task types, then policies."""
    if not path.is_file():
        raise NotFound(f"there is no `{path}`", way_out="run `remit init`, or name it by `--config`")
    config, faults = examine_config(path)
    found = [_problem(fault) for fault in faults]
    if config is not None:
        found += [one for one in _bundle(config) if one not in found]
    return [msgspec.to_builtins(one) for one in found]


def _bundle(config: Config) -> list[Problem]:
    bundle, faults = examine_bundle(config)
    engine = policy_engine(config)
    tools, types = last_seen_tools(config, bundle), list(bundle.task_types.values())
    return [_problem(fault) for fault in faults] + engine.check(bundle.policies, tools, types)


def _problem(fault: ConfigInvalid) -> Problem:
    # The place stands in fields of its own; said twice it would push the words off the line.
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
        way_out=fault.way_out,
    )
