# SPDX-License-Identifier: Apache-2.0
"""A gateway that other enforcement points ask: the bundle of AuthZEN's fixtures, and who asks under it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey

from remit.compose.build import enforcement_points
from remit.config import load_bundle, load_config
from remit.core.identity.principals import Person, Role
from remit.core.identity.workload import Assurance, Confirmation, KeyBinding
from remit.core.oauth.access_token import AGENT_SCOPE, TOKEN_TYPE, AccessClaims
from remit.ports.store.changes import PutPerson
from remit.ports.store.units import Unit
from remit.services.authzen.enforcement_points import EnforcementPoint
from remit.services.identity.directory import NewAgent, NewPerson
from remit.services.oauth.presented_tokens import shown_key
from remit.services.tasks.tasks import Opening
from tests.worlds.services import LOOPBACK, ServiceWorld, Told, exchange
from tests.worlds.values import START, TENANT

Json = Any

FIXTURES = Path(__file__).parents[2] / "tests/vectors/authzen/bundle/remit.yaml"
AGENTS = ("records-bot", "todo-bot", "records-api", "todo-backend", "sly-bot")


class AuthzenWorld(ServiceWorld):
    """A gateway with AuthZEN's fixtures, two agents that work, and two enforcement points."""

    def __init__(
        self, folder: Path, points: Mapping[str, EnforcementPoint] | None = None, **outfit: Json
    ) -> None:
        config = load_config(FIXTURES)
        super().__init__(folder, points if points is not None else enforcement_points(config), **outfit)
        self.bundle = load_bundle(config)
        self._tokens = 0
        self._certificates: dict[str, bytes] = {}
        self._shown: dict[str, bytes] = {}
        self.keys = {name: ECKey.generate_key("P-256") for name in AGENTS}

    async def settle_in(self) -> None:
        """Apply the fixtures' bundle, and register agents and an approver."""
        services = self.services
        await services.policies.apply(self.bundle, by="remit")
        await services.tools.registry.described()
        for name, role in (("root", Role.ADMINISTRATOR), ("ada", Role.APPROVER), ("audra", Role.AUDITOR)):
            await services.identity.directory.add_person(NewPerson(name=name, roles=(role,)), by="remit")
        for name in AGENTS:
            await services.identity.directory.register(
                NewAgent(
                    name=name,
                    owner="root",
                    purpose="serves the fixtures",
                    bindings=(KeyBinding(self.public(name)),),
                ),
                by="root",
            )

    async def begin(self, person: str, task_type: str = "work-on-records") -> str:
        """Open a task as a person, and give its id."""
        agent = "records-bot" if task_type == "work-on-records" else "todo-bot"
        who = Person(tenant=TENANT, name=person, groups=("family",), created=START)
        # The directory is not used here: it refuses the names of the fixtures' people.
        await self.services.store.commit(Unit((PutPerson(who),), tenant=TENANT))
        task = await self.services.tasks.tasks.open(Opening(agent=agent, task_type=task_type), person=who)
        return task.id

    async def token(self, agent: str, **changes: Any) -> str:
        """Sign an access token with the gateway's own key."""
        now = int(self.clock.now().timestamp())
        self._tokens += 1
        known: dict[str, Any] = {
            "issuer": self.services.public_url,
            "audience": (f"{self.services.public_url}/mcp",),
            "subject": agent,
            "client_id": agent,
            "token_id": f"tok_{self._tokens}",
            "issued": now,
            "expires": now + 300,
            "tenant": TENANT,
            "assurance": Assurance.KEY_BOUND,
        }
        claims = AccessClaims(**(known | changes))
        return await self.services.keys.tokens.sign(claims.to_wire(), token_type=TOKEN_TYPE)

    async def agent_token(self, agent: str = "records-api", *, bound: bool = True) -> str:
        """Return a token of an agent that works on no task, bound to the agent's certificate unless told."""
        held = shown_key((self.certificate(agent),)) if bound else Confirmation()
        api = (f"{self.services.public_url}/api/v1",)
        token = await self.token(agent, audience=api, scope=AGENT_SCOPE, confirmation=held)
        self._shown[token] = self.certificate(agent) if bound else b""
        return token

    async def ask(self, method: str, path: str, body: Json = None, *, by: str = "", **more: Any) -> Told:
        """Send a request; a token that is bound to a certificate comes over a connection that showed it."""
        shown = self._shown.get(by)
        if not shown:
            return await super().ask(method, path, body, by=by, **more)
        plain = self.asgi

        async def asgi(scope: Json, receive: Json, send: Json) -> None:
            await plain({**scope, "remit.peer_certificate": (shown,)}, receive, send)

        content = more.pop("content", None)
        headers = {"authorization": f"Bearer {by}", **dict(more.pop("headers", None) or {})}
        if body is not None or content is not None:
            headers.setdefault("content-type", "application/json")
        data = content if content is not None else b"" if body is None else json.dumps(body).encode()
        client, heard = more.pop("client", LOOPBACK), more.pop("heard", None)
        assert not more
        return await exchange(asgi, method, path, list(headers.items()), data, client, heard)

    async def signed_for(self, task_id: str, **changes: Any) -> str:
        """Return a token that is bound to a task."""
        live = await self.services.tasks.live.load(task_id)
        task = live.task
        known = {"subject": task.on_behalf_of, "task": task.id, "authority_hash": live.authority_hash}
        return await self.token(task.agent, **(known | changes))

    async def asks(self, path: str, body: Json, *, by: str = "records-api", **more: Any) -> Told:
        """Ask as an enforcement point does."""
        return await self.ask("POST", f"/access/v1/{path}", body, by=await self.agent_token(by), **more)

    def certificate(self, agent: str) -> bytes:
        """Return the certificate that an agent has made over its registered key (RFC 8705 section 2.2)."""
        if agent not in self._certificates:
            self._certificates[agent] = self._certified(agent)
        return self._certificates[agent]

    def _certified(self, agent: str) -> bytes:
        key = serialization.load_pem_private_key(self.keys[agent].as_pem(private=True), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, agent)])
        now = self.clock.now()
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(7)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.DER)

    async def over_tls(
        self, agent: str, path: str, body: Json, before_body: Callable[[], Awaitable[object]] | None = None
    ) -> Told:
        """Ask over a connection in which an agent has shown its certificate, without any token.

        `before_body` happens after the head has arrived, and before the body does.
        """

        async def asgi(scope: Json, receive: Json, send: Json) -> None:
            shown = (self.certificate(agent),)
            await self.asgi({**scope, "remit.peer_certificate": shown}, receive, send)

        headers = [("content-type", "application/json")]
        content = json.dumps(body).encode()
        return await exchange(
            asgi, "POST", f"/access/v1/{path}", headers, content, LOOPBACK, before_body=before_body
        )


def asking(person: str, action: str, record: str = "record-1", **properties: Json) -> dict[str, Json]:
    """Return an evaluation of a record; `properties` are the record's."""
    resource: dict[str, Json] = {"type": "record", "id": record}
    if properties:
        resource["properties"] = properties
    return {"subject": {"type": "user", "id": person}, "action": {"name": action}, "resource": resource}


@asynccontextmanager
async def authzen_world(
    folder: Path, points: Mapping[str, EnforcementPoint] | None = None, **outfit: Json
) -> AsyncIterator[AuthzenWorld]:
    """Open the world, settled in, and close its store at the end."""
    world = AuthzenWorld(folder, points, **outfit)
    await world.settle_in()
    try:
        yield world
    finally:
        await world.services.store.close()
