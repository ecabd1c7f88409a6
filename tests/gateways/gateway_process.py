# SPDX-License-Identifier: Apache-2.0
"""The whole gateway as a separate process that tests may kill, and a client that speaks to it by hand.

    python -m tests.gateways.gateway_process FOLDER

It governs one mailbox (`examples/servers/mail.py`, over stdio), whose outbox records what really happened,
and when. `tests.faults.gateway_faults` describes what signals do to it.
"""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jws
from joserfc.jwk import ECKey

from remit.cli.serve.connections import BoundedConnection
from remit.cli.serve.server import tls_context
from remit.compose import application, open_services
from remit.config import load_config
from remit.core.evidence.checkpoint import VerifierKey
from remit.core.evidence.verification import ExportReport, verify_export
from remit.core.identity.principals import Role
from remit.core.identity.workload import KeyBinding
from remit.services.assembly.services import Services
from remit.services.identity.directory import NewAgent, NewPerson
from tests.clients.http_line import Line
from tests.faults.gateway_faults import let_tests_fill, let_tests_set_the_clock
from tests.faults.gateway_moments import let_tests_break_calls
from tests.refusals import failure, own_failure
from tests.samples.mail_bundle import RECIPIENT, TASK, TOOLS
from tests.servers.ports import free_port

Json = Any

ROOT = Path(__file__).resolve().parents[2]
_MCP = "io.modelcontextprotocol"
MODERN = "2026-07-28"
META: Json = {f"{_MCP}/protocolVersion": MODERN, f"{_MCP}/clientCapabilities": {}}
META[f"{_MCP}/clientInfo"] = {"name": "scenario", "version": "1"}
PEOPLE: dict[str, tuple[Role, ...]] = {
    "root": (Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR),
    "omar": (Role.APPROVER,),
    "lena": (),
}
AGENTS = ("mail-bot", "other-bot")
#: Longest wait for a replica that is late with its lease.
LATE_S = 60.0


def set_up(
    folder: Path, *, limits: Json = None, database: str = "", shared: Path | None = None, **more: Json
) -> None:
    """Lay a bundle into a folder: with the address of a `database`, with keys, head and mailbox in a folder
    that is `shared`, and with `more` in the configuration. Those that share have the same bundle, and each
    its port beside it.
    """
    policies = ROOT / "src" / "remit" / "templates" / "policies"
    shutil.copytree(policies, folder / "policies", dirs_exist_ok=True)
    for place in ("tools", "tasks", "mail"):
        (folder / place).mkdir(exist_ok=True)
    (folder / "tools" / "mail.yaml").write_text(TOOLS)
    (folder / "tasks" / "send-mail.yaml").write_text(TASK)
    port = free_port()
    server = [sys.executable, str(ROOT / "examples/servers/mail.py"), str((shared or folder) / "mail")]
    # What senders must prove is another test's: these loops show their tokens as bearers.
    mail = {"command": server, "sender_constraint": "optional"}
    (folder / "port").write_text(str(port))
    listen = {} if shared is not None else {"port": port}
    config: dict[str, Json] = {"upstreams": {"mail": mail}}
    if database:
        (folder / "database").write_text(database)
        (folder / "database").chmod(0o600)
        config["store"] = {"kind": "postgres", "url": "file:database"}
        config["replica"] = {"lease_ms": 5000}  # a busy machine shall not let it run out
    if shared is not None:
        config |= {"keys": {"path": str(shared / "keys")}, "log_head": {"path": str(shared / "head")}}
    # On a busy machine a source of credentials is late: ends wait for it.
    limits = {"closure_wait_s": 20} | (limits or {})
    config |= more | {"limits": limits, "listen": listen | more.get("listen", {})}
    (folder / "remit.yaml").write_text(json.dumps(config))


# The process.


async def serve(folder: Path) -> None:
    """Serve until a signal comes."""
    config = load_config(folder)
    port, loop = int((folder / "port").read_text()), asyncio.get_running_loop()
    let_tests_set_the_clock(loop, folder / "ahead_s")
    tls = tls_context(config)
    async with open_services(config, address=f"{'https' if tls else 'http'}://127.0.0.1:{port}") as services:
        if not (folder / "cast.json").exists():
            await _bring_in(services, folder)
        let_tests_fill(loop, services.store)
        if (folder / "breaks").exists():
            let_tests_break_calls(loop, folder)
        given = None if tls is None else lambda *_: tls
        more: Json = {"http": BoundedConnection, "ssl_context_factory": given}
        settings = uvicorn.Config(application(services, config), lifespan="off", log_level="error", **more)
        settings.port, settings.timeout_graceful_shutdown = port, 5
        server = uvicorn.Server(settings)
        # uvicorn's own way would end the process before the gateway is closed in order.
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
        loop.add_signal_handler(signal.SIGTERM, setattr, server, "should_exit", True)
        ready = asyncio.create_task(_tell_when_ready(server))
        await server.serve()
        await ready


