# SPDX-License-Identifier: Apache-2.0
"""An agent with nothing but a self-made certificate: over TLS it gets a task, a token and an answer.

`remit up` runs as a process, on a port with TLS; the agent proves itself only by the TLS handshake.
"""

import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc.jwk import ECKey

from remit_sdk.key import AgentKey
from tests.gateways.remit_up import Remit
from tests.worlds.tls_port import identity

Json = Any

SWEEP = """
task: sweep
purpose: Look through the notes at night
run_by: [note-bot]
requested_by: ["agent:note-bot"]
requires_person: false
grants:
  - tool: notes/list_notes
"""
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "list_notes",
        "arguments": {},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    },
}
HEADERS = {
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "list_notes",
    "Accept": "application/json, text/event-stream",
}


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Remit]:
    """A remit that serves TLS and asks clients for certificates; `ana` answers for `note-bot`."""
    made = Remit(tmp_path / "house")
    made.folder.mkdir()
    assert made("init", ".").code == 0
    certificate, key = identity(made.folder, "localhost", host="127.0.0.1")
    config = made.folder / "remit.yaml"
    tls = {"certificate": certificate.name, "key": key.name, "client_certificates": "ask"}
    config.write_text(f"{config.read_text()}\nlisten: {{tls: {json.dumps(tls)}}}\n")
    (made.folder / "tasks" / "sweep.yaml").write_text(SWEEP)
    _, own_key = identity(made.folder, "bot")
    kept = made.folder / "keys" / "bot.json"
    AgentKey(ECKey.import_key(own_key.read_bytes())).save(kept)
    made.env["REMIT_CA_FILE"] = str(certificate)
    made.start()
    made.enter()
    assert made("person", "add", "ana").code == 0
    purpose = ("--owner", "ana", "--purpose", "keep notes tidy")
    said = made("agent", "register", "note-bot", *purpose, "--key", str(kept))
    assert said.code == 0, said.err
    try:
        yield made
    finally:
        made.stop()


def client(services: Remit, own: str = "") -> httpx2.Client:
    """Return a client that trusts the port's certificate, with its own certificate or without."""
    context = ssl.create_default_context(cafile=services.folder / "localhost.pem")
    if own:
        context.load_cert_chain(services.folder / f"{own}.pem", services.folder / f"{own}.key")
    return httpx2.Client(verify=context, trust_env=False, timeout=120)


def granted(http: httpx2.Client, url: str, **more: str) -> httpx2.Response:
    """Ask for a token by the certificate alone."""
    form = {"grant_type": "client_credentials", "client_id": "note-bot", **more}
    return http.post(f"{url}/oauth/token", data=form)


@pytest.mark.slow
def test_certificate_is_enough(services: Remit) -> None:
    """The certificate opens a task and calls a tool; its token is of no use on any other connection."""
    identity(services.folder, "thief")
    with client(services, "bot") as http, client(services, "thief") as thief, client(services) as nobody:
        own = granted(http, services.url)
        assert own.status_code == 200, own.text
        bearer = {"Authorization": f"Bearer {own.json()['access_token']}"}
        asked = {"agent": "note-bot", "task_type": "sweep"}
        opened = http.post(f"{services.url}/api/v1/tasks", json=asked, headers=bearer)
        assert opened.status_code in (200, 201), opened.text
        token = granted(http, services.url, mission_id=opened.json()["id"]).json()["access_token"]
        shown = {**HEADERS, "Authorization": f"Bearer {token}"}
        url = f"{services.url}/mcp/notes"
        until = time.monotonic() + 60
        while "result" not in (told := http.post(url, json=CALL, headers=shown).json()):
            assert time.monotonic() < until, told
        for other in (thief, nobody):
            assert granted(other, services.url).status_code in (400, 401)
            assert other.post(f"{services.url}/api/v1/tasks", json=asked, headers=bearer).status_code == 401
            answer = other.post(url, json=CALL, headers=shown)
            assert (answer.status_code, answer.json()["error"]["data"]["code"]) == (401, "token-unproven")
