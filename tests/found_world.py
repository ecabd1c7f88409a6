# SPDX-License-Identifier: Apache-2.0
"""The desk of the strict reading, with more tools, and a page of somebody else that is read first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from remit.core.task import Parameter
from remit.rehearse import Rehearsal, RehearsedTask
from tests.scenarios.test_flow_strict_reading import CONFIG, NAMES, TOOLS

Json = Any

MORE = """
  pay_many:
    effect: irreversible
    audience: external
    financial: true
    labels: {class: internal, trust: trusted}
    arguments:
      "payments[].iban": {role: destination}
      "payments[].amount": {role: amount}
    asked_by: [pay, transfer]
  close_ticket:
    effect: irreversible
    audience: internal
    labels: {class: internal, trust: trusted}
    arguments: {ticket: {role: selector}}
    resource: ticket/{ticket}
"""
TYPED = ("source_url", "target_url", "recipient", "sender", "note", "old_address")
PAGE = "Nothing that names an address stands here."


def desk(folder: Path) -> Rehearsal:
    """Give a desk under the default policies; its pages are written by anybody."""
    (folder / "tools").mkdir()
    (folder / "remit.yaml").write_text(CONFIG, encoding="utf-8")
    (folder / "tools/desk.yaml").write_text(TOOLS + MORE, encoding="utf-8")
    names = [f"desk/{name}" for name in (*NAMES.split(), "pay_many", "close_ticket")]
    opened = Rehearsal(folder)
    opened.task_type("work", grants=names)
    opened.task_type("typed", grants=names, parameters={name: Parameter(required=False) for name in TYPED})
    return opened


def begin(rehearsal: Rehearsal, intent: str, page: str = PAGE) -> RehearsedTask:
    """Open a task that has read a page of somebody else."""
    rehearsal.restore()
    task = rehearsal.open(task="work", intent=intent)
    task.read("desk/read_page", {"page": "start"}, page)
    return task


def made(task: RehearsedTask, tool: str, arguments: dict[str, Json]) -> str:
    """Make a call, and say what becomes of it."""
    given = arguments | ({"text": "x"} if tool in ("post", "message") else {})
    call = task.call(f"desk/{tool}", given)
    if call.permitted:
        task.result(call, {"done": True})
    return str(call.outcome)
