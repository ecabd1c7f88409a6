# SPDX-License-Identifier: Apache-2.0
"""The MCP endpoint where a payment needs a person, and an agent that parks it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Role
from remit.core.tools.tool import Argument, ArgumentRole, Effect
from remit.gateway.endpoints import mcp_endpoint
from remit.services.identity.directory import NewPerson
from tests.samples.tokens import task_token
from tests.servers.deferring_mcp import KNOWS
from tests.worlds.mcp_endpoint import GatewayWorld, a_bundle, a_tool, gateway_world
from tests.worlds.services import Told, make_services

Json = Any
PATH = "/mcp/notes"
PAY = {"n": 5000, "text": "rent"}


@dataclass
class ParkingWorld:
    """A gateway at which `notes/echo` pays and `notes/hang` never answers, and its approver omar."""

    gateway: GatewayWorld

    @property
    def services(self) -> Any:
        """What stands behind the endpoint."""
        return self.gateway.services

    async def pay(self, arguments: Json = None, meta: Json = KNOWS, **more: Json) -> Told:
        """Make the payment as a client that knows handles."""
        return await self.gateway.call("echo", arguments or PAY, path=PATH, meta=meta, **more)

    async def park(self, arguments: Json = None, **more: Json) -> str:
        """Make the payment, which waits; give its handle."""
        told = (await self.pay(arguments, **more)).json["result"]
        assert (told["resultType"], told["status"]) == ("task", "working"), told
        handle: str = told["taskId"]
        return handle

    async def ask(
        self, method: str, handle: str, meta: Json = KNOWS, *, path: str = PATH, **more: Json
    ) -> Told:
        """Send one request of the extension."""
        params: Json = {"taskId": handle, "_meta": meta, **more.pop("params", {})}
        return await self.gateway.modern(f"tasks/{method}", params, path=path, **more)

    async def get(self, handle: str, **more: Json) -> Json:
        """Return how a call stands."""
        told = await self.ask("get", handle, **more)
        assert told.status == 200, told.content
        return told.json["result"]

    async def answer(self, handle: str, **how: Json) -> Json:
        """Let omar answer a question."""
        omar = await self.services.identity.directory.person("omar")
        return await self.services.decisions.approvals.answer(handle, omar, **({"approve": True} | how))

    async def state(self, handle: str) -> str:
        """Return the state of a question."""
        found = await self.services.decisions.approvals.get(handle)
        return str(found.state.value)

    async def restart(self) -> None:
        """Go on in another process: what the store and the folder hold is all that is left."""
        gateway, old = self.gateway, self.services
        await old.mediation.parked.stop()
        await old.store.close()
        new = make_services(
            gateway.folder, gateway.clock, old.upstreams, unconstrained=frozenset(old.upstreams), seed="again"
        )
        await new.tools.registry.load()
        await new.policies.apply(old.policies.applied.bundle, by="remit")
        await new.endings.remains.recover()
        for name, upstream in old.upstreams.items():
            await new.tools.registry.learned(name, await upstream.catalogue())
        gateway.services, gateway.endpoint = new, mcp_endpoint(new)
        gateway.token = await task_token(new, gateway.task)

    @property
    def paid(self) -> list[Json]:
        """The payments that reached the upstream."""
        return [one["arguments"] for one in self.gateway.calls("notes")]

    async def asked(self) -> int:
        """Return how many questions people were asked."""
        return len(await self.gateway.facts(EventKind.APPROVAL_REQUESTED))


@asynccontextmanager
async def parking_world(folder: Path, *, hidden: bool = False) -> AsyncIterator[ParkingWorld]:
    """Open the world; `hidden`: people do not see the text of a payment."""
    bundle = a_bundle()
    told = {"n": Argument(ArgumentRole.AMOUNT), "text": Argument(sensitive=hidden)}
    pays = a_tool("notes", "echo", financial=True, arguments=told)
    hangs = a_tool("notes", "hang", financial=True, effect=Effect.IRREVERSIBLE)
    bundle = msgspec.structs.replace(bundle, tools={**bundle.tools, "notes/echo": pays, "notes/hang": hangs})
    async with gateway_world(folder, bundle=bundle) as gateway:
        world = ParkingWorld(gateway)
        await gateway.services.identity.directory.add_person(
            NewPerson(name="omar", roles=(Role.APPROVER,)), by="remit"
        )
        yield world
