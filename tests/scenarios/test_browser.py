# SPDX-License-Identifier: Apache-2.0
"""People at a real browser: signing in, passkeys, consent, and what the browser itself refuses."""

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from remit.cli.browser import sign_in
from remit.cli.client import Client
from remit.cli.invocation import CLOSING
from remit.core.workload import ClientBinding
from remit.services.directory import NewAgent
from tests.attestation_world import WorldAuthority
from tests.live_gateway import LiveGateway
from tests.tls_server import LocalServer, local_server, reply

pytestmark = pytest.mark.slow

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome")
                 if (found := shutil.which(name))), "")  # fmt: skip
SHOTS = os.environ.get("REMIT_SCREENSHOTS", "")
VERIFIER = "verifier-" * 6
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()

WRITE = """
task: write-note
purpose: Tidy up one note
run_by: [notebook]
stated_by: [group:writers]
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
stated_by: [group:writers]
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
    """An application with a document at an address of its own, over TLS, and a place for the answer."""

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
                "redirect_uris": [f"http://127.0.0.1:{self.back.port}/callback"],
            }
            return reply(json.dumps(document).encode(), "Content-Type: application/json")
        if place.path == "/callback":
            self.answers.append({name: values[0] for name, values in parse_qs(place.query).items()})
        return reply(
            b"<!doctype html><title>Notebook</title><h1>Back in Notebook</h1>", "Content-Type: text/html"
        )

    def address(self, **changes: str) -> str:
        """Give the address to which the application sends its person."""
        fields = {
            "response_type": "code",
            "client_id": self.server.url("/client.json"),
            "redirect_uri": f"http://127.0.0.1:{self.back.port}/callback",
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
            await gateway.house.directory.register(new, by="ana")

        async def stop() -> None:
            for serving in stack:
                await serving.__aexit__(None, None, None)

        gateway.wait(serve())
        yield made
        gateway.wait(stop())


def code_for(gateway: LiveGateway, person: str = "ana") -> str:
    """Make a one-time code."""
    return gateway.wait(gateway.house.authenticator.make_code(person, by="ana"))


def shoot(page: Page, name: str) -> None:
    """Take a picture, where somebody wants to look."""
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def sign_in_by_code(page: Page, gateway: LiveGateway) -> None:
    """Sign in with a one-time code."""
    if not page.get_by_label("Code").is_visible():
        page.get_by_text("Use a one-time code").click()
    page.get_by_label("Code").fill(code_for(gateway))
    page.get_by_role("button", name="Sign in").click()


def virtual_authenticator(context: BrowserContext, page: Page) -> tuple[Any, str]:
    """Give the browser an authenticator that verifies its user."""
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


@needs_browser
def test_a_person_lets_an_application_work(application: Application, page: Page) -> None:
    """From the application over sign-in and consent back to it, with a code for an open task."""
    gateway = application.gateway
    page.goto(application.address())
    expect(page).to_have_url(re.compile(r"http://localhost:\d+/oauth/sign-in"))
    shoot(page, "sign-in")
    sign_in_by_code(page, gateway)
    expect(page.get_by_role("heading", name="What shall Notebook do for you?")).to_be_visible()
    shoot(page, "choose")
    page.get_by_role("link", name="Tidy up one note").click()
    expect(page.get_by_role("heading", name="Let Notebook work for you?")).to_be_visible()
    shoot(page, "consent")
    expect(page.get_by_text("Tidy up every note that I can find")).to_be_visible()
    expect(page.get_by_text("Any program on this computer could be waiting there")).to_be_visible()
    page.get_by_label("What do you want done?").fill("Tidy the shopping list")
    page.get_by_label("Note", exact=True).fill("Not A Name")
    page.get_by_role("button", name="Permit", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Parameter note")
    shoot(page, "consent-wrong")
    page.get_by_label("Note", exact=True).fill("shopping")
    page.get_by_role("button", name="Permit", exact=True).click()
    expect(page.get_by_role("heading", name="Back in Notebook")).to_be_visible()
    assert "code" in application.answers[-1]
    assert application.answers[-1]["iss"] == gateway.url
    (task,) = gateway.tasks()
    assert (task.intent.goal, task.on_behalf_of) == ("Tidy the shopping list", "ana")
    page.goto(f"http://localhost:{gateway.port}/oauth/account")
    expect(page.get_by_text("Tidy the shopping list")).to_be_visible()
    shoot(page, "account")
    page.get_by_role("button", name="End", exact=True).click()
    expect(page.get_by_text("None is open.")).to_be_visible()
    assert gateway.tasks()[0].state == "revoked"


@needs_browser
def test_consent_needs_no_script(application: Application, browser: Browser) -> None:
    """Signing in with a code, agreeing and going back work with scripts switched off."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(application.address())
    sign_in_by_code(page, application.gateway)
    page.get_by_role("link", name="Tidy up one note").click()
    page.get_by_label("Note", exact=True).fill("shopping")
    page.get_by_role("button", name="Permit", exact=True).click()
    expect(page.get_by_role("heading", name="Back in Notebook")).to_be_visible()
    context.close()


