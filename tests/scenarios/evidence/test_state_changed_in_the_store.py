# SPDX-License-Identifier: Apache-2.0
"""Who can write to the database changes the rows that decisions rest on: it gives them no authority."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from remit.core.decisions.decision import Outcome
from remit.core.evidence.events.state_rows import StateChanged
from remit.core.findings.kinds import FindingKind
from tests.gateways.remit_up import Remit, Said, furnished
from tests.worlds.calls import CallWorld, call_world
from tests.worlds.services import ServiceWorld, service_world
from tests.worlds.values import TENANT


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CallWorld]:
    """A gateway with agents and people."""
    async with call_world(tmp_path) as made:
        yield made


def change(folder: Path, *statements: str) -> None:
    """Change the database as its administrator."""
    (place,) = folder.glob("*.db")
    with sqlite3.connect(place) as file:
        for one in statements:
            assert file.execute(one).rowcount


async def found(world: CallWorld | ServiceWorld) -> set[str]:
    """Return the tables that findings name."""
    await world.services.evidence.state.turn()
    findings = await world.services.findings.findings.about()
    return {str(one.facts["table"]) for one in findings if one.kind is FindingKind.STATE_CHANGED}


async def test_a_person_who_made_themself_administrator_is_not(tmp_path: Path) -> None:
    """The next request of their session is refused; the others go on."""
    async with service_world(tmp_path) as world:
        lena, audra = await world.session("lena"), await world.session("audra")
        assert (await world.ask("GET", "/api/v1/me", by=lena)).status == 200
        change(
            tmp_path,
            """update people set body = replace(body, '"roles":[', '"roles":["administrator",')"""
            " where name = 'lena'",
            """update people set body = replace(body, '",]', '"]') where name = 'lena'""",
        )
        refused = await world.ask("GET", "/api/v1/me", by=lena)
        assert refused.status == 409
        assert refused.json["code"] == "state-changed"
        assert (await world.ask("GET", "/api/v1/me", by=audra)).status == 200


async def test_a_task_brought_back_permits_no_call(tmp_path: Path) -> None:
    """Task, fence and log entry of its end are taken back while remit is stopped; it can still be ended."""
    async with call_world(tmp_path) as world:
        task, token = await world.open()
        with sqlite3.connect(tmp_path / "remit.db") as file:
            (before,) = file.execute("select body from tasks where id = ?", (task.id,)).fetchone()
        await world.services.endings.revocations.end_task(task.id, reason="done", by="lena")
    with sqlite3.connect(tmp_path / "remit.db") as file:
        file.execute("update tasks set state = 'active', body = ? where id = ?", (before, task.id))
        file.execute("delete from fences where scope = ?", (f"task:{task.id}",))
    async with call_world(tmp_path, seed="again", settle=False) as world:
        await world.reopen()
        with pytest.raises(StateChanged):
            await world.call(token, "write", text="the first line")
        assert await found(world) == {"tasks"}
        await world.services.endings.revocations.end_task(task.id, reason="again", by="lena")
        kept = await world.services.store.task(TENANT, task.id)
        assert kept is not None
        assert kept.state.ended


async def test_an_answer_written_into_the_database_is_none(world: CallWorld) -> None:
    """A pending approval becomes an approved one there: the call stays deferred or refused."""
    _, token = await world.open()
    approval = await world.asked(token, amount=5)
    change(
        world.folder,
        """update approvals set state = 'approved', body = replace(body, '"state":"pending"',"""
        """ '"state":"approved","decided_by":"omar"')""",
    )
    with contextlib.suppress(StateChanged):
        assert (await world.call(token, "pay", amount=5)).decision.outcome is not Outcome.PERMIT
    with pytest.raises(StateChanged):
        await world.approve(approval)
    assert await found(world) == {"approvals"}


async def test_a_changed_agent_opens_nothing_and_can_be_ended(tmp_path: Path) -> None:
    """Its registration is refused as it stands; `end` takes its name all the same."""
    async with service_world(tmp_path) as world:
        lena, root = await world.session("lena"), await world.session("root")
        await world.open(lena)
        change(tmp_path, """update agents set body = replace(body, '"owner":"lena"', '"owner":"audra"')""")
        body = {"agent": "contract-bot", "task_type": "summarise-contract", "params": {"id": "C-42"}}
        refused = await world.ask("POST", "/api/v1/tasks", body, by=lena)
        assert refused.json["code"] == "state-changed"
        ended = await world.ask("POST", "/api/v1/end", {"kind": "agent", "name": "contract-bot"}, by=root)
        assert ended.status == 200, ended.content


def test_verification_and_a_start_say_so(tmp_path: Path) -> None:
    """`remit audit verify` names the row and fails; after `--adopt-state` all is well, and recorded."""
    with furnished(tmp_path) as remit:
        assert remit("audit", "verify").code == 0
        (place,) = remit.folder.rglob("remit.db")
        change(place.parent, """update people set body = replace(body, '"writers"', '"owners"')""")
        assert remit("whoami", by="ana").code != 0
        told = told_of(remit)
        assert told.code == 4
        assert "people ana" in told.err
        assert remit.stop() == 0
        remit.start("--adopt-state", port=remit.port)
        assert remit("agent", "list", by="ana").code == 0
        recorded = remit.ask("audit", "log", "--kind", "state.recorded", "--limit", "100")["items"]
        assert {"people", "all"} <= {one["facts"]["adopted"] for one in recorded}


def told_of(remit: Remit) -> Said:
    """Verify until the audit has told of the row."""
    for _ in range(100):
        told = remit("audit", "verify")
        if told.code:
            return told
    raise AssertionError("the row was not told of")


async def test_a_role_that_outlives_the_events_of_it_cannot_be_widened(tmp_path: Path) -> None:
    """Retention prunes what once said the person's roles; the row is still compared with that."""
    async with service_world(tmp_path) as world:
        await world.services.evidence.log.checkpoint()
        world.clock.advance(90 * 86_400)
        before = world.clock.now() - timedelta(days=30)
        retention = world.services.evidence.retention
        done = await retention.prune(before, by="root", reason="old", exported=False)
        assert done.pruned
        lena, audra = await world.session("lena"), await world.session("audra")
        assert (await world.ask("GET", "/api/v1/me", by=lena)).status == 200
        assert not await found(world)
        with sqlite3.connect(tmp_path / "remit.db") as file:
            (kept,) = file.execute("select count(*) from state_events where said is not null").fetchone()
        assert kept
        change(
            tmp_path,
            """update people set body = replace(body, '"roles":[', '"roles":["administrator",')"""
            " where name = 'lena'",
            """update people set body = replace(body, '",]', '"]') where name = 'lena'""",
        )
        refused = await world.ask("GET", "/api/v1/me", by=lena)
        assert (refused.status, refused.json["code"]) == (409, "state-changed")
        assert "--adopt-state" in refused.json["remediation"]
        assert (await world.ask("GET", "/api/v1/me", by=audra)).status == 200
        assert await found(world) == {"people"}
