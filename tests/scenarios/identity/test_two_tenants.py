# SPDX-License-Identifier: Apache-2.0
"""Threat: one tenant asks for what is another's. Both are in one process and one database.

Every endpoint is asked with every kind of another tenant's ids, in the path, the query and the body. It
answers as for an id that never was, shows no word of the other tenant, and changes no row of it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from remit.api.console.page import ROOT
from remit.api.console.routes import PAGES
from remit.api.rest.route import Endpoint
from remit.api.route_table import ENDPOINTS
from remit.core.decisions.decision import Outcome
from remit.core.errors import RemitError
from remit.core.oauth.access_token import TOKEN_TYPE
from tests.refusals import refused
from tests.worlds.services import Told
from tests.worlds.tenants import SECRET, Tenant, forms, rows, two_tenants

Json = Any
Both = tuple[Tenant, Tenant]
#: What clients of MCP ask.
METHODS = (
    *("initialize", "ping", "server/discover", "subscriptions/listen", "logging/setLevel"),
    *("tools/list", "tools/call", "prompts/list", "prompts/get", "completion/complete"),
    *("resources/list", "resources/templates/list", "resources/read", "resources/subscribe"),
    *("resources/unsubscribe", "tasks/get", "tasks/update", "tasks/cancel", "notifications/cancelled"),
)
#: They wait for what happens next, and give no end.
WAITING = {"/api/v1/approvals/watch"}
#: They take what the caller sends, and end its session or its keys' use.
ENDING = {"/api/v1/sign-out", "/api/v1/sign-in", "/api/v1/sign-in/browser"}
READING = [one for one in ENDPOINTS if one.method == "GET" and one.path not in WAITING]
#: What makes something comes last: until then nothing here has these names.
WRITING = sorted(
    (one for one in ENDPOINTS if one.method != "GET" and one.path not in ENDING),
    key=lambda one: "{" not in one.path,
)
DRAWN = re.compile(
    r"\b[a-z]+_[a-z2-7]{16}\b|[0-9a-f]{64}|\b[a-z2-7]{4}(-[a-z2-7]{4}){3}\b|[A-Za-z0-9_-]{43}|\d+"
)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where the one database is."""
    if request.param == "sqlite":
        return tmp_path / "remit.db"
    address: str = request.getfixturevalue("postgres")
    return address


@pytest.fixture
async def both(place: str | Path, tmp_path: Path) -> AsyncIterator[Both]:
    """The tenant that has lived in, and the one that asks."""
    url = place if isinstance(place, str) else ""
    async with two_tenants(tmp_path, url) as (acme, globex):
        await acme.live_in()
        yield acme, globex


def never_was(text: str, end: str = "aaa") -> str:
    """Return an id of the same form that nothing has."""
    return text[:-3] + end


def requests(endpoint: Endpoint[Any], text: str) -> list[tuple[str, Json]]:
    """Return the requests to an endpoint that name something, by address and body."""
    path = re.sub(r"\{[^}]*\}", quote(text, safe=""), endpoint.path)
    asked = [""]
    for query in forms(endpoint.asks, text):
        asked += ["?" + urlencode({name: value}) for name, value in (query or {}).items()]
    return [(path + query, body) for body in forms(endpoint.takes, text) for query in dict.fromkeys(asked)]


