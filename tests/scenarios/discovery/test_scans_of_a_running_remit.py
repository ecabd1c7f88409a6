# SPDX-License-Identifier: Apache-2.0
"""Scans of a real `remit up`: the files that its configuration names, and a scan that a person delivers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateways.remit_up import START_S, Remit

SPRAWL = Path(__file__).parents[3] / "examples" / "sprawl"
WAIT_S = 0.2
#: Read by remit itself, and changed by the test.
PLACE = "laptop/.mcp.json"
SERVERS = '{"mcpServers": {"notes": {"command": "npx", "args": ["notes"]}, "crm": {"command": "crm-mcp"}}}'

Json = Any


@pytest.fixture
def remit(tmp_path: Path) -> Iterator[Remit]:
    """A remit that scans a folder each minute, which holds two servers; one is its upstream."""
    made = Remit(tmp_path / "house")
    made.folder.mkdir()
    made.env["XDG_STATE_HOME"] = str(tmp_path / "state")
    assert made("init", ".").code == 0
    (made.folder / "laptop").mkdir()
    (made.folder / PLACE).write_text(SERVERS)
    with (made.folder / "remit.yaml").open("a") as config:
        config.write("\ndiscovery:\n  paths: [laptop]\n  scope: this-machine\n  every: 60s\n")
    try:
        made.start()
        made.enter()
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.stop()


def kinds_about(remit: Remit) -> set[tuple[str, str]]:
    """Return the open findings."""
    return {(one["kind"], one["about"]) for one in remit.ask("finding", "list")["items"]}


def settled(remit: Remit, wanted: tuple[str, str]) -> set[tuple[str, str]]:
    """Return the open findings once a scan has told of one."""
    until = time.monotonic() + START_S
    while wanted not in (found := kinds_about(remit)):
        assert time.monotonic() < until, remit.log.read_text()
        time.sleep(WAIT_S)
    return found


def test_remit_scans_what_its_configuration_names(remit: Remit) -> None:
    """Soon after its start, and again after a restart; what it governs itself is no finding."""
    found = settled(remit, ("ungoverned-server", "server:crm"))
    assert ("ungoverned-server", "server:notes") not in found
    one = next(one for one in remit.ask("finding", "list")["items"] if one["about"] == "server:crm")
    assert one["scopes"] == ["this-machine"]
    port = remit.port
    remit.stop()
    (remit.folder / PLACE).write_text(SERVERS.replace("crm", "erp"))
    remit.start(port=port)
    found = settled(remit, ("ungoverned-server", "server:erp"))
    assert ("ungoverned-server", "server:crm") not in found


def test_a_person_delivers_a_scan(remit: Remit) -> None:
    """Its findings are those of the scope; agents and upstreams that remit knows are governed."""
    assert remit("person", "add", "ana").code == 0
    told = ("--owner", "ana", "--purpose", "answers tickets")
    assert remit("agent", "register", "support-agent", *told).code == 0
    assert remit("discover", str(SPRAWL), "--send", "harbor-lane").code == 0
    found = kinds_about(remit)
    assert ("poisoned-tool", "server:weather") in found
    assert ("escalation-path", "principal:arn:aws:iam::123456789012:role/support-agent") in found
    assert ("ungoverned-agent", "agent:invoice-agent") in found
    assert ("ungoverned-agent", "agent:support-agent") not in found
    exposed = [one for one in remit.ask("finding", "list")["items"] if one["kind"] == "secret-exposed"]
    assert {one["owner"] for one in exposed} >= {"jon", "mira", "@harborlane/support"}
