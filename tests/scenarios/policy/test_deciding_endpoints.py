# SPDX-License-Identifier: Apache-2.0
"""Shadows, explanations and who can call a tool, at the REST interface: who may ask, and what is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.evidence.event import EventKind
from remit.core.evidence.events.kinds import BODIES
from tests.worlds.services import PERMIT, ServiceWorld, service_world

Json = Any
NO = '@id("no")\n@reason("not today")\nforbid (principal, action, resource);\n'
GIVEN = {"policies": [{"file": "policies/a.cedar", "text": PERMIT + NO}], "reason": "a try", "share": 5}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway with one permit in force."""
    async with service_world(tmp_path) as made:
        yield made


async def ask(world: ServiceWorld, method: str, path: str, body: Json = None, by: str = "root") -> Json:
    """What an endpoint answers."""
    told = await world.ask(method, f"/api/v1/{path}", body, by=await world.session(by))
    return (told.json or {}) | {"status": told.status}


async def test_only_administrators_start_and_stop_a_shadow(world: ServiceWorld) -> None:
    """Auditors read what it found: it names people."""
    for by in ("audra", "otto"):
        assert (await ask(world, "POST", "policies/shadow", GIVEN, by=by))["status"] == 403
        assert (await ask(world, "POST", "policies/shadow/stop", {}, by=by))["status"] == 403
    assert (await ask(world, "GET", "policies/shadow", by="audra"))["shadow"] is None
    started = (await ask(world, "POST", "policies/shadow", GIVEN))["shadow"]
    told = {name: started[name] for name in ("by", "reason", "share", "calls", "in_force", "flips")}
    assert told == {"by": "root", "reason": "a try", "share": 5, "calls": 0, "in_force": False, "flips": []}
    assert (await ask(world, "POST", "policies/shadow", GIVEN))["status"] == 409
    assert (await ask(world, "GET", "policies/shadow", by="audra"))["shadow"] == started
    assert (await ask(world, "GET", "policies/shadow", by="otto"))["status"] == 403
    stopped = await ask(world, "POST", "policies/shadow/stop", {"reason": "enough"})
    assert stopped["shadow"]["shadow"] == started["shadow"]
    assert (await ask(world, "POST", "policies/shadow/stop", {}))["status"] == 404


async def test_a_candidate_that_is_not_valid_is_refused_with_its_place(world: ServiceWorld) -> None:
    """And a share beyond the bound is no question."""
    broken = {"policies": [{"file": "policies/a.cedar", "text": "permit (principal"}]}
    found = await ask(world, "POST", "policies/shadow", broken)
    assert found["status"] >= 400
    assert "policies/a.cedar:1" in found["detail"]
    assert (await ask(world, "POST", "policies/shadow", GIVEN | {"share": 51}))["status"] == 400
    assert (await ask(world, "GET", "policies/shadow"))["shadow"] is None


async def test_start_and_stop_are_in_the_evidence(world: ServiceWorld) -> None:
    """With the reason."""
    await ask(world, "POST", "policies/shadow", GIVEN)
    await ask(world, "POST", "policies/shadow/stop", {"reason": "enough"})
    kinds = await world.kinds()
    for kind in (EventKind.SHADOW_STARTED, EventKind.SHADOW_STOPPED):
        assert kind.value in kinds
        assert kind in BODIES


async def test_explanations_are_for_auditors(world: ServiceWorld) -> None:
    """They show the values of calls."""
    body = {"decision": "dec_nothing"}
    assert (await ask(world, "POST", "policies/explain", body, by="otto"))["status"] == 403
    assert (await ask(world, "POST", "policies/explain", body, by="audra"))["status"] == 404


async def test_who_can_call_a_tool_is_for_everyone_with_a_role(world: ServiceWorld) -> None:
    """People without one see their own tasks alone."""
    tool = {"tool": "contracts/read"}
    found = await ask(world, "POST", "can/who", tool, by="otto")
    assert found["status"] == 200
    assert found["ways"]
    assert (await ask(world, "POST", "can/who", tool, by="lena"))["status"] == 403
    assert (await ask(world, "POST", "can/who", {"tool": "no/thing"}, by="otto"))["status"] == 404
