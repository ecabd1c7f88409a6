# SPDX-License-Identifier: Apache-2.0
"""The HTTP endpoint before all services: the real adapter, one scripted API over a real socket.

The API `shop` does what its paths say, well or badly, and keeps what reached it. The task type `work` grants
most of its operations; of customers only `c-1`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from remit.adapters.broker.standing_secret import StandingBroker
from remit.adapters.upstream.bounds import BufferBound
from remit.adapters.upstream.http_api.api import HttpApi
from remit.core.evidence.event import EventKind
from remit.core.identity.workload import KeyBinding
from remit.core.label import Audience, Label, Trust
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import Budgets, TaskType
from remit.core.tools.http_api import Api, read_api
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool
from remit.gateway.endpoints import http_endpoint
from remit.gateway.http import HttpEndpoint, HttpLimits
from remit.ports.store.units import Unit
from remit.services.assembly.services import Services
from remit.services.identity.directory import NewAgent, NewPerson
from remit.services.tasks.tasks import Opening
from tests.samples.tokens import task_token
from tests.servers.scripted_api import MAX_RESULT_BYTES, ScriptedApi
from tests.worlds.calls import ASK, KEYS
from tests.worlds.mcp_endpoint import served
from tests.worlds.services import PERMIT, PUBLIC_URL, Told, exchange, make_services
from tests.worlds.values import WorldClock

Json = Any

SECRET = "s3cret-of-the-shop-1234"
ANY: Json = {"anything": {}}


def a_parameter(name: str, where: str, kind: str = "string", **more: Json) -> Json:
    """Return a parameter as OpenAPI has it."""
    return {"name": name, "in": where, "schema": {"type": kind}, "required": where == "path", **more}


def answers(media: Json = "application/json", **headers: Json) -> Json:
    """Return the responses of an operation."""
    return {"200": {"description": "ok", "headers": headers, "content": {media: {}}}}


def an_operation(name: str, *parameters: Json, **more: Json) -> Json:
    """Return an operation."""
    return {"operationId": name, "parameters": list(parameters), "responses": answers(), **more}


PAYMENT = {
    "type": "object",
    "required": ["payee", "amount"],
    "properties": {
        "payee": {"type": "string"},
        "amount": {"type": "number"},
        "note": {"type": "string"},
        "details": {"type": "object"},
    },
}
DOCUMENT: Json = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1.2"},
    "paths": {
        "/customers/{id}": {
            "get": an_operation(
                "getCustomer",
                a_parameter("id", "path"),
                a_parameter("fields", "query"),
                a_parameter("X-Region", "header"),
            ),
            "delete": an_operation("deleteCustomer", a_parameter("id", "path")),
        },
        "/customers/export": {"get": an_operation("exportCustomers")},
        "/search": {
            "get": an_operation(
                "search",
                a_parameter("q", "query", required=True),
                a_parameter("limit", "query", "integer"),
                {"name": "tag", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
            )
        },
        "/payments": {
            "post": an_operation(
                "createPayment",
                requestBody={"required": True, "content": {"application/json": {"schema": PAYMENT}}},
            )
        },
        "/odd": {"get": {"responses": answers(**{"X-Shop-Page": {}, "Set-Cookie": {}})}},
        "/say/{what}": {"get": an_operation("say", a_parameter("what", "path"), a_parameter("to", "query"))},
        "/hidden": {"get": an_operation("hidden", a_parameter("q", "query"))},
    },
}


def a_tool(name: str, **changes: Json) -> Tool:
    """Return a described tool that reads."""
    known: dict[str, Json] = {
        "upstream": "shop",
        "name": name,
        "effect": Effect.NONE,
        "audience": Audience("self"),
        "label": Label(),
        "described": True,
    }
    return Tool(**(known | changes))


TOOLS = (
    a_tool("getCustomer", arguments={"id": Argument(ArgumentRole.SELECTOR)}),
    a_tool("deleteCustomer", effect=Effect.REVERSIBLE),
    a_tool("search"),
    a_tool("say", label=Label(trust=Trust.UNTRUSTED)),
    a_tool("get_odd"),
    a_tool("exportCustomers"),
    a_tool(
        "createPayment",
        effect=Effect.IRREVERSIBLE,
        audience=Audience("external"),
        financial=True,
        arguments={"payee": Argument(ArgumentRole.DESTINATION), "amount": Argument(ArgumentRole.AMOUNT)},
    ),
)
GRANTS = (
    GrantTemplate("shop/getCustomer", {"id": {"exact": "c-1"}}, other_arguments=True),
    GrantTemplate("shop/search", other_arguments=True),
    GrantTemplate("shop/say", other_arguments=True),
    GrantTemplate("shop/get_odd", other_arguments=True),
    GrantTemplate("shop/createPayment", {"amount": {"range": {"max": 100}}}, other_arguments=True),
)


def a_type(name: str, **changes: Json) -> TaskType:
    """Return a task type."""
    known: dict[str, Json] = {
        "name": name,
        "purpose": "Work at the shop",
        "run_by": ("clerk",),
        "requested_by": ("group:staff",),
        "grants": GRANTS,
    }
    return TaskType(**(known | changes))


def a_bundle(document: Json = None) -> Bundle:
    """Return the bundle of the shop."""
    types = (
        a_type("work"),
        a_type("loose", grants=(GrantTemplate("shop/getCustomer", other_arguments=True),)),
        a_type("one-call", budgets=Budgets(calls=1)),
    )
    return Bundle(
        tools={tool.id: tool for tool in TOOLS},
        task_types={one.name: one for one in types},
        policies=(PolicySource("base.cedar", PERMIT + ASK),),
        apis={"shop": read_api(document or DOCUMENT, credentials=frozenset({"authorization"}))},
        digest="sha256:shop",
    )


@dataclass
class RestWorld:
    """The endpoint, what stands behind it, and a task's token."""

    services: Services
    endpoint: HttpEndpoint
    clock: WorldClock
    api: ScriptedApi
    upstream: HttpApi
    base: str
    token: str = ""
    task: str = ""
    heard: list[bytes] = field(default_factory=list)

    async def open(self, task_type: str = "work") -> tuple[str, str]:
        """Open a task; gives its id and a token."""
        person = await self.services.identity.directory.person("lena")
        task = await self.services.tasks.tasks.open(
            Opening(agent="clerk", task_type=task_type), person=person
        )
        return task.id, await task_token(self.services, task.id)

    async def ask(
        self,
        method: str,
        path: str,
        content: Json = b"",
        headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
        *,
        token: str | None = None,
        upstream: str = "shop",
        **more: Json,
    ) -> Told:
        """Send one request to the endpoint; a value that is no bytes goes as JSON."""
        given: list[tuple[str, str]] = []
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
            given.append(("content-type", "application/json"))
        bearer = self.token if token is None else token
        if bearer:
            given.append(("authorization", f"Bearer {bearer}"))
        given += list(headers.items()) if isinstance(headers, Mapping) else headers or []
        return await exchange(
            self.endpoint, method, f"/http/{upstream}{path}", given, content, "127.0.0.1", **more
        )

    async def get(self, path: str, **more: Json) -> Told:
        """Send a GET."""
        return await self.ask("GET", path, **more)

    async def facts(self, kind: EventKind) -> list[Json]:
        """Return the facts of all events of a kind so far."""
        await asyncio.sleep(0)
        await self.services.mediation.mediator.count_refusals()
        await self.services.mediation.mediator.retry_late()
        # What is under way is written before what comes after it.
        await self.services.store.commit(Unit(tenant=self.services.tenant))
        entries = await self.services.evidence.log.pages(limit=1000)
        return [json.loads(entry.leaf)["facts"] for entry in entries if entry.kind == kind.value]

    def header(self, name: str) -> list[str]:
        """Return the values of a header of the last request that reached the API."""
        return [value for key, value in self.api.seen[-1]["headers"] if key == name]


