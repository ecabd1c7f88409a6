# SPDX-License-Identifier: Apache-2.0
"""Data at rest, and declassifying, at the management endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.core.flow.stored_labels import ResourceWrite, StoredLabel
from remit.core.label import Classes, Label, Trust
from remit.ports.store.changes import PutStoredLabel
from remit.ports.store.units import Unit
from tests.worlds.services import ServiceWorld, service_world
from tests.worlds.values import START, TENANT

Json = Any
UNTRUSTED = Label("confidential", frozenset({"pii"}), Trust.UNTRUSTED)
TRUSTED = {"reason": "I have read it", "trusted": True}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServiceWorld]:
    """A gateway with people, two agents and a bundle."""
    async with service_world(tmp_path) as made:
        yield made


async def tainted(world: ServiceWorld) -> str:
    """Open a task of lena's that has read something untrusted; gives its id."""
    task = await world.open(await world.session("lena"))
    live = await world.services.tasks.live.load(task)
    live.rise(UNTRUSTED, Classes())
    return task


async def written(world: ServiceWorld, task: str) -> None:
    """Have a task write to a contract."""
    by = ResourceWrite(
        upstream="contracts",
        resource="contract/c-42",
        task=task,
        agent="contract-bot",
        decision="dec_one",
        tool="contracts/write",
        at=START,
        trust=Trust.UNTRUSTED,
        data_class="confidential",
        call=2,
    )
    rows = [
        StoredLabel(tenant=TENANT, upstream="contracts", resource=name, changed=START).raised(
            UNTRUSTED, by, Classes(), below=name != "contract/c-42"
        )
        for name in ("", "contract", "contract/c-42")
    ]
    await world.services.store.commit(Unit(tuple(PutStoredLabel(row) for row in rows)))


async def test_a_task_is_shown_with_its_digest_and_declassified_by_an_approver(world: ServiceWorld) -> None:
    """What is not said of the data stays as it was."""
    task = await tainted(world)
    ada = await world.session("ada")
    told = await world.ask("GET", f"/api/v1/tasks/{task}/label", by=ada)
    assert told.json["label"] == UNTRUSTED.facts
    said = TRUSTED | {"confirm": told.json["digest"], "without": ["pii"]}
    done = await world.ask("POST", f"/api/v1/tasks/{task}/declassify", said, by=ada)
    assert done.status == 200, done.content
    again = await world.ask("GET", f"/api/v1/tasks/{task}/label", by=ada)
    assert again.json["label"] == Label("confidential").facts
    assert again.json["lowered"]


@pytest.mark.parametrize(
    ("by", "more", "status"),
    [
        ("lena", {}, 403),
        ("otto", {}, 403),
        ("root", {}, 403),
        ("ada", {"confirm": "sha256:other"}, 409),
        ("ada", {"reason": ""}, 400),
        ("ada", {"trusted": False}, 400),
        ("ada", {"to_class": "cosmic"}, 400),
        ("ada", {"trust": "trusted"}, 400),
    ],
)
async def test_who_may_not_and_what_says_nothing_is_refused(
    world: ServiceWorld, by: str, more: dict[str, Json], status: int
) -> None:
    """Refused: the person behind the task, operators and administrators; another digest; no reason; nothing
    lowered.
    """
    task = await tainted(world)
    told = await world.ask("GET", f"/api/v1/tasks/{task}/label", by=await world.session("ada"))
    said = TRUSTED | {"confirm": told.json["digest"]} | more
    done = await world.ask("POST", f"/api/v1/tasks/{task}/declassify", said, by=await world.session(by))
    assert done.status == status, done.content


async def test_no_agent_declassifies(world: ServiceWorld) -> None:
    """Neither with its own token nor with its task's."""
    task = await tainted(world)
    tokens = [await world.agent_token(), (await world.task_token(task)).json["access_token"]]
    for token in tokens:
        for path in (f"/api/v1/tasks/{task}/declassify", "/api/v1/data/declassify"):
            done = await world.ask("POST", path, TRUSTED | {"confirm": "x"}, by=token)
            assert done.status in (401, 403), done.content
    told = await world.ask("GET", f"/api/v1/tasks/{task}/label", by=await world.session("ada"))
    assert told.json["label"]["trust"] == "untrusted"


async def test_resources_are_listed_shown_and_declassified(world: ServiceWorld) -> None:
    """With the calls that wrote there; what they lie in is counted again."""
    await written(world, await world.open(await world.session("lena")))
    ada = await world.session("ada")
    listed = await world.ask("GET", "/api/v1/data?upstream=contracts&prefix=contract/", by=ada)
    (one,) = listed.json["items"]
    assert (one["resource"], one["label"], one["below"]) == ("contract/c-42", UNTRUSTED.facts, None)
    assert (one["writers"][0]["tool"], one["writers"][0]["number"]) == ("contracts/write", 2)
    assert one["writers"][0]["class"] == "confidential"
    place = {"upstream": "contracts", "resource": "contract/c-42"}
    said = TRUSTED | place | {"confirm": one["digest"], "to_class": "public", "without": ["pii"]}
    done = await world.ask("POST", "/api/v1/data/declassify", said, by=ada)
    assert done.status == 200, done.content
    assert done.json["label"] is None
    whole = await world.ask("GET", "/api/v1/data/resource?upstream=contracts", by=ada)
    assert (whole.json["label"], whole.json["below"]) == (None, None)


async def test_whom_the_writing_task_works_for_is_refused(world: ServiceWorld) -> None:
    """And so is one who sees no arguments of others' calls; a resource without a label is not there."""
    await written(world, await world.open(await world.session("lena")))
    lena = await world.session("lena")
    for place in ("/api/v1/data", "/api/v1/data/resource?upstream=contracts"):
        for by, status in (("lena", 403), ("otto", 403), ("ada", 200), ("audra", 200)):
            shown = await world.ask("GET", place, by=await world.session(by))
            assert shown.status == status, (place, by)
    said = TRUSTED | {"upstream": "contracts", "resource": "contract/c-42", "confirm": "x"}
    assert (await world.ask("POST", "/api/v1/data/declassify", said, by=lena)).status == 403
    ada = await world.session("ada")
    missing = await world.ask("GET", "/api/v1/data/resource?upstream=contracts&resource=contract/c-1", by=ada)
    assert missing.status == 404
