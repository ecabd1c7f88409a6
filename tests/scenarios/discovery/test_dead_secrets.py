# SPDX-License-Identifier: Apache-2.0
"""Threat: a database password in a prompt opens the database for ever, for everyone who reads the prompt.

The whole way: found, delivered, replaced by a role for each task, rotated, and proven dead. All of it is in
the evidence, and the password is in none of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from remit.adapters.keys.secret_files import create_secret
from remit.cli.findings.delivery import deliver
from remit.compose.keys import FINGERPRINT_KEY
from tests.conformance.brokers import AtPostgres
from tests.gateways.remit_up import Remit, furnished
from tests.samples.discovered import KEY, an_exposed
from tests.servers.postgres_server import PostgresServer
from tests.servers.scripted_mcp import ScriptedHttp, scripted_http

Json = Any
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="tells the owner of a socket by /proc"),
]
OLD = "old-Passw0rd-of-crm"
PATIENCE_S = 120.0
AGENT = """
import json, os, pathlib, sys, time, urllib.request
meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}}
body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"_meta": meta, "name": sys.argv[1], "arguments": {"word": "customers"}}}
headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
           "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": sys.argv[1]}
with urllib.request.urlopen(
    urllib.request.Request(os.environ["REMIT_MCP_URL"], json.dumps(body).encode(), headers)
) as answer:
    assert answer.status == 200 and not answer.headers.get("remit-refused"), answer.headers
end = time.monotonic() + 120
while not pathlib.Path(sys.argv[2]).exists() and time.monotonic() < end:
    time.sleep(0.05)
