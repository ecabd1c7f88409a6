# SPDX-License-Identifier: Apache-2.0
"""The remit of the guide to the SDK: functions for billing, which an agent's own program carries out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from tests.gateways.remit_up import Remit

ROOT = Path(__file__).resolve().parents[2]
#: The remit of the guide to the SDK, and two tools more.
PAGE = (ROOT / "docs" / "howto" / "use-the-sdk.md").read_text(encoding="utf-8")
CONFIG, TOOLS, TASK = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
MORE_TOOLS = """
  credit:
    effect: reversible
    financial: true
    audience: internal
    labels: {class: internal, trust: trusted}
    arguments: {customer: {role: selector}, cents: {role: content}}
  lose:
    effect: none
    audience: self
    labels: {class: internal, trust: trusted}
    arguments: {customer: {role: selector}}
"""
MORE_GRANTS = """
  - tool: notes/read_note
    arguments: {name: {length: {max: 40}}}
  - tool: billing/credit
    arguments: {customer: {exact: "{customer}"}, cents: {range: {max: 1000}}}
  - tool: billing/lose
    arguments: {customer: {exact: "{customer}"}}
"""


@contextlib.contextmanager
def furnished_for_billing(folder: Path) -> Iterator[Remit]:
    """Provide such a remit."""
    made = Remit(folder)
    made.folder.mkdir()
    assert made("init", ".").code == 0
    with (made.folder / "remit.yaml").open("a") as config:
        config.write(f"\n{CONFIG}")
    (made.folder / "tools" / "billing.yaml").write_text(TOOLS + MORE_TOOLS)
    (made.folder / "tasks" / "settle-complaint.yaml").write_text(TASK + MORE_GRANTS)
    try:
        made.start()
        made.enter()
        for bot in ("note-bot", "reader-bot"):
            registered = made("agent", "register", bot, "--owner", "admin", "--purpose", "settle complaints")
            assert registered.code == 0, registered.err
        assert made("person", "add", "omar", "--role", "approver").code == 0
        made.sign_in("omar")
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.stop()
