# SPDX-License-Identifier: Apache-2.0
"""An intruder without the permission to manage remit tries to: with another's session or token, from a
browser, with odd bytes.
"""

import re
import resource
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from remit.api import app
from remit.api.rest.route import Endpoint
from remit.api.route_table import ENDPOINTS
from remit.ports.store.changes import PutApproval
from remit.ports.store.units import Unit
from remit.services.identity.permissions import ROLES, Duty
from tests.worlds.services import ServiceWorld, Told, a_bundle, service_world
from tests.worlds.values import an_approval

ROLE_OF = {"root": "administrator", "ada": "approver", "otto": "operator", "audra": "auditor", "lena": ""}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway that people and agents have moved into."""
    async with service_world(tmp_path) as opened:
        yield opened


def somewhere(endpoint: Endpoint[Any]) -> str:
    """Return an address of an endpoint, of things that do not exist."""
    return re.sub(r"\{\w+(:path)?\}", "none", endpoint.path)


async def test_no_endpoint_opens_without_a_credential(world: ServiceWorld) -> None:
    """Every endpoint but sign-in answers 401 without a credential and with an invalid one."""
    for endpoint in ENDPOINTS:
        if endpoint.open:
            continue
        for headers in (
            {},
            {"authorization": "Bearer rms_00"},
            {"authorization": "Bearer a.b.c"},
            {"authorization": "Basic cm9vdDpyb290"},
            {"authorization": "Bearer "},
        ):
            told = await world.ask(endpoint.method, somewhere(endpoint), headers=headers)
            assert told.status == 401, (endpoint.path, headers)
            assert told.headers["content-type"] == "application/problem+json"
            assert told.headers["www-authenticate"].startswith("Bearer")


async def test_a_role_has_its_own_endpoints_only(world: ServiceWorld) -> None:
    """Each person is let in at each endpoint exactly where the table says so."""
    sessions = {name: await world.session(name) for name in ROLE_OF}
    for endpoint in ENDPOINTS:
        if endpoint.open or endpoint.media == "text/event-stream" or endpoint.path.endswith("sign-out"):
            continue
        for name, session in sessions.items():
            duty = endpoint.people
            allowed = duty is Duty.OWN or (duty is not None and ROLE_OF[name] in ROLES[duty])
            # A query that no endpoint knows: who is let in at all learns that it is wrong.
            told = await world.ask(endpoint.method, somewhere(endpoint) + "?nonsense=1", by=session)
            assert told.status == (400 if allowed else 403), (endpoint.path, name, told.content)


async def test_tokens_of_agents_manage_nothing(world: ServiceWorld) -> None:
    """An agent's token, and one bound to a task, are taken at exactly the endpoints that the table
    gives them.
    """
    agent = await world.agent_token()
    task = await world.open(await world.session("lena"))
    bound = (await world.task_token(task)).json["access_token"]
    for endpoint in ENDPOINTS:
        if endpoint.open:
            continue
        for token, allowed in ((agent, endpoint.agents), (bound, endpoint.tasks)):
            # Signals are for agents that the configuration names as receivers, and it names none.
            shut = {403, 400} if allowed and endpoint.path.startswith("/ssf/") else set()
            told = await world.ask(endpoint.method, somewhere(endpoint) + "?nonsense=1", by=token)
            assert told.status in (shut or {400 if allowed else 403}), (endpoint.path, allowed)


async def test_another_agents_task_is_not_there(world: ServiceWorld) -> None:
    """An agent, and a token of another task, can neither see nor renew, complete or take a task."""
    lena = await world.session("lena")
    task, second = await world.open(lena), await world.open(lena, "C-43")
    other = await world.agent_token("other-bot")
    bound = (await world.task_token(second)).json["access_token"]
    for token in (other, bound):
        assert (await world.ask("GET", f"/api/v1/tasks/{task}", by=token)).status == 404
        assert (await world.ask("POST", f"/api/v1/tasks/{task}/renew", by=token)).status == 404
        assert (await world.ask("POST", f"/api/v1/tasks/{task}/complete", {}, by=token)).status == 404
    assert (await world.task_token(task, "other-bot")).json["error"] == "invalid_grant"


async def test_a_colleagues_work_is_not_there(world: ServiceWorld) -> None:
    """Without a role one sees, ends and asks about one's own alone."""
    lena, leo = await world.session("lena"), await world.session("leo")
    task = await world.open(lena)
    await world.services.store.commit(Unit((PutApproval(an_approval("apr_one", task=task)),)))
    for method, path, body in (
        ("GET", f"/api/v1/tasks/{task}", None),
        ("POST", f"/api/v1/tasks/{task}/complete", {}),
        ("POST", "/api/v1/end", {"name": task}),
        ("GET", "/api/v1/approvals/apr_one", None),
        ("GET", f"/api/v1/who?x={task}", None),
        ("GET", "/api/v1/who?x=contract-bot", None),
        ("POST", "/api/v1/can", {"x": task}),
        ("GET", "/api/v1/agents/contract-bot", None),
    ):
        assert (await world.ask(method, path, body, by=leo)).status == 404, path
    assert (await world.ask("POST", "/api/v1/end", {"name": "contract-bot"}, by=leo)).status == 403
    for path in ("/api/v1/tasks", "/api/v1/approvals", "/api/v1/agents"):
        assert (await world.ask("GET", path, by=leo)).json["items"] == []
        assert len((await world.ask("GET", path, by=lena)).json["items"]) > 0
    assert (await world.ask("POST", "/api/v1/end", {"name": task}, by=lena)).status == 200


