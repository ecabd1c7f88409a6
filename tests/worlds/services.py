# SPDX-License-Identifier: Apache-2.0
"""All services for tests: every service on a real store, real keys and the real policy engine.

Only the clock, the entropy and the upstreams are the world's. `ServiceWorld.ask` speaks to the management
endpoints as a client does, without a socket.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from joserfc import jws
from joserfc.jwk import ECKey

from remit.adapters.keys.file import FileCheckpointKeys, FileTokenKeys
from remit.adapters.log.file import FileHeadKeeper
from remit.adapters.store.sqlite import SqliteStore
from remit.api import app
from remit.core.identity.deployment import Deployment
from remit.core.identity.principals import Role
from remit.core.identity.workload import KeyBinding
from remit.core.label import Audience, Label
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import Parameter, TaskType
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool
from remit.ports.adapters import Adapters
from remit.ports.keys import Keyring
from remit.ports.upstream import Catalogue, Upstream
from remit.services.assembly.assembly import assemble
from remit.services.assembly.services import Services
from remit.services.assembly.settings import ReplicaSettings, Settings
from remit.services.authzen.assembly import EvaluationSettings
from remit.services.authzen.enforcement_points import EnforcementPoint
from remit.services.credentials.assembly import CredentialSettings
from remit.services.decisions.assembly import DecisionSettings
from remit.services.discovery.assembly import DiscoverySettings
from remit.services.evidence.assembly import EvidenceSettings
from remit.services.identity.assembly import IdentitySettings
from remit.services.identity.attestation import NoIssuers
from remit.services.identity.directory import NewAgent, NewPerson
from remit.services.inspection.assembly import InspectionSettings
from remit.services.mediation.assembly import CallSettings
from remit.services.oauth.assembly import TokenSettings
from remit.services.people.assembly import PeopleSettings
from remit.services.separation.sign_in_methods import AT_START
from remit.services.signals.assembly import SignalSettings
from tests.worlds.policies import PoliciesLoadedOnce
from tests.worlds.values import TENANT, WorldClock, WorldEntropy, WorldSealingKeys

#: The settings of each room.
ROOMS: dict[str, type[Any]] = {
    "credentials": CredentialSettings,
    "replicas": ReplicaSettings,
    "decisions": DecisionSettings,
    "identity": IdentitySettings,
    "calls": CallSettings,
    "tokens": TokenSettings,
    "signals": SignalSettings,
    "evaluations": EvaluationSettings,
    "people": PeopleSettings,
    "inspection": InspectionSettings,
    "discovery": DiscoverySettings,
    "evidence": EvidenceSettings,
}
Json = Any
Heard = Callable[[bytes], Awaitable[None]]

PUBLIC_URL = "http://127.0.0.1:8700"
#: The management interface, as tokens name it.
API = f"{PUBLIC_URL}/api/v1"
ORIGIN = f"remit/{TENANT}"
LOOPBACK = "127.0.0.1"

READ = Tool(
    upstream="contracts",
    name="read",
    effect=Effect.NONE,
    audience=Audience("self"),
    label=Label(),
    arguments={"path": Argument(ArgumentRole.SELECTOR)},
    described=True,
)
DEPLOY = Tool(
    upstream="changes",
    name="deploy",
    effect=Effect.IRREVERSIBLE,
    audience=Audience("internal"),
    label=Label(),
    arguments={"change": Argument(ArgumentRole.SELECTOR)},
    production=True,
    described=True,
)
SUMMARISE = TaskType(
    name="summarise-contract",
    purpose="Summarise one contract",
    run_by=("contract-bot",),
    requested_by=("group:legal",),
    parameters={"id": Parameter(constraint={"pattern": "C-[0-9]{1,6}"})},
    grants=(GrantTemplate("contracts/read", {"path": {"exact": "contracts/{id}.md"}}),),
)
NIGHTLY = TaskType(
    name="nightly-check",
    purpose="Look whether contracts have run out",
    run_by=("contract-bot", "other-bot"),
    requested_by=("agent:contract-bot",),
    grants=(GrantTemplate("contracts/read", other_arguments=True),),
    requires_person=False,
)
PERMIT = '@id("permit-granted")\n@reason("granted")\npermit (principal, action, resource);\n'


def a_bundle(digest: str = "sha256:one", policy: str = PERMIT) -> Bundle:
    """Return the bundle of the legal team."""
    return Bundle(
        tools={tool.id: tool for tool in (READ, DEPLOY)},
        task_types={one.name: one for one in (SUMMARISE, NIGHTLY)},
        policies=(PolicySource("base.cedar", policy),),
        digest=digest,
    )


def wire_tool(name: str, argument: str, description: str) -> dict[str, Json]:
    """Return a tool as an upstream offers it."""
    schema = {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]}
    return {"name": name, "description": description, "inputSchema": schema}


def a_catalogue(description: str = "Reads a contract") -> Catalogue:
    """Return what the upstream `contracts` offers."""
    return Catalogue(protocol="2026-07-28", tools=(wire_tool("read", "path", description),))


def make_services(
    folder: Path,
    clock: WorldClock,
    upstreams: Mapping[str, Upstream] | None = None,
    *,
    observed: frozenset[str] = frozenset(),
    seed: str = "house",
    points: Mapping[str, EnforcementPoint] | None = None,
    **outfit: Any,
) -> Services:
    """Put a gateway together as `compose` does, on the world's clock and entropy.

    A gateway that is opened again on the same folder takes another `seed`: entropy never repeats.
    `outfit` goes to the adapters and settings that have fields of these names.
    """
    entropy = WorldEntropy(seed)
    heads = FileHeadKeeper(folder / "head")
    sealing = WorldSealingKeys()
    store = outfit.pop("store", None) or SqliteStore.open(
        folder / "remit.db",
        durability="buffered",
        clock=clock,
        entropy=entropy,
        sealing=sealing,
        heads=heads,
        origin=lambda tenant: f"remit/{tenant}",
    )
    given: dict[str, Any] = {
        "tenant": TENANT,
        "public_url": PUBLIC_URL,
        "origin": ORIGIN,
        "clock": clock,
        "entropy": entropy,
        "store": store,
        "heads": heads,
        "keys": Keyring(
            tokens=FileTokenKeys(folder / "keys", clock),
            checkpoints=FileCheckpointKeys(folder / "keys", ORIGIN, clock),
            sealing=sealing,
        ),
        "engine": PoliciesLoadedOnce(),
        "issuers": NoIssuers(),
        "upstreams": upstreams or {},
        "observed": observed,
        "call_timeout_s": 30,
        "enforcement_points": points or {},
    }
    return assemble(*parts_of(given | outfit))


def parts_of(given: Mapping[str, Any]) -> tuple[Adapters, Deployment, Settings]:
    """Put each value into the struct that has a field of its name; no two of the structs share one."""
    left = dict(given)

    def taken(kind: type[Any]) -> Any:
        return kind(**{one.name: left.pop(one.name) for one in fields(kind) if one.name in left})

    adapters, deployment = taken(Adapters), taken(Deployment)
    rooms = {name: taken(kind) for name, kind in ROOMS.items()}
    settings = Settings(**rooms, **left)
    return adapters, deployment, settings


@dataclass
class Told:
    """What an endpoint answered."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""

    @property
    def json(self) -> Json:
        """The answer's body as JSON."""
        return json.loads(self.content)


