# SPDX-License-Identifier: Apache-2.0
"""At every endpoint: what comes to the wrong replica is served by the right one, and judged by it alone."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from remit_sdk.dpop import DpopProver
from remit_sdk.key import AgentKey
from tests.clients.http_line import Line
from tests.gateways.gateway_process import META, Told
from tests.gateways.passing_replicas import LEGACY, PassingWorld, a_mail, legacy, modern, passing_world
from tests.gateways.several_replicas import Replica, until
from tests.servers.deferring_mcp import ABLE, DeferringServer
from tests.servers.postgres_server import PostgresServer
from tests.servers.scripted_mcp import scripted_http

pytestmark = pytest.mark.long

Json = Any


@pytest.fixture
async def world(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> AsyncIterator[PassingWorld]:
    """Two replicas, with an endpoint of each kind."""
    async with passing_world(tmp_path, postgres, postgres_server, lease_ms=5000) as made:
        yield made


async def owned(one: Replica, token: str, subject: str = "first") -> None:
    """Make a replica the owner of a task, by its first call."""
    with contextlib.closing(await Line.to(one.port, one.tls)) as line:
        told = await one.send(line, token, subject)
    assert told.code == "", told


@pytest.mark.slow
async def test_functions(world: PassingWorld) -> None:
    """A program may ask any replica, and report to another: the task's owner decides and takes the result."""
    first, second = world.world.all
    task, token = await first.open_task()
    await owned(second, token)
    bearer, path = {"authorization": f"Bearer {token}"}, f"/api/v1/tasks/{task}/calls"
    for asked, told in ((first, second), (second, first), (first, first)):
        call = {"tool": "counter/count", "arguments": {"id": "c-1"}}
        decided = await world.ask(asked, "POST", path, bearer, call)
        assert (decided.status, decided.json["outcome"]) == (200, "permit"), decided
        result = {"outcome": "ok", "content": {"count": 3}}
        given = await world.ask(told, "POST", f"{path}/{decided.json['call']}/result", bearer, result)
        assert (given.status, given.json["content"]) == (200, {"count": 3}), given


@pytest.mark.slow
async def test_http_apis(world: PassingWorld) -> None:
    """As `/http/shop`, also where the target names remit itself: the owner decides, whichever was asked."""
    first, second = world.world.all
    _, token = await first.open_task()
    await owned(second, token)
    bearer = {"authorization": f"Bearer {token}"}
    for one in (second, first):
        given = await world.ask(one, "GET", "/http/shop/things/t-1", bearer)
        assert (given.status, given.json) == (200, {"path": "/things/t-1"}), given
    assert (await world.ask(first, "GET", "/http/shop/things/x", bearer)).status == 403
    # A target that names remit itself is a request like any other.
    for target, status in ((f"{first.url}/http/shop/things/t-3", 200), (f"{world.shop}/things/t-3", 421)):
        with contextlib.closing(await Line.to(first.port)) as line:
            assert (await line.ask("GET", target, bearer))[0] == status


async def test_sessions_and_streams_of_older_revisions(world: PassingWorld) -> None:
    """A session lives where its task does, and is one session at whichever replica it is used; after a
    take-over it is not known any more, which tells the client to begin again.
    """
    first, second = world.world.all
    task, token = await first.open_task()
    await owned(second, token)
    session = await begun(world, first, token)
    for one in (first, second):
        call = {"name": "send", "arguments": a_mail(one.folder.name)}
        given = await world.ask(one, "POST", "/mcp/mail", legacy(token, session), rpc("tools/call", call))
        assert given.status == 200, given
    url = f"http://127.0.0.1:{first.port}/mcp/mail"
    async with world.http.get(url, headers=legacy(token, session)) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        # The end of the task is seen at a stream that is passed on: its owner closes it, or this replica cuts
        # it off first, so that nothing of the task comes after the end.
        await second.ask("POST", "/api/v1/end", {"kind": "task", "name": task}, by="root")
        with contextlib.suppress(aiohttp.ClientPayloadError):
            async with asyncio.timeout(60):
                await stream.read()
    assert [mail["subject"] for mail in world.world.outbox()] == ["first", "replica-0", "replica-1"]
    task, token = await first.open_task()
    await owned(second, token)
    session = await begun(world, first, token)
    await second.kill()

    async def listed() -> int:
        shown = legacy(token, session)
        return (await world.ask(first, "POST", "/mcp/mail", shown, rpc("tools/list", {}))).status

    async def taken_over() -> bool:
        return await listed() != 503

    await until(taken_over)
    assert await listed() == 404
    session = await begun(world, first, token)
    assert await listed() == 200


