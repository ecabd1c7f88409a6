# SPDX-License-Identifier: Apache-2.0
"""A credential that is no longer secret is taken back, and a person is asked to look."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.endings.closure import Cause
from remit.core.errors import RemitError
from remit.core.findings.finding import Finding, FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.scope import ScopeKind
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import CallWorld, Heard
from tests.worlds.credentials import desk_world
from tests.worlds.services import ServiceWorld, service_world


@pytest.fixture
def broker() -> ScriptedBroker:
    """What gives the desk's credentials."""
    return ScriptedBroker()


@pytest.fixture
async def world(tmp_path: Path, broker: ScriptedBroker) -> AsyncIterator[CallWorld]:
    """A desk that takes a credential."""
    async with desk_world(tmp_path, broker) as made:
        yield made
        await made.services.credentials.leases.stop()


async def findings(world: CallWorld | ServiceWorld) -> list[Finding]:
    """Return the open findings about leaked credentials."""
    await world.services.findings.findings.flush()
    found = await world.services.findings.findings.about(state=FindingState.OPEN)
    return [one for one in found if one.kind is FindingKind.CREDENTIAL_LEAKED]


async def test_a_credential_in_a_result_is_replaced(world: CallWorld, broker: ScriptedBroker) -> None:
    """The agent does not see it, it is dead at its source, the task goes on with another one."""
    task, token = await world.open()
    assert await world.outcome(token, "read") is Outcome.PERMIT
    ((lease, password),) = broker.alive.items()
    world.desk.says = f"you sent {password}"
    heard = Heard()
    await world.call(token, "read", heard)
    assert password.encode() not in heard.chunks[0].body
    world.desk.says = "done"
    assert await world.outcome(token, "read") is Outcome.PERMIT
    assert len(broker.obtained) == 2
    await world.until(lambda: lease in broker.revoked)
    (found,) = await findings(world)
    assert found.about == "upstream:desk"
    assert (found.facts["how"], found.facts["lease"], found.facts["task"]) == ("result", lease, task.id)
    assert password not in str(found)


async def test_what_does_not_come_back_is_kept(world: CallWorld, broker: ScriptedBroker) -> None:
    """An answer without it changes nothing."""
    _, token = await world.open()
    for _ in range(3):
        assert await world.outcome(token, "read") is Outcome.PERMIT
    assert (len(broker.obtained), broker.revoked) == (1, [])
    assert await findings(world) == []


async def test_a_reported_upstream_loses_all_its_credentials(tmp_path: Path, broker: ScriptedBroker) -> None:
    """Over the interface: calls to it are refused, its leases are taken back, a finding stands."""
    async with desk_world(tmp_path, broker) as world:
        _, token = await world.open()
        _, other = await world.open()
        for one in (token, other):
            assert await world.outcome(one, "read") is Outcome.PERMIT
        closure = await world.services.endings.revocations.end_scope(
            ScopeKind.UPSTREAM, "desk", reason="seen on a list", by="root", cause=Cause.UPSTREAM_COMPROMISED
        )
        assert len([one for one in closure.closings if one.lease and not one.open]) == 2
        assert closure.cause is Cause.UPSTREAM_COMPROMISED
        assert broker.alive == {}
        with pytest.raises(RemitError):
            await world.call(token, "read")


async def test_only_an_upstream_is_reported(tmp_path: Path) -> None:
    """Over the interface, only an upstream can be reported as leaked, by a person who may end it."""
    async with service_world(tmp_path) as services:
        otto = await services.session("otto")
        said = {"name": "upstream", "kind": "upstream", "compromised": True}
        assert (await services.ask("POST", "/api/v1/end", said, by=otto)).status == 404
        said = {"name": "contract-bot", "kind": "agent", "compromised": True}
        assert (await services.ask("POST", "/api/v1/end", said, by=otto)).status == 400
        assert await findings(services) == []
