# SPDX-License-Identifier: Apache-2.0
"""`remit end --prove` on everything that remit itself derives from a task: its tokens, a child task, a
question to a human, a session; beside a credential of a real upstream. (Each kind of credential has a
separate scenario.)
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from remit.adapters import broker as brokers
from remit.core.decisions.mediation import Answered
from remit.core.identity.workload import KeyBinding
from remit.services.identity.directory import NewAgent
from remit.services.mediation.mediator import RequestedCall
from remit.services.tasks.opening_rules import DelegatedOpening
from remit_sdk.key import AgentKey
from tests.architecture.tree import ROOT
from tests.gateways.leasing_gateway import TASK, LeasingGateway
from tests.samples.tokens import task_token
from tests.servers.authorization_server import Authorities, server
from tests.worlds.calls import Heard

__all__ = ["server"]
Json = Any

WITH_MORE = (
    TASK
    + """
  - tool: crm/log
    other_arguments: true
delegates: {to: [other-bot]}
"""
)


@pytest.fixture
def gateway(tmp_path: Path, server: Authorities) -> Iterator[LeasingGateway]:
    """Provide a gateway with a second agent, to which tasks may be handed down."""
    lease = {
        "oauth": server.oauth(),
    }
    made = LeasingGateway(tmp_path, lease)
    made.further_tasks["look-up"] = WITH_MORE
    with made:
        yield made


def handed_down(gateway: LeasingGateway, task: str) -> str:
    """Hand a task down; gives the child, which has a token."""

    async def handed() -> str:
        directory, key = gateway.services.identity.directory, KeyBinding(AgentKey.generate().public_jwk)
        other = NewAgent(name="other-bot", owner="ana", purpose="helps", bindings=(key,))
        await directory.register(other, by="ana")
        child = await gateway.services.tasks.tasks.open_child(
            task, await directory.agent("other-bot"), DelegatedOpening()
        )
        await task_token(gateway.services, child.id)
        return child.id

    return gateway.wait(handed())


def asked_for(gateway: LeasingGateway, token: str) -> None:
    """Call a tool without a description: an approver is asked."""

    async def asked() -> object:
        call = RequestedCall(token=token, upstream="crm", name="log", arguments={"word": "x"})
        return await gateway.services.mediation.mediator.run(call, Heard())

    assert not isinstance(gateway.wait(asked()), Answered)


def initialized(gateway: LeasingGateway, token: str) -> httpx2.Response:
    """Open a session at the MCP endpoint, over HTTP."""
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "x", "version": "1"},
        },
    }
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    return httpx2.post(f"{gateway.url}/mcp/crm", json=body, headers=headers, trust_env=False, timeout=120)


def test_everything_that_a_task_had_is_refused_and_listed(
    gateway: LeasingGateway, server: Authorities
) -> None:
    """One command does that; each is listed with its own time, in a receipt that verifies. None of it grants
    access afterwards.
    """
    task, _ = gateway.open()
    token = gateway.wait(task_token(gateway.services, task))
    child = handed_down(gateway, task)
    asked_for(gateway, token)
    assert initialized(gateway, token).status_code == 200

    async def call() -> object:
        asked = RequestedCall(token=token, upstream="crm", name="echo", arguments={"word": "x"})
        return await gateway.services.mediation.mediator.run(asked, Heard())

    assert isinstance(gateway.wait(call()), Answered)
    said = gateway.remit(
        "end", task, "--receipt", "end.jsonl", "--json", session=gateway.session(), env={"COLUMNS": "160"}
    )
    assert said.returncode == 0, said.stderr
    closings = json.loads(said.stdout)["closings"]
    kinds = [one["kind"] for one in closings]
    assert {"task", "token", "child-task", "approval", "mcp-session", "oauth-token"} <= set(kinds)
    assert all(one["refused_after_ms"] is not None for one in closings)
    assert child in [one["name"] for one in closings]
    assert all(one.is_revoked() for one in server.tokens.values())
    assert initialized(gateway, token).status_code == 403
    key = gateway.services.evidence.log.verifier
    verified = gateway.remit("audit", "verify", "end.jsonl", "--key", key)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_each_kind_of_credential_is_ended_and_proven_in_some_scenario() -> None:
    """A new broker brings one that ends a task by command, and looks at what the closure says."""
    kinds = set()
    for module in pkgutil.walk_packages(brokers.__path__, f"{brokers.__name__}."):
        for one in vars(importlib.import_module(module.name)).values():
            kind = getattr(one, "kind", None)
            if isinstance(one, type) and isinstance(kind, str) and one.__module__ == module.name:
                kinds.add(kind)
    assert "postgres-role" in kinds
    scenarios = (ROOT / "tests" / "scenarios").rglob("test_*.py")
    texts = [text for one in scenarios if re.search(r"closed_up\(|--prove", text := one.read_text("utf-8"))]
    # A secret of the configuration that no process can change ends with nothing.
    unproven = {kind for kind in kinds - {"standing"} if not any(f'"{kind}"' in text for text in texts)}
    assert unproven == set()
