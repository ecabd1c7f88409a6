# SPDX-License-Identifier: Apache-2.0
"""Changes of the mode of upstreams while remit runs."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.errors import NotFound, StoreUnavailable
from remit.core.evidence.event import EventKind
from remit.ports.upstream import LISTS
from remit.services.decisions.upstream_modes import UpstreamModes
from tests.worlds.services import ServiceWorld, service_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """Services that enforce everywhere."""
    async with service_world(tmp_path) as made:
        yield made


def modes(world: ServiceWorld) -> UpstreamModes:
    """Return the modes of two upstreams."""
    services = world.services
    return UpstreamModes(
        store=services.store,
        clock=services.clock,
        tenant=services.tenant,
        authorizer=services.decisions.authorizer,
        announcements=services.tools.announcements,
        upstreams=frozenset({"files", "mail"}),
    )


async def test_a_change_is_recorded_in_force_and_announced(world: ServiceWorld) -> None:
    """Upstreams that do not run are left out, and what is as it was is not recorded again."""
    changing = modes(world)
    heard: list[tuple[str, frozenset[str]]] = []
    world.services.tools.announcements.listen(lambda *said: heard.append(said), lambda *_: None, lambda: None)
    assert changing.differing(frozenset({"mail", "absent"})) == ["mail"]
    assert await changing.change(frozenset({"mail", "absent"}), by="ana") == ["mail"]
    authorizer = world.services.decisions.authorizer
    assert [authorizer.observes(name) for name in ("files", "mail", "absent")] == [False, True, False]
    assert heard == [("mail", LISTS)]
    assert await changing.change(frozenset({"mail"}), by="ana") == []
    assert await changing.change(frozenset({"files"}), by="ana") == ["files", "mail"]
    assert [authorizer.observes(name) for name in ("files", "mail")] == [True, False]
    kinds = (EventKind.UPSTREAM_MODE.value,)
    found = await world.services.store.entries(world.services.tenant, kinds=kinds)
    facts = [json.loads(one.leaf)["facts"] for one in found]
    assert [(one["upstream"], one["mode"]) for one in facts] == [
        ("mail", "observe"),
        ("files", "observe"),
        ("mail", "enforce"),
    ]
    assert {one.subject for one in found} == {"ana"}


async def test_what_cannot_be_recorded_does_not_happen(
    world: ServiceWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that does not answer leaves every mode as it was."""

    async def fails(*_: object, **__: object) -> None:
        raise StoreUnavailable("no answer")

    changing = modes(world)
    monkeypatch.setattr(world.services.store, "commit", fails)
    with pytest.raises(StoreUnavailable):
        await changing.change(frozenset({"mail"}), by="ana")
    assert not world.services.decisions.authorizer.observes("mail")


async def test_enforcing_by_hand_outlives_the_files_and_a_restart(world: ServiceWorld) -> None:
    """It ends when an administrator lets the files decide, and by no file."""
    changing, authorizer = modes(world), world.services.decisions.authorizer
    await changing.change(frozenset({"mail"}), by="ana")
    await changing.enforce("mail", by="omar")
    assert not authorizer.observes("mail")
    assert await changing.change(frozenset({"mail"}), by="ana") == []
    assert not authorizer.observes("mail")
    # Another process starts with what its files say, and looks.
    authorizer.observe(frozenset({"mail"}))
    other = modes(world)
    await other.look()
    assert not authorizer.observes("mail")
    assert other.held == {"mail"}
    await other.follow_files("mail", by="omar")
    assert authorizer.observes("mail")
    await changing.look()
    assert not changing.held
    await changing.enforce("mail", by="omar")
    # The files of one replica say `enforce`, those of another one may not.
    assert await changing.change(frozenset(), by="ana") == []
    assert changing.held == {"mail"}
    assert await changing.change(frozenset({"mail"}), by="ana") == []
    assert not authorizer.observes("mail")


async def test_an_upstream_that_does_not_run_cannot_be_enforced(world: ServiceWorld) -> None:
    """A misspelled name would look like a changed mode."""
    with pytest.raises(NotFound):
        await modes(world).enforce("absent", by="omar")


async def test_a_look_puts_nothing_in_force_that_a_person_changed_meanwhile(
    world: ServiceWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it read before the change is old: enforcing by hand is not taken back, not even for a moment."""
    changing, authorizer = modes(world), world.services.decisions.authorizer
    await changing.change(frozenset({"mail"}), by="ana")
    values, asked, answered = world.services.store.values, asyncio.Event(), asyncio.Event()

    async def slow(*wanted: str) -> object:
        found = await values(*wanted)
        asked.set()
        await answered.wait()
        return found

    monkeypatch.setattr(world.services.store, "values", slow)
    look = asyncio.create_task(changing.look())
    await asked.wait()
    enforce = asyncio.create_task(changing.enforce("mail", by="omar"))
    await asyncio.sleep(0)
    answered.set()
    await asyncio.gather(look, enforce)
    assert not authorizer.observes("mail")
    assert changing.held == {"mail"}


async def test_another_process_takes_back_what_it_has_not_looked_at_yet(world: ServiceWorld) -> None:
    """An administrator is not told that the files decide while another replica goes on enforcing."""
    changing, other = modes(world), modes(world)
    await changing.change(frozenset({"mail"}), by="ana")
    await changing.enforce("mail", by="omar")
    await other.follow_files("mail", by="omar")
    await changing.look()
    assert not changing.held
    assert world.services.decisions.authorizer.observes("mail")
