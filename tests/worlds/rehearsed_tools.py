# SPDX-License-Identifier: Apache-2.0
"""The tools of one file, rehearsed under the default policies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from remit.rehearse import Rehearsal, RehearsedTask

Json = Any


@contextmanager
def rehearsed(folder: Path, config: str, tools: str) -> Iterator[Rehearsal]:
    """Yield a rehearsal of one tool file in an empty folder."""
    (folder / "tools").mkdir()
    (folder / "remit.yaml").write_text(config, encoding="utf-8")
    (folder / "tools/tools.yaml").write_text(tools, encoding="utf-8")
    with Rehearsal(folder) as made:
        yield made


def outcome_of(upstream: str, task: RehearsedTask, tool: str, /, **arguments: Json) -> str:
    """Make a call, answer it where it is permitted, and return its outcome."""
    call = task.call(f"{upstream}/{tool}", arguments)
    if call.permitted:
        task.result(call, {"done": True})
    return str(call.outcome)