def rpc(method: str, params: Json) -> Json:
    """Return one request."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


async def begun(world: PassingWorld, one: Replica, token: str) -> str:
    """Open a session; gives its id."""
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    given = await world.ask(one, "POST", "/mcp/mail", legacy(token), rpc("initialize", params))
    assert given.status == 200, given
    session = given.headers["mcp-session-id"]
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert (await world.ask(one, "POST", "/mcp/mail", legacy(token, session), ready)).status == 202
    return session


@pytest.mark.slow
async def test_management_with_the_token_of_a_task(world: PassingWorld) -> None:
    """What a task may ask of itself, it may ask of any replica."""
    first, second = world.world.all
    task, token = await first.open_task()
    await owned(second, token)
    for one in (first, second):
        assert (await one.ask("GET", f"/api/v1/tasks/{task}", token=token))["id"] == task
        assert (await one.ask("GET", "/api/v1/me", token=token))["task"] == task
        await one.ask("POST", f"/api/v1/tasks/{task}/renew", token=token)
    assert (await first.ask("POST", f"/api/v1/tasks/{task}/complete", {}, token=token))["closed"]


def evaluation(subject: Json, record: str = "r-1") -> Json:
    """Return a question of the enforcement point."""
    return {"subject": subject, "action": {"name": "read"}, "resource": {"type": "record", "id": record}}


@pytest.mark.slow
async def test_questions_of_enforcement_points_and_their_reports(world: PassingWorld) -> None:
    """By agent or by task, one or several tasks in one question, with a proof that is valid once: each is
    decided by the owner of its task, and the replica that gave a permit gets its report.
    """
    first, second = world.world.all
    task, token = await first.open_task()
    await owned(second, token)
    prover = DpopProver()
    point = await point_token(world, first, prover)

    async def ask(one: Replica, path: str, body: Json) -> Json:
        given = await world.proven(one, prover, "POST", f"/access/v1/{path}", point, body)
        assert given.status == 200, given
        return given.json

    by_agent = evaluation({"type": "agent", "id": "mail-bot"})
    for one in (first, second):
        told = await ask(one, "evaluation", by_agent)
        assert told["decision"] is True, told
    # Refused by the owner, and not for want of it.
    told = await ask(first, "evaluation", evaluation({"type": "agent", "id": "mail-bot"}, "x"))
    assert (told["decision"], told["context"]["reason"]) == (False, "argument-refused")
    other, other_token = await first.open_task()
    await owned(first, other_token)
    several = {
        "evaluations": [evaluation({"type": "task", "id": name}) for name in (task, other, task, "none")]
    }
    given: list[tuple[str, str]] = []
    for one in (first, second):
        told = await ask(one, "evaluations", several)
        assert [each["decision"] for each in told["evaluations"]] == [True, True, True, False], told
        given += [
            (each["context"]["evaluation_id"], name)
            for each, name in zip(told["evaluations"], (task, other, task), strict=False)
        ]
    found = await ask(
        first,
        "search/subject",
        {
            "subject": {"type": "task"},
            "action": {"name": "read"},
            "resource": {"type": "record", "id": "r-1"},
        },
    )
    assert {each["id"] for each in found["results"]} == {task, other}
    for number, (permit, _) in enumerate(given):
        one = (first, second)[number % 2]
        body = {"evaluation_id": permit, "outcome": "ok", "result_bytes": 10}
        assert (await ask(one, "result", body))["recorded"] is True
        for again in (first, second):
            told_again = await world.proven(again, prover, "POST", "/access/v1/result", point, body)
            assert (told_again.status, told_again.json["code"]) == (404, "no-permit")
    outcomes = {event["call"]: event["facts"]["outcome"] for event in await first.events(kinds="tool.called")}
    assert all(outcomes[permit] == "ok" for permit, _ in given)


async def point_token(world: PassingWorld, one: Replica, prover: DpopProver) -> str:
    """Get the enforcement point's token, bound to a key."""
    return await bound_token(world, one, prover, "other-bot")


async def bound_token(
    world: PassingWorld, one: Replica, prover: DpopProver, agent: str, task: str = ""
) -> str:
    """Get a token of an agent, or of its task, that is bound to a key."""
    url = f"{one.url}/oauth/token"
    while True:
        given = await world.ask(
            one,
            "POST",
            "/oauth/token",
            {"dpop": prover.proof("POST", url)},
            form=one.asking_form(agent, task),
        )
        prover.learn(url, given.headers)
        if given.status == 200:
            return str(given.json["access_token"])
        assert given.json["error"] == "use_dpop_nonce", given


