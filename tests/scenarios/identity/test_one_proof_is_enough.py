# SPDX-License-Identifier: Apache-2.0
"""An agent with only one thing to show opens a task and calls a tool, on a real `remit up`.

The threat behind each: a copy of what another agent shows, the same from elsewhere, or nothing at all, must
open nothing; and what is refused is in the evidence, without what was shown.
"""

from __future__ import annotations

import http.client
import json
import secrets
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from remit.adapters.peers.linux import CAN_TELL
from remit_sdk.key import AgentKey
from tests.gateways.remit_up import CODE, Remit
from tests.samples.platform_tokens import SHAPES
from tests.worlds.attestation import WorldAuthority, WorldIssuer, rsa_key, sign

Json = Any

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SPIFFE_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
CLUSTER, CLUSTER_CLAIMS = SHAPES["kubernetes"][:2]
GITHUB, GITHUB_CLAIMS, GITHUB_RULES = SHAPES["github-actions"][:3]
AGENTS = ("cluster-bot", "github-bot", "mesh-bot", "local-bot", "key-bot")
TASK = f"""
task: look-around
purpose: See which notes there are
run_by: [{", ".join(AGENTS)}]
requested_by: [{", ".join(f"agent:{name}" for name in AGENTS)}]
requires_person: false
deadline: 30m
grants:
  - tool: notes/list_notes
  - tool: notes/write_note
    arguments:
      name: {{exact: shopping}}
      text: {{length: {{max: 100}}}}
"""
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
}


