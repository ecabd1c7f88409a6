# SPDX-License-Identifier: Apache-2.0
"""A desk with tools of all kinds, with additional tools, and a stranger's page that is read first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from remit.core.tasks.task import Parameter
from remit.rehearse import Rehearsal, RehearsedTask

Json = Any

TOOLS = """
upstream: desk
tools:
  read_page:
    effect: none
    audience: internal
    labels: {class: internal, trust: untrusted}
    arguments: {page: {role: selector}}
  directory:
    effect: none
    audience: internal
    labels: {class: internal, trust: trusted}
    arguments: {name: {role: selector}}
  fetch:
    effect: none
    audience: external
    labels: {class: internal, trust: untrusted}
    arguments: {url: {role: destination}}
  post:
    effect: irreversible
    audience: external
    labels: {class: internal, trust: trusted}
    arguments: {url: {role: destination}, text: {role: content}}
  message:
    effect: irreversible
    audience: external
    labels: {class: internal, trust: trusted}
    arguments: {to: {role: destination}, text: {role: content}}
    asked_by: [message, send, mail, tell, post, write]
  pay:
    effect: irreversible
    audience: external
    financial: true
    labels: {class: internal, trust: trusted}
    arguments:
      iban: {role: destination}
      amount: {role: amount}
      currency: {role: amount}
    asked_by: [pay, transfer]
  order:
    effect: irreversible
    audience: external
    labels: {class: internal, trust: trusted}
    arguments: {item: {role: selector}, quantity: {role: amount}}
  customer:
    effect: none
    audience: internal
    labels: {class: confidential, trust: trusted}
    arguments: {name: {role: selector, personal: true}}
  read_file:
    effect: none
    audience: internal
    labels: {class: internal, trust: trusted}
    arguments: {path: {role: selector, personal: true}}
  delete_file:
    effect: irreversible
    audience: internal
    labels: {class: internal, trust: trusted}
    arguments: {path: {role: selector}}
  run:
    effect: reversible
    audience: internal
    labels: {class: internal, trust: trusted}
    arguments: {command: {role: code}}
    asked_by: [run, post]
  log_in:
    effect: reversible
    audience: self
    labels: {class: internal, trust: trusted}
    arguments: {code: {role: content, secret: true}}
  comment:
    effect: reversible
    audience: internal
    labels: {class: internal, trust: trusted}
    arguments: {ticket: {role: selector}, text: {role: content}}
    resource: ticket/{ticket}
  read_ticket:
    effect: none
    audience: internal
    labels: {class: internal, trust: trusted}
    arguments: {ticket: {role: selector}}
    resource: ticket/{ticket}
"""
CONFIG = """
upstreams:
  desk: {command: [not, started]}
classes:
  order: [public, internal, confidential, restricted]
  clearance: {self: restricted, internal: restricted, external: restricted}
"""
NAMES = (
    "read_page directory fetch post message pay order customer read_file delete_file run log_in comment "
    "read_ticket"
)
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
    """Return a desk under the default policies; every person may write its pages."""
    (folder / "tools").mkdir()
    (folder / "remit.yaml").write_text(CONFIG, encoding="utf-8")
    (folder / "tools/desk.yaml").write_text(TOOLS + MORE, encoding="utf-8")
    names = [f"desk/{name}" for name in (*NAMES.split(), "pay_many", "close_ticket")]
    opened = Rehearsal(folder)
    opened.task_type("work", grants=names)
    opened.task_type("typed", grants=names, parameters={name: Parameter(required=False) for name in TYPED})
    return opened


def begin(rehearsal: Rehearsal, intent: str, page: str = PAGE) -> RehearsedTask:
    """Open a task that has read a stranger's page."""
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
