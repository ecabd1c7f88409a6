# SPDX-License-Identifier: Apache-2.0
"""remit's authorization server under others' scenarios: an application that it knows, a person who consents.

The suite prints the address that its user should open. Here the user is played: signed in with a one-time
code, the consent page filled in and sent, and the suite's callback visited, as a browser would do all of it.
"""

import asyncio
import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from remit.core.identity.workload import ClientBinding
from remit.services.identity.directory import NewAgent
from tests.gateways.live_gateway import LiveGateway
from tests.interop import suite
from tests.servers.ports import free_port
from tests.servers.tls_server import local_server, reply
from tests.worlds.attestation import WorldAuthority
from tests.worlds.pages import Browsing, Page

Json = Any

SETTINGS = "sign_in:\n  clients: {private: true, tls_ca: app-ca.pem}\n"
READ = """
task: read-notes
purpose: Answer a question from the notes
run_by: [notebook]
requested_by: [group:writers]
grants:
  - tool: notes/list_notes
"""


class Person(Browsing):
    """A browser at a gateway that listens."""

    def __init__(self, gateway: LiveGateway) -> None:
        self.gateway = gateway
        self.cookies: dict[str, str] = {}
        self.set_cookies: list[str] = []

    async def send(
        self, method: str, path: str, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Page:
        """Send one request."""
        # Browsers are led to the name of this machine, since passkeys belong to names.
        here = f"localhost:{self.gateway.port}"
        given = {"Host": here, **(headers or {})}
        if "origin" in given:
            given["origin"] = f"http://{here}"
        if self.cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        page = await asyncio.to_thread(self._send, method, path, content, given)
        for cookie in page.cookies:
            name, _, rest = cookie.partition("=")
            self.cookies[name] = rest.partition(";")[0].strip('"')
        return page

    def _send(self, method: str, path: str, content: bytes, headers: dict[str, str]) -> Page:
        connection = HTTPConnection("127.0.0.1", self.gateway.port, timeout=120)
        try:
            connection.request(method, path, content or None, headers)
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            cookies = answer.headers.get_all("set-cookie") or []
            return Page(answer.status, told, answer.read().decode(), cookies)
        finally:
            connection.close()

    async def consent(self, address: str) -> str:
        """Sign in, agree, and give the address that the browser is sent to."""
        code = self.gateway.wait(self.gateway.services.identity.authenticator.make_code("ana", by="ana"))
        done = await self.fill(await self.get("/oauth/sign-in"), "sign-in", code=code)
        assert done.status == 303, done.text
        page = await self.get(address)
        done = await self.fill(page, decision="allow", goal="List my notes")
        assert done.location, done.text
        return done.location


@contextlib.contextmanager
def application(folder: Path, port: int) -> Iterator[tuple[LiveGateway, str]]:
    """Provide a gateway, and the address of the metadata document of an application that it knows."""
    now = datetime.now(UTC)
    authority = WorldAuthority(since=now - timedelta(days=1), until=now + timedelta(days=1))
    gateway = LiveGateway(folder, SETTINGS, {"read-notes": READ})
    (folder / "app-ca.pem").write_bytes(authority.pem)
    found: list[Any] = []

    def answer(path: str) -> bytes:
        document = {
            "client_id": found[0].url("/client.json"),
            "client_name": "Notebook",
            "redirect_uris": [f"http://127.0.0.1:{port}/callback"],
        }
        return reply(json.dumps(document).encode(), "Content-Type: application/json")

    async def begin() -> Any:
        serving = local_server(answer, authority)
        found.append(await serving.__aenter__())
        new = NewAgent(
            name="notebook",
            owner="ana",
            purpose="reads notes",
            bindings=(ClientBinding(found[0].url("/client.json")),),
        )
        await gateway.services.identity.directory.register(new, by="ana")
        return serving

    with gateway:
        serving = gateway.wait(begin())
        try:
            yield gateway, found[0].url("/client.json")
        finally:
            gateway.wait(serving.__aexit__(None, None, None))


def run() -> list[suite.Outcome]:
    """Run the authorization scenarios."""
    program = suite.install()
    port = free_port()
    place = suite.fresh("authorization")
    with tempfile.TemporaryDirectory() as folder, application(Path(folder), port) as (gateway, client):
        words = ("--url", gateway.url, "--client-id", client, "--resource", f"{gateway.url}/mcp")
        process = subprocess.Popen(
            [str(suite.NODE), str(program), "authorization", *words, "--port", str(port), "-o", str(place)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=suite.ROOT,
        )
        # Leaving the block closes the pipe and waits.
        with process:
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    if line.startswith(f"{gateway.url}/oauth/authorize?"):
                        _visit(asyncio.run(Person(gateway).consent(line.strip())))
                process.wait(30)
            finally:
                process.kill()
    return suite.read(place)


def _visit(address: str) -> None:
    parts = urlsplit(address)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=120)
    connection.request("GET", f"{parts.path}?{parts.query}")
    connection.getresponse().read()
    connection.close()