class Place:
    """A remit that trusts a cluster, GitHub and a trust domain, and knows one agent of each, and others."""

    def __init__(self, folder: Path) -> None:
        now = datetime.now(UTC)
        since, until = now - timedelta(hours=1), now + timedelta(hours=2)
        self.cluster = WorldIssuer(issuer=CLUSTER, algorithm="RS256")
        self.github = WorldIssuer(issuer=GITHUB, algorithm="RS256", keys={"key-1": rsa_key(2048, 1)})
        self.mesh = WorldAuthority("mesh.example", since=since, until=until)
        self.web = WorldAuthority("web.example", since=since, until=until)
        self.remit = Remit(folder / "house")
        self.remit.folder.mkdir()
        assert self.remit("init", ".").code == 0
        (self.remit.folder / "tasks" / "look-around.yaml").write_text(TASK)
        self.socket = self.remit.folder / "remit.sock"

    def _write(self) -> None:
        folder = self.remit.folder
        (folder / "ca.pem").write_bytes(self.web.pem)
        chain, key = self.web.svid_and_key("spiffe://web.example/remit", dns=("localhost",))
        pem = x509.load_der_x509_certificate(chain[0]).public_bytes(Encoding.PEM)
        (folder / "cert.pem").write_bytes(pem)
        (folder / "key.pem").write_bytes(key)
        (folder / "key.pem").chmod(0o600)
        (folder / "cluster.json").write_text(json.dumps(self.cluster.jwks))
        (folder / "github.json").write_text(json.dumps(self.github.jwks))
        (folder / "mesh.json").write_text(json.dumps(self.mesh.bundle))
        with (folder / "remit.yaml").open("a", encoding="utf-8") as config:
            config.write(f"""
listen:
  host: localhost
  tls: {{certificate: cert.pem, key: key.pem, client_certificates: ask}}
  socket: remit.sock
trust:
  issuers:
    cluster: {{preset: kubernetes, issuer: "{CLUSTER}", jwks_file: cluster.json}}
    github: {{preset: github-actions, jwks_file: github.json}}
  spiffe:
    mesh.example: {{bundle_file: mesh.json}}
""")

    def start(self) -> None:
        """Start it, register the agents, and start it again with TLS, its socket, and its trusted issuers."""
        self.remit.start()
        code = CODE.search(self.remit.log.read_text())
        assert code, self.remit.log.read_text()
        assert self.remit("login", "--code-stdin", given=code[0]).code == 0
        assert self.remit("person", "add", "ana").code == 0
        assert self.remit("person", "add", "ada", "--role", "auditor").code == 0
        rules = [f"{name}={value}" for name, value in GITHUB_RULES.items()]
        ways = {
            "cluster-bot": ("--issuer", CLUSTER, "--subject", CLUSTER_CLAIMS["sub"]),
            "github-bot": (
                *("--issuer", GITHUB, "--subject", GITHUB_CLAIMS["sub"]),
                *(word for rule in rules for word in ("--claim", rule)),
            ),
            "mesh-bot": ("--spiffe-id", "spiffe://mesh.example/bot"),
            "local-bot": ("--local", str(Path(sys.executable).resolve())),
            "key-bot": (),
        }
        for name, way in ways.items():
            said = self.remit("agent", "register", name, "--owner", "ana", "--purpose", "looks", *way)
            assert said.code == 0, said.err
        code_of_ada = self.remit.ask("person", "code", "ada")["code"]
        code_of_ana = self.remit.ask("person", "code", "ana")["code"]
        self.remit.stop()
        self._write()
        self.remit.start()
        sign_in = json.dumps({"code": code_of_ada}).encode()
        status, given = self.ask("/api/v1/sign-in", sign_in, {"Content-Type": "application/json"})
        assert status in (200, 201), given
        self._session = given["session"]
        assert self.remit("login", "--code-stdin", by="ana", given=code_of_ana).code == 3
        self.remit.env["REMIT_CA_FILE"] = str(self.remit.folder / "ca.pem")
        assert self.remit("login", "--code-stdin", by="ana", given=code_of_ana).code == 0
        assert self.remit.ask("who", "local-bot", by="ana")["isolation"] == "none"
        assert self.remit.ask("who", "key-bot", by="ana")["isolation"] == ""

    # The wire.

    def ask(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        shown: tuple[Path, Path] | None = None,
        local: bool = False,
        method: str = "POST",
    ) -> tuple[int, Json]:
        """Make one exchange, over TLS, with a client certificate, or over the Unix socket."""
        connection: http.client.HTTPConnection
        if local:
            connection = http.client.HTTPConnection("localhost", timeout=120)
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(self.socket))
        else:
            context = ssl.create_default_context(cafile=self.remit.folder / "ca.pem")
            if shown:
                context.load_cert_chain(*shown)
            port = urlsplit(self.remit.url).port
            connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=120)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def token(self, form: Mapping[str, str], **more: Any) -> tuple[int, Json]:
        """Ask the token endpoint."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("/oauth/token", urlencode(form).encode(), headers, **more)

    def work(self, agent: str, form: Mapping[str, str], **more: Any) -> Json:
        """Open a task with what the agent has to show, and give a token for it."""
        status, given = self.token(form, **more)
        assert status == 200, given
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {given['access_token']}"}
        opening = json.dumps({"agent": agent, "task_type": "look-around"}).encode()
        status, task = self.ask("/api/v1/tasks", opening, headers, **more)
        assert status == 201, task
        status, given = self.token({**form, "mission_id": task["id"]}, **more)
        assert status == 200, given
        return given

    def call(self, token: str, tool: str = "list_notes", **arguments: str) -> Json:
        """Call a tool, and give the answer."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {token}",
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
        }
        params = {"name": tool, "arguments": arguments, "_meta": META}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
        return self.ask("/mcp/notes", body, headers)[1]

    def events(self, kind: str) -> list[Json]:
        """Return the facts of the evidence's events of a kind."""
        headers = {"Authorization": f"Bearer {self._session}"}
        query = urlencode({"kinds": kind, "limit": 1000})
        status, found = self.ask(f"/api/v1/events?{query}", b"", headers, method="GET")
        assert status == 200, found
        return [one["facts"] for one in found["items"]]

    # What agents show.

    def cluster_token(self, **more: Json) -> str:
        """Return a token of the cluster for cluster-bot."""
        return self.cluster.token(datetime.now(UTC), **{**CLUSTER_CLAIMS, "aud": self.remit.url, **more})

    def github_token(self, **more: Json) -> str:
        """Return a token of GitHub for github-bot."""
        return self.github.token(datetime.now(UTC), **{**GITHUB_CLAIMS, "aud": self.remit.url, **more})

    def certificate(self, by: WorldAuthority, spiffe_id: str, **more: Any) -> tuple[Path, Path]:
        """Return an X.509-SVID and its key as files."""
        chain, key = by.svid_and_key(spiffe_id, **more)
        name = secrets.token_hex(8)
        files = self.remit.folder / f"{name}.crt", self.remit.folder / f"{name}.key"
        files[0].write_bytes(x509.load_der_x509_certificate(chain[0]).public_bytes(Encoding.PEM))
        files[1].write_bytes(key)
        return files


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One remit for all."""
    one = Place(tmp_path_factory.mktemp("proofs"))
    one.start()
    yield one
    if one.remit.process is not None and one.remit.process.poll() is None:
        one.remit.stop()


def bearer(token: str) -> dict[str, str]:
    """Return the form of workload identity federation (RFC 7523 section 2.1)."""
    return {"grant_type": JWT_BEARER, "assertion": token}


@pytest.mark.slow
def test_a_kubernetes_token_is_enough(place: Place) -> None:
    """Of the service account that is bound, and of no other."""
    given = place.work("cluster-bot", bearer(place.cluster_token()))
    assert "shopping" in json.dumps(place.call(given["access_token"])["result"])
    sub = "system:serviceaccount:agents:other"
    status, refused = place.token(bearer(place.cluster_token(sub=sub)))
    assert (status, refused["error"]) == (400, "invalid_grant")


def test_a_program_runs_in_a_task_with_nothing_but_a_token_in_a_file(place: Place) -> None:
    """`remit run --token-file`: the relay shows it; the program sees neither it nor any other secret."""
    token = place.remit.folder / "token"
    token.write_text(place.cluster_token() + "\n")
    program = (
        "import os, urllib.request, json;"
        "assert not any('eyJ' in value for value in os.environ.values());"
        "body = json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': 'tools/list',"
        f" 'params': {{'_meta': {META!r}}}}}).encode();"
        "headers = {'Content-Type': 'application/json', 'Accept': 'application/json, text/event-stream',"
        " 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/list'};"
        "url = os.environ['REMIT_MCP_URL'];"
        "print(urllib.request.urlopen(urllib.request.Request(url, body, headers)).read().decode())"
    )
    words = ("--agent", "cluster-bot", "--task", "look-around", "--alone", "--token-file", str(token))
    said = place.remit.apart("run", *words, "--", sys.executable, "-c", program)
    assert said.code == 0, said.err
    assert "list_notes" in said.out
    token.write_text("not a token")
    said = place.remit.apart("run", *words, "--", sys.executable, "-c", program)
    assert said.code != 0
    assert "contains no token" in said.err


def test_a_github_token_is_enough(place: Place) -> None:
    """Of the environment and the reusable workflow that are bound; a pull request's is another subject."""
    given = place.work("github-bot", bearer(place.github_token()))
    assert "shopping" in json.dumps(place.call(given["access_token"])["result"])
    for change in (
        {"sub": "repo:example/agents:pull_request"},
        {"repository_id": "75"},
        {"job_workflow_ref": "example/shared/.github/workflows/run.yml@refs/heads/evil"},
        {"environment": None},
    ):
        status, refused = place.token(bearer(place.github_token(**change)))
        assert (status, refused["error"]) == (400, "invalid_grant"), change


