# SPDX-License-Identifier: Apache-2.0
"""A desk with contracts, which others have written, and tickets, which agents share."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from remit.core.decisions.decision import Outcome
from remit.core.label import Audience, Classes, Label, Trust
from remit.core.policy.bundle import Bundle, PolicySource
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.task import HandDown, Task
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool
from remit.services.tasks.opening_rules import DelegatedOpening
from remit.services.tasks.tasks import Opening
from tests.samples.tokens import HELD, task_token
from tests.worlds.calls import CallWorld, a_surface, a_type
from tests.worlds.services import PERMIT
from tests.worlds.values import TENANT

Json = Any

CLASSES = Classes()
UNTRUSTED = Label("internal", trust=Trust.UNTRUSTED)
SELECTOR = Argument(ArgumentRole.SELECTOR)
RULES = PERMIT + (
    '@id("untrusted-destination")\n@reason("goes to an untrusted destination")\n'
    'forbid (principal, action, resource) when { context.flow.destination == "untrusted" };\n'
    '@id("not-cleared")\n@reason("its audience may not learn this")\n'
    "forbid (principal, action, resource) when { !context.cleared };\n"
    '@id("crossings")\n@reason("its data has come through too many zones")\n'
    "forbid (principal, action, resource) when { context.crossings > context.max_crossings };\n"
)


def a_tool(name: str, effect: Effect = Effect.NONE, **changes: Json) -> Tool:
    """Return a described tool of the desk, whose results say nothing unless told otherwise."""
    known: dict[str, Json] = {
        "upstream": "desk",
        "name": name,
        "effect": effect,
        "audience": Audience("internal"),
        "label": Label(),
        "described": True,
    }
    return Tool(**(known | changes))


TICKET = {"ticket": SELECTOR, "text": Argument()}
TOOLS = (
    a_tool("contract", label=UNTRUSTED, arguments={"id": SELECTOR}, resource="contract/{id}"),
    a_tool("read_ticket", arguments={"ticket": SELECTOR}, resource="ticket/{ticket}"),
    a_tool("list_tickets", arguments={"query": Argument()}),
    a_tool("all_tickets", resource="ticket"),
    a_tool("comment", Effect.REVERSIBLE, arguments=TICKET, resource="ticket/{ticket}"),
    a_tool("create", Effect.REVERSIBLE, arguments={"text": Argument()}, resource="ticket/{ticket}"),
    a_tool("note", Effect.REVERSIBLE, arguments={"text": Argument()}),
    a_tool(
        "mail",
        Effect.IRREVERSIBLE,
        arguments={"to": Argument(ArgumentRole.DESTINATION), "text": Argument()},
        resource="mail/{to}",
    ),
    a_tool(
        "share",
        Effect.REVERSIBLE,
        audience=Audience("external"),
        arguments={"item": Argument(ArgumentRole.SELECTOR, hands_over=True)},
        resource="share/{item}",
    ),
    a_tool("clean", arguments={"ticket": SELECTOR}, resource="ticket/{ticket}", sanitizes=True),
)
GRANTS = tuple(GrantTemplate(tool.id, other_arguments=True) for tool in TOOLS)


class Desks(CallWorld):
    """A call world whose desk keeps contracts and tickets."""

    async def settle_in(self) -> None:
        """Apply the bundle of contracts and tickets besides."""
        self.desk.surfaces = {tool.name: a_surface(tool.name) for tool in TOOLS}
        await super().settle_in()
        await self.apply()

    async def reopen(self) -> None:
        """Start on a folder in which a gateway has lived before."""
        self.desk.surfaces = {tool.name: a_surface(tool.name) for tool in TOOLS}
        await super().reopen()
        await self.apply()

    async def apply(
        self,
        tools: tuple[Tool, ...] | None = None,
        classes: Classes = CLASSES,
        grants: tuple[GrantTemplate, ...] | None = None,
        instructions: str = "",
    ) -> None:
        """Apply the bundle, or one with other tools, classes, grants or reviewed instructions of the desk."""
        bundle = Bundle(
            tools={tool.id: tool for tool in tools or TOOLS},
            instructions={"desk": instructions} if instructions else {},
            classes=classes,
            task_types={"work": a_type(grants=grants or GRANTS, delegates=HandDown(("other",), 1))},
            policies=(PolicySource("base.cedar", RULES),),
            digest="sha256:tickets",
        )
        await self.services.policies.apply(bundle, by="remit")
        await self.learn()

    async def begin(self, agent: str = "clerk") -> tuple[Task, str]:
        """Open a task of an agent; gives it with a token."""
        opening = Opening(agent=agent, task_type="work", goal="look after the tickets")
        task = await self.services.tasks.tasks.open(opening, person=await self.person("lena"))
        return task, await task_token(self.services, task.id, confirmation=HELD)

    async def hand(self, parent: Task, to: str = "other", **wanted: Json) -> tuple[Task, str]:
        """Hand a task down; gives the child with a token."""
        agent = await self.services.identity.directory.agent(to)
        child = await self.services.tasks.tasks.open_child(parent.id, agent, DelegatedOpening(**wanted))
        return child, await task_token(self.services, child.id, confirmation=HELD)

    async def tainted(self) -> tuple[Task, str]:
        """Open a task of clerk that has read an untrusted contract."""
        task, token = await self.begin()
        assert await self.outcome(token, "contract", id="C-42") is Outcome.PERMIT
        return task, token

    async def decisions(self, task: Task) -> list[dict[str, Json]]:
        """Return the facts of all decisions of a task."""
        entries = await self.services.store.entries(TENANT, task=task.id)
        records = [json.loads(entry.leaf) for entry in entries]
        return [record["facts"] for record in records if record["kind"] == "decision.made"]

    async def label(self, task: Task) -> Label:
        """Return the label that a task carries."""
        return (await self.services.tasks.tasks.get(task.id)).label


@asynccontextmanager
async def desks(folder: Path, *, seed: str = "house", settle: bool = True) -> AsyncIterator[Desks]:
    """Provide a world of tickets, and close its store at the end."""
    world = Desks(folder, seed=seed)
    await (world.settle_in() if settle else world.reopen())
    try:
        yield world
    finally:
        await world.services.store.close()
