# SPDX-License-Identifier: Apache-2.0
"""A client without a token of a living task gets nothing at the MCP endpoint, and the evidence has the
reason.
"""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.keys.file import FileTokenKeys
from remit.core.evidence.event import EventKind
from remit.core.oauth.access_token import TOKEN_TYPE
from tests.refusals import failure
from tests.samples.tokens import agent_token, task_token
from tests.worlds.mcp_endpoint import LEGACY, GatewayWorld, gateway_world
from tests.worlds.services import PUBLIC_URL, Told
from tests.worlds.values import WorldClock

Json = Any


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GatewayWorld]:
    """The endpoint and its gateway."""
    async with gateway_world(tmp_path) as world:
        yield world


def part(value: Json) -> str:
    """Return one part of a JWS."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def opened(token: str) -> Json:
    """Return the claims of a token, unchecked."""
    middle = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))


async def refused_codes(world: GatewayWorld) -> list[str]:
    """Return the codes of refused tokens in the evidence."""
    return [facts["code"] for facts in await world.facts(EventKind.TOKEN_REFUSED)]


def is_401(told: Told) -> bool:
    """Whether an answer sends its reader to authenticate, and says nothing else."""
    challenge = told.headers.get("www-authenticate", "")
    return (
        told.status == 401
        and 'resource_metadata="http://127.0.0.1:8700/.well-known/oauth-protected-resource/mcp/files"'
        in challenge
        and failure(told.json)["step"] == 1
    )


async def test_no_token_is_shown_where_to_get_one(world: GatewayWorld) -> None:
    """A request without a token is answered by 401 with the metadata's address, and is recorded."""
    told = await world.call("echo", {"text": "ok"}, token="")
    assert is_401(told)
    assert "error=" not in told.headers["www-authenticate"]
    assert await refused_codes(world) == ["no-token"]
    assert world.calls() == []


async def test_the_metadata_names_the_authorization_server(world: GatewayWorld) -> None:
    """RFC 9728: each resource has its document at its own address, and none elsewhere; none needs a token."""
    root = await world.send(b"", method="GET", path="/.well-known/oauth-protected-resource", token="")
    assert root.status == 404
    for path, resource in (("/mcp", "/mcp"), ("/mcp/files", "/mcp/files")):
        told = await world.send(
            b"", method="GET", path=f"/.well-known/oauth-protected-resource{path}", token=""
        )
        assert told.json["authorization_servers"] == [PUBLIC_URL]
        assert told.json["resource"] == PUBLIC_URL + resource


async def test_metadata_does_not_tell_which_upstreams_there_are(world: GatewayWorld) -> None:
    """Without a token an upstream's existence cannot be tried out: neither by document nor by call."""
    for path in ("/mcp/files", "/mcp/nothing"):
        assert (
            await world.send(b"", method="GET", path=f"/.well-known/oauth-protected-resource{path}")
        ).status == 200
        assert (await world.send(b"{}", path=path, token="")).status == 401


async def test_a_token_in_the_query_is_no_token(world: GatewayWorld) -> None:
    """A token in the URL is not looked at."""
    told = await world.send(b"{}", path=f"/mcp/files?access_token={world.token}", token="")
    assert told.status == 401


@pytest.mark.parametrize("scheme", ["Basic ", "bearer", "Bearer a b", "DPoP "])
async def test_another_scheme_is_no_token(world: GatewayWorld, scheme: str) -> None:
    """Only one bearer token, once, is taken."""
    told = await world.send(
        b"{}", {"authorization": scheme + world.token if scheme[-1] == " " else scheme}, token=""
    )
    assert told.status == 401
    assert await refused_codes(world)


async def test_a_token_of_alg_none_is_refused(world: GatewayWorld) -> None:
    """`alg: none` with the claims of a good token is a 401."""
    for algorithm in ("none", "None", "HS256"):
        forged = f"{part({'alg': algorithm, 'typ': TOKEN_TYPE})}.{part(opened(world.token))}."
        told = await world.call("echo", {"text": "ok"}, token=forged)
        assert is_401(told)
        assert 'error="invalid_token"' in told.headers["www-authenticate"]
    assert len(await refused_codes(world)) == 3
    assert world.calls() == []


async def test_a_token_signed_by_another_key_is_refused(world: GatewayWorld, tmp_path: Path) -> None:
    """The claims of a good token under a foreign key are a 401."""
    foreign = await FileTokenKeys(tmp_path / "foreign", WorldClock()).sign(
        opened(world.token), token_type=TOKEN_TYPE
    )
    assert is_401(await world.call("echo", {"text": "ok"}, token=foreign))
    assert world.calls() == []


