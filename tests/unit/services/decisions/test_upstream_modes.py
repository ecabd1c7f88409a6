# SPDX-License-Identifier: Apache-2.0
"""Changes of the mode of upstreams while remit runs."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit.core.errors import StoreUnavailable
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
    world.services.tools.announcements.listen(lambda *said: heard.append(said), lambda *_: None)
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
