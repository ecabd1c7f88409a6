# SPDX-License-Identifier: Apache-2.0
"""An end walks everything that was derived from a task, and the closure lists each with its own time."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.endings.closure import Closing, Closure
from remit.core.scope import ScopeKind
from remit.core.tasks.task import Task
from remit.services.tasks.live_task import MAX_TOKENS
from remit.services.tasks.opening_rules import DelegatedOpening
from tests.samples.tokens import task_token
from tests.worlds.calls import READ, TO_ALL, CallWorld, a_bundle, a_type, call_world
from tests.worlds.mcp_endpoint import LEGACY, GatewayWorld, Line, gateway_world
from tests.worlds.oauth import OAuthWorld, coded, oauth_world, redeem
from tests.worlds.services import Told


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A desk with a type that may be handed down."""
    async with call_world(tmp_path) as made:
        bundle = a_bundle()
        bundle.task_types["shared"] = a_type("shared", grants=(READ,), delegates=TO_ALL)
        await made.services.policies.apply(bundle, by="root")
        yield made


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[GatewayWorld]:
    """A gateway."""
    async with gateway_world(tmp_path) as made:
        yield made


@pytest.fixture
async def oauth(tmp_path: Path) -> AsyncIterator[OAuthWorld]:
    """An authorization server."""
    async with oauth_world(tmp_path) as made:
        yield made


async def ended(world: CallWorld | GatewayWorld | OAuthWorld, task: str) -> Closure:
    """End a task."""
    return await world.services.endings.revocations.end_task(task, reason="enough", by="root")


async def refresh(oauth: OAuthWorld, text: str) -> Told:
    """Mark a refresh token as used."""
    return await oauth.ask_token("refresh_token", by="contract-bot", refresh_token=text)


def named(closure: Closure, kind: str) -> list[str]:
    """Return what a closure lists of a kind; all of it was refused."""
    found: list[Closing] = [one for one in closure.closings if one.kind == kind]
    assert all(one.refused_after_ms is not None for one in found)
    return [one.name for one in found]


async def handed(world: CallWorld, parent: Task) -> tuple[Task, str]:
    """Hand a task down; gives the child with a token."""
    other = await world.services.identity.directory.agent("other")
    child = await world.services.tasks.tasks.open_child(parent.id, other, DelegatedOpening())
    return child, await task_token(world.services, child.id)


async def test_tasks_handed_down_are_listed_with_their_tokens(world: CallWorld) -> None:
    """Two generations, each by its own name, and every token of each."""
    parent, _ = await world.open("shared")
    child, token = await handed(world, parent)
    await world.call(token, "read")
    closure = await ended(world, parent.id)
    assert named(closure, "task") == [parent.id]
    assert named(closure, "child-task") == [child.id]
    tokens = named(closure, "token")
    assert len(tokens) == len(set(tokens)) == 2
    assert all(name.startswith("tok_") for name in tokens)


async def test_each_token_is_listed_and_one_that_was_taken_back_is_dead_too(oauth: OAuthWorld) -> None:
    """The first access token, the one that replaced it, and the refresh tokens of their grant."""
    task, code = await coded(oauth)
    first = await redeem(oauth, code)
    again = await refresh(oauth, first.json["refresh_token"])
    assert again.status == 200
    closure = await ended(oauth, task)
    assert len(named(closure, "token")) == 2
    (family,) = named(closure, "refresh-tokens")
    assert family.startswith("fam_")
    assert (await refresh(oauth, again.json["refresh_token"])).status == 400
    asked = await oauth.at("/oauth/introspect", by="contract-bot", token=again.json["access_token"])
    assert asked.json["active"] is False


async def test_sessions_and_streams_are_closed_and_listed(gateway: GatewayWorld) -> None:
    """What an endpoint keeps open for a task is closed before the closure is signed."""
    sessions = [await gateway.session() for _ in range(2)]
    line = Line(gateway, None, {"mcp-protocol-version": LEGACY, "mcp-session-id": sessions[0]}, "GET")
    await line.until(lambda: len(line.sent) >= 2)
    closure = await ended(gateway, gateway.task)
    assert named(closure, "mcp-session") == [f"2 of {gateway.task}"]
    await line.task
    assert (await ended(gateway, gateway.task)).id == closure.id


async def test_a_task_that_mints_tokens_without_end_fills_no_memory(world: CallWorld) -> None:
    """The newest are remembered; the others are refused with their task."""
    task, _ = await world.open()
    for _ in range(MAX_TOKENS + 8):
        await task_token(world.services, task.id)
    closure = await ended(world, task.id)
    assert len(named(closure, "token")) == MAX_TOKENS
    assert named(closure, "task") == [task.id]


async def test_the_end_of_an_agent_lists_each_of_its_tasks(world: CallWorld) -> None:
    """Every task by its own name, with its token."""
    tasks = [(await world.open())[0].id for _ in range(3)]
    agent = (await world.services.tasks.tasks.get(tasks[0])).agent
    closure = await world.services.endings.revocations.end_scope(
        ScopeKind.AGENT, agent, reason="out", by="root"
    )
    assert set(named(closure, "task")) == set(tasks)
    assert len(named(closure, "token")) == 3
