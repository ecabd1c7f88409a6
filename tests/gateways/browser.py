# SPDX-License-Identifier: Apache-2.0
"""A real browser, a real gateway, and an application that it knows, for tests of what only a browser does."""

import base64
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from remit.core.identity.workload import ClientBinding
from remit.services.identity.directory import NewAgent
from tests.gateways.live_gateway import LiveGateway
from tests.servers.tls_server import LocalServer, local_server, reply
from tests.worlds.attestation import WorldAuthority

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome")
                 if (found := shutil.which(name))), "")  # fmt: skip
#: A browser on a busy machine takes its time; nothing is concluded from how much.
PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)
SHOTS = os.environ.get("REMIT_SCREENSHOTS", "")
VERIFIER = "verifier-" * 6
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()

WRITE = """
task: write-note
purpose: Tidy up one note
run_by: [notebook]
requested_by: [group:writers]
parameters:
  note:
    description: The note's name, such as shopping
    constraint: {pattern: "[a-z0-9-]{1,40}"}
deadline: 30m
grants:
  - tool: notes/list_notes
  - tool: notes/read_note
    arguments:
      name: {exact: "{note}"}
  - tool: notes/write_note
    arguments:
      name: {exact: "{note}"}
      text: {length: {max: 20000}}
"""
READ = """
task: read-notes
purpose: Answer a question from the notes
run_by: [notebook]
requested_by: [group:writers]
grants:
  - tool: notes/list_notes
"""

needs_browser = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine: install `chromium`")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield made
        made.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that knows nothing yet."""
    made = browser.new_context(viewport={"width": 900, "height": 1100})
    made.set_default_timeout(PATIENCE_MS)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page, which fails the test for whatever its policy stops or its script throws."""
    made = context.new_page()
    made.on("pageerror", lambda error: pytest.fail(f"a script failed: {error}"))
    made.on("console", _refuse_violations)
    return made


def _refuse_violations(message: Any) -> None:
    if "Content Security Policy" in message.text:
        pytest.fail(f"the page breaks its own policy: {message.text}")


class Application:
    """An application with a document at its own address, over TLS, and a place for the answer."""

    server: LocalServer
    back: LocalServer

    def __init__(self, gateway: LiveGateway, folder: Path) -> None:
        self.gateway = gateway
        now = datetime.now(UTC)
        self.authority = WorldAuthority(since=now - timedelta(days=1), until=now + timedelta(days=1))
        self.ca = folder / "app-ca.pem"
        self.answers: list[dict[str, str]] = []

    def answer(self, path: str) -> bytes:
        """Answer the fetcher and the browser."""
        place = urlsplit(path)
        if place.path == "/client.json":
            document = {
                "client_id": self.server.url("/client.json"),
                "client_name": "Notebook",
                "redirect_uris": [self.callback],
            }
            return reply(json.dumps(document).encode(), "Content-Type: application/json")
        if place.path == "/callback":
            self.answers.append({name: values[0] for name, values in parse_qs(place.query).items()})
        return reply(
            b"<!doctype html><title>Notebook</title><h1>Back in Notebook</h1>", "Content-Type: text/html"
        )

    @property
    def callback(self) -> str:
        """Where its answers go."""
        return f"http://127.0.0.1:{self.back.port}/callback"

    def address(self, **changes: str) -> str:
        """Return the address to which the application sends its person."""
        fields = {
            "response_type": "code",
            "client_id": self.server.url("/client.json"),
            "redirect_uri": self.callback,
            "state": "state-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "resource": f"{self.gateway.url}/mcp",
            "mission_intent": json.dumps({"intent": {"goal": "Tidy up every note that I can find"}}),
        } | changes
        return f"{self.gateway.url}/oauth/authorize?{urlencode(fields)}"


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Application]:
    """A gateway, and an application that it knows."""
    clients = "{private: true, tls_ca: app-ca.pem}"
    gateway = LiveGateway(
        tmp_path, f"sign_in:\n  clients: {clients}\n", {"write-note": WRITE, "read-notes": READ}
    )
    made = Application(gateway, tmp_path)
    made.ca.write_bytes(made.authority.pem)
    with gateway:
        stack: list[Any] = []

        async def serve() -> None:
            for name, authority in (("server", made.authority), ("back", None)):
                serving = local_server(made.answer, authority)
                setattr(made, name, await serving.__aenter__())
                stack.append(serving)
            new = NewAgent(
                name="notebook",
                owner="ana",
                purpose="tidies notes",
                bindings=(ClientBinding(made.server.url("/client.json")),),
            )
            await gateway.services.identity.directory.register(new, by="ana")

        async def stop() -> None:
            for serving in stack:
                await serving.__aexit__(None, None, None)

        gateway.wait(serve())
        yield made
        gateway.wait(stop())


def code_for(gateway: LiveGateway, person: str = "ana") -> str:
    """Make a one-time code."""
    return gateway.wait(gateway.services.identity.authenticator.make_code(person, by="ana"))


def shoot(page: Page, name: str) -> None:
    """Take a picture, if pictures are requested."""
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def sign_in_by_code(page: Page, gateway: LiveGateway) -> None:
    """Sign in with a one-time code."""
    if not page.get_by_label("Code").is_visible():
        page.get_by_text("Use a one-time code").click()
    page.get_by_label("Code").fill(code_for(gateway))
    page.get_by_role("button", name="Sign in").click()


def virtual_authenticator(context: BrowserContext, page: Page) -> tuple[Any, str]:
    """Return the browser an authenticator that verifies its user."""
    cdp = context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
    }
    made = cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return cdp, made["authenticatorId"]