@needs_browser
def test_a_passkey_is_added_and_signs_in(
    application: Application, context: BrowserContext, page: Page
) -> None:
    """After a one-time code; then the passkey alone opens the account, with its user verified."""
    gateway = application.gateway
    account = f"http://localhost:{gateway.port}/oauth/account"
    cdp, authenticator = virtual_authenticator(context, page)
    page.goto(account)
    sign_in_by_code(page, gateway)
    page.get_by_label("Name").fill("Test laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_text("Test laptop")).to_be_visible()
    shoot(page, "account-passkey")
    kept = cdp.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
    assert [one["isResidentCredential"] for one in kept] == [True]
    page.get_by_role("button", name="sign out", exact=True).click()
    shoot(page, "sign-in-passkey")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    expect(page.get_by_text("by passkey")).to_be_visible()
    # A user who is not verified gets nothing.
    page.get_by_role("button", name="sign out", exact=True).click()
    cdp.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@needs_browser
def test_the_session_cookie_is_out_of_reach(
    application: Application, context: BrowserContext, page: Page
) -> None:
    """Scripts cannot read it, and other sites' forms do not carry it."""
    page.goto(f"http://localhost:{application.gateway.port}/oauth/account")
    sign_in_by_code(page, application.gateway)
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    assert page.evaluate("document.cookie") == ""
    cookies = {one["name"]: one for one in context.cookies()}
    assert cookies["remit-session"]["httpOnly"]
    assert cookies["remit-session"]["sameSite"] == "Lax"


@needs_browser
def test_pages_cannot_be_framed(application: Application, context: BrowserContext) -> None:
    """A page of another site that frames them shows nothing of them."""
    page = context.new_page()
    inner = f"http://localhost:{application.gateway.port}/oauth/sign-in"
    page.route(
        "http://evil.test/**",
        lambda route: route.fulfill(
            content_type="text/html", body=f'<!doctype html><iframe id="f" src="{inner}"></iframe>'
        ),
    )
    page.goto("http://evil.test/")
    page.wait_for_timeout(500)
    framed = page.frames[1].content()
    assert "Sign in" not in framed


@needs_browser
def test_the_command_line_signs_in_by_the_browser(application: Application, page: Page) -> None:
    """The person agrees at the browser, and the terminal gets a session of its own."""
    gateway = application.gateway
    opened: list[str] = []
    told: list[tuple[str, str]] = []
    session: list[Any] = []
    ready = threading.Event()

    def look(address: str) -> None:
        opened.append(address)
        ready.set()

    def run() -> None:
        with contextlib.ExitStack() as closing:
            CLOSING.set(closing)
            session.append(sign_in(Client(gateway.url), lambda *words: told.append(words), look=look))

    waiting = threading.Thread(target=run, daemon=True)
    waiting.start()
    assert ready.wait(30)
    page.goto(opened[0])
    sign_in_by_code(page, gateway)
    expect(page.get_by_text(told[0][1])).to_be_visible()
    shoot(page, "terminal")
    page.get_by_role("button", name="Sign it in").click()
    expect(page.get_by_text("You can close this page")).to_be_visible()
    waiting.join(30)
    assert session[0]["person"] == "ana"
    asked = gateway.remit("who", "ana", "--json", session=session[0]["session"])
    assert asked.returncode == 0, asked.stderr