async def _tell_when_ready(server: uvicorn.Server) -> None:
    while not server.started:  # noqa: ASYNC110 - uvicorn offers nothing to wait for
        await asyncio.sleep(0.01)
    os.write(1, b"ready\n")


async def _bring_in(services: Services, folder: Path) -> None:
    """Make people and agents, and leave their secrets where the test finds them."""
    cast: dict[str, Json] = {"sessions": {}, "keys": {}}
    for name, roles in PEOPLE.items():
        await services.identity.directory.add_person(NewPerson(name=name, roles=roles), by="remit")
        code = await services.identity.authenticator.make_code(name, by="remit")
        cast["sessions"][name] = (await services.identity.authenticator.sign_in(code))[0]
    for name in AGENTS:
        key = ECKey.generate_key("P-256")
        public = {member: str(value) for member, value in key.as_dict(private=False).items()}
        new = NewAgent(name=name, owner="lena", purpose="mails", bindings=(KeyBinding(public),))
        await services.identity.directory.register(new, by="root")
        cast["keys"][name] = key.as_dict(private=True)
    (folder / "cast.json").write_text(json.dumps(cast))


# The test's side.


class Refused(Exception):
    """A management call that was refused."""

    def __init__(self, status: int, problem: Json) -> None:
        super().__init__(f"{status} {problem}")
        self.status = status
        self.problem = problem


def late(content: bytes) -> bool:
    """Whether a replica refused because it is late with its lease, as on a busy machine; then it has done
    nothing.
    """
    return b"replica-fenced" in content


@dataclass
class Told:
    """The answer to one MCP request: its `result`, or the code and values of its failure."""

    status: int
    result: Json = None
    code: str = ""
    error: Json = field(default_factory=dict)


