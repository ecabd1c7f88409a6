# SPDX-License-Identifier: Apache-2.0
"""A person at a browser without a browser: cookies, forms and links of remit's pages, over the endpoints of a
gateway world. What only a real browser does (scripts, policies, passkeys) is tested in one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import msgspec
import pytest

from remit.core.identity.workload import ClientBinding
from remit.core.oauth.one_time_code import ConsentCode
from remit.core.policy.bundle import Bundle
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import Parameter, TaskType
from remit.ports.fetch import Fetched
from remit.services.identity.directory import NewAgent
from remit.services.people.consents import ConsentRules
from remit.services.separation.sign_in_methods import AT_START
from tests.servers.lying_provider import ProviderWorld
from tests.worlds.services import LOOPBACK, PUBLIC_URL, ServiceWorld, Told, a_bundle, exchange, service_world

Json = Any
TERMINAL = "http://127.0.0.1:50100/signed-in"

ORIGIN = "http://localhost:8700"
APP = "https://app.example/client.json"
CALLBACK = "https://app.example/callback"
VERIFIER = "verifier-" * 6
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()

DEPLOYING = TaskType(
    name="deploy-change",
    purpose="Deploy one change",
    run_by=("notebook",),
    requested_by=("group:legal",),
    parameters={"change": Parameter(), "times": Parameter(type="integer", required=False)},
    grants=(GrantTemplate("changes/deploy", {"change": {"exact": "{change}"}}),),
)
OPEN_TO_ALL = TaskType(
    name="look-around",
    purpose="Look around in the contracts",
    run_by=("group:self-service",),
    requested_by=("group:legal",),
    grants=(GrantTemplate("contracts/read", other_arguments=True),),
)
OPEN_DEPLOY = msgspec.structs.replace(DEPLOYING, name="deploy-anything", run_by=("group:self-service",))


class Documents:
    """A fetcher with the documents that a test publishes."""

    def __init__(self) -> None:
        self.published: dict[str, Fetched | Exception] = {}
        self.asked: list[str] = []
        self.publish(APP)

    def publish(self, address: str, **changes: Json) -> None:
        """Publish an application."""
        document = {
            "client_id": address,
            "client_name": "Notebook",
            "redirect_uris": [CALLBACK, "http://127.0.0.1/callback"],
        } | changes
        self.published[address] = Fetched(
            url=address,
            status=200,
            headers={"content-type": "application/json"},
            body=json.dumps(document).encode(),
        )

    async def get(
        self, url: str, *, accept: str = "application/json", max_bytes: int = 0, timeout_s: float = 5.0
    ) -> Fetched:
        """Return a document."""
        self.asked.append(url)
        found = self.published.get(url) or Fetched(url=url, status=404)
        if isinstance(found, Exception):
            raise found
        return found


class _Forms(HTMLParser):
    """Reads the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Json]] = []
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take forms and fields."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append({"action": given.get("action", ""), "fields": {}, "buttons": set()})
        elif tag == "button" and "name" in given and self.forms:
            self.forms[-1]["buttons"].add(given["name"])
        elif tag == "input" and "name" in given and given.get("type") != "checkbox" and self.forms:
            self.forms[-1]["fields"][given["name"]] = given.get("value", "")


