# SPDX-License-Identifier: Apache-2.0
"""Threat: an enforcement point that does not know an obligation is given a permit, and drops the obligation.

AuthZEN's draft profile for obligations: what it can do, it states in `obligations_supported`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.policy.bundle import PolicySource
from tests.worlds.authzen import AuthzenWorld, asking, authzen_world

Json = Any
READ = 'permit (principal, action == Action::"record/read", resource);'


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[AuthzenWorld]:
    """A gateway with AuthZEN's fixtures, where alice works."""
    async with authzen_world(tmp_path) as made:
        await made.begin("alice")
        yield made


async def answer(world: AuthzenWorld, notes: str, context: Json = None) -> dict[str, Json]:
    """Ask to read a record where a permit has obligations."""
    more = PolicySource("more.cedar", f'@id("demanding") {notes} {READ}')
    bundle = msgspec.structs.replace(world.bundle, policies=(*world.bundle.policies, more), digest=notes)
    await world.services.policies.apply(bundle, by="root")
    asked = asking("alice", "read")
    told = await world.asks("evaluation", asked if context is None else asked | {"context": context})
    assert told.status == 200, told.content
    found: dict[str, Json] = told.json
    return found


async def test_without_obligations_none_is_named(world: AuthzenWorld) -> None:
    """The answer is as it always was."""
    told = await answer(world, "")
    assert told["decision"] is True
    assert "obligations" not in told["context"]


@pytest.mark.parametrize("context", [None, {}, {"obligations_supported": ["step-up", "notification"]}])
@pytest.mark.parametrize("notes", ['@redact("ssn")', '@obligation("watermark")'])
async def test_a_point_that_cannot_is_refused_and_told(
    world: AuthzenWorld, notes: str, context: Json
) -> None:
    """Also one that says nothing: it may be older than the profile."""
    told = await answer(world, notes, context)
    assert told["decision"] is False
    assert told["context"]["reason"] == "obligation"
    assert "does not carry out the obligation" in told["context"]["reason_admin"]["en"]
    assert "obligations_supported" in told["context"]["reason_admin"]["en"]


async def test_a_point_that_can_is_told_what_to_do(world: AuthzenWorld) -> None:
    """Each with a separate id, in the profile's form."""
    told = await answer(
        world, '@redact("ssn, birth.date") @obligation("watermark")', {"obligations_supported": ["custom"]}
    )
    assert told["decision"] is True
    assert told["context"]["obligations"] == [
        {
            "id": "obl-1",
            "type": "custom",
            "vendor": "remit",
            "action": "redact",
            "fields": ["birth.date", "ssn"],
        },
        {"id": "obl-2", "type": "custom", "vendor": "remit", "action": "watermark"},
    ]


async def test_what_remit_meets_itself_is_not_passed_on(world: AuthzenWorld) -> None:
    """A reason comes in the context of the question."""
    assert (await answer(world, "@require_reason"))["context"]["reason"] == "reason-required"
    told = await answer(world, "@require_reason", {"reason": "ann asked"})
    assert (told["decision"], told["context"].get("obligations")) == (True, None)


@pytest.mark.parametrize(
    "context", [{"obligations_supported": "custom"}, {"obligations_supported": [1]}, {"reason": "x" * 501}]
)
async def test_a_context_of_another_form_is_refused(world: AuthzenWorld, context: Json) -> None:
    """Nothing is guessed."""
    asked = asking("alice", "read") | {"context": context}
    told = await world.asks("evaluation", asked)
    assert told.status == 400 or told.json["decision"] is False