def test_an_x509_svid_is_enough(place: Place) -> None:
    """Over mTLS, with the SPIFFE ID as the client's; and the token is bound to its certificate."""
    shown = place.certificate(place.mesh, "spiffe://mesh.example/bot")
    form = {"grant_type": "client_credentials", "client_id": "spiffe://mesh.example/bot"}
    status, given = place.token(form, shown=shown)
    assert status == 200, given
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {given['access_token']}"}
    opening = json.dumps({"agent": "mesh-bot", "task_type": "look-around"}).encode()
    # A thief of the token does not have the key of the certificate.
    assert place.ask("/api/v1/tasks", opening, headers)[0] == 401
    status, task = place.ask("/api/v1/tasks", opening, headers, shown=shown)
    assert status == 201, task


def test_a_jwt_svid_is_enough(place: Place) -> None:
    """As a client assertion, for the issuer alone."""
    now = datetime.now(UTC)

    def form(audience: Json) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": SPIFFE_ASSERTION,
            "client_assertion": place.mesh.jwt_svid("/bot", now, aud=audience),
        }

    given = place.work("mesh-bot", form(place.remit.url))
    assert "shopping" in json.dumps(place.call(given["access_token"])["result"])
    assert place.token(form([place.remit.url, "https://other.example"]))[1]["error"] == "invalid_client"


