# SPDX-License-Identifier: Apache-2.0
"""Plans at the endpoints: declared and extended by REST, command and SDK; lists show what is planned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest

from remit.cli.exit_codes import UsageFault
from remit.cli.tasks.agent_task import planned
from remit.services.tasks.tasks import Opening
from remit_sdk.key import AgentKey
from remit_sdk.session import AgentSession
from tests.gateways.remit_up import Remit, furnished
from tests.samples.tokens import task_token
from tests.worlds.mcp_endpoint import gateway_world
from tests.worlds.services import ServiceWorld, service_world

READ = "contracts/read"
EXACT = {"tool": READ, "arguments": {"path": {"exact": "contracts/C-42.md"}}}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway with people and agents."""
    async with service_world(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remit]:
    """A running remit with the policies that `remit init` writes."""
    with furnished(tmp_path_factory.mktemp("plans")) as made:
        yield made


async def test_a_plan_is_declared_at_open_and_shown(world: ServiceWorld) -> None:
    """By tool, or with what its arguments must be; what is not granted, or a stray word, is refused."""
    lena = await world.session("lena")
    task = await world.open(lena, plan=[EXACT])
    shown = (await world.ask("GET", f"/api/v1/tasks/{task}", by=lena)).json["plan"]
    assert shown == [{"tool": READ, "says": ["`path` must be `contracts/C-42.md`"]}]
    bare = await world.open(lena)
    assert (await world.ask("GET", f"/api/v1/tasks/{bare}", by=lena)).json["plan"] is None
    opening = {"agent": "contract-bot", "task_type": "summarise-contract", "params": {"id": "C-42"}}
    for plan, status in (
        (["changes/deploy"], 403),
        ([{"tool": READ, "arguments": {"path": {"rhymes": "x"}}}], 400),
        ([{"tool": READ, "until": "noon"}], 400),
        ([7], 400),
    ):
        told = await world.ask("POST", "/api/v1/tasks", opening | {"plan": plan}, by=lena)
        assert told.status == status, told.content


async def test_the_agent_and_its_person_extend_a_plan_and_nobody_else(world: ServiceWorld) -> None:
    """By the agent's token, by the task's own, by whose task it is; an operator only looks."""
    lena, otto = await world.session("lena"), await world.session("otto")
    task = await world.open(lena, plan=[])
    place, add = f"/api/v1/tasks/{task}/plan", {"add": [EXACT]}
    assert (await world.ask("POST", place, add, by=otto)).status == 403
    other = await world.agent_token("other-bot")
    assert (await world.ask("POST", place, add, by=other)).status == 404
    told = await world.ask("POST", place, add, by=await world.agent_token())
    assert (told.status, told.json["outcome"], told.json["approval"]) == (200, "permit", "")
    assert [one["tool"] for one in told.json["task"]["plan"]] == [READ]
    token = await task_token(world.services, task)
    assert (await world.ask("POST", place, {"add": [READ]}, by=token)).json["outcome"] == "permit"
    assert (await world.ask("POST", place, {"add": [READ]}, by=lena)).json["outcome"] == "permit"
    denied = await world.ask("POST", place, {"add": ["changes/deploy"]}, by=lena)
    assert (denied.status, denied.json["outcome"]) == (200, "deny")
    assert denied.json["reasons"][0]["code"] == "plan"
    assert (await world.ask("POST", place, {"add": []}, by=lena)).status >= 400
    assert (await world.kinds()).count("plan.extended") == 2


async def test_a_chain_is_for_those_who_audit(world: ServiceWorld) -> None:
    """It shows what was said across tasks; who may read that may trace it."""
    otto, root = await world.session("otto"), await world.session("root")
    task = await world.open(await world.session("lena"))
    for session, status in ((otto, 403), (root, 404)):
        assert (await world.ask("GET", f"/api/v1/chains/{task}", by=session)).status == status


async def test_lists_show_what_is_planned(tmp_path: Path) -> None:
    """What else is granted is listed once the plan holds it."""
    async with gateway_world(tmp_path) as world:
        lena = await world.services.store.person(world.services.tenant, "lena")
        opening = Opening(agent="bot", task_type="work", plan=("files/echo",))
        task = await world.services.tasks.tasks.open(opening, person=lena)
        token = await task_token(world.services, task.id)

        async def listed() -> set[str]:
            told = await world.modern("tools/list", token=token)
            return {one["name"] for one in told.json["result"]["tools"]}

        assert await listed() == {"echo"}
        assert (await world.services.decisions.plans.extend(task.id, ["files/big"], by="agent:bot")).holds
        assert await listed() == {"echo", "big"}


def test_a_plan_is_written_in_words(services: Remit) -> None:
    """Tools with commas between them, or one with its arguments; what cannot be meant is an error."""
    assert planned(()) is None
    assert planned(("a/b, c/d", "e/f")) == ["a/b", "c/d", "e/f"]
    assert planned(('mail/send to=lena@example.com "subject=a, b" n:=3',)) == [
        {
            "tool": "mail/send",
            "arguments": {
                "to": {"exact": "lena@example.com"},
                "subject": {"exact": "a, b"},
                "n": {"exact": 3},
            },
        }
    ]
    for odd in ('mail/send to="x', "mail/send to=x to=y", "mail/send a=1 b"):
        with pytest.raises(UsageFault):
            planned((odd,))


def test_a_plan_is_shown_and_extended_by_command(services: Remit) -> None:
    """Its exit code says whether the plan holds what was asked for."""
    words = ("task", "open", "tidy-note", "--agent", "note-bot", "-p", "note=shopping")
    task = services.ask(*words, "--plan", "notes/read_note name=shopping", by="ana")["id"]
    assert "`name` must be `shopping`" in services("task", "plan", task, by="ana").out
    can = services("can", task, by="ana").out
    assert (can.count("once planned"), can.count("granted")) == (2, 2)  # with who grants it
    grown = services("task", "plan", task, "--add", "notes/write_note", by="ana")
    assert (grown.code, "permit" in grown.out, "notes/write_note" in grown.out) == (0, True, True)
    refused = services("task", "plan", task, "--add", "notes/burn", by="ana")
    assert refused.code == 1
    assert "which the task does not grant" in refused.out
    bare = services.ask(*words, by="ana")["id"]
    assert "has no plan" in services("task", "plan", bare, by="ana").out


def test_an_agent_declares_and_extends_its_plan_by_the_sdk(services: Remit) -> None:
    """What it learned of its task is what the gateway says now."""

    code = services.ask("person", "code", "ana")["code"]
    ana = httpx2.post(
        f"{services.url}/api/v1/sign-in", json={"code": code}, trust_env=False, timeout=120
    ).json()["session"]

    async def work() -> list[str]:
        key = AgentKey.load(services.folder / ".remit" / "agents" / "note-bot.key.json")
        async with AgentSession(services.url, "note-bot", key) as agent:
            entry = {"tool": "notes/read_note", "arguments": {"name": {"exact": "shopping"}}}
            task = await agent.open(
                "tidy-note",
                goal="Write the note again in order",
                params={"note": "shopping"},
                plan=[entry],
                person_session=ana,
            )
            told = await task.extend_plan("notes/write_note")
            assert told["outcome"] == "permit"
            await task.complete()
            return [one["tool"] for one in task.facts["plan"]]

    assert asyncio.run(work()) == ["notes/read_note", "notes/write_note"]
