# SPDX-License-Identifier: Apache-2.0
"""A sink that still takes a dead credential is seen wherever people look, until it refuses."""

from pathlib import Path

from remit.api.health import Health
from remit.api.rooms import health_rooms
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from remit.services.assembly.services import Services
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.credentials import desk_world


async def open_findings(services: Services) -> list[str]:
    """Return the leases of open findings about sinks."""
    found = await services.findings.findings.about(state=FindingState.OPEN)
    return [str(one.facts["lease"]) for one in found if one.kind is FindingKind.SINK_OPEN]


async def test_an_open_sink_is_a_finding_until_it_is_dead(tmp_path: Path) -> None:
    """The finding outlives the process that saw it first, and resolves itself."""
    broker = ScriptedBroker(traceable=True)
    async with desk_world(tmp_path, broker) as world:
        services = world.services
        task, token = await world.open()
        await world.call(token, "read")
        broker.down = True
        await services.endings.revocations.end_task(task.id, reason="enough", by="root")
        assert await services.credentials.sink_alarms.look() == 1
        (lease,) = await open_findings(services)
        health = Health(health_rooms(services))
        assert b'"open_sinks":1' in bytes((await health.ready()).body)
        figures = bytes((await health.metrics()).body)
        assert b'remit_sinks_open{kind="scripted"} 1' in figures
        assert b"remit_sinks_open_oldest_seconds" in figures
        (told,) = (await services.inspection.who.of(task.id))["leases"]
        assert told["ending"]
        await services.credentials.leases.stop()
    async with desk_world(tmp_path, broker, seed="again") as world:
        services = world.services
        await services.credentials.leases.recover()
        assert await services.credentials.sink_alarms.look() == 1
        assert await open_findings(services) == [lease]
        broker.down = False
        world.clock.advance(120)
        await services.credentials.leases.sweep()
        await services.credentials.leases.stop()
        assert await services.credentials.sink_alarms.look() == 0
        assert await open_findings(services) == []
        assert b'"open_sinks":0' in bytes((await Health(health_rooms(services)).ready()).body)


async def test_a_sink_that_is_slow_and_then_dead_is_no_finding(tmp_path: Path) -> None:
    """Within the time that an end waits, nothing is told."""
    broker = ScriptedBroker()
    async with desk_world(tmp_path, broker) as world:
        task, token = await world.open()
        await world.call(token, "read")
        await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
        assert await world.services.credentials.sink_alarms.look() == 0
        assert await open_findings(world.services) == []


async def test_a_process_that_does_not_hold_the_lease_settles_no_finding(tmp_path: Path) -> None:
    """Another process may look after it, or none yet: that the lease is not held here shows nothing about its
    sink.
    """
    broker = ScriptedBroker(traceable=True)
    async with desk_world(tmp_path, broker) as world:
        task, token = await world.open()
        await world.call(token, "read")
        broker.down = True
        await world.services.endings.revocations.end_task(task.id, reason="enough", by="root")
        assert await world.services.credentials.sink_alarms.look() == 1
        (lease,) = await open_findings(world.services)
        await world.services.credentials.leases.stop()
    async with desk_world(tmp_path, broker, seed="again") as world:
        assert world.services.credentials.leases.open_sinks() == []
        assert await world.services.credentials.sink_alarms.look() == 1
        assert await open_findings(world.services) == [lease]
