# SPDX-License-Identifier: Apache-2.0
"""Endpoints of people: terminals that outlive a sign-out, proxies in front, answers that lead away."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from remit.api import app
from remit.gateway.asgi import counting
from remit.services.limits.client_address import Proxies
from remit.services.limits.request_bodies import Bodies
from tests.worlds.pages import (
    CALLBACK,
    TERMINAL,
    VERIFIER,
    Browsing,
    lena,
    made,
    push,
    pushed_address,
    take,
    terminal_code,
    world,
)
from tests.worlds.services import API, PUBLIC_URL, ServiceWorld, a_bundle, exchange

__all__ = ["lena", "made", "world"]
Json = Any


async def test_a_sign_out_ends_the_codes_of_terminals(world: ServiceWorld, lena: Browsing) -> None:
    """A code issued before the sign-out opens no session after it, whichever person requested the
    sign-out.
    """
    assert (await take(world, await terminal_code(lena))).status == 200
    by_themselves = await terminal_code(lena)
    await lena.fill(await lena.get("/oauth/account"), "sign-out")
    told = await take(world, by_themselves)
    assert (told.status, told.json["code"]) == (401, "sign-in-browser")
    await lena.sign_in("lena")
    by_an_administrator = await terminal_code(lena)
    # A signal of a revoked session does the very same.
    await world.services.identity.personnel.sign_out("lena", by="root")
    assert (await take(world, by_an_administrator)).status == 401


async def test_proxies_count_where_programs_sign_in(world: ServiceWorld) -> None:
    """Behind a configured proxy a caller who guesses delays only themselves."""
    inner = app(world.services, reload=a_bundle, remote_sign_in=True)
    asgi = counting(inner, Bodies(1 << 20), Proxies(["10.0.0.1"]))
    verified = {"code_verifier": VERIFIER, "redirect_uri": TERMINAL}
    for path, more in (("/api/v1/sign-in", {}), ("/api/v1/sign-in/browser", verified)):

        async def guess(caller: str, at: str = path, more: Json = more) -> int:
            headers = [("x-forwarded-for", caller), ("content-type", "application/json")]
            body = json.dumps({"code": "guess"} | more).encode()
            return (await exchange(asgi, "POST", at, headers, body, "10.0.0.1")).status

        guesser = f"192.0.2.{len(more)}"
        assert [await guess(guesser) for _ in range(11)] == [401] * 10 + [429]
        assert await guess("192.0.2.99") == 401


async def test_a_pushed_request_leads_nobody_away_unasked(world: ServiceWorld, lena: Browsing) -> None:
    """An agent that pushes names any address: what remit answers by itself waits there for the person."""
    proof = {
        "client_id": "contract-bot",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    for browser in (lena, Browsing(world)):
        told = await push(
            world,
            **proof,
            client_assertion=world.assertion("contract-bot"),
            redirect_uri="https://evil.example/",
            prompt="none",
        )
        page = await browser.get(pushed_address(told, "contract-bot"))
        assert (page.status, page.location) == (200, "")
        assert "evil.example" in page.text
    # A registered application has published its address.
    told = await push(world, prompt="none")
    gone = await lena.get(pushed_address(told))
    assert gone.status == 303
    assert urlsplit(gone.location)._replace(query="").geturl() == CALLBACK


async def test_a_tasks_token_is_for_what_it_was_asked_for(world: ServiceWorld) -> None:
    """Asked for the gateway it opens nothing of the management interface, its own task included."""
    task = await world.open(await world.session("lena"))
    token = (await world.task_token(task, resource=f"{PUBLIC_URL}/mcp")).json["access_token"]
    for method, path in (
        ("GET", "/api/v1/me"),
        ("GET", f"/api/v1/tasks/{task}"),
        ("POST", f"/api/v1/tasks/{task}/renew"),
    ):
        told = await world.ask(method, path, by=token)
        assert (told.status, told.json["code"]) == (401, "token-audience"), path
    for more in ({"resource": API}, {}):
        token = (await world.task_token(task, **more)).json["access_token"]
        assert (await world.ask("GET", "/api/v1/me", by=token)).json["task"] == task


@pytest.mark.parametrize("name", ["remit", "provider"])
async def test_nobody_has_the_name_of_remit(world: ServiceWorld, name: str) -> None:
    """Neither a person nor an agent: the evidence would say that remit, or a provider, did what they do."""
    root = await world.session("root")
    person = await world.ask("POST", "/api/v1/people", {"name": name}, by=root)
    assert (person.status, person.json["code"]) == (400, "name-reserved")
    agent = {
        "name": name,
        "owner": "lena",
        "purpose": "poses",
        "bindings": [{"type": "spiffe", "spiffe_id": "spiffe://example.org/poses"}],
    }
    told = await world.ask("POST", "/api/v1/agents", agent, by=root)
    assert (told.status, told.json["code"]) == (400, "name-reserved"), told.content


@pytest.mark.parametrize(
    "audience",
    [
        f"{PUBLIC_URL}/oauth/token",
        [PUBLIC_URL, f"{PUBLIC_URL}/oauth/token"],
        [PUBLIC_URL, "https://x.example"],
    ],
)
async def test_a_client_assertion_is_for_the_issuer_alone(world: ServiceWorld, audience: Json) -> None:
    """Another audience beside it, or the endpoint in its place, is that of a server in the middle."""
    told = await world.form(
        {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": world.assertion("contract-bot", aud=audience),
        }
    )
    assert (told.status, told.json["error"]) == (401, "invalid_client")
