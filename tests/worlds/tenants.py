# SPDX-License-Identifier: Apache-2.0
"""Two tenants in one process and one database: each with its services, keys and endpoints, on one store.

People, agents, tools and task types have the same names in both. One of them has a secret word in all that
people write there.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
from msgspec import inspect

from remit.adapters.store.postgres import PostgresStore
from remit.adapters.store.sqlite import SqliteStore
from remit.core.evidence.event import EventKind
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import Role
from remit.core.identity.workload import Assurance, KeyBinding
from remit.core.replicas.replica import Replica
from remit.gateway.endpoints import mcp_endpoint
from remit.ports.notifier import Notification
from remit.ports.store.store import Store
from remit.services.authzen.enforcement_points import EnforcementPoint
from remit.services.identity.directory import NewAgent, NewPerson
from remit.services.separation.sign_in_methods import AT_START
from remit.services.signals.notifications import NotificationTarget
from tests.samples.tokens import agent_token, task_token
from tests.worlds.console import ConsoleWorld
from tests.worlds.services import LOOPBACK, Told, exchange
from tests.worlds.values import START, WorldClock, WorldEntropy, WorldSealingKeys

Json = Any
#: Only one tenant has it, and no test asks for it.
SECRET = "quagga"
POINT = EnforcementPoint(
    name="clerk",
    resources=frozenset({"desk"}),
    agents=frozenset({"*"}),
    vouches=Assurance.KEY_BOUND,
    constrained=False,
)


class Tenant(ConsoleWorld):
    """One of them; `ids` are what it has that the other has not, by kind."""

    def __init__(self, folder: Path, name: str, store: Store, seed: str) -> None:
        folder.mkdir(exist_ok=True)
        self.told: list[Notification] = []
        clock = WorldClock()
        # On PostgreSQL each is a replica of its tenant, and hears what the database tells replicas.
        fleet: dict[str, Any] = {}
        if isinstance(store, PostgresStore):
            replica = Replica(id="", host=name, joined=START, lease_s=60.0)
            fleet = {"fleet": store.fleet(name, clock), "replica": replica, "settle_s": 0.2}
        super().__init__(
            folder,
            tenant=name,
            origin=f"remit/{name}",
            store=store,
            seed=seed,
            clock=clock,
            points={"clerk": POINT},
            addressees={"ops": NotificationTarget(name="ops", notifier=self, kinds=tuple(EventKind))},
            **fleet,
        )
        self.name = name
        self.mcp = mcp_endpoint(self.services)
        self.ids: dict[str, str] = {}

    async def notify(self, notification: Notification) -> None:
        """Be told, as an addressee."""
        self.told.append(notification)

    async def settle_in(self) -> None:
        """Bring in one person with every role, too."""
        await self.services.replicas.membership.enter()
        await super().settle_in()
        await self.services.signals.notifications.begin()
        new = NewPerson(name="all", roles=tuple(Role), groups=("staff",))
        await self.services.identity.directory.add_person(new, by="remit")

    async def session(self, person: str = "all") -> str:
        """Sign a person in."""
        code = await self.services.identity.authenticator.make_code(person, by=AT_START)
        return (await self.services.identity.authenticator.sign_in(code))[0]

    async def task_token(self) -> str:
        """Open a task, and return a token for it that is bound to no key."""
        task, _ = await self.open()
        return await task_token(self.services, task.id)

    async def agents_own(self, agent: str = "clerk") -> str:
        """Return an agent's token."""
        return await agent_token(self.services, await self.services.identity.directory.agent(agent))

    async def ask(
        self, method: str, path: str, body: Json = None, *, by: str = "", mcp: bool = False
    ) -> Told:
        """Send a request to the management endpoints, or to the MCP endpoint."""
        given = [("accept", "application/json, text/event-stream"), ("authorization", f"Bearer {by}")]
        content = b"" if body is None else json.dumps(body).encode()
        if body is not None:
            given.append(("content-type", "application/json"))
        asgi = self.mcp if mcp else self.asgi
        return await exchange(asgi, method, path, given, content, LOOPBACK)

    async def live_in(self) -> None:
        """Do one of everything that leaves something behind, with the secret word in every text."""
        services, by = self.services, await self.session()
        await services.identity.directory.add_person(
            NewPerson(name="zoe", roles=(Role.APPROVER,), groups=("staff",)), by="all"
        )
        key = {**self.public_key(), "crv": "Ed25519"}
        await services.identity.directory.register(
            NewAgent(name="zoe-bot", owner="zoe", purpose=f"a {SECRET}", bindings=(KeyBinding(key),)),
            by="all",
        )
        task, token = await self.open(goal=f"feed the {SECRET}")
        approval = await self.asked(token, text=f"hay for the {SECRET}", amount=7)
        await self.call(token, "read", text=SECRET)
        events = (await self.ask("GET", "/api/v1/events?limit=200", by=by)).json["items"]
        call = next(one["call"] for one in events if "call" in one)
        ended, _ = await self.open(goal=SECRET)
        closed = await self._made(
            "/api/v1/end", {"kind": "task", "name": ended.id, "reason": f"no {SECRET}"}, by
        )
        finding = await services.findings.findings.see(
            FindingKind.MANIFEST_DRIFT, "agent:zoe-bot", "one", {"why": SECRET}
        )
        frozen = await self._made(
            "/api/v1/freezes", {"until": "2026-03-05T10:00:00Z", "reason": f"a {SECRET} sleeps"}, by
        )
        substitute = {"substitute": "zoe", "ends": "2026-03-09T10:00:00Z"}
        await self._made("/api/v1/absences", substitute, by)
        delegated = await self._made(
            "/api/v1/delegations", {"agent": "other", "task_type": "work", "goal": f"the {SECRET}"}, by
        )
        self.ids = {
            "person": "zoe",
            "agent": "zoe-bot",
            "task": task.id,
            "ended": ended.id,
            "approval": approval,
            "call": call,
            "closure": closed["id"],
            "finding": finding.id,
            "freeze": frozen["id"],
            "delegation": delegated["id"],
        }

    async def _made(self, path: str, body: Json, by: str) -> Json:
        told = await self.ask("POST", path, body, by=by)
        assert told.status in (200, 201), (path, told.content)
        return told.json

    def public_key(self) -> dict[str, str]:
        """Return an agent's public key, without its curve."""
        return {"kty": "OKP", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


def fitting(kind: inspect.Type, text: str) -> Iterator[Json]:
    """Return values of a type with `text` in every text, once for each member of its enumerations."""
    match kind:
        case inspect.StructType(fields=members, tag_field=tag_field, tag=tag):
            names = [one.encode_name for one in members] + ([tag_field] if tag_field else [])
            columns = [list(fitting(one.type, text)) for one in members] + ([[tag]] if tag_field else [])
            for turn in range(max((len(column) for column in columns), default=1)):
                yield {name: column[turn % len(column)] for name, column in zip(names, columns, strict=True)}
        case inspect.UnionType(types=types):
            for one in types:
                if not isinstance(one, inspect.NoneType):
                    yield from fitting(one, text)
        case inspect.EnumType(cls=cls):
            yield from (member.value for member in cls)
        case inspect.LiteralType(values=values):
            yield from values
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            yield from ([one] for one in fitting(item, text))
        case inspect.SetType(item_type=item) | inspect.FrozenSetType(item_type=item):
            yield from ([one] for one in fitting(item, text))
        case inspect.DictType():
            yield {}
        case inspect.IntType(ge=least) | inspect.FloatType(ge=least):
            yield least or 1
        case inspect.BoolType():
            yield False
        case inspect.DateTimeType():
            yield "2026-03-03T10:00:00Z"
        case inspect.Metadata(type=inner):
            yield from fitting(inner, text)
        case _:
            yield text


def forms(kind: Any, text: str) -> list[Json]:
    """Return bodies of a type; an untyped one is none."""
    return list(fitting(inspect.type_info(kind), text)) if kind is not None else [None]


def rows(place: str | Path, tenant: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of a tenant, by table, read beside the store."""
    if isinstance(place, Path):
        with sqlite3.connect(place) as lite:
            tables = [name for (name,) in lite.execute("select name from sqlite_master where type = 'table'")]
            kept = [one for one in tables if "tenant" in _columns(lite, one)]
            return {
                one: sorted(lite.execute(f"select * from {one} where tenant = ?", (tenant,)), key=repr)
                for one in kept
            }
    with psycopg.connect(place) as server:
        found = server.execute(
            "select table_name from information_schema.columns where column_name = 'tenant'"
        ).fetchall()
        out = {}
        for (one,) in found:
            query = f'select * from "{one}" where tenant = %s'
            out[one] = sorted(server.execute(query.encode(), (tenant,)).fetchall(), key=repr)
        return out


def _columns(lite: sqlite3.Connection, table: str) -> list[str]:
    return [one[1] for one in lite.execute(f"pragma table_info({table})")]


@asynccontextmanager
async def two_tenants(
    folder: Path, url: str = "", *, seeds: tuple[str, str] = ("one", "two")
) -> AsyncIterator[tuple[Tenant, Tenant]]:
    """Provide `acme` and `globex` on one store, in a file or in the database at `url`.

    With the same seed twice, both draw the same ids.
    """
    shared: dict[str, Any] = {
        "durability": "buffered",
        "clock": WorldClock(),
        "entropy": WorldEntropy("store"),
        "sealing": WorldSealingKeys(),
    }
    store: Store = (
        PostgresStore.open(url, **shared) if url else SqliteStore.open(folder / "remit.db", **shared)
    )
    acme, globex = (
        Tenant(folder / name, name, store, seed) for name, seed in zip(("acme", "globex"), seeds, strict=True)
    )
    try:
        await acme.settle_in()
        await globex.settle_in()
        yield acme, globex
    finally:
        for one in (acme, globex):
            await one.services.replicas.membership.leave()
        await store.close()