def shop_upstream(base: str, api: Api, **more: Json) -> HttpApi:
    """Return the adapter of the shop."""
    known: dict[str, Json] = {"bound": BufferBound(8 * 1024 * 1024), "max_result_bytes": MAX_RESULT_BYTES}
    return HttpApi("shop", base, api, **(known | more))


@asynccontextmanager
async def rest_world(
    folder: Path,
    limits: HttpLimits | None = None,
    *,
    observed: bool = False,
    document: Json = None,
    asgi: Json = None,
    at: str = "",
    **more: Json,
) -> AsyncIterator[RestWorld]:
    """Open the world, with a task of type `work`; bearer tokens do. `asgi` stands in for the scripted API, or
    what is `at` an address.
    """
    clock = WorldClock(datetime.now(UTC))
    scripted = ScriptedApi()
    async with served(asgi or scripted) as url:
        bundle = a_bundle(document)
        upstream = shop_upstream(f"{at or url}/v1", bundle.apis["shop"], **more)
        broker = StandingBroker("shop", {"Authorization": lambda: f"Bearer {SECRET}"}, {"Authorization"})
        services = make_services(
            folder,
            clock,
            {"shop": upstream},
            unconstrained=frozenset({"shop"}),
            observed=frozenset({"shop"}) if observed else frozenset(),
            brokers={"shop": broker},
        )
        await services.policies.apply(bundle, by="remit")
        await services.tools.registry.learned("shop", await upstream.catalogue())
        await services.identity.directory.add_person(NewPerson(name="lena", groups=("staff",)), by="remit")
        new = NewAgent(name="clerk", owner="lena", purpose="works", bindings=(KeyBinding(KEYS["clerk"]),))
        await services.identity.directory.register(new, by="root")
        world = RestWorld(
            services, http_endpoint(services, limits=limits), clock, scripted, upstream, PUBLIC_URL
        )
        world.task, world.token = await world.open()
        try:
            yield world
        finally:
            scripted.let_go.set()
            await upstream.stop()
            await services.store.close()
