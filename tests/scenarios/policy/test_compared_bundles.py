# SPDX-License-Identifier: Apache-2.0
"""Comparing and simulating bundles at the REST interface: who may do it, and what is compared."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.worlds.services import PERMIT, ServiceWorld, a_bundle, service_world

Json = Any
NO = '@id("no")\n@reason("not today")\nforbid (principal, action, resource) when { context.flow.tainted };\n'
GIVEN = {"policies": [{"file": "policies/a.cedar", "text": PERMIT + NO}]}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway with one permit in force."""
    async with service_world(tmp_path) as made:
        yield made


async def ask(world: ServiceWorld, path: str, body: Json = None, by: str = "audra") -> Json:
    """What an endpoint of policies answers."""
    told = await world.ask("POST", f"/api/v1/policies/{path}", body or {}, by=await world.session(by))
    return told.json | {"status": told.status}


async def test_by_default_the_folder_is_compared_with_what_is_in_force(world: ServiceWorld) -> None:
    """A rule that is in the folder and not in force is an addition."""
    world.on_disk = a_bundle("sha256:two", PERMIT + NO)
    found = await ask(world, "diff")
    (change,) = found["changes"]
    assert (found["before"], found["after"], found["wider"]) == ("sha256:one", "sha256:two", "no")
    assert (change["name"], change["kind"], change["after"]) == ("no", "added", NO.strip())


async def test_given_policies_and_versions_can_be_compared(world: ServiceWorld) -> None:
    """The other way round, the same rule is gone, and that permits more."""
    found = await ask(world, "diff", {"before": GIVEN, "after": {"version": 1}})
    (change,) = found["changes"]
    assert (change["kind"], change["wider"], found["wider"]) == ("removed", "yes", "yes")
    assert (await ask(world, "diff", {"after": {"version": 7}}))["status"] == 404


async def test_policies_that_are_not_valid_are_refused_with_their_place(world: ServiceWorld) -> None:
    """As a check would tell it."""
    broken = {"policies": [{"file": "policies/a.cedar", "text": "permit (principal"}]}
    found = await ask(world, "diff", {"after": broken})
    assert found["status"] >= 400
    assert "policies/a.cedar:1" in found["detail"]


async def test_recorded_calls_are_for_auditors(world: ServiceWorld) -> None:
    """They name people; what differs between two bundles does not."""
    body = {"after": GIVEN, "recorded": True}
    assert (await ask(world, "diff", body, by="otto"))["status"] == 403
    assert (await ask(world, "diff", {"after": GIVEN}, by="otto"))["status"] == 200
    assert (await ask(world, "simulate", GIVEN, by="otto"))["status"] == 403
    found = await ask(world, "diff", body)
    assert (found["status"], found["recorded"]["read"]) == (200, 0)


async def test_a_simulation_changes_nothing(world: ServiceWorld) -> None:
    """Neither what is in force nor the evidence."""
    session = await world.session("audra")
    size = await world.services.evidence.log.size()
    told = await world.ask("POST", "/api/v1/policies/simulate", GIVEN, by=session)
    assert (told.status, told.json["before"], told.json["after"]) == (200, "sha256:one", "given")
    assert world.services.policies.digest == "sha256:one"
    assert await world.services.evidence.log.size() == size


async def test_given_policies_come_with_their_counters(world: ServiceWorld) -> None:
    """Without any, those in force count; a rule that reads a counter needs it."""
    often = (
        '@id("often")\n@reason("often")\nforbid (principal, action, resource)'
        " when { context.history.reads > 3 };\n"
    )
    policies = [{"file": "policies/a.cedar", "text": PERMIT + often}]
    reads = {"name": "reads", "of": "calls", "window_s": 60}
    found = await ask(world, "diff", {"after": {"policies": policies, "history": [reads]}})
    assert [(one["of"], one["name"], one["wider"]) for one in found["changes"]] == [
        ("counter", "reads", "no"), ("rule", "often", "no"),
    ]  # fmt: skip
    simulated = await ask(world, "simulate", {"policies": policies, "history": [reads]})
    assert (simulated["status"], simulated["after"]) == (200, "given")
    found = await ask(world, "diff", {"after": {"policies": policies}})
    assert "`context.history.reads` does not exist" in found["detail"]
    wrong = {"policies": policies, "history": [reads | {"of": "call"}]}
    assert (await ask(world, "diff", {"after": wrong}))["status"] == 400