async def test_nobody_opens_a_task_for_another_without_being_operator(world: ServiceWorld) -> None:
    """`on_behalf_of` names oneself, unless an operator opens the task."""
    body = {
        "agent": "contract-bot",
        "task_type": "summarise-contract",
        "params": {"id": "C-42"},
        "on_behalf_of": "leo",
    }
    told = await world.ask("POST", "/api/v1/tasks", body, by=await world.session("lena"))
    assert told.status == 403


async def test_codes_work_on_this_machine_alone(world: ServiceWorld) -> None:
    """A code from another address, or passed on by a proxy, is refused before it is looked at."""
    code = await world.services.identity.authenticator.make_code("lena", by="root")
    for headers, client in (
        ({}, "192.0.2.7"),
        ({}, "2001:db8::1"),
        ({}, "localhost.example.org"),
        ({"x-forwarded-for": "127.0.0.1"}, "127.0.0.1"),
        ({"forwarded": "for=127.0.0.1"}, "127.0.0.1"),
    ):
        told = await world.ask("POST", "/api/v1/sign-in", {"code": code}, headers=headers, client=client)
        assert (told.status, told.json["code"]) == (403, "not-loopback")
    told = await world.ask("POST", "/api/v1/sign-in", {"code": code}, client="::ffff:127.0.0.1")
    assert told.status == 200


async def test_guessing_codes_is_slowed(world: ServiceWorld) -> None:
    """After ten failures an address waits a minute, a sound code included; other addresses do not wait."""
    world.asgi = app(world.services, reload=a_bundle, remote_sign_in=True)
    code = await world.services.identity.authenticator.make_code("lena", by="root")

    async def sign_in(code: str, client: str = "192.0.2.7") -> Told:
        return await world.ask("POST", "/api/v1/sign-in", {"code": code}, client=client)

    for number in range(10):
        assert (await sign_in(f"guess-{number}")).status == 401
    slowed = await sign_in(code)
    assert (slowed.status, slowed.json["code"]) == (429, "too-many-tries")
    assert (await sign_in("guess-10", "192.0.2.8")).status == 401
    world.clock.advance(61)
    assert (await sign_in(code)).status == 200


async def test_other_sites_cannot_use_a_browser(world: ServiceWorld) -> None:
    """A request that a browser sends for another site is refused, and no answer permits one."""
    session = await world.session("root")
    for headers in (
        {"origin": "https://example.org"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8701"},
        {"sec-fetch-site": "cross-site"},
    ):
        told = await world.ask("GET", "/api/v1/me", by=session, headers=headers)
        assert (told.status, told.json["code"]) == (403, "cross-site")
        assert not [name for name in told.headers if name.startswith("access-control")]
    for origin in ("http://127.0.0.1:8700", "http://localhost:8700"):
        assert (await world.ask("GET", "/api/v1/me", by=session, headers={"origin": origin})).status == 200


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "shape"),
        (b"[]", 400, "shape"),
        (b"{", 400, "not-json"),
        (b'{"name":"x","name":"y"}', 400, "duplicate-key"),
        (b'{"name":"x","nam\\u0065":"y"}', 400, "duplicate-key"),
        (b'{"name":"\\ud800"}', 400, "lone-surrogate"),
        (b'{"name":1e400}', 400, "number-out-of-range"),
        (b'{"name":"x","admin":true}', 400, "shape"),
        (b'{"name":"x","roles":["emperor"]}', 400, "shape"),
        (b'{"name":"../x"}', 400, "malformed"),
        (b"[" * 100 + b"]" * 100, 400, "too-deep"),
        (b'{"name":"' + b"x" * 2_000_000 + b'"}', 413, "too-large"),
    ],
)
async def test_odd_bodies_are_refused_by_code(
    world: ServiceWorld, content: bytes, status: int, code: str
) -> None:
    """A body with two readings, of another shape, too deep or too large is refused, and says which."""
    told = await world.ask("POST", "/api/v1/people", content=content, by=await world.session("root"))
    assert (told.status, told.json["code"]) == (status, code)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": ""},
        {"content-encoding": "gzip"},
    ],
)
async def test_other_media_are_refused(world: ServiceWorld, headers: dict[str, str]) -> None:
    """What is not `application/json` as it is, is not read."""
    told = await world.ask(
        "POST", "/api/v1/people", {"name": "x"}, by=await world.session("root"), headers=headers
    )
    assert told.status == 415


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/people/", 404),
        ("GET", "/api/v1/../etc/passwd", 404),
        ("DELETE", "/api/v1/people", 405),
        ("OPTIONS", "/api/v1/people", 405),
    ],
)
async def test_unknown_endpoints_are_problems_too(
    world: ServiceWorld, method: str, path: str, status: int
) -> None:
    """A path or a method that there is not is answered in the same form as all else."""
    told = await world.ask(method, path, by=await world.session("root"))
    assert (told.status, told.headers["content-type"]) == (status, "application/problem+json")


@pytest.fixture
def full_disk(world: ServiceWorld) -> Iterator[None]:
    """No file of this process can be written any more, once the world has settled in."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("full_disk")
async def test_a_full_disk_refuses_clearly(world: ServiceWorld) -> None:
    """What cannot be recorded is not done: 503 by its code; a caller without a valid credential still gets
    401.
    """
    told = await world.ask("POST", "/api/v1/sign-in", {"code": "guess"})
    assert (told.status, told.json["code"]) == (503, "store-unavailable")
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": world.assertion("contract-bot"),
    }
    refused = await world.form(form)
    assert (refused.status, refused.json["error"]) == (503, "temporarily_unavailable")
    assert (await world.ask("GET", "/api/v1/people", by="a.b.c")).status == 401
    ready = await world.ask("GET", "/health/ready")
    assert (ready.status, ready.json["store"]) == (503, "store-unavailable")
