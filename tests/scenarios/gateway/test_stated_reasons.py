# SPDX-License-Identifier: Apache-2.0
"""An agent states why it makes a call, at each endpoint; no upstream gets the words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.evidence.event import EventKind
from remit.core.policy.bundle import PolicySource
from tests.worlds import http_endpoint, mcp_endpoint
from tests.worlds.http_endpoint import rest_world
from tests.worlds.mcp_endpoint import gateway_world

Json = Any
WHY = "ann asked for it"


def demanding(bundle: Any) -> Any:
    """Return a bundle in which every call needs a reason."""
    text = '@id("demanding") @require_reason permit (principal, action, resource);'
    more = PolicySource("more.cedar", text)
    return msgspec.structs.replace(bundle, policies=(*bundle.policies, more), digest="sha256:demanding")


async def test_a_model_states_its_reason_as_an_argument(tmp_path: Path) -> None:
    """The refusal says how, in words that every client shows; the argument goes no further."""
    async with gateway_world(tmp_path, bundle=demanding(mcp_endpoint.a_bundle())) as world:
        told = await world.call("echo", {"text": "ok"})
        assert "remit:reason" in told.content.decode()
        assert world.calls() == []
        told = await world.call("echo", {"text": "ok", "remit:reason": WHY})
        assert told.status == 200
        assert [one["arguments"] for one in world.calls()] == [{"text": "ok"}]
        made = (await world.facts(EventKind.DECISION_MADE))[-1]
        assert (made["outcome"], made["obligations"]) == ("permit", ["require_reason"])
        assert WHY not in json.dumps(made)


@pytest.mark.parametrize("reason", ["x" * 501, 7, ["because"], None])
async def test_a_reason_of_another_form_is_refused(tmp_path: Path, reason: Json) -> None:
    """Nothing of it is taken for a reason."""
    async with gateway_world(tmp_path, bundle=demanding(mcp_endpoint.a_bundle())) as world:
        told = await world.call("echo", {"text": "ok", "remit:reason": reason})
        assert "at most 500 characters" in told.content.decode()
        assert world.calls() == []


async def test_blanks_are_no_reason(tmp_path: Path) -> None:
    """An empty one counts as none."""
    async with gateway_world(tmp_path, bundle=demanding(mcp_endpoint.a_bundle())) as world:
        await world.call("echo", {"text": "ok", "remit:reason": "   "})
        assert world.calls() == []


async def test_a_rest_agent_states_its_reason_in_a_header(tmp_path: Path) -> None:
    """The API does not get the header."""
    async with rest_world(tmp_path) as world:
        await world.services.policies.apply(demanding(http_endpoint.a_bundle()), by="root")
        assert (await world.get("/customers/c-1")).status == 403
        assert (await world.get("/customers/c-1", headers={"remit-reason": WHY})).status == 200
        assert WHY not in str(world.api.seen[-1])
