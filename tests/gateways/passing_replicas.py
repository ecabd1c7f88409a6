# SPDX-License-Identifier: Apache-2.0
"""Replicas whose tasks may do a little at every endpoint: mails, an HTTP API, another enforcement point."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from yarl import URL

from remit_sdk.dpop import DpopProver
from tests.gateways.gateway_process import MODERN, GatewayProcess
from tests.gateways.several_replicas import Replicas, replicas
from tests.samples.mail_bundle import RECIPIENT
from tests.servers.postgres_server import PostgresServer
from tests.worlds.mcp_endpoint import served

Json = Any

LEGACY = "2025-11-25"
THING = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "paths": {
        "/things/{id}": {
            "get": {
                "operationId": "getThing",
                "parameters": [THING],
                "responses": {"200": {"description": "ok", "content": {"application/json": {}}}},
            }
        }
    },
}
SHOP = """
upstream: shop
tools:
  getThing:
    effect: none
    audience: self
    labels: {class: public, trust: trusted}
    arguments:
      id: {role: selector}
"""
RECORD = """
upstream: record
tools:
  read:
    effect: none
    audience: self
    labels: {class: public, trust: trusted}
    arguments: {id: {role: selector}}
    schema: {type: object, properties: {id: {type: string}}, additionalProperties: false}
"""
COUNTER = """
upstream: counter
tools:
  count:
    effect: none
    audience: self
    labels: {class: public, trust: trusted}
    arguments: {id: {role: selector}}
"""
MORE_GRANTS = """  - tool: shop/getThing
    arguments: {id: {pattern: "t-[0-9]+"}}
  - tool: record/read
    arguments: {id: {pattern: "r-[0-9]+"}}
  - tool: counter/count
    arguments: {id: {pattern: "c-[0-9]+"}}
"""


def prepare(folder: Path, shop: Json, upstreams: Mapping[str, Json], extra: Mapping[str, str]) -> None:
    """Add the API, the enforcement point `other-bot`, functions, and what tasks may do with them.

    `extra` are tools that tasks may use besides, with the description of each.
    """
    (folder / "apis").mkdir()
    (folder / "apis" / "shop.json").write_text(json.dumps(DOCUMENT))
    (folder / "tools" / "shop.yaml").write_text(SHOP)
    (folder / "tools" / "record.yaml").write_text(RECORD)
    (folder / "tools" / "counter.yaml").write_text(COUNTER)
    granted = MORE_GRANTS
    for tool, text in extra.items():
        (folder / "tools" / f"{tool.partition('/')[0]}.yaml").write_text(text)
        granted += f"  - tool: {tool}\n    other_arguments: true\n"
    task = folder / "tasks" / "send-mail.yaml"
    task.write_text(task.read_text().replace("grants:\n", f"grants:\n{granted}"))
    file = folder / "remit.yaml"
    config = json.loads(file.read_text())
    config["upstreams"] |= {
        "shop": {"openapi": "apis/shop.json", "sender_constraint": "optional", **shop},
        **upstreams,
    }
    point = {"resources": ["record"], "agents": ["mail-bot"], "vouches": "key-bound"}
    config["enforcement_points"] = {"other-bot": point}
    config["functions"] = {"counter": {}}
    file.write_text(json.dumps(config))


class Given(NamedTuple):
    """One answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        """What it says."""
        return json.loads(self.body)


class PassingWorld:
    """The replicas, and a client that may say anything."""

    def __init__(self, world: Replicas, shop: str, http: aiohttp.ClientSession) -> None:
        self.world = world
        self.shop = shop
        self.http = http

    async def ask(
        self,
        one: GatewayProcess,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Json = None,
        form: Mapping[str, str] | None = None,
    ) -> Given:
        """Make one request."""
        scheme = "https" if one.tls else "http"
        url = URL(f"{scheme}://127.0.0.1:{one.port}{path}", encoded=True)
        more: dict[str, Json] = (
            {"data": form} if form is not None else {"json": body} if body is not None else {}
        )
        async with self.http.request(
            method, url, headers=headers, allow_redirects=False, ssl=one.tls or True, **more
        ) as answer:
            return Given(answer.status, answer.headers, await answer.read())

    async def proven(
        self,
        one: GatewayProcess,
        prover: DpopProver,
        method: str,
        path: str,
        token: str,
        body: Json = None,
        **more: str,
    ) -> Given:
        """Make one request with a proof, signed again as long as another nonce is wanted."""
        url = one.url + path
        while True:
            shown = {"authorization": f"DPoP {token}", "dpop": prover.proof(method, url, token), **more}
            given = await self.ask(one, method, path, shown, body)
            prover.learn(url, given.headers)
            if not prover.again(url, given.status, given.headers):
                return given


def legacy(token: str, session: str = "", **more: str) -> dict[str, str]:
    """Return the headers of a request of the revision of 2025-11-25."""
    shown = {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}
    if session:
        shown |= {"mcp-session-id": session, "mcp-protocol-version": LEGACY}
    return {**shown, **more}


def modern(name: str = "send") -> dict[str, str]:
    """Return the headers of a call of the newest revision, without those that show who asks."""
    return {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": MODERN,
        "mcp-method": "tools/call",
        "mcp-name": name,
    }


def a_mail(subject: str) -> Json:
    """Return the arguments of one mail."""
    return {"to": RECIPIENT, "subject": subject, "body": "-"}


@asynccontextmanager
async def passing_world(
    folder: Path,
    url: str,
    server: PostgresServer,
    *,
    shop: Mapping[str, Json] | None = None,
    upstreams: Mapping[str, Json] | None = None,
    extra: Mapping[str, str] | None = None,
    count: int = 2,
    **more: Json,
) -> AsyncIterator[PassingWorld]:
    """Provide two replicas, or `count`; `shop` is what their configuration says of the API besides."""

    async def thing(scope: Json, receive: Json, send: Json) -> None:
        said = json.dumps({"path": scope["path"]}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(said))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": said})

    async with served(thing) as base, aiohttp.ClientSession() as http:

        def prepared(one: Path) -> None:
            prepare(one, {"url": base, **(shop or {})}, upstreams or {}, extra or {})

        async with replicas(folder, url, server.port, count=count, prepare=prepared, **more) as world:
            yield PassingWorld(world, base, http)
