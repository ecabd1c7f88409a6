# SPDX-License-Identifier: Apache-2.0
"""People at a real browser: signing in, passkeys, consent, and what the browser itself refuses."""

import contextlib
import re
import threading
from pathlib import Path
from typing import Any

import oidc_provider_mock
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from remit.cli.global_options import CLOSING
from remit.cli.identity.login_browser import sign_in
from remit.cli.rest_client import Client
from tests.gateways.browser import (
    Application,
    application,
    browser,
    context,
    needs_browser,
    page,
    shoot,
    sign_in_by_code,
    virtual_authenticator,
)
from tests.gateways.live_gateway import LiveGateway

__all__ = ["application", "browser", "context", "page"]

pytestmark = pytest.mark.slow


@needs_browser
def test_a_person_lets_an_application_work(application: Application, page: Page) -> None:
    """From the application over sign-in and consent back to it, with a code for an open task."""
    gateway = application.gateway
    page.goto(application.address())
    expect(page).to_have_url(re.compile(r"http://localhost:\d+/oauth/sign-in"))
    shoot(page, "sign-in")
    sign_in_by_code(page, gateway)
    expect(page.get_by_role("heading", name="What should Notebook do for you?")).to_be_visible()
    shoot(page, "choose")
    page.get_by_role("link", name="Tidy up one note").click()
    expect(page.get_by_role("heading", name="Let Notebook work for you?")).to_be_visible()
    shoot(page, "consent")
    expect(page.get_by_text("Tidy up every note that I can find")).to_be_visible()
    expect(page.get_by_text("Any program on this computer could receive the answer")).to_be_visible()
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
    expect(page.get_by_text("No open tasks.")).to_be_visible()
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
    page.locator("#f").wait_for(state="attached")
    page.wait_for_timeout(500)
    framed = page.frames[1].content()
    assert "Sign in" not in framed


@needs_browser
def test_the_command_line_signs_in_by_the_browser(application: Application, page: Page) -> None:
    """The person agrees at the browser, and the terminal gets its own session."""
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
            session.append(sign_in(Client(gateway.url), lambda *words: told.append(words), "", look=look))

    waiting = threading.Thread(target=run, daemon=True)
    waiting.start()
    assert ready.wait(120)
    page.goto(opened[0])
    sign_in_by_code(page, gateway)
    expect(page.get_by_text(told[0][1])).to_be_visible()
    shoot(page, "terminal")
    page.get_by_role("button", name="Sign it in").click()
    expect(page.get_by_text("You can close this page")).to_be_visible()
    waiting.join(120)
    assert session[0]["person"] == "ana"
    asked = gateway.remit("who", "ana", "--json", session=session[0]["session"])
    assert asked.returncode == 0, asked.stderr


@needs_browser
def test_people_come_from_a_provider_that_others_wrote(tmp_path: Path, page: Page) -> None:
    """Over the provider's own page and back; the rules say who they are here and where they belong."""
    user = oidc_provider_mock.User(sub="subject-9")
    secret = tmp_path / "provider.secret"
    secret.touch(mode=0o600)
    secret.write_text("s3cret")
    with oidc_provider_mock.run_server_in_thread(require_nonce=True, user_claims=(user,)) as server:
        provider = (
            f"{{issuer: 'http://localhost:{server.server_port}', client_id: remit, title: Acme,"
            " client_secret: 'file:provider.secret', person: sub, add_people: true}"
        )
        with LiveGateway(tmp_path, f"sign_in:\n  oidc:\n    acme: {provider}\n") as gateway:
            page.goto(f"http://localhost:{gateway.port}/oauth/account")
            shoot(page, "sign-in-provider")
            page.get_by_role("link", name="Continue with Acme").click()
            page.locator("input[name=sub]").fill("subject-9")
            page.locator("input[name=sub]").press("Enter")
            expect(page.get_by_role("heading", name="Your account")).to_be_visible()
            expect(page.get_by_text("by your organisation")).to_be_visible()
            people = gateway.wait(gateway.services.identity.directory.people())
            assert "subject-9" in {one.name for one in people}