@dataclass
class Page:
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str
    cookies: list[str] = field(default_factory=list)

    @property
    def forms(self) -> list[dict[str, Json]]:
        """The forms of the page."""
        reader = _Forms()
        reader.feed(self.text)
        return reader.forms

    def form(self, part: str = "decision") -> dict[str, Json]:
        """The first form that has a button or a field of this name, or goes to an address with it."""
        found = [
            one for one in self.forms if part in {*one["fields"], *one["buttons"]} or part in one["action"]
        ]
        assert found, self.text
        return found[0]

    @property
    def location(self) -> str:
        """Where the browser is sent, by a redirect or by the page that leads back to the application."""
        if "location" in self.headers:
            return self.headers["location"]
        before = 'content="0;url='
        if before not in self.text:
            return ""
        raw = self.text.split(before)[1].split('"')[0]
        return raw.replace("&amp;", "&").replace("&#39;", "'")

    @property
    def answer(self) -> dict[str, str]:
        """What stands in the address that the browser is sent to."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.location).query).items()}


class Browsing:
    """One browser: it keeps cookies and sends what a browser sends."""

    def __init__(self, world: ServiceWorld, client: str = LOOPBACK) -> None:
        self.world = world
        self.client = client
        self.cookies: dict[str, str] = {}
        self.set_cookies: list[str] = []
        #: What happens after the head of a request has arrived, and before its body does.
        self.before_body: Callable[[], Awaitable[object]] | None = None

    async def send(
        self, method: str, path: str, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Page:
        """Send one request."""
        given = {"host": "localhost:8700", "user-agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"}
        if self.cookies:
            given["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        given |= dict(headers or {})
        cookies: list[str] = []

        async def keep(scope: Json, receive: Json, sending: Json) -> None:
            async def send(message: Json) -> None:
                if message["type"] == "http.response.start":
                    cookies.extend(v.decode() for n, v in message["headers"] if n == b"set-cookie")
                await sending(message)

            await self.world.asgi(scope, receive, send)

        told = await exchange(
            keep, method, path, list(given.items()), content, self.client, before_body=self.before_body
        )
        for cookie in cookies:
            name, _, rest = cookie.partition("=")
            value = rest.partition(";")[0].strip('"')
            if value and "Max-Age=0" not in cookie:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        self.set_cookies += cookies
        return Page(told.status, told.headers, told.content.decode(), cookies)

    async def get(self, address: str, **headers: str) -> Page:
        """Go to an address of remit."""
        parts = urlsplit(address)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        return await self.send("GET", path, headers=headers)

    async def post(self, action: str, fields: Mapping[str, str], **headers: str) -> Page:
        """Send a form."""
        sent = {"content-type": "application/x-www-form-urlencoded", "origin": ORIGIN} | headers
        return await self.send("POST", action, urlencode(fields).encode(), sent)

    async def fill(self, page: Page, part: str = "decision", **fields: str) -> Page:
        """Fill in the form of a page and send it."""
        form = page.form(part)
        return await self.post(form["action"], form["fields"] | fields)

    async def ask(self, path: str, body: Json, **headers: str) -> Page:
        """Send what the script of the pages sends."""
        sent = {"content-type": "application/json", "origin": ORIGIN} | headers
        return await self.send("POST", path, json.dumps(body).encode(), sent)

    async def sign_in(self, person: str = "lena") -> None:
        """Sign in with a code."""
        code = await self.world.services.identity.authenticator.make_code(person, by=AT_START)
        page = await self.get("/oauth/sign-in")
        done = await self.fill(page, "sign-in", code=code)
        assert done.status == 303, done.text


def asking(**changes: str) -> dict[str, str]:
    """Return the parameters of a good authorization request; an empty one is left out."""
    fields = {
        "response_type": "code",
        "client_id": APP,
        "redirect_uri": CALLBACK,
        "state": "state-1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "resource": f"{PUBLIC_URL}/mcp",
    } | changes
    return {name: value for name, value in fields.items() if value}


def address(**changes: str) -> str:
    """Return the address of a good authorization request."""
    return "/oauth/authorize?" + urlencode(asking(**changes))


def pages_bundle() -> Bundle:
    """Return the bundle of the legal team, with work for an interactive application."""
    bundle = a_bundle()
    summarise = msgspec.structs.replace(
        bundle.task_types["summarise-contract"], run_by=("contract-bot", "notebook")
    )
    more = (summarise, DEPLOYING, OPEN_TO_ALL, OPEN_DEPLOY)
    return msgspec.structs.replace(bundle, task_types=bundle.task_types | {one.name: one for one in more})


@asynccontextmanager
async def page_world(folder: Path, **outfit: Any) -> AsyncIterator[tuple[ServiceWorld, Documents]]:
    """Open a gateway where applications are known by their documents, and `notebook` is registered."""
    documents = Documents()
    given = {"consent": ConsentRules(self_service=("legal",))} | outfit
    async with service_world(folder, document_fetch=documents, **given) as world:
        await world.services.policies.apply(pages_bundle(), by="remit")
        await world.services.identity.directory.register(
            NewAgent(
                name="notebook",
                owner="lena",
                purpose="works with lawyers",
                bindings=(ClientBinding(APP),),
            ),
            by="root",
        )
        yield world, documents


async def code_behind(world: ServiceWorld, code: str) -> ConsentCode:
    """Return what a code stands for."""
    ticket = await world.services.people.browsers.tickets.look(code)
    assert ticket is not None
    assert isinstance(ticket.holds, ConsentCode)
    return ticket.holds


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[tuple[ServiceWorld, Documents]]:
    """A gateway with pages."""
    async with page_world(tmp_path) as pair:
        yield pair


@pytest.fixture
def world(made: tuple[ServiceWorld, Documents]) -> ServiceWorld:
    """The gateway."""
    return made[0]


@pytest.fixture
async def lena(world: ServiceWorld) -> Browsing:
    """A lawyer, signed in."""
    browser = Browsing(world)
    await browser.sign_in("lena")
    return browser


async def terminal_code(browser: Browsing) -> str:
    """Let a command line act for the person at a browser; return the code that it gets."""
    asked = {"redirect_uri": TERMINAL, "code_challenge": CHALLENGE, "state": "s" * 24}
    page = await browser.get("/oauth/terminal?" + urlencode(asked))
    done = await browser.fill(page, decision="allow")
    return done.answer["code"]


async def take(world: ServiceWorld, code: str) -> Told:
    """Exchange a terminal's code for a session."""
    body = {"code": code, "code_verifier": VERIFIER, "redirect_uri": TERMINAL}
    return await world.ask("POST", "/api/v1/sign-in/browser", body)


async def come(browser: Browsing, at: str, provider: ProviderWorld, fresh: str = "", **claims: Json) -> Page:
    """Go to a provider, and come back with these claims."""
    away = await browser.get(f"/oauth/sign-in/with/{at}?then=/oauth/account{fresh}")
    assert away.status == 303, away.text
    provider.nonce = away.answer["nonce"]
    provider.claims = claims
    return await browser.get(f"/oauth/sign-in/arrive?code=c&state={away.answer['state']}")


async def push(world: ServiceWorld, **changes: str) -> Any:
    """Push a request."""
    fields = asking(task_type="summarise-contract", **changes)
    headers = [("content-type", "application/x-www-form-urlencoded")]
    return await exchange(world.asgi, "POST", "/oauth/par", headers, urlencode(fields).encode(), LOOPBACK)


def pushed_address(told: Any, client: str = APP) -> str:
    """Return the short address of a pushed request."""
    uri = quote(told.json["request_uri"], safe="")
    return f"/oauth/authorize?client_id={quote(client, safe='')}&request_uri={uri}"