class Caller:
    """Asks as someone of the tenant who may do everything; signs in again where a request ended that."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._shown: dict[str, str] = {}

    async def ask(self, endpoint: Endpoint[Any], address: str, body: Json = None) -> Told:
        """Make a request with what its endpoint wants to see."""
        kind = "person" if endpoint.people is not None else "agent" if endpoint.agents else "task"
        told = await self._told(kind, endpoint, address, body)
        if told.status == 401:
            del self._shown[kind]
            told = await self._told(kind, endpoint, address, body)
        return told

    async def _told(self, kind: str, endpoint: Endpoint[Any], address: str, body: Json) -> Told:
        if kind not in self._shown:
            self._shown[kind] = await self._credential(kind)
        return await self._tenant.ask(endpoint.method, address, body, by=self._shown[kind])

    async def _credential(self, kind: str) -> str:
        match kind:
            case "person":
                return await self._tenant.session()
            case "agent":
                return await self._tenant.agents_own()
            case _:
                return await self._tenant.task_token()


def plain(answer: str, text: str) -> str:
    """Return an answer without the id that was asked for, and without ids and numbers."""
    return DRAWN.sub("DRAWN", answer.replace(text, "ID"))


async def test_reading_shows_nothing_of_another_tenant(both: Both) -> None:
    """No endpoint and no page of the console has one of its ids or words, asked for or not."""
    acme, globex = both
    caller = Caller(globex)
    browser = await globex.browser("all")
    seen = 0
    for text in ("", *acme.ids.values()):
        others = [SECRET, "acme", *(one for one in acme.ids.values() if len(one) > 4 and one not in text)]
        answers = []
        for endpoint in READING:
            for address, _ in requests(endpoint, text or "none"):
                answers.append((address, (await caller.ask(endpoint, address)).content.decode()))
        for address, *_ in PAGES:
            page = await browser.get(ROOT + re.sub(r"\{[^}]*\}", quote(text or "none", safe=""), address))
            answers.append((address, page.text))
        answers.append(("/metrics", (await globex.ask("GET", "/metrics")).content.decode()))
        for address, answer in answers:
            found = [one for one in others if one in answer]
            assert not found, (address, text, found)
        seen += len(answers)
    assert seen > 1000
    # The other tenant itself is shown these words: the search is one that finds.
    mine = await acme.ask("GET", f"/api/v1/tasks/{acme.ids['task']}", by=await acme.session())
    assert SECRET in mine.content.decode()


async def test_nothing_that_is_shown_depends_on_another_tenant(place: str | Path, tmp_path: Path) -> None:
    """Every list, count, figure and page is the same before the other tenant has lived in and after."""
    async with two_tenants(tmp_path, place if isinstance(place, str) else "") as (acme, globex):
        caller, browser = Caller(globex), await globex.browser("all")
        await caller.ask(READING[0], READING[0].path)

        async def shown() -> dict[str, str]:
            answers = {
                address: (await caller.ask(endpoint, address)).content.decode()
                for endpoint in READING
                if endpoint.people is not None
                for address, _ in requests(endpoint, "none")
            }
            for address in (ROOT + one[0] for one in PAGES if "{" not in one[0]):
                answers[address] = (await browser.get(address)).text
            return answers | {"/metrics": (await globex.ask("GET", "/metrics")).content.decode()}

        await shown()  # what is remembered of the first look is the same from here on
        before = await shown()
        await acme.live_in()
        after = await shown()
        assert len(before) > 150
        assert [one for one in before if before[one] != after[one]] == []


async def test_an_id_of_another_tenant_is_one_that_never_was(both: Both, place: str | Path) -> None:
    """Whatever the endpoint does: same status, same words, and no row of the other tenant changes."""
    acme, globex = both
    before = rows(place, "acme")
    assert sum(map(len, before.values())) > 50
    asked, caller = 0, Caller(globex)
    texts = acme.ids.values() if isinstance(place, Path) else (acme.ids["task"], acme.ids["agent"])
    for endpoint in (*READING, *WRITING):
        for text in texts:
            other = never_was(text)
            named = zip(
                *(requests(endpoint, one) for one in (text, other, never_was(text, "bbb"))), strict=True
            )
            for (theirs, body), (unknown, no_body), first in named:
                if text not in f"{theirs} {body}":
                    continue
                # What it does to the one who asks, such as to end everything, it does at first.
                await caller.ask(endpoint, *first)
                told = await caller.ask(endpoint, theirs, body)
                again = await caller.ask(endpoint, unknown, no_body)
                answers = plain(told.content.decode(), text), plain(again.content.decode(), other)
                assert (told.status, answers[0]) == (again.status, answers[1]), (
                    endpoint.method,
                    theirs,
                    body,
                )
                asked += 1
    browser = await globex.browser("all")
    for address in (ROOT + one[0] for one in PAGES if "{" in one[0]):
        for text in texts:
            pages = [
                await browser.get(re.sub(r"\{[^}]*\}", quote(one, safe=""), address))
                for one in (text, never_was(text))
            ]
            theirs, unknown = (page.text for page in pages)
            assert plain(theirs, text) == plain(unknown, never_was(text)), address
    assert asked > 300
    assert rows(place, "acme") == before


async def test_with_the_same_ids_each_tenant_ends_its_own(place: str | Path, tmp_path: Path) -> None:
    """Both draw the same ids and have the same names: what one ends and retires goes on in the other."""
    url = place if isinstance(place, str) else ""
    async with two_tenants(tmp_path, url, seeds=("same", "same")) as (acme, globex):
        task, token = await acme.open()
        same, no_more = await globex.open()
        assert task.id == same.id
        before = rows(place, "acme")
        by = await globex.session()
        agent, everything = {"kind": "agent", "name": "clerk"}, {"kind": "everything"}
        ends = (("end", {"kind": "task", "name": same.id}), ("lock", agent), ("lock", everything))
        for what, body in ends:
            told = await globex.ask("POST", f"/api/v1/{what}", body | {"reason": "enough"}, by=by)
            assert told.status == 200, told.content
        retire = {"state": "retired", "reason": "enough"}
        assert (await globex.ask("POST", "/api/v1/agents/clerk/state", retire, by=by)).status == 200
        leave = {"active": False, "reason": "left"}
        assert (await globex.ask("POST", "/api/v1/people/lena/state", leave, by=by)).status == 200
        assert rows(place, "acme") == before
        await acme.services.replicas.membership.renew()  # it hears what the database tells
        with pytest.raises(RemitError):
            await globex.call(no_more, "read", text="-")
        assert await acme.outcome(token, "read", text="-") is Outcome.PERMIT
        assert (await acme.open())[0].active_at(acme.clock.now())


async def test_credentials_of_another_tenant_open_nothing(both: Both) -> None:
    """A session, an agent's token and a task's, at every endpoint and method; and under one signing key."""
    acme, globex = both
    shown = [await acme.session(), await acme.agents_own(), await acme.task_token()]
    for by in shown:
        for endpoint in ENDPOINTS:
            if not endpoint.open:
                told = await globex.ask(endpoint.method, requests(endpoint, "none")[0][0], by=by)
                assert told.status == 401, (endpoint.method, endpoint.path, told.content)
    for method in METHODS:
        for path in ("/mcp", "/mcp/desk"):
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {}}
            assert (await globex.ask("POST", path, body, by=shown[2], mcp=True)).status == 401
    claims = acme.services.identity.authenticator.unproven(shown[2], acme.clock.now())
    resigned = await globex.services.keys.tokens.sign(claims.to_wire(), token_type=TOKEN_TYPE)
    with refused("token-tenant"):
        globex.services.identity.authenticator.unproven(resigned, globex.clock.now())
    task = acme.ids["task"]
    assert (await globex.ask("GET", f"/api/v1/tasks/{task}", by=resigned)).status == 401


async def test_logs_keys_and_notifications_are_apart(both: Both) -> None:
    """Each log has its name, size and signer; no addressee is told of what happens at the other tenant."""
    acme, globex = both
    signed = []
    for one in both:
        told = await one.ask("GET", "/tlog/checkpoint", by=await one.session())
        origin, size, *_ = told.content.decode().splitlines()
        signed.append((origin, size, told.content.decode().splitlines()[-1]))
    assert [origin for origin, *_ in signed] == ["remit/acme", "remit/globex"]
    assert len({size for _, size, _ in signed}) == len({signature for *_, signature in signed}) == 2
    keys = [(await one.ask("GET", "/oauth/jwks")).content for one in both]
    assert keys[0] != keys[1]
    for one in both:
        await one.services.signals.notifications.turn()
    assert any("approval" in str(one) for one in acme.told)
    assert not any(SECRET in str(one) or acme.ids["task"] in str(one) for one in globex.told)
    assert len(acme.told) > len(globex.told)
