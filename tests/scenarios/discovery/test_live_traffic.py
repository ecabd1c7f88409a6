# SPDX-License-Identifier: Apache-2.0
"""Discovery on a schedule: what remit's own traffic shows, and files of this machine, each in its scope."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.discovery.discovered import Discovered
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import AgentState
from remit.services.discovery.live_use import WATCHED, GovernedNames
from tests.samples.discovered import an_exposed
from tests.worlds.calls import CallWorld, call_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """The desk."""
    async with call_world(tmp_path) as made:
        yield made


class Files:
    """A scan of files that finds what it is told."""

    def __init__(self, *found: Discovered, complete: bool = True) -> None:
        self.result, self.asked = (found, complete), list[GovernedNames]()

    async def found(self, governed: GovernedNames) -> tuple[tuple[Discovered, ...], bool]:
        """Return it, and keep what was said to be governed."""
        self.asked.append(governed)
        return self.result


async def unused(world: CallWorld, state: FindingState = FindingState.OPEN) -> list[str]:
    """Return the agents with unused grants."""
    kinds = (FindingKind.UNUSED_AUTHORITY,)
    return [one.agent for one in await world.services.findings.findings.about(state=state, kinds=kinds)]


async def test_grants_that_an_agent_does_not_use_are_a_finding_until_they_are_used(world: CallWorld) -> None:
    """Not before it was watched for two weeks; using them, or losing them, fixes it."""
    scheduled = world.services.discovery.scheduled
    await scheduled.look_at_traffic()
    assert await unused(world) == []
    world.clock.advance(WATCHED.total_seconds())
    await scheduled.look_at_traffic()
    assert set(await unused(world)) >= {"clerk", "other"}
    (found,) = await world.services.findings.findings.about("agent:other")
    assert (found.owner, list(found.scopes)) == ("lena", ["remit"])
    assert "desk/read" in found.facts["evidence"]["tools"]
    agent = await world.services.identity.directory.agent("other")
    assert agent.usable
    await world.services.identity.directory.move("other", AgentState.RETIRED, by="root", reason="done")
    await scheduled.look_at_traffic()
    assert "other" not in await unused(world)
    assert await unused(world, FindingState.RESOLVED) == ["other"]


async def test_what_is_registered_is_told_to_the_scan_of_files(world: CallWorld) -> None:
    """A complete scan fixes what it no longer sees, in its own scope alone."""
    scheduled, files = world.services.discovery.scheduled, Files(an_exposed())
    await scheduled.scan_files("here", files)
    (governed,) = files.asked
    assert {"clerk", "other"} <= governed.agents
    assert governed.upstreams == {"desk"}
    findings = world.services.findings.findings
    assert (await findings.get(an_exposed().id)).state is FindingState.OPEN
    await scheduled.look_at_traffic()
    await scheduled.scan_files("here", Files(complete=False))
    assert (await findings.get(an_exposed().id)).state is FindingState.OPEN
    await scheduled.scan_files("here", Files())
    assert (await findings.get(an_exposed().id)).state is FindingState.RESOLVED
