# SPDX-License-Identifier: Apache-2.0
"""Who attacks people as they sign in: other sites, sessions put into browsers, other people's sign-ins."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.requests import Request

from remit.adapters.provider.oidc import OidcProvider
from remit.api import app
from remit.api.oauth.browser.rendering import PageRequest
from remit.api.rooms import page_rooms
from remit.core.evidence.event import EventKind
from remit.core.identity.admission import AdmissionRules
from remit.services.people.sessions import Entrance
from tests.servers.lying_provider import ProviderWorld, provider
from tests.worlds.pages import Browsing, Page, address, lena, made, world
from tests.worlds.services import ServiceWorld, a_bundle, service_world
from tests.worlds.values import WorldClock

__all__ = ["lena", "made", "provider", "world"]
Json = Any
SUMMARISE = address(task_type="summarise-contract")


async def test_a_form_that_another_site_sends(world: ServiceWorld, lena: Browsing) -> None:
    """By its origin, by what the browser says of it, and by what only our pages can know."""
    page = await lena.get(SUMMARISE)
    form = page.form()
    fields = form["fields"] | {"decision": "allow", "p.id": "C-42"}
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        assert (await lena.post(form["action"], fields, **headers)).status == 403
    for token in ("", "0" * 64, form["fields"]["csrf"][:-1]):
        assert (await lena.post(form["action"], fields | {"csrf": token})).status == 403
    other = Browsing(world)
    await other.sign_in("leo")
    assert (await other.post(form["action"], fields)).status == 403
    assert await world.services.store.tasks(world.services.tenant, agent="notebook") == []


async def test_an_application_of_another_site_may_send_its_person(lena: Browsing) -> None:
    """By a link, as a separate page; not in a frame, not as an image, and with nothing but GET."""
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert (await lena.get(SUMMARISE, **link)).status == 200
    for change in (
        {"sec-fetch-dest": "iframe"},
        {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
        {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty", "origin": "https://app.example"},
    ):
        assert (await lena.get(SUMMARISE, **(link | change))).status == 403
    assert (await lena.send("POST", SUMMARISE, b"", link)).status == 403
    assert (await lena.get("/api/v1/me", **link)).status == 403


async def test_signing_somebody_in_as_somebody_else(world: ServiceWorld) -> None:
    """The sign-in form too belongs to the browser that was shown it (login CSRF)."""
    code = await world.services.identity.authenticator.make_code("lena", by="root")
    mallory, victim = Browsing(world), Browsing(world)
    shown = await mallory.get("/oauth/sign-in")
    await victim.get("/oauth/sign-in")
    forced = await victim.post("/oauth/sign-in", shown.form("code")["fields"] | {"code": code})
    assert forced.status == 403
    assert not any("session" in name for name in victim.cookies)


async def test_a_session_that_was_put_into_the_browser(world: ServiceWorld) -> None:
    """A sign-in makes a new secret, whatever the browser had; and the session before it ends."""
    browser = Browsing(world)
    browser.cookies["remit-session"] = "rmb_" + "ab" * 32
    await browser.sign_in("lena")
    first = browser.cookies["remit-session"]
    assert first != "rmb_" + "ab" * 32
    page = await browser.get("/oauth/sign-in?fresh=1")
    code = await world.services.identity.authenticator.make_code("lena", by="root")
    await browser.fill(page, "code", code=code)
    assert browser.cookies["remit-session"] != first
    old = Browsing(world)
    old.cookies["remit-session"] = first
    assert (await old.get("/oauth/account")).status == 303


async def test_a_secret_of_one_kind_does_not_open_the_other_endpoints(
    world: ServiceWorld, lena: Browsing
) -> None:
    """The cookie's is no bearer token, and a program's session is no cookie."""
    assert (await world.ask("GET", "/api/v1/me", by=lena.cookies["remit-session"])).status == 401
    browser = Browsing(world)
    browser.cookies["remit-session"] = await world.session("lena")
    assert (await browser.get("/oauth/account")).status == 303


async def test_pages_forbid_frames_and_strange_sources(lena: Browsing) -> None:
    """On every page: no framing, no script from elsewhere, no form to elsewhere, no trace in caches."""
    for page in (
        await lena.get(SUMMARISE),
        await lena.get("/oauth/account"),
        await lena.get("/oauth/sign-in?fresh=1"),
        await lena.get("/oauth/authorize"),
        await Browsing(lena.world).get("/oauth/sign-in"),
    ):
        policy = page.headers["content-security-policy"]
        for part in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"):
            assert part in policy
        assert "unsafe" not in policy
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "same-origin"
        assert not re.search(r'(src|href)="(https?:)?//', page.text)
        assert " style=" not in page.text
    framed = await lena.get(SUMMARISE, **{"sec-fetch-dest": "iframe", "sec-fetch-site": "cross-site"})
    assert framed.status == 403


async def test_cookies_are_the_hosts_own(world: ServiceWorld, lena: Browsing) -> None:
    """No script reads them, no other path or host sets them where there is TLS."""
    assert lena.set_cookies
    for cookie in lena.set_cookies:
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()
        assert "Domain" not in cookie
    secure = replace(world.services, people=replace(world.services.people, origin="https://remit.example"))
    visit = await PageRequest.enter(Request({"type": "http", "headers": []}), page_rooms(secure))
    visit.signed_in("rmb_x")
    told = visit.go("/")
    set_ = [value.decode() for name, value in told.raw_headers if name == b"set-cookie"]
    assert all(one.startswith("__Host-remit-") and "Secure" in one and "Path=/" in one for one in set_)


@pytest.mark.parametrize(
    "then",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/oauth/authorize?\\..\\evil",
        "/oauth/authorize?x\r\nSet-Cookie: a=b",
        "/oauth/sign-out",
        "/elsewhere",
        "javascript:alert(1)",
        "/oauth/account" + "x" * 20_000,
    ],
)
async def test_where_a_sign_in_leads(world: ServiceWorld, then: str) -> None:
    """To a page of ours, whatever the address asked for."""
    browser = Browsing(world)
    page = await browser.get("/oauth/sign-in?then=" + quote(then, safe="")[:30_000])
    fields = page.form("code")["fields"] | {"then": then}
    fields["code"] = await world.services.identity.authenticator.make_code("lena", by="root")
    done = await browser.post("/oauth/sign-in", fields)
    assert done.status == 303
    assert done.location == "/oauth/account"


async def test_codes_are_not_guessed(world: ServiceWorld) -> None:
    """By default a code from another machine is refused; where it is accepted, a caller who guesses must
    wait, and no other caller.
    """
    far = Browsing(world, client="203.0.113.7")
    code = await world.services.identity.authenticator.make_code("lena", by="root")
    assert (await far.fill(await far.get("/oauth/sign-in"), "code", code=code)).status == 403
    world.asgi = app(world.services, reload=a_bundle, remote_sign_in=True)
    statuses = [
        (await far.fill(await far.get("/oauth/sign-in"), "code", code="aaaa-bbbb-cccc-dddd")).status
        for _ in range(12)
    ]
    assert (statuses[0], statuses[-1]) == (401, 429)
    near = Browsing(world)
    assert (await near.fill(await near.get("/oauth/sign-in"), "code", code=code)).status == 303


@pytest.fixture
async def admitting(tmp_path: Path, provider: ProviderWorld) -> AsyncIterator[ServiceWorld]:
    """A gateway whose people come from the provider."""
    clock = WorldClock()
    provider.now = int(clock.now().timestamp())
    rules = AdmissionRules(add_people=True, groups={"Legal": "legal"}, require={"tid": "acme"})
    provider.claims = {"tid": "acme"}
    entrance = Entrance(
        title="Acme", provider=OidcProvider(provider.issuer, client_id="remit", clock=clock), rules=rules
    )
    async with service_world(tmp_path, entrances={"acme": entrance}) as world:
        yield world


async def go_and_come(browser: Browsing, provider: ProviderWorld, **claims: Json) -> Page:
    """Go to the provider, and come back with these claims."""
    away = await browser.get("/oauth/sign-in/with/acme?then=/oauth/account")
    assert away.status == 303, away.text
    provider.nonce = away.answer["nonce"]
    provider.claims = {"tid": "acme", "sub": "s-1", "preferred_username": "nora"} | claims
    return await browser.get(
        f"/oauth/sign-in/arrive?code=c&state={away.answer['state']}",
        **{"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
    )


async def test_people_come_in_from_the_provider(admitting: ServiceWorld, provider: ProviderWorld) -> None:
    """They are added by the rules, and their groups follow the provider at each sign-in."""
    browser = Browsing(admitting)
    back = await go_and_come(browser, provider, groups=["Legal", "Other"])
    assert back.location == "/oauth/account"
    account = (await browser.get("/oauth/account")).text
    assert "nora" in account
    assert "Your account at Acme is linked." in account
    assert "Connect Acme" not in account
    assert (await admitting.services.identity.directory.person("nora")).groups == ("legal",)
    await go_and_come(Browsing(admitting), provider, groups=[])
    assert (await admitting.services.identity.directory.person("nora")).groups == ()


async def test_a_name_is_not_handed_on(admitting: ServiceWorld, provider: ProviderWorld) -> None:
    """A subject stays the same person; another subject with the same name is not signed in."""
    await go_and_come(Browsing(admitting), provider)
    renamed = Browsing(admitting)
    await go_and_come(renamed, provider, preferred_username="norah")
    assert "<strong>nora</strong>" in (await renamed.get("/oauth/account")).text
    thief = Browsing(admitting)
    refused = await go_and_come(thief, provider, sub="s-2")
    assert refused.status >= 400
    assert (await thief.get("/oauth/account")).status == 303


async def test_a_name_with_authority_is_not_taken_over(
    admitting: ServiceWorld, provider: ProviderWorld
) -> None:
    """Who calls themselves `root` at the provider is not root here, until root has said so here."""
    refused = await go_and_come(Browsing(admitting), provider, preferred_username="root")
    assert refused.status == 403
    assert "not linked to this account yet" in refused.text
    root = Browsing(admitting)
    await root.sign_in("root")
    assert (await go_and_come(root, provider, preferred_username="root")).status == 303
    again = Browsing(admitting)
    await go_and_come(again, provider, preferred_username="root")
    assert "<strong>root</strong>" in (await again.get("/oauth/account")).text


@pytest.mark.parametrize(
    "claims",
    [{"tid": "other"}, {"tid": None}, {"preferred_username": None}, {"preferred_username": "No One"}],
)
async def test_who_the_rules_do_not_admit(
    admitting: ServiceWorld, provider: ProviderWorld, claims: Json
) -> None:
    """Another organisation's account, or one without a name that can be used; the evidence says why."""
    assert (await go_and_come(Browsing(admitting), provider, **claims)).status == 403
    kinds = (EventKind.SIGN_IN_REFUSED.value,)
    (refused,) = await admitting.services.evidence.log.pages(limit=10, kinds=kinds)
    code = json.loads(refused.leaf)["facts"]["code"]
    assert code == ("sign-in-claims" if "tid" in claims else "sign-in-name")


