# SPDX-License-Identifier: Apache-2.0
"""An office whose tools read what others wrote, under the default guardrails; it answers as it is told.

`office` has a mailbox (untrusted), contacts and orders (trusted), notes and refunds. `lena` states intents.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from remit.adapters.policy.rego import RegoPolicies
from remit.core.decisions.decision import Decision, Outcome
from remit.core.decisions.mediation import Chunk, ChunkKind, End
from remit.core.evidence.event import EventKind
from remit.core.identity.principals import Role
from remit.core.identity.workload import KeyBinding
from remit.core.label import Audience, Label, Trust
from remit.core.policy.bundle import Bundle
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import HandDown, Parameter, Task, TaskType
from remit.core.tools.constraint import load
from remit.core.tools.tool import Argument, ArgumentRole, Effect, FieldLabel, Tool, Variant
from remit.ports.runtime import Turns
from remit.ports.store.units import Unit
from remit.services.assembly.services import Services
from remit.services.identity.directory import NewAgent, NewPerson
from remit.services.mediation.mediator import RequestedCall
from remit.services.tasks.tasks import DelegatedOpening, Opening
from tests.samples.policy_requests import guardrails, rego_guardrails
from tests.samples.tokens import HELD, task_token
from tests.servers import opa_server
from tests.worlds.calls import KEYS, Desk, DeskExchange, Heard
from tests.worlds.services import make_services
from tests.worlds.values import TENANT, WorldClock

Json = Any

UNTRUSTED = Label(trust=Trust.UNTRUSTED)
SELECTOR, DESTINATION, CONTENT = ArgumentRole.SELECTOR, ArgumentRole.DESTINATION, ArgumentRole.CONTENT
STRING = {"type": "string"}


def office(name: str, effect: Effect, arguments: dict[str, Argument], **more: Json) -> Tool:
    """Return a described tool of the office."""
    known: dict[str, Json] = {
        "upstream": "office",
        "name": name,
        "effect": effect,
        "audience": Audience("self"),
        "label": Label(),
        "arguments": arguments,
        "described": True,
    }
    return Tool(**(known | more))


PERSONAL = Argument(SELECTOR, personal=True)
TOOLS = (
    office("read_mail", Effect.NONE, {"folder": Argument(SELECTOR)}, label=UNTRUSTED),
    office(
        "send_mail",
        Effect.IRREVERSIBLE,
        {"to": Argument(DESTINATION), "cc": Argument(DESTINATION), "body": Argument(CONTENT)},
        audience=Audience("external"),
        # To oneself it is a note.
        variants=(Variant({"to": load({"exact": "me@example.com"})}, Effect.REVERSIBLE, Audience("self")),),
    ),
    office("find_contact", Effect.NONE, {"name": Argument(SELECTOR)}),
    office("find_order", Effect.NONE, {"customer": PERSONAL, "order": PERSONAL}),
    office("refund", Effect.REVERSIBLE, {"order": PERSONAL}, audience=Audience("internal")),
    office("write_note", Effect.REVERSIBLE, {"text": Argument(CONTENT)}),
    office(
        "fetch", Effect.NONE, {"url": Argument(DESTINATION)}, audience=Audience("external"), label=UNTRUSTED
    ),
    office(
        "read_file",
        Effect.NONE,
        {"path": Argument(SELECTOR)},
        fields=(FieldLabel("salary", Label(data_class="restricted", categories=frozenset({"pay"}))),),
    ),
    office("run", Effect.REVERSIBLE, {"script": Argument(ArgumentRole.CODE)}, asked_by=("run",)),
    office("log_in", Effect.REVERSIBLE, {"code": Argument(CONTENT, secret=True)}),
)
WORK = TaskType(
    name="work",
    purpose="Work in the office",
    run_by=("clerk",),
    requested_by=("group:staff",),
    delegates=HandDown(to=("helper",)),
    parameters={name: Parameter(required=False) for name in ("to", "customer", "script", "code")},
    grants=tuple(GrantTemplate(tool.id, other_arguments=True) for tool in TOOLS),
)
ITSELF = TaskType(
    name="itself",
    purpose="Work in the office",
    run_by=("clerk",),
    requested_by=("agent:clerk",),
    requires_person=False,
    grants=WORK.grants,
)


def a_bundle() -> Bundle:
    """Return the bundle of the office: its tools, and the guardrails that `remit init` copies."""
    return Bundle(
        tools={tool.id: tool for tool in TOOLS},
        task_types={one.name: one for one in (WORK, ITSELF)},
        policies=tuple(guardrails()),
        digest="sha256:office",
    )


class OfficeExchange(DeskExchange):
    """One call at the office."""

    def __init__(self, desk: Office, call: Any) -> None:
        super().__init__(desk, call)
        self._office = desk
        self._name = call.params.get("name", "")
        self._before = list(desk.before.get(self._name, ()))

    async def receive(self, turns: Turns | None = None) -> Chunk:
        """Return what was put in for this tool."""
        await super().receive()
        if self._before:
            return self._before.pop(0)
        given = self._office.answers.get(self._name, "done")
        if isinstance(given, Chunk):
            return given
        text = given if isinstance(given, str) else json.dumps(given)
        return Chunk(ChunkKind.RESULT, json.dumps({"content": [{"type": "text", "text": text}]}).encode())


class Office(Desk):
    """`ports.upstream.Upstream` in memory; `answers` has what each tool gives, `before` what precedes it."""

    name = "office"

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Json] = {}
        self.before: dict[str, list[Chunk]] = {}
        self.surfaces = {
            tool.name: {
                "name": tool.name,
                "description": "Does what it says",
                "inputSchema": {"type": "object", "properties": dict.fromkeys(tool.arguments, STRING)},
            }
            for tool in TOOLS
        }

    async def prepare(self, call: Any, headers: dict[str, str]) -> DeskExchange:
        """Return an exchange."""
        return OfficeExchange(self, call)


class FlowWorld:
    """A gateway with the office; one task at a time is worked on."""

    def __init__(self, folder: Path, seed: str = "house", *, rego: bool = False) -> None:
        self.clock = WorldClock()
        self.office = Office()
        self.rego = rego
        engine: dict[str, Any] = {"engine": RegoPolicies(program=opa_server.program())} if rego else {}
        self.services: Services = make_services(
            folder, self.clock, {"office": self.office}, seed=seed, **engine
        )
        self.task: Task
        self.token = ""

    async def settle_in(self, *, again: bool = False) -> None:
        """Apply the bundle, and bring in people and the agent."""
        services = self.services
        if again:
            await services.tools.registry.load()
        bundle = a_bundle()
        if self.rego:
            bundle = msgspec.structs.replace(bundle, policies=tuple(rego_guardrails()))
        await services.policies.apply(bundle, by="remit")
        if again:
            await services.endings.remains.recover()
        await services.tools.registry.learned("office", await self.office.catalogue())
        if again:
            return
        for name, roles, groups in (("lena", (), ("staff",)), ("omar", (Role.APPROVER,), ())):
            await services.identity.directory.add_person(
                NewPerson(name=name, roles=roles, groups=groups), by="remit"
            )
        for name, key in (("clerk", KEYS["clerk"]), ("helper", KEYS["other"])):
            new = NewAgent(name=name, owner="lena", purpose="works", bindings=(KeyBinding(key),))
            await services.identity.directory.register(new, by="root")

    async def open(self, goal: str, task_type: str = "work", **params: Json) -> Task:
        """Open a task; lena says what for, or the agent itself where the type lets it."""
        opening = Opening(agent="clerk", task_type=task_type, goal=goal, params=params)
        if task_type == "work":
            person = await self.services.identity.directory.person("lena")
            self.task = await self.services.tasks.tasks.open(opening, person=person)
        else:
            agent = await self.services.identity.directory.agent("clerk")
            self.task = await self.services.tasks.tasks.open(opening, agent=agent)
        self.token = await task_token(self.services, self.task.id, confirmation=HELD)
        return self.task

    async def hand_down(self) -> Task:
        """Hand the task down to `helper`, whose child task is worked on from then on."""
        helper = await self.services.identity.directory.agent("helper")
        self.task = await self.services.tasks.tasks.open_child(
            self.task.id, helper, DelegatedOpening(brief="help")
        )
        self.token = await task_token(self.services, self.task.id, confirmation=HELD)
        return self.task

    async def says(self, text: str) -> None:
        """Let lena say something more."""
        await self.services.tasks.tasks.add_message(
            self.task.id, text, await self.services.identity.directory.person("lena")
        )

    async def run(self, tool: str, heard: Heard | None = None, **arguments: Json) -> End:
        """Make one call; raises the fault that ended it."""
        asked = RequestedCall(
            token=self.token, proven=HELD, upstream="office", name=tool, arguments=arguments
        )
        return await self.services.mediation.mediator.run(asked, heard or Heard())

    async def call(self, tool: str, **arguments: Json) -> Decision:
        """Make one call; gives how it was decided."""
        return (await self.run(tool, **arguments)).decision

    async def outcome(self, tool: str, **arguments: Json) -> Outcome:
        """Make one call; gives whether it went on."""
        return (await self.call(tool, **arguments)).outcome

    async def facts(self, kind: EventKind) -> list[dict[str, Json]]:
        """Return the facts of all events of a kind so far, once what is under way has been written."""
        await asyncio.sleep(0)
        await self.services.store.commit(Unit(tenant=TENANT))
        entries = await self.services.evidence.log.pages(limit=1000)
        return [json.loads(entry.leaf)["facts"] for entry in entries if entry.kind == kind.value]


def rules(decision: Decision) -> set[str]:
    """Return the rules that decided."""
    return {rule.id for rule in decision.rules}


def chain(decision: Decision) -> dict[str, str]:
    """Return what was said of how each argument came into the task."""
    return {one.argument: one.text for one in decision.reasons if one.code == "flow"}


@asynccontextmanager
async def flow_world(
    folder: Path, *, seed: str = "house", again: bool = False, rego: bool = False
) -> AsyncIterator[FlowWorld]:
    """Provide a flow world, settled in, and close its store at the end; with `rego` its rules are in Rego."""
    world = FlowWorld(folder, seed, rego=rego)
    await world.settle_in(again=again)
    try:
        yield world
    finally:
        await world.services.store.close()


@contextmanager
def full_disk(world: FlowWorld) -> Iterator[None]:
    """Let the store's file not grow, as a full disk does."""
    connection = world.services.store._connections[0]  # type: ignore[attr-defined]
    (count,) = connection.execute("pragma page_count").fetchone()
    connection.execute(f"pragma max_page_count={count}")
    yield
    connection.execute("pragma max_page_count=1000000")