async def test_a_token_that_is_bound_to_a_key_is_bound_at_every_replica(world: PassingWorld) -> None:
    """The owner judges the proof, wherever it came in: once, for this request, by this key."""
    first, second = world.world.all
    task, bearer = await first.open_task()
    await owned(second, bearer)
    prover, thief = DpopProver(), DpopProver(AgentKey.generate())
    token = await bound_token(world, first, prover, "mail-bot", task)
    path, url = "/mcp/mail", f"{first.url}/mcp/mail"

    def call(subject: str) -> Json:
        return rpc("tools/call", {"name": "send", "arguments": a_mail(subject), "_meta": META})

    for one in (first, second):
        given = await world.proven(one, prover, "POST", path, token, call(one.folder.name), **modern())
        assert given.status == 200, given
    # A caller with the token and no key, or with another key.
    for one in (first, second):
        shown = {"authorization": f"Bearer {token}", **modern()}
        given = await world.ask(one, "POST", path, shown, call("stolen"))
        assert (given.status, given.json["error"]["data"]["code"]) == (401, "token-unproven")
        given = await world.proven(one, thief, "POST", path, token, call("stolen"), **modern())
        assert given.status == 401
    # A proof that was good once, at the replica that passed it on, at its owner, and for another address.
    proof = prover.proof("POST", url, token)
    shown = {"authorization": f"DPoP {token}", "dpop": proof, **modern()}
    given = await world.ask(first, "POST", path, shown, call("once"))
    assert given.status == 200, given
    for one in (first, second, first):
        given = await world.ask(one, "POST", path, shown, call("again"))
        assert (given.status, given.json["error"]["data"]["code"]) == (401, "proof-replayed")
    elsewhere = {**shown, "dpop": prover.proof("POST", f"{first.url}/mcp/other", token)}
    given = await world.ask(first, "POST", path, elsewhere, call("elsewhere"))
    assert given.status == 401
    # Only a replica may state that a proof was judged.
    told = base64.urlsafe_b64encode(
        json.dumps(
            {
                "sender": await first.known(), "to": await second.known(), "number": 10**6, "key": "1",
                "seen": {"jkt": prover.key.thumbprint},
            }
        ).encode()
    ).decode()  # fmt: skip
    forged = {"authorization": f"DPoP {token}", "remit-passed-on": f"{told}.AAAA", **modern()}
    given = await world.ask(second, "POST", path, forged, call("forged"))
    assert given.status == 400
    assert [mail["subject"] for mail in world.world.outbox()] == [
        "first",
        "replica-0",
        "replica-1",
        "once",
    ]


FILES = """
upstream: files
tools:
  slow:
    effect: none
    audience: self
    labels: {class: public, trust: trusted}
"""


@pytest.mark.slow
async def test_a_call_that_goes_on_is_looked_after_through_any_replica(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer
) -> None:
    """While its owner lives; after a take-over it is not known any more, and the evidence says so too."""
    server = DeferringServer()
    async with scripted_http("modern", server=server) as http:
        upstreams = {"files": {"url": http.url, "sender_constraint": "optional"}}
        extra = {"files/slow": FILES}
        async with passing_world(
            tmp_path, postgres, postgres_server, upstreams=upstreams, extra=extra, lease_ms=1000
        ) as world:
            first, second = world.world.all
            _, token = await first.open_task()
            await owned(second, token)

            async def ask(method: str, **params: Json) -> Told:
                with contextlib.closing(await Line.to(first.port)) as line:
                    meta = {**META, **ABLE}
                    named = {"mcp-name": params["taskId"]} if "taskId" in params else {}
                    return await first.mcp(line, token, method, params, named, meta=meta, place="files")

            begun = await ask("tools/call", name="slow", arguments={})
            handle = begun.result["taskId"]
            assert (await ask("tasks/get", taskId=handle)).result["status"] == "working"
            server.finish()

            async def completed() -> bool:
                return bool((await ask("tasks/get", taskId=handle)).result["status"] == "completed")

            await until(completed)
            handle = (await ask("tools/call", name="slow", arguments={})).result["taskId"]
            await second.kill()

            async def taken_over() -> bool:
                return (await ask("tasks/get", taskId=handle)).status != 503

            await until(taken_over)
            assert (await ask("tasks/get", taskId=handle)).code == "unknown-task"

            async def closed() -> bool:
                return sorted(await outcomes(first)) == ["ok", "unknown"]

            await until(closed)


async def outcomes(one: Replica) -> list[str]:
    """Return how the calls of the slow tool have ended."""
    found = await one.events(kinds="tool.called")
    return [event["facts"]["outcome"] for event in found if event["facts"]["tool"] == "files/slow"]
