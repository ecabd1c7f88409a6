# SPDX-License-Identifier: Apache-2.0
"""An agent that has nothing but an SVID of remit's own trust domain gets a task's token and calls a tool.

The SVID comes from the Workload API with the client of others; the rest is OAuth and MCP as they stand in the
standards. Nothing of remit's SDK is used.
"""

import os
from collections.abc import Iterator

import httpx2
import pytest
from spiffe import WorkloadApiClient

from remit.adapters.peers.linux import CAN_TELL
from tests.gateways.remit_up import Remit

pytestmark = pytest.mark.skipif(not CAN_TELL, reason="this system does not tell who is at a Unix socket")

BOT = "spiffe://agents.laptop/svid-bot"
OTHER = "spiffe://agents.laptop/other-bot"
SECTION = f"""
workload_api:
  trust_domain: agents.laptop
  socket: w.sock
  workloads:
    - {{spiffe_id: "{BOT}", uid: {os.getuid()}}}
    - {{spiffe_id: "{OTHER}", uid: {os.getuid()}}}
"""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remit]:
    """Provide a remit with its own trust domain, and an agent that is known by its SPIFFE ID alone."""
    made = Remit(tmp_path_factory.mktemp("s") / "h")
    made.folder.mkdir()
    assert made("init", ".").code == 0
    config = made.folder / "remit.yaml"
    config.write_text(config.read_text() + SECTION)
    kind = made.folder / "tasks" / "tidy-note.yaml"
    kind.write_text(kind.read_text().replace("run_by: [note-bot]", "run_by: [svid-bot]"))
    made.start()
    made.enter()
    assert made("person", "add", "ana", "--group", "writers").code == 0
    made.sign_in("ana")
    purpose = ("--owner", "ana", "--purpose", "keep notes tidy")
    said = made("agent", "register", "svid-bot", *purpose, "--spiffe-id", BOT)
    assert said.code == 0, said.err
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()


def svid(services: Remit, spiffe_id: str, audience: str) -> str:
    """Fetch a JWT-SVID as any workload does."""
    endpoint = f"unix://{services.folder / 'w.sock'}"
    with WorkloadApiClient(endpoint, default_timeout=60) as client:
        found = client.fetch_jwt_svids({audience})
    return next(one.token for one in found if str(one.spiffe_id) == spiffe_id)


def token(services: Remit, assertion: str, **more: str) -> httpx2.Response:
    """Ask for an access token with a JWT-SVID as client assertion."""
    return httpx2.post(
        f"{services.url}/oauth/token",
        data={
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe",
            "client_assertion": assertion,
            **more,
        },
        trust_env=False,
        timeout=120,
    )


def call(services: Remit, bearer: str, tool: str, arguments: dict[str, str]) -> httpx2.Response:
    """Call a tool over MCP."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }
    return httpx2.post(
        f"{services.url}/mcp/notes",
        json={
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": tool, "arguments": arguments, "_meta": meta},
        },
        headers={
            "Authorization": f"Bearer {bearer}",
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
            "Accept": "application/json, text/event-stream",
        },
        trust_env=False,
        timeout=120,
    )


def test_an_agent_with_only_an_svid_calls_a_tool(services: Remit) -> None:
    """Its token says how it was proven, and the decision is on record with that."""
    task = services.ask("task", "open", "tidy-note", "--agent", "svid-bot", "-p", "note=shopping", by="ana")[
        "id"
    ]
    told = token(services, svid(services, BOT, services.url), mission_id=task)
    assert told.status_code == 200, told.text
    answer = call(services, told.json()["access_token"], "read_note", {"name": "shopping"})
    assert answer.status_code == 200, answer.text
    assert "milk" in answer.text.lower()
    (decision,) = services.ask("audit", "log", "--task", task, "--kind", "decision.made")["items"]
    assert decision["agent"] == "svid-bot"
    assert decision["facts"]["outcome"] == "permit"
    assert decision["facts"]["assurance"] == "asserted"
    # What was only asserted reaches no further than the tier assistant.
    written = call(services, told.json()["access_token"], "write_note", {"name": "shopping", "text": "x"})
    assert '"result"' not in written.text or '"isError":true' in written.text
    last = services.ask("audit", "log", "--task", task, "--kind", "decision.made")["items"][-1]
    assert last["facts"]["outcome"] != "permit"


def test_an_svid_proves_its_own_workload_alone(services: Remit) -> None:
    """One of another workload, for another audience, twice, or changed: refused with the standard's error."""
    good = svid(services, BOT, services.url)
    head, claims, signature = good.split(".")
    for wrong in (
        svid(services, OTHER, services.url),
        svid(services, BOT, "https://elsewhere.example"),
        f"{head}.{claims}.{signature[:-6]}AAAAAA",
    ):
        refused = token(services, wrong)
        assert refused.status_code == 401, refused.text
        assert refused.json()["error"] == "invalid_client"


def test_after_its_authority_was_dropped_an_svid_proves_nothing(services: Remit) -> None:
    """From the moment on in which the key is replaced at once; a fresh one does again."""
    old = svid(services, BOT, services.url)
    assert services("key", "rotate", "svid", "--at-once").code == 0
    assert token(services, old).status_code == 401
    assert token(services, svid(services, BOT, services.url)).status_code == 200


def test_who_answers_for_the_spiffe_id(services: Remit) -> None:
    """`remit who` names the agent that a SPIFFE ID belongs to."""
    said = services("who", BOT)
    assert said.code == 0, said.err
    assert "svid-bot" in said.out
