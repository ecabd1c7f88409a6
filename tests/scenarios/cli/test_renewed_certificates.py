# SPDX-License-Identifier: Apache-2.0
"""Threat: a renewal of the certificate, or a restart, fails calls; or wrong files take the port away."""

import ssl
import time
from pathlib import Path

import pytest

from tests.clients.hammering import Hammer
from tests.gateways.remit_up import Remit, furnished
from tests.worlds.tls_port import identity

LONG_S = 120


def answered(hammer: Hammer) -> None:
    """Wait until each connection has had some more answers."""
    wanted, until_s = hammer.answered + 12, time.monotonic() + LONG_S
    while hammer.answered < wanted and not hammer.failed:
        assert time.monotonic() < until_s
        time.sleep(0.01)


def shown(remit: Remit) -> str:
    """Return the certificate that a client now gets, in PEM."""
    return ssl.get_server_certificate(("127.0.0.1", remit.port)).strip()


@pytest.mark.long
def test_no_call_fails_while_a_certificate_is_renewed_and_remit_restarts(tmp_path: Path) -> None:
    """Over TLS, over kept and fresh connections: with right files, wrong files, and a restart."""
    trusted = tmp_path / "trusted.pem"
    certificate, key = identity(tmp_path, "server", host="127.0.0.1")
    first = certificate.read_text()
    renewed, renewed_key = identity(tmp_path, "renewed", host="127.0.0.1")
    trusted.write_text(first + renewed.read_text())
    more = f"listen: {{tls: {{certificate: {certificate}, key: {key}}}}}\n"
    with furnished(tmp_path / "world", more=more, env={"REMIT_CA_FILE": str(trusted)}) as remit:
        types = remit.folder / "tasks" / "tidy-note.yaml"
        types.write_text(types.read_text().replace("calls: 50", "calls: 100000"))
        remit.ask("reload")
        task = remit.ask("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=shopping", by="ana")
        secret = remit.folder / ".remit" / "agents" / "note-bot.key.json"
        hammer = Hammer(remit.url, secret, str(task["id"]), ca_file=str(trusted))
        with hammer.swinging():
            answered(hammer)
            certificate.write_text(renewed.read_text())
            said = remit("reload")
            assert (said.code, "not the certificate of this key" in said.out) == (2, True)
            assert shown(remit) == first.strip()
            assert "not the certificate of this key" in remit("status").out
            key.write_text(renewed_key.read_text())
            assert remit("reload").code == 0
            assert shown(remit) == renewed.read_text().strip()
            answered(hammer)
            remit.ask("restart")
            answered(hammer)
        assert hammer.failed == []
