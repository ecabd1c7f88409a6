# SPDX-License-Identifier: Apache-2.0
"""Two calls of one task at once: what the intent states is used for one purpose by either, not by both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import Outcome
from remit.core.errors import Conflict
from remit.core.evidence.event import EventKind
from remit.ports.store.tasks import Usage
from remit.services.tasks.live_tasks import LiveTask
from tests.worlds.flow import FlowWorld, flow_world

ANA = "ana@example.com"
BOB = "bob@example.com"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[FlowWorld]:
    """The office, with a task that has read a mail which names both people of its intent."""
    async with flow_world(tmp_path) as made:
        made.office.answers["read_mail"] = {"body": f"put {ANA} in copy, not {BOB}"}
        await made.open(f"Read the mail, then send mail to {ANA} and send mail to {BOB}")
        assert await made.outcome("read_mail", folder="in") is Outcome.PERMIT
        yield made


async def test_one_after_the_other_is_refused(world: FlowWorld) -> None:
    """The person has stated the address for one argument, and untrusted data wants it in another."""
    assert await world.outcome("send_mail", to=ANA, body="hello") is Outcome.PERMIT
    assert await world.outcome("send_mail", to=BOB, cc=ANA, body="hello") is not Outcome.PERMIT


async def test_both_at_once_are_not_permitted_either(world: FlowWorld) -> None:
    """Both were decided before either had used the address: one of them is told to call again."""
    authorizer = world.services.mediation.mediator._parts.authorizer
    decide, waiting = authorizer.decide, asyncio.Event()

    async def together(request: AccessRequest, live: LiveTask) -> Any:
        ruling = await decide(request, live)
        await waiting.wait()
        return ruling

    authorizer.decide = together  # type: ignore[method-assign]
    calls = [
        asyncio.create_task(world.run("send_mail", to=ANA, body="hello")),
        asyncio.create_task(world.run("send_mail", to=BOB, cc=ANA, body="hello")),
    ]
    for _ in range(200):
        await asyncio.sleep(0)
    arrived = len(world.office.arrived)
    waiting.set()
    ends = await asyncio.gather(*calls, return_exceptions=True)
    (lost,) = [one for one in ends if isinstance(one, BaseException)]
    assert isinstance(lost, Conflict)
    assert lost.code == "intent-used"
    assert len(world.office.arrived) == arrived + 1
    decided = [one["outcome"] for one in await world.facts(EventKind.DECISION_MADE)]
    assert decided == ["permit", "permit", "deny"]
    live = world.services.tasks.live.get(world.task.id)
    assert live is not None
    assert live._reserved.get(world.task.id, Usage()) == Usage()
