# SPDX-License-Identifier: Apache-2.0
"""Calls that a real OPA server decides: permitted, asked about, approved, and refused while it is away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from remit.adapters.policy.rego.server import OpaPolicies, OpaServer
from remit.core.decisions.decision import Outcome
from remit.core.identity.principals import Agent
from remit.core.tasks.history import HistoryCounter
from remit.core.tasks.task import TaskType
from remit.core.tools.tool import Tool
from remit.ports.policy import LoadedPolicy, PolicySource, ServedPolicy
from tests.servers import opa_server
from tests.servers.opa_server import RunningOpa
from tests.worlds.calls import TOOLS, CallWorld, call_world

RULES = """package remit

permit contains "all"

# METADATA
# custom:
#   reason: "`{tool}` moves money"
#   otherwise: approval
forbid contains "desk/pay" if input.action.id == "desk/pay"
"""
POLICIES = [PolicySource("policies/desk.rego", RULES)]


class DeskPolicies(OpaPolicies):
    """Loads the policies of this desk, whatever the bundle of the world says in Cedar."""

    def load(
        self,
        sources: Sequence[PolicySource],
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        agents: Sequence[Agent],
        counters: Sequence[HistoryCounter] = (),
        *,
        aside: bool = False,
    ) -> LoadedPolicy | ServedPolicy:
        """Load them."""
        return super().load(POLICIES, tools, task_types, agents, aside=aside)


@pytest.fixture
def opa(tmp_path: Path) -> Iterator[RunningOpa]:
    """Run a server with the policies."""
    engine = OpaPolicies(OpaServer("http://127.0.0.1:1"), program=opa_server.program())
    (tmp_path / "opa").mkdir()
    with opa_server.running(tmp_path / "opa", engine.bundle(POLICIES, list(TOOLS.values()), [])) as server:
        yield server


@pytest.fixture
async def world(tmp_path: Path, opa: RunningOpa) -> AsyncIterator[CallWorld]:
    """A desk whose calls the server decides."""
    server = OpaServer(opa.url, timeout_s=60)
    engine = DeskPolicies(server, program=opa_server.program())
    async with call_world(tmp_path, engine=engine) as made:
        yield made
    await server.close()


async def test_an_approval_waives_the_rule_that_the_server_named(world: CallWorld) -> None:
    """The rule is bound by its digest, as for any other engine."""
    _, token = await world.open()
    assert await world.outcome(token, "read") is Outcome.PERMIT
    approval = await world.asked(token, "pay")
    await world.approve(approval)
    assert await world.outcome(token, "pay") is Outcome.PERMIT


async def test_calls_are_refused_while_the_server_is_away(world: CallWorld, opa: RunningOpa) -> None:
    """Nothing reaches the tool, the reason says what to do, and the task goes on afterwards."""
    _, token = await world.open()
    opa.stop()
    end = await world.call(token, "read")
    assert end.decision.outcome is Outcome.DENY
    assert end.decision.reasons[0].code == "policy-error"
    assert end.decision.reasons[0].remediation
    assert not world.desk.arrived
    engine = OpaPolicies(OpaServer("http://127.0.0.1:1"), program=opa_server.program())
    opa.start(engine.bundle(POLICIES, list(TOOLS.values()), []))
    assert await world.outcome(token, "read") is Outcome.PERMIT