async def exchange(
    asgi: Any,
    method: str,
    path: str,
    headers: list[tuple[str, str]],
    content: bytes,
    client: str,
    heard: Heard | None = None,
    before_body: Callable[[], Awaitable[object]] | None = None,
) -> Told:
    """Send one request to an ASGI application and gather the answer; `heard` is told of each part of it.

    `before_body` happens after the head has arrived, and before the body does.
    """
    place, _, search = path.partition("?")
    told, sent = Told(), False
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": place,
        "raw_path": place.encode(),
        "query_string": search.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": (client, 50_000),
        "server": (LOOPBACK, 8700),
    }

    async def receive() -> dict[str, Json]:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()  # this client waits for its answer, however long it takes
        sent = True
        if before_body is not None:
            await before_body()
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: dict[str, Json]) -> None:
        if message["type"] == "http.response.start":
            told.status = message["status"]
            for name, value in message["headers"]:
                before = told.headers.get(name.decode())
                told.headers[name.decode()] = f"{before}, {value.decode()}" if before else value.decode()
        elif message["type"] == "http.response.body":
            told.content += message.get("body", b"")
            if heard is not None:
                await heard(message.get("body", b""))

    await asgi(scope, receive, send)
    return told


class ServiceWorld:
    """A gateway with people, two agents and a bundle, behind its management endpoints."""

    def __init__(
        self, folder: Path, points: Mapping[str, EnforcementPoint] | None = None, **outfit: Any
    ) -> None:
        self.clock = WorldClock()
        self.services = make_services(folder, self.clock, points=points, **outfit)
        self.on_disk: Bundle | Exception = a_bundle("sha256:two")
        self.asgi = app(self.services, reload=self._reload, watch_s=0)
        self.keys = {name: ECKey.generate_key("P-256") for name in ("contract-bot", "other-bot")}
        self._assertions = 0

    def _reload(self) -> Bundle:
        if isinstance(self.on_disk, Exception):
            raise self.on_disk
        return self.on_disk

    async def settle_in(self) -> None:
        """Apply the bundle, and register people and agents."""
        services = self.services
        await services.policies.apply(a_bundle(), by="remit")
        await services.tools.registry.learned("contracts", a_catalogue())
        people = {
            "root": ((Role.ADMINISTRATOR,), ()),
            "ada": ((Role.APPROVER,), ()),
            "otto": ((Role.OPERATOR,), ()),
            "audra": ((Role.AUDITOR,), ()),
            "lena": ((), ("legal",)),
            "leo": ((), ("legal",)),
        }
        for name, (roles, groups) in people.items():
            await services.identity.directory.add_person(
                NewPerson(name=name, roles=roles, groups=groups), by="remit"
            )
        for name, key in self.keys.items():
            await services.identity.directory.register(
                NewAgent(
                    name=name,
                    owner="lena",
                    purpose="reads contracts",
                    bindings=(KeyBinding(self.public(name)),),
                ),
                by="root",
            )
            assert key.is_private

    def public(self, agent: str) -> dict[str, str]:
        """Return the public key of an agent."""
        return {name: str(value) for name, value in self.keys[agent].as_dict(private=False).items()}

    async def session(self, person: str) -> str:
        """Sign a person in."""
        code = await self.services.identity.authenticator.make_code(person, by=AT_START)
        return (await self.services.identity.authenticator.sign_in(code))[0]

    def assertion(self, agent: str, **changes: Json) -> str:
        """Sign a client assertion with an agent's key."""
        self._assertions += 1
        claims: dict[str, Json] = {
            "iss": agent,
            "sub": agent,
            "aud": PUBLIC_URL,
            "jti": f"assertion-{self._assertions}",
            "exp": int((self.clock.now() + timedelta(seconds=60)).timestamp()),
        } | changes
        return jws.serialize_compact(
            {"alg": "ES256"}, json.dumps(claims).encode(), self.keys[agent], algorithms=["ES256"]
        )

    async def agent_token(self, agent: str = "contract-bot") -> str:
        """Get an agent's token as an agent does."""
        told = await self.form(
            {
                "grant_type": "client_credentials",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": self.assertion(agent),
            }
        )
        assert told.status == 200, told.content
        return str(told.json["access_token"])

    async def task_token(self, task: str, agent: str = "contract-bot", **more: str) -> Told:
        """Ask for a task's token as its agent does."""
        fields = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self.assertion(agent),
            "mission_id": task,
        }
        return await self.form(fields | more)

    async def form(
        self,
        fields: Mapping[str, str] | bytes,
        headers: Mapping[str, str] | None = None,
        *,
        path: str = "/oauth/token",
    ) -> Told:
        """Send a form to the token endpoint, or another one."""
        content = fields if isinstance(fields, bytes) else urlencode(fields).encode()
        given = {"content-type": "application/x-www-form-urlencoded"} | dict(headers or {})
        return await exchange(self.asgi, "POST", path, list(given.items()), content, LOOPBACK)

    async def ask(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        by: str = "",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        client: str = LOOPBACK,
        heard: Heard | None = None,
        before_body: Callable[[], Awaitable[object]] | None = None,
    ) -> Told:
        """Send a request to a management endpoint; `by` is a session or a token."""
        given: dict[str, str] = {}
        if by:
            given["authorization"] = f"Bearer {by}"
        if body is not None or content is not None:
            given["content-type"] = "application/json"
        given |= dict(headers or {})
        data = content if content is not None else b"" if body is None else json.dumps(body).encode()
        return await exchange(self.asgi, method, path, list(given.items()), data, client, heard, before_body)

    async def open(self, session: str, contract: str = "C-42", **more: Json) -> str:
        """Open a task as a person, and give its id."""
        body = {"agent": "contract-bot", "task_type": "summarise-contract", "params": {"id": contract}} | more
        told = await self.ask("POST", "/api/v1/tasks", body, by=session)
        assert told.status == 201, told.content
        return str(told.json["id"])

    async def kinds(self) -> list[str]:
        """Return the kinds of all events so far."""
        found = await self.services.evidence.log.pages(limit=1000)
        return [entry.kind for entry in found]


@asynccontextmanager
async def service_world(folder: Path, **outfit: Any) -> AsyncIterator[ServiceWorld]:
    """Open a gateway world, settled in, and close its store at the end."""
    world = ServiceWorld(folder, **outfit)
    await world.settle_in()
    try:
        yield world
    finally:
        await world.services.store.close()