class GatewayProcess:
    """The gateway of one folder, which may be started and killed any number of times."""

    def __init__(self, folder: Path, mailbox: Path | None = None) -> None:
        self.folder = folder
        self.mailbox = mailbox or folder / "mail"
        listen: Json = json.loads((folder / "remit.yaml").read_text())["listen"]
        self.port = int((folder / "port").read_text())
        self.url: str = listen.get("public_url") or f"http://127.0.0.1:{self.port}"
        #: How this test connects, where the gateway speaks TLS.
        self.tls: ssl.SSLContext | None = None
        #: How far the clock of its machine is ahead, and so that of agents there.
        self.ahead_s = 0.0
        self.process: asyncio.subprocess.Process
        self.cast: Json = None

    async def start(self) -> None:
        """Start it and wait until it serves."""
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        log = (self.folder / "gateway.log").open("ab")
        with log:
            command = [sys.executable, "-m", "tests.gateways.gateway_process", str(self.folder)]
            env = {**os.environ, "PYTHONPATH": path}
            self.process = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.PIPE, stderr=log, env=env, cwd=ROOT
            )
        assert self.process.stdout is not None
        said = await self.process.stdout.readline()
        assert said == b"ready\n", (self.folder / "gateway.log").read_text()[-2000:]
        self.cast = json.loads((self.folder / "cast.json").read_text())

    async def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """End it in order."""
        if self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def ask(self, method: str, path: str, body: Json = None, *, by: str = "", token: str = "") -> Json:
        """Make one call to the management endpoints; raises `Refused`."""
        until_s = time.monotonic() + LATE_S
        while True:
            status, content = await self.raw(method, path, body, by=by, token=token)
            found = json.loads(content) if content else None
            if status < 400:
                return found
            if not late(content) or time.monotonic() > until_s:
                raise Refused(status, found)
            await asyncio.sleep(0.1)

    async def raw(
        self, method: str, path: str, body: Json = None, *, by: str = "", token: str = ""
    ) -> tuple[int, bytes]:
        """Make one call to the management endpoints; gives status and body."""
        bearer = self.cast["sessions"][by] if by else token
        headers = {"authorization": f"Bearer {bearer}"}
        if body is not None:
            headers["content-type"] = "application/json"
        line = await Line.to(self.port, self.tls)
        try:
            content = b"" if body is None else json.dumps(body).encode()
            return await line.ask(method, path, headers, content)
        finally:
            line.close()

    def asking_form(self, agent: str, task: str = "", **more: str) -> dict[str, str]:
        """Return what asks for a token of an agent, for a task of its or for none; it is good once."""
        now = int(time.time() + self.ahead_s)
        claims = {"iss": agent, "sub": agent, "aud": self.url, "exp": now + 60, "jti": secrets.token_hex(8)}
        key = ECKey.import_key(self.cast["keys"][agent])
        assertion = jws.serialize_compact({"alg": "ES256"}, json.dumps(claims).encode(), key)
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        }
        return form | ({"mission_id": task} if task else {}) | more

    async def agent_token(self, agent: str, task: str = "", **more: str) -> str:
        """Prove an agent by its key; gives a token for a task of its, or for none."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        until_s = time.monotonic() + LATE_S
        while True:
            form = urlencode(self.asking_form(agent, task, **more)).encode()
            with contextlib.closing(await Line.to(self.port, self.tls)) as line:
                status, content = await line.ask("POST", "/oauth/token", headers, form)
            if status == 200:
                return str(json.loads(content)["access_token"])
            assert late(content), content
            assert time.monotonic() < until_s, content
            await asyncio.sleep(0.1)

    async def open_task(self, agent: str = "mail-bot", **more: Json) -> tuple[str, str]:
        """Open a task at lena's word; gives its id and a token."""
        # The person states where the mails go: a call to an address that no person stated needs an approval.
        opening = {"agent": agent, "task_type": "send-mail", "goal": f"mail {RECIPIENT}", **more}
        task = str((await self.ask("POST", "/api/v1/tasks", opening, by="lena"))["id"])
        return task, await self.task_token(task, agent)

    async def task_token(self, task: str, agent: str = "mail-bot") -> str:
        """Get a token of a task."""
        return await self.agent_token(agent, task)

    async def mcp(
        self,
        line: Line,
        token: str,
        method: str,
        params: Json = None,
        more: dict[str, str] | None = None,
        *,
        meta: Json = META,
        place: str = "mail",
    ) -> Told:
        """Make one MCP request of the newest era at an upstream, with `more` headers."""
        params = {**(params or {}), "_meta": meta}
        headers = {
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": MODERN,
            "mcp-method": method,
        }
        if "name" in params:
            headers["mcp-name"] = params["name"]
        headers |= more or {}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        status, content = await line.ask("POST", f"/mcp/{place}", headers, body)
        if content.startswith((b"data:", b":")):
            content = content.decode().strip().rpartition("data: ")[2].encode()
        found = json.loads(content)
        if own_failure(found):
            values = failure(found)
            return Told(status, None, str(values.get("code", "")), values)
        return Told(status, found["result"])

    async def send(
        self, line: Line, token: str, subject: str, body: str = "-", more: dict[str, str] | None = None
    ) -> Told:
        """Have the agent send one mail, known by its subject."""
        arguments = {"to": RECIPIENT, "subject": subject, "body": body}
        return await self.mcp(line, token, "tools/call", {"name": "send", "arguments": arguments}, more)

    def outbox(self) -> list[dict[str, Json]]:
        """Read what was really sent; the last line may be torn by a kill."""
        file = self.mailbox / "outbox.jsonl"
        lines = file.read_text("utf-8").split("\n")[:-1] if file.exists() else []
        return [json.loads(line) for line in lines]

    async def events(self, kinds: str = "", task: str = "") -> list[dict[str, Json]]:
        """Read the evidence, whole."""
        out: list[dict[str, Json]] = []
        start: int | None = 0
        while start is not None:
            query = urlencode({"limit": 1000, "start": start, "kinds": kinds, "task": task})
            page = await self.ask("GET", f"/api/v1/events?{query}", by="root")
            out += page["items"]
            start = page["next"]
        return out

    async def verified(self) -> ExportReport:
        """Export the evidence and verify it as a stranger would."""
        status, content = await self.raw("GET", "/api/v1/events/export", by="root")
        assert status == 200, content
        lines = content.splitlines(keepends=True)
        head = await self.ask("GET", "/api/v1/events/head", by="root")
        return verify_export(lines, VerifierKey.parse(head["verifier"]))


@asynccontextmanager
async def gateway_process(folder: Path, *, database: str = "", **more: Json) -> AsyncIterator[GatewayProcess]:
    """Provide a gateway that runs, and end it however the test ends; `more` is in its configuration."""
    set_up(folder, database=database, **more)
    gateway = GatewayProcess(folder)
    await gateway.start()
    try:
        yield gateway
    finally:
        if gateway.process.returncode is None:
            await gateway.kill()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
