# SPDX-License-Identifier: Apache-2.0
"""Who attacks a consent: with other addresses of an application, overheard codes, pushed requests."""

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from remit.adapters.fetch.ssrf_guard import GuardedFetch
from remit.core.tasks.task import TaskState
from tests.servers.tls_server import local_server, reply
from tests.worlds.attestation import WorldAuthority
from tests.worlds.pages import (
    APP,
    CALLBACK,
    VERIFIER,
    Browsing,
    address,
    code_behind,
    lena,
    made,
    push,
    pushed_address,
    world,
)
from tests.worlds.services import ServiceWorld, service_world
from tests.worlds.values import WorldClock

__all__ = ["lena", "made", "world"]
Json = Any
SUMMARISE = address(task_type="summarise-contract")


async def test_a_client_at_a_private_address(tmp_path: Path) -> None:
    """Nothing is connected to: not this machine, not the network behind it, not a cloud's metadata."""
    answered: list[str] = []

    def answer(path: str) -> bytes:
        answered.append(path)
        return reply(b"{}", "Content-Type: application/json")

    authority = WorldAuthority()
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.pem)
    async with (
        local_server(answer, authority) as server,
        service_world(tmp_path, document_fetch=GuardedFetch(ca_file=ca)) as world,
    ):
        for host in (
            f"localhost:{server.port}",
            f"127.0.0.1:{server.port}",
            f"[::1]:{server.port}",
            f"[::ffff:127.0.0.1]:{server.port}",
            f"2130706433:{server.port}",
            f"0.0.0.0:{server.port}",
            "10.0.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "[fd00::1]",
        ):
            told = await Browsing(world).get(address(client_id=f"https://{host}/client.json"))
            assert told.status == 400, host
            assert "cannot be fetched" in told.text
            assert told.location == ""
        assert answered == []
        assert "token.refused" in await world.kinds()


async def test_a_client_whose_document_is_elsewhere(tmp_path: Path) -> None:
    """A redirect is not followed, wherever it leads; nor is a document of another address taken."""
    asked: list[str] = []

    def answer(path: str) -> bytes:
        asked.append(path)
        if path == "/moved.json":
            return reply(b"", "Location: /client.json", status="302 Found")
        document = {"client_id": "https://app.example/client.json", "redirect_uris": [CALLBACK]}
        return reply(json.dumps(document).encode(), "Content-Type: application/json")

    now = WorldClock().now()
    authority = replace(WorldAuthority(), since=now.replace(year=2020), until=now.replace(year=2099))
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.pem)
    fetch = GuardedFetch(ca_file=ca, private=True)
    async with (
        local_server(answer, authority) as server,
        service_world(tmp_path, document_fetch=fetch) as world,
    ):
        moved = await Browsing(world).get(address(client_id=server.url("/moved.json")))
        assert moved.status == 400
        assert "cannot be fetched" in moved.text
        other = await Browsing(world).get(address(client_id=server.url("/client.json")))
        assert other.status == 400
        assert "differs from the address of the document" in other.text
        assert asked == ["/moved.json", "/client.json"]


@pytest.mark.parametrize(
    "redirect",
    [
        CALLBACK + "/",
        CALLBACK + "?next=https://evil.example",
        CALLBACK + "/../../evil",
        CALLBACK.replace("https:", "http:"),
        "https://app.example.evil.example/callback",
        "https://app.example@evil.example/callback",
        "https://evil.example/callback",
        "http://localhost:5000/callback",
        "http://127.0.0.1:5000/other",
        "javascript:alert(1)",
        "//evil.example",
        "",
    ],
)
async def test_a_redirect_address_that_is_not_the_clients(lena: Browsing, redirect: str) -> None:
    """Nothing is sent there, not even that it was wrong."""
    told = await lena.get(address(redirect_uri=redirect))
    assert told.status == 400
    assert told.location == ""
    assert "evil.example" not in told.text


async def test_a_redirect_address_that_is_given_twice(lena: Browsing) -> None:
    """Another server could read the answer at one of the two addresses: refused."""
    told = await lena.get(SUMMARISE + "&redirect_uri=" + quote("https://evil.example", safe=""))
    assert told.status == 400
    assert told.location == ""


async def agreed(browser: Browsing, **changes: str) -> str:
    """Let the person agree, and give the code."""
    page = await browser.get(address(task_type="summarise-contract", **changes))
    done = await browser.fill(page, decision="allow", **{"p.id": "C-42"})
    return done.answer["code"]


async def redeem(world: ServiceWorld, code: str, **changes: str) -> Any:
    """Redeem a code as the application does."""
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": APP,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    } | changes
    return await world.form(fields)


async def test_the_whole_way_to_a_token(world: ServiceWorld, lena: Browsing) -> None:
    """The application gets a token for the very task that the person opened."""
    code = await agreed(lena)
    told = await redeem(world, code)
    assert told.status == 200, told.content
    claims = world.services.identity.authenticator.claims(told.json["access_token"], world.clock.now())
    assert claims.task == (await code_behind(world, code)).task
    assert (claims.subject, claims.client_id) == ("lena", "notebook")