async def test_a_sign_in_that_was_begun_elsewhere(admitting: ServiceWorld, provider: ProviderWorld) -> None:
    """The attacker's own answer, sent to the victim's browser, signs no one in; nor does a second use."""
    mallory, victim = Browsing(admitting), Browsing(admitting)
    away = await mallory.get("/oauth/sign-in/with/acme")
    provider.nonce = away.answer["nonce"]
    provider.claims = {"tid": "acme", "preferred_username": "mallory"}
    arrival = f"/oauth/sign-in/arrive?code=c&state={away.answer['state']}"
    assert (await victim.get(arrival)).status == 403
    assert (await victim.get("/oauth/sign-in/arrive?code=c&state=")).status == 403
    assert (await mallory.get(arrival)).status == 303
    assert (await mallory.get(arrival)).status == 403


async def test_an_answer_of_another_server(admitting: ServiceWorld, provider: ProviderWorld) -> None:
    """A mix-up: the `iss` in the answer is not the provider's, so its code goes nowhere."""
    browser = Browsing(admitting)
    away = await browser.get("/oauth/sign-in/with/acme")
    provider.nonce = away.answer["nonce"]
    mixed = await browser.get(
        f"/oauth/sign-in/arrive?code=c&state={away.answer['state']}&iss=https%3A%2F%2Fevil.example"
    )
    assert mixed.status == 403
    assert provider.forms == []