@pytest.mark.parametrize(
    "change",
    [
        {"aud": ["https://elsewhere.example"]},
        {"iss": "https://elsewhere.example"},
        {"exp": 1},
        {"tenant": "another"},
        {"client_id": "other-bot"},
        {"sub": "leo"},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_a_token_with_other_claims_is_refused(world: GatewayWorld, change: dict[str, Json]) -> None:
    """A token of another audience, issuer, time, tenant, agent or person is a 401 with a code."""
    claims = opened(world.token) | change
    token = await world.services.keys.tokens.sign(claims, token_type=TOKEN_TYPE)
    told = await world.call("echo", {"text": "ok"}, token=token)
    assert told.status == 401
    assert await refused_codes(world) == [failure(told.json)["code"]]
    assert world.calls() == []


async def test_a_token_of_another_authority_is_refused(world: GatewayWorld) -> None:
    """A token that names the task but other grants than it has is a 401."""
    claims = opened(world.token)
    claims["mission"]["authority_hash"] = "sha256:other"
    token = await world.services.keys.tokens.sign(claims, token_type=TOKEN_TYPE)
    assert (await world.call("echo", {"text": "ok"}, token=token)).status == 401


async def test_an_identity_without_a_task_gets_nothing(world: GatewayWorld) -> None:
    """A token that can only open tasks is known and forbidden: 403, for lists and calls alike."""
    agent = await world.services.store.agent(world.services.tenant, "bot")
    assert agent is not None
    token = await agent_token(world.services, agent)
    for told in (
        await world.call("echo", {"text": "ok"}, token=token),
        await world.modern("tools/list", token=token),
        await world.modern("server/discover", token=token),
        await world.legacy("initialize", {"protocolVersion": LEGACY}, token=token),
    ):
        assert told.status == 403
        assert failure(told.json)["code"] == "no-task"
        assert failure(told.json)["remediation"]


async def test_a_task_that_ended_gets_nothing(world: GatewayWorld) -> None:
    """A good token of an ended task hears of the end, in both eras and in its session: a call by a result,
    all else by 403.
    """
    session = await world.session()
    await world.services.endings.revocations.end_task(world.task, reason="done", by="lena")
    told = await world.call("echo", {"text": "ok"})
    in_session = await world.legacy("tools/call", {"name": "echo", "arguments": {}}, session=session)
    without = await world.legacy("tools/call", {"name": "echo", "arguments": {}})
    for one in (told, in_session, without):
        assert (one.status, one.headers["remit-refused"]) == (200, "task-ended")
        assert failure(one.json)["status"] == "task-ended"
        assert failure(one.json)["remediation"] == "open a new task"
    assert (await world.modern("tools/list")).status == 403
    listed = await world.legacy("tools/list", session=session)
    assert (listed.status, failure(listed.json)["code"]) == (403, "task-ended")
    assert world.calls() == []


async def test_a_session_is_worth_nothing_to_another_task(world: GatewayWorld) -> None:
    """The session of one task does not exist for the token of another, nor at another address."""
    session = await world.session()
    _, other = await world.open()
    for method in ("tools/list", "ping", "tools/call"):
        told = await world.legacy(method, {"name": "echo"}, session=session, token=other)
        assert told.status == 404
    gone = await world.send(b"", {"mcp-session-id": session}, method="DELETE", token=other)
    assert gone.status == 404
    assert (await world.legacy("ping", session=session, path="/mcp/notes")).status == 404
    assert (await world.legacy("ping", session=session)).status == 200


async def test_a_session_is_no_token(world: GatewayWorld) -> None:
    """A session id without a token is a 401."""
    session = await world.session()
    assert (await world.legacy("ping", session=session, token="")).status == 401


async def test_a_renewed_token_keeps_its_session(world: GatewayWorld) -> None:
    """Another token of the same task, agent and person goes on with the session."""
    session = await world.session()
    token = await task_token(world.services, world.task)
    assert (await world.legacy("ping", session=session, token=token)).status == 200


async def test_a_deleted_session_is_gone(world: GatewayWorld) -> None:
    """DELETE ends a session; without one there is nothing to call with."""
    session = await world.session()
    assert (await world.send(b"", {"mcp-session-id": session}, method="DELETE")).status == 204
    assert (await world.legacy("ping", session=session)).status == 404
    assert (await world.legacy("ping")).status == 400


async def test_a_web_page_cannot_call(world: GatewayWorld) -> None:
    """A request with a foreign `Origin` is 403 whatever token it shows; the endpoint's own origin passes."""
    for origin in ("https://evil.example", "null", "http://127.0.0.1:8700.evil.example"):
        assert (await world.call("echo", {"text": "ok"}, headers={"origin": origin})).status == 403
    assert (await world.call("echo", {"text": "ok"}, headers={"origin": PUBLIC_URL})).status == 200
