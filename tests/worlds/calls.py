# SPDX-License-Identifier: Apache-2.0
"""Calls in complete services, without a socket: an upstream in memory that keeps what arrived, and tasks on
it.

Upstream `desk` has `read` (reads), `write` (reversible), `pay` (irreversible; a human is asked) and `odd`,
which has no description.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from remit.core.decisions.decision import Outcome
from remit.core.decisions.mediation import Chunk, ChunkKind, End
from remit.core.errors import UpstreamUnreachable
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Person, Role
from remit.core.identity.workload import KeyBinding
from remit.core.label import Audience, Label
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.scope import ScopeKind
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import Budgets, HandDown, Task, TaskType
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool
from remit.ports.runtime import Turns
from remit.ports.store.units import Unit
from remit.ports.upstream import Call, Catalogue
from remit.services.assembly.services import Services
from remit.services.identity.directory import NewAgent, NewPerson
from remit.services.mediation.mediator import RequestedCall
from remit.services.tasks.tasks import Opening
from tests.samples.tokens import HELD, task_token
from tests.worlds.services import PERMIT, make_services
from tests.worlds.values import TENANT, WorldClock

Json = Any
READ = GrantTemplate("desk/read", other_arguments=True)
TO_ALL = HandDown(("other", "group:helpers"), 3)

ASK = (
    '@id("ask-for-money")\n@reason("`{tool}` moves money")\n@otherwise("approval")\n'
    "forbid (principal, action, resource) when { resource.financial };\n"
)
# The example keys of RFC 7517 appendix A.1 and RFC 7515 appendix A.3.
KEYS = {
    "clerk": {
        "kty": "EC",
        "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    },
    "other": {
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    },
}


def a_tool(name: str, effect: Effect, **changes: Json) -> Tool:
    """Return a described tool of the desk."""
    known: dict[str, Json] = {
        "upstream": "desk",
        "name": name,
        "effect": effect,
        "audience": Audience("internal"),
        "label": Label(),
        "arguments": {"text": Argument(ArgumentRole.CONTENT), "amount": Argument(ArgumentRole.AMOUNT)},
        "described": True,
    }
    return Tool(**(known | changes))


def a_surface(name: str, description: str = "Does what it says") -> dict[str, Json]:
    """Return a tool as the desk offers it."""
    properties = {"text": {"type": "string"}, "amount": {"type": "number"}}
    return {
        "name": name,
        "description": description,
        "inputSchema": {"type": "object", "properties": properties},
    }


TOOLS = {
    tool.id: tool
    for tool in (
        a_tool("read", Effect.NONE, audience=Audience("self"), label=Label(data_class="internal")),
        a_tool("write", Effect.REVERSIBLE),
        a_tool("pay", Effect.IRREVERSIBLE, financial=True),
    )
}
OPEN_GRANTS = tuple(GrantTemplate(f"desk/{name}", other_arguments=True) for name in ("read", "write", "pay"))


def a_type(name: str = "work", **changes: Json) -> TaskType:
    """Return a task type that grants the described tools of the desk."""
    known: dict[str, Json] = {
        "name": name,
        "purpose": "Work at the desk",
        "run_by": ("clerk", "other"),
        "requested_by": ("group:staff",),
        "grants": OPEN_GRANTS,
    }
    return TaskType(**(known | changes))


TYPES = (
    a_type(),
    a_type("one-call", budgets=Budgets(calls=1)),
    a_type("one-effect", budgets=Budgets(effectful_calls=1)),
    a_type("few-bytes", budgets=Budgets(result_bytes=10)),
    a_type(
        "purse",
        grants=(GrantTemplate("desk/write", other_arguments=True, ceilings={"amount": {"amount": 10}}),),
    ),
    a_type("twice", grants=(GrantTemplate("desk/write", other_arguments=True, ceilings={"calls": 2}),)),
    a_type("hello", grants=(GrantTemplate("desk/write", {"text": {"exact": "hello"}}),)),
    a_type("until-written", ends_after=("desk/write",)),
    a_type("by-itself", requested_by=("agent:clerk",), requires_person=False),
)


def a_bundle(policy: str = PERMIT + ASK, digest: str = "sha256:desk") -> Bundle:
    """Return the bundle of the desk."""
    return Bundle(
        tools=dict(TOOLS),
        task_types={one.name: one for one in TYPES},
        policies=(PolicySource("base.cedar", policy),),
        digest=digest,
    )


class DeskExchange:
    """One call at the desk."""

    def __init__(self, desk: Desk, call: Call) -> None:
        self._desk = desk
        self._call = call
        self._over = asyncio.Event()
        self.sent = False

    def send(self) -> None:
        """Let the call arrive."""
        self.sent = True
        self._desk.arrived.append(self._call.params)

    async def receive(self, turns: Turns | None = None) -> Chunk:
        """Answer once the desk is open; raises where the call was cut meanwhile, or the desk is lost."""
        over = asyncio.ensure_future(self._over.wait())
        opened = asyncio.ensure_future(self._desk.open.wait())
        try:
            await asyncio.wait({over, opened}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
            opened.cancel()
        if self._over.is_set() or self._desk.lost:
            raise UpstreamUnreachable("the desk is lost", sent=self.sent)
        return Chunk(ChunkKind.RESULT, json.dumps({"content": [], "said": self._desk.says}).encode())

    def respond(self, request_id: str | int, body: bytes, *, error: bool = False) -> None:
        """The desk asks nothing."""

    def cancel(self, reason: str) -> None:
        """Record that the call was sent."""
        self._desk.cancelled.append(reason)

    def release(self) -> None:
        """Let the call go."""
        self._over.set()


class Desk:
    """`ports.upstream.Upstream` in memory. While `open` is not set, calls arrive and are not answered."""

    name = "desk"

    def __init__(self) -> None:
        self.surfaces = {name: a_surface(name) for name in ("read", "write", "pay", "odd")}
        self.arrived: list[dict[str, Json]] = []
        self.headers: list[dict[str, str]] = []
        self.cancelled: list[str] = []
        self.ended: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.lost = False
        self.refuses = False
        self.says: Json = "done"
        self.instructions = ""

    async def start(
        self, on_change: Callable[[], None], on_notification: Callable[[str, Json], None]
    ) -> None:
        """Do nothing: there is no connection."""

    async def catalogue(self) -> Catalogue:
        """Return what the desk offers now."""
        tools = tuple(self.surfaces.values())
        return Catalogue(protocol="2026-07-28", tools=tools, instructions=self.instructions)

    async def prepare(self, call: Call, headers: dict[str, str]) -> DeskExchange:
        """Return an exchange; raises where the desk takes none."""
        if self.refuses:
            raise UpstreamUnreachable("the desk is closed")
        self.headers.append(headers)
        return DeskExchange(self, call)

    async def end_task(self, task: str) -> None:
        """Record that the call was sent."""
        self.ended.append(task)

    async def stop(self) -> None:
        """Do nothing: there is no process."""


class Heard:
    """`services.mediation.mediator.Sink` that keeps what it is given."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []

    async def release(self, chunk: Chunk) -> None:
        """Keep it."""
        self.chunks.append(chunk)