async def test_a_code_without_its_verifier(world: ServiceWorld, lena: Browsing) -> None:
    """A stolen code is useless: PKCE, the client and the address belong to it."""
    code = await agreed(lena)
    for wrong in (
        {"code_verifier": "another-" * 6},
        {"code_verifier": ""},
        {"redirect_uri": "http://127.0.0.1:5000/callback"},
        {"redirect_uri": ""},
        {"client_id": "https://evil.example/client.json"},
        {"client_id": "contract-bot"},
    ):
        assert (await redeem(world, code, **wrong)).status in (400, 401), wrong
    assert (await redeem(world, code)).status == 200


async def test_a_code_that_is_injected(world: ServiceWorld, lena: Browsing) -> None:
    """A code that was made for the attacker's own flow does not fit the victim's verifier."""
    theirs = base64.urlsafe_b64encode(hashlib.sha256(b"attacker").digest()).rstrip(b"=").decode()
    code = await agreed(lena, code_challenge=theirs)
    told = await redeem(world, code)
    assert (told.status, told.json["error"]) == (400, "invalid_grant")


async def test_a_code_that_is_replayed(world: ServiceWorld, lena: Browsing) -> None:
    """The second use is refused, and takes back what the first one gave."""
    code = await agreed(lena)
    first = await redeem(world, code)
    second = await redeem(world, code)
    assert (second.status, second.json["error"]) == (400, "invalid_grant")
    me = await world.ask("GET", "/api/v1/me", by=first.json["access_token"])
    assert me.status == 401


async def test_a_code_that_comes_late(world: ServiceWorld, lena: Browsing) -> None:
    """A minute is enough for an application; and a task that no one uses ends."""
    code = await agreed(lena)
    task = (await code_behind(world, code)).task
    world.clock.advance(61)
    assert (await redeem(world, code)).json["error"] == "invalid_grant"
    await world.services.tasks.live.load(task)
    world.clock.advance(1801)
    await world.services.endings.revocations.expire()
    assert (await world.services.tasks.tasks.get(task)).state is TaskState.EXPIRED


async def test_a_pushed_request_is_answered_once(world: ServiceWorld, lena: Browsing) -> None:
    """Two pages that show it open one task; the second answer is told that the request was answered."""
    told = await push(world)
    assert (told.status, told.json["expires_in"]) == (201, 300)
    first, second = await lena.get(pushed_address(told)), await lena.get(pushed_address(told))
    done = await lena.fill(first, decision="allow", **{"p.id": "C-42"})
    assert "code" in done.answer
    late = await lena.fill(second, decision="allow", **{"p.id": "C-42"})
    assert late.status == 400
    assert (await lena.get(pushed_address(told))).status == 400
    open_tasks = await world.services.store.tasks(world.services.tenant, state=TaskState.ACTIVE)
    assert len(open_tasks) == 1


async def test_a_pushed_request_may_want_a_new_proof(world: ServiceWorld, lena: Browsing) -> None:
    """`prompt=login` is met by a sign-in after the push, and by no earlier one."""
    world.clock.advance(5)
    told = await push(world, prompt="login")
    away = await lena.get(pushed_address(told))
    assert "fresh=1" in away.location
    world.clock.advance(5)
    code = await world.services.identity.authenticator.make_code("lena", by="root")
    back = await lena.fill(await lena.get(away.location), "code", code=code)
    assert (await lena.get(back.location)).status == 200


async def test_a_pushed_request_is_its_clients_alone(world: ServiceWorld, lena: Browsing) -> None:
    """Another client, a made-up address, a late visit, parameters beside it: none of it counts."""
    told = await push(world)
    assert (await lena.get(pushed_address(told, "https://evil.example/client.json"))).status == 400
    assert (await lena.get("/oauth/authorize?client_id=x&request_uri=urn%3Aother")).status == 400
    beside = await lena.get(pushed_address(told) + "&redirect_uri=https%3A%2F%2Fevil.example")
    assert beside.status == 200
    assert "evil.example" not in beside.text
    world.clock.advance(301)
    assert (await lena.get(pushed_address(told))).status == 400


async def test_what_cannot_be_pushed(world: ServiceWorld) -> None:
    """The standard's own errors, and nothing is kept."""
    for changes, code in (
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
        ({"redirect_uri": "https://evil.example"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"client_id": "https://nowhere.example/client.json"}, "invalid_client"),
        ({"client_id": "contract-bot"}, "invalid_client"),
        ({"resource": "https://elsewhere.example"}, "invalid_target"),
    ):
        told = await push(world, **changes)
        assert (told.status in (400, 401), told.json["error"]) == (True, code), changes


async def test_an_agent_pushes_with_its_own_key(world: ServiceWorld, lena: Browsing) -> None:
    """A registered agent needs no address: it proves itself, and its person consents."""
    proof = {
        "client_id": "contract-bot",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    told = await push(world, **proof, client_assertion=world.assertion("contract-bot"))
    assert told.status == 201, told.content
    page = await lena.get(pushed_address(told, "contract-bot"))
    assert "registered here and authenticated" in page.text
    done = await lena.fill(page, decision="allow", **{"p.id": "C-42"})
    assert (await code_behind(world, done.answer["code"])).agent == "contract-bot"
    forged = await push(world, **proof, client_assertion=world.assertion("other-bot"))
    assert forged.json["error"] == "invalid_client"
    assert (await lena.get(address(client_id="contract-bot"))).status == 400