"""


@contextlib.contextmanager
def database_tools() -> Iterator[ScriptedHttp]:
    """Serve the MCP server that gets the database's address with each call."""
    loop, stack = asyncio.new_event_loop(), contextlib.AsyncExitStack()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def wait(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    try:
        yield wait(stack.enter_async_context(scripted_http("modern")))
    finally:
        wait(stack.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Case:
    """A database with a standing role, whose password stands in a prompt."""

    def __init__(self, remit: Remit, server: PostgresServer) -> None:
        self.remit, self.server = remit, server
        self.place = AtPostgres(server)
        self.user = f"app_of_{self.place.database}"
        server.ask(f"create role {self.user} login password '{OLD}'")
        self.target = f"127.0.0.1:{server.port}/{self.place.database}"
        self.prompt = remit.folder / "prompts" / "agent.md"
        self.prompt.parent.mkdir()
        self.prompt.write_text(f"# You are the CRM agent\n\nLog in as {self.user}; the password is {OLD}.\n")
        key = remit.folder / ".remit" / FINGERPRINT_KEY
        key.parent.mkdir(mode=0o700)
        create_secret(key, KEY)
        self.found = an_exposed(OLD, user=self.user, target=self.target, agent="note-bot")

    def opens(self, password: str) -> bool:
        """Whether the database takes the password of the standing role: asked by the test itself."""
        try:
            psycopg.connect(f"postgresql://{self.target}", user=self.user, password=password).close()
        except psycopg.OperationalError:
            return False
        return True

    def deliver(self) -> None:
        """Deliver a scan that found it, as `remit discover --send` does."""
        me = self.remit.ask("whoami")["person"]
        code = self.remit.ask("person", "code", me)["code"]
        with httpx2.Client(base_url=f"{self.remit.url}/api/v1/", trust_env=False) as http:
            signed = http.post("sign-in", json={"code": code})
            assert signed.status_code == 200, signed.text
            http.headers["authorization"] = f"Bearer {signed.json()['session']}"

            def post(path: str, **body: Json) -> Json:
                told = http.post(path, json=body)
                assert told.status_code == 200, told.text
                return told.json()

            assert deliver(post, [self.found], "crm/prompts", complete=True).opened == 1

    def works(self, tools: ScriptedHttp) -> str:
        """Let the agent work in a task; gives the leased address, with which the customers were read."""
        program, done = self.remit.folder / "agent.py", self.remit.folder / "done"
        program.write_text(AGENT)
        words = ("run", "--agent", "note-bot", "--task", "use-crm", "--alone", "--")
        work = subprocess.Popen(
            self.remit.command(*words, sys.executable, str(program), "crm__echo", str(done)),
            cwd=self.remit.folder,
            env=self.remit.env,
            stdin=subprocess.DEVNULL,
        )
        try:
            end = time.monotonic() + PATIENCE_S
            while not (leased := [one["x-database"] for _, one in tools.requests if "x-database" in one]):
                assert work.poll() is None, "the agent ended"
                assert time.monotonic() < end, "the agent never called"
                time.sleep(0.05)
            with psycopg.connect(leased[-1]) as db:
                db.execute("select count(*) from crm.customers")
        finally:
            done.touch()
            assert work.wait(PATIENCE_S) == 0
        return str(leased[-1])


@pytest.fixture
def case(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Case]:
    """Provide one."""
    with furnished(tmp_path) as remit:
        yield Case(remit, postgres_server)


def test_a_password_of_a_prompt_is_replaced_rotated_and_proven_dead(case: Case) -> None:
    """From the finding to the refusal, and each step is evidence."""
    remit, name = case.remit, case.found.id
    case.deliver()
    (listed,) = remit.ask("finding", "list", "--severity", "high", "--owner", "lena")["items"]
    assert (listed["id"], listed["state"]) == (name, "open")
    assert case.opens(OLD)
    with database_tools() as tools:
        # The draft is printed first, and changes nothing.
        fix: tuple[str, ...] = (
            "finding",
            "fix",
            name,
            "--name",
            "crm",
            "--server",
            tools.url,
            "--tool",
            "echo",
        )
        fix += ("--argument", "word", "--table", "crm.customers", "--agent", "note-bot")
        before = (remit.folder / "remit.yaml").read_text()
        shown = remit(*fix)
        assert shown.code == 0, shown.err
        assert "+++ b/tasks/use-crm.yaml" in shown.out
        assert (remit.folder / "remit.yaml").read_text() == before
        # Nothing can be proven at a place that remit does not know yet.
        early = remit("finding", "prove", name, "--yes")
        assert (early.code, "no place" in early.err) == (1, True), early.err
        applied = remit(*fix, "--apply", "--remove-secret", "--yes")
        assert applied.code == 0, applied.err
        assert OLD not in case.prompt.read_text()
        assert "leased-by-remit:crm" in case.prompt.read_text()
        text = (remit.folder / "remit.yaml").read_text()
        grants = 'grants: ["grant usage on schema crm to {role}", "grant select'
        (remit.folder / "remit.yaml").write_text(text.replace('grants: ["grant select', grants))
        remit.env["CRM_ADMIN"] = case.place.admin_url
        port = remit.port
        remit.stop()
        remit.start(port=port)
        # The agent works with a role of its task, which is gone afterwards.
        leased = case.works(tools)
        assert case.user not in leased
        assert OLD not in leased
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(leased).close()
        # The old password still works: the proof says so, and the finding stays open.
        tried = remit("finding", "prove", name, "--yes", "--stdin", given=f"{OLD}\n")
        assert (tried.code, "still works" in tried.out) == (4, True), tried
        assert remit.ask("finding", "show", name)["state"] == "open"
        wrong = remit("finding", "prove", name, "--yes", "--stdin", given="another-secret\n")
        assert (wrong.code, "not the secret" in wrong.err) == (2, True), wrong
        case.server.ask(f"alter role {case.user} password 'the-next'")
        proven = remit("finding", "prove", name, "--yes", "--stdin", given=f"{OLD}\n")
        assert proven.code == 0, proven.err
        evidence(case)
        remit.stop()
    # Nowhere in remit's own files stands the password: not in the store, not in a log, not in a copy.
    for path in [*remit.folder.rglob("*"), *(remit.folder.parent / "home").rglob("*"), remit.log]:
        assert not path.is_file() or OLD.encode() not in path.read_bytes(), path


def evidence(case: Case) -> None:
    """Look at what is known afterwards: the database refuses the old password, and the log tells why."""
    remit = case.remit
    assert case.opens("the-next")
    assert not case.opens(OLD)
    after = remit.ask("finding", "show", case.found.id)
    assert (after["state"], bool(after["proven"])) == ("resolved", True)
    told = remit.ask("audit", "log", "--kind", "finding.proven")["items"]
    outcomes = [one["facts"]["outcome"] for one in told]
    assert sorted(outcomes) == ["another-secret", "refused", "trying", "trying", "works"]
    assert {one["facts"]["account"] for one in told} == {case.user}
    kinds = {one["kind"] for one in remit.ask("audit", "log", "--limit", "500")["items"]}
    assert kinds >= {"scan.delivered", "finding.seen", "finding.resolved", "lease.issued", "lease.dead"}
    assert remit("audit", "verify").code == 0