class CallWorld:
    """A gateway with one desk; `lena` states intents, `omar` approves, `clerk` and `other` are agents."""

    def __init__(
        self, folder: Path, observed: frozenset[str] = frozenset(), seed: str = "house", **outfit: Json
    ) -> None:
        self.folder = folder
        self.clock: WorldClock = outfit.pop("clock", None) or WorldClock()
        self.desk = Desk()
        self.services: Services = make_services(
            folder, self.clock, {"desk": self.desk}, observed=observed, seed=seed, **outfit
        )

    async def settle_in(self) -> None:
        """Apply the bundle, and bring in people and agents."""
        services = self.services
        await services.policies.apply(a_bundle(), by="remit")
        await self.learn()
        for name, roles, groups in (
            ("lena", (), ("staff",)),
            ("omar", (Role.APPROVER,), ()),
            ("root", (Role.ADMINISTRATOR, Role.OPERATOR), ()),
        ):
            await services.identity.directory.add_person(
                NewPerson(name=name, roles=roles, groups=groups), by="remit"
            )
        for name, key in KEYS.items():
            new = NewAgent(name=name, owner="lena", purpose="works", bindings=(KeyBinding(key),))
            await services.identity.directory.register(new, by="root")

    async def reopen(self) -> None:
        """Do what a start does on a folder in which a gateway has lived before."""
        await self.services.tools.registry.load()
        await self.services.policies.apply(a_bundle(), by="remit")
        await self.services.endings.remains.recover()
        await self.learn()

    async def learn(self) -> None:
        """Have the gateway look at what the desk offers."""
        await self.services.tools.registry.learned("desk", await self.desk.catalogue())

    async def person(self, name: str) -> Person:
        """Return a person."""
        return await self.services.identity.directory.person(name)

    async def open(self, task_type: str = "work", **more: Json) -> tuple[Task, str]:
        """Open a task as lena; gives it with a token."""
        wanted: dict[str, Json] = {"agent": "clerk", "task_type": task_type} | more
        opening = Opening(**wanted)
        task = await self.services.tasks.tasks.open(opening, person=await self.person("lena"))
        return task, await task_token(self.services, task.id, confirmation=HELD)

    async def call(self, token: str, name: str, heard: Heard | None = None, **arguments: Json) -> End:
        """Make one call; raises the fault that ended it."""
        asked = RequestedCall(token=token, proven=HELD, upstream="desk", name=name, arguments=arguments)
        return await self.services.mediation.mediator.run(asked, heard or Heard())

    async def outcome(self, token: str, name: str, **arguments: Json) -> Outcome:
        """Make one call; gives how it was decided."""
        return (await self.call(token, name, **arguments)).decision.outcome

    async def approve(self, approval: str, *, approve: bool = True) -> None:
        """Answer an approval as omar."""
        await self.services.decisions.approvals.answer(approval, await self.person("omar"), approve=approve)

    async def asked(self, token: str, name: str = "pay", **arguments: Json) -> str:
        """Make a call that waits for a human; gives the approval's id."""
        end = await self.call(token, name, **arguments)
        assert end.decision.outcome is Outcome.DEFER, end
        return end.decision.approval

    async def facts(self, kind: EventKind) -> list[dict[str, Json]]:
        """Return the facts of all events of a kind so far, once what is under way has been written."""
        await asyncio.sleep(0)
        await self.services.store.commit(Unit(tenant=TENANT))
        entries = await self.services.evidence.log.pages(limit=1000)
        return [json.loads(entry.leaf)["facts"] for entry in entries if entry.kind == kind.value]

    async def until(self, reached: Callable[[], bool]) -> None:
        """Let the others run until they have come that far."""
        async with asyncio.timeout(60):
            while not reached():  # noqa: ASYNC110 - no event exists for it
                await asyncio.sleep(0.001)


@asynccontextmanager
async def call_world(
    folder: Path,
    *,
    observed: frozenset[str] = frozenset(),
    seed: str = "house",
    settle: bool = True,
    **outfit: Json,
) -> AsyncIterator[CallWorld]:
    """Provide a call world, settled in, and close its store at the end; `outfit` goes to `Outfit`."""
    world = CallWorld(folder, observed, seed, **outfit)
    if settle:
        await world.settle_in()
    try:
        yield world
    finally:
        await world.services.store.close()


@contextmanager
def full_disk(world: CallWorld) -> Iterator[None]:
    """Let the store's file not grow, as a full disk does; what its pages still hold can be written."""
    connection = world.services.store._connections[0]  # type: ignore[attr-defined]
    (pages,) = connection.execute("pragma page_count").fetchone()
    connection.execute(f"pragma max_page_count={pages}")
    yield
    connection.execute("pragma max_page_count=1000000")


async def lock(world: CallWorld, name: str) -> None:
    """Lock a person."""
    await world.services.endings.revocations.end_scope(
        ScopeKind.PERSON, name, reason="secret words", by="root", lock=True
    )
