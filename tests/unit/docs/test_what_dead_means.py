# SPDX-License-Identifier: Apache-2.0
"""What a closure says of a credential has a meaning that is written down, for each kind of it."""

import re

from remit.adapters.broker.standing_secret import StandingBroker
from remit.adapters.upstream.mcp.task_processes import KIND
from tests.architecture.tree import ROOT


def test_each_kind_of_lease_says_what_its_death_has_shown() -> None:
    """And what was not asked: no broker is added without that."""
    broker = ROOT / "src" / "remit" / "adapters" / "broker"
    texts = [one.read_text(encoding="utf-8") for one in broker.glob("*.py")]
    kinds = {kind for text in texts for kind in re.findall(r'^    kind = "([a-z-]+)"', text, re.MULTILINE)}
    page = (ROOT / "docs" / "explanation" / "credentials.md").read_text(encoding="utf-8")
    rows = {row for row in page.splitlines() if row.startswith("| `")}
    for kind in (kinds | {KIND}) - {StandingBroker.kind}:
        (row, *_) = [one for one in rows if f"`{kind}`" in one.split("|")[1]]
        assert all(cell.strip() for cell in row.split("|")[2:5]), kind