def test_a_key_is_enough(place: Place) -> None:
    """An assertion signed with it (RFC 7523)."""
    key = AgentKey.load(place.remit.folder / ".remit" / "agents" / "key-bot.key.json")

    def form() -> dict[str, str]:
        assertion = key.assertion("key-bot", place.remit.url)
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION,
            "client_assertion": assertion,
        }

    status, given = place.token(form())
    assert status == 200, given
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {given['access_token']}"}
    opening = json.dumps({"agent": "key-bot", "task_type": "look-around"}).encode()
    status, task = place.ask("/api/v1/tasks", opening, headers)
    assert status == 201, task
    status, given = place.token({**form(), "mission_id": task["id"]})
    assert status == 200, given
    assert "shopping" in json.dumps(place.call(given["access_token"])["result"])


@pytest.mark.skipif(not CAN_TELL, reason="only Linux says who is at the other end of a socket")
def test_being_a_process_of_this_machine_is_enough_to_read(place: Place) -> None:
    """By user id and executable. What changes something is refused; the evidence says `isolation: none`."""
    form = {"grant_type": "client_credentials"}
    given = place.work("local-bot", form, local=True)
    assert "shopping" in json.dumps(place.call(given["access_token"])["result"])
    refused = place.call(given["access_token"], "write_note", name="shopping", text="no")
    assert "assurance" in json.dumps(refused) or "asserted" in json.dumps(refused)
    issued = [one for one in place.events("token.issued") if one["method"] == "unix-peer"]
    assert issued
    assert all(one["assurance"] == "asserted" and one["isolation"] == "none" for one in issued)
    # Over the port the same request proves nothing.
    assert place.token(form)[0] == 401


def test_what_is_refused_has_the_standards_error_and_is_recorded(place: Place) -> None:
    """A foreign trust domain, an expired SVID, a forged token, another audience, ten megabytes."""
    foreign = WorldAuthority("else.example", since=place.mesh.since, until=place.mesh.until)
    impostor = WorldAuthority("mesh.example", since=place.mesh.since, until=place.mesh.until)
    bot = "spiffe://mesh.example/bot"
    yesterday = datetime.now(UTC) - timedelta(minutes=1)
    tls = {"grant_type": "client_credentials"}
    for authority, spiffe_id, more in (
        (foreign, "spiffe://else.example/bot", {}),
        (impostor, bot, {}),
        (place.mesh, bot, {"until": yesterday}),
        (place.mesh, "spiffe://mesh.example/nobody", {}),
    ):
        shown = place.certificate(authority, spiffe_id, **more)
        status, refused = place.token({**tls, "client_id": spiffe_id}, shown=shown)
        assert (status, refused["error"]) == (401, "invalid_client"), (spiffe_id, refused)
    stranger = WorldIssuer(issuer=CLUSTER, algorithm="RS256", keys={"key-1": rsa_key(2048, 2)})
    now = datetime.now(UTC)
    forged = stranger.token(now, **{**CLUSTER_CLAIMS, "aud": place.remit.url})
    for token in (
        forged,
        place.cluster_token(aud="https://other.example"),
        place.cluster_token(exp=1),
        place.cluster_token(sub="system:serviceaccount:agents:nobody"),
        sign(place.cluster.keys["key-1"], {"sub": "x"}, {"alg": "RS256", "kid": "key-1"}),
    ):
        status, refused = place.token(bearer(token))
        assert (status, refused["error"]) == (400, "invalid_grant"), refused
        assert token not in json.dumps(refused)
    assert place.token(bearer("x" * 10_000_000))[0] in (400, 413)
    recorded = place.events("token.refused")
    assert {
        "svid-foreign",
        "svid-untrusted",
        "token-signature",
        "token-audience",
        "token-expired",
        "not-attestable",
        "invalid_client",
        "invalid_grant",
    } <= {one["code"] for one in recorded}
    assert forged not in json.dumps(recorded)
