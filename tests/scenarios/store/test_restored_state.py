# SPDX-License-Identifier: Apache-2.0
"""Threat: rows that others changed become right by a backup and its restore; or a restore looks like that."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from remit.core.errors import Fenced
from remit.core.evidence.event import EventKind
from remit.core.evidence.events.state_rows import STATE_TABLES, StateChanged
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import AgentState, Role
from remit.ports.store.changes import (
    CheckUnlocked,
    Credential,
    PutAgent,
    PutCredential,
    PutDelegation,
    PutPerson,
    PutTask,
    RaiseFence,
)
from remit.ports.store.units import Unit
from remit.services.assembly.services import Services
from tests.worlds.kept_store import KeptStore
from tests.worlds.stores import by_administrator
from tests.worlds.values import TENANT, a_delegation, a_person, a_task, an_agent, an_event

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=9)


def administrator(name: str) -> PutPerson:
    """Return a change that registers an administrator."""
    return PutPerson(a_person(name, roles=frozenset({Role.ADMINISTRATOR})))


FILLED = (
    administrator("root"),
    administrator("vera"),
    PutPerson(a_person("lena")),
    PutAgent(an_agent(state=AgentState.ACTIVE)),
    PutTask(a_task(deadline=LATER)),
    PutDelegation(a_delegation(expires=LATER)),
    RaiseFence(TENANT, "agent:locked-before", locked=True),
    PutCredential(
        Credential(tenant=TENANT, digest="d", kind="session", person="lena", created=NOW, expires=LATER)
    ),
)


@pytest.fixture(params=["sqlite", "postgres"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> KeptStore:
    """Provide a configured folder, with each kind of store."""
    url = request.getfixturevalue("postgres") if request.param == "postgres" else ""
    return KeptStore(tmp_path / "house", url)


def change(kept: KeptStore, statement: str, *values: Any) -> Any:
    """Change the database as its administrator; return its rows, or how many it changed."""
    if (kept.folder / "database").exists():
        return by_administrator((kept.folder / "database").read_text(), statement, *values)
    (place,) = kept.folder.rglob("*.db")
    return by_administrator(place, statement, *values)


async def told(services: Services) -> set[str]:
    """Compare all rows with the log; return the tables with a finding."""
    reading, state = services.evidence.log_reading, services.evidence.state
    while reading.state == "reading":
        await reading.turn()
    assert reading.state == "holds"
    for table in STATE_TABLES:
        page = await services.store.state_page(TENANT, table, (), 1000)
        known = services.store.recorded_rows(TENANT, table)
        missed = {name: known[name] for name in known.keys() - page.names}
        assert not await services.store.gone_rows(TENANT, table, missed) or not STATE_TABLES[table], table
    await state.turn()
    found = await services.findings.findings.about()
    return {str(one.facts["table"]) for one in found if one.kind is FindingKind.STATE_CHANGED}


@pytest.mark.parametrize("lost", [False, True], ids=["without a loss", "with a loss"])
async def test_a_restore_and_the_work_after_it_raise_no_alarm(
    kept: KeptStore, tmp_path: Path, *, lost: bool
) -> None:
    """What it takes away itself is recorded, in its first event: a role, a lock, a higher fence, sessions."""
    await kept.commit(*FILLED)
    made = await kept.back_up(tmp_path / "a.remit")
    if lost:
        await kept.commit(
            PutPerson(a_person("vera")),
            RaiseFence(TENANT, "agent:locked-before"),
            RaiseFence(TENANT, "agent:locked-since", locked=True),
            events=1,
        )
    await kept.restore(tmp_path / "a.remit", accept=lost)
    for number in range(2):
        async with kept.opened() as services:
            assert services.store.covers_rows(TENANT)
            assert not await told(services)
            vera = await services.identity.directory.person("vera")
            assert bool(vera.roles) is not lost
            for scope in ("agent:locked-before", *(["agent:locked-since"] if lost else [])):
                with pytest.raises(Fenced):
                    await services.store.commit(Unit((CheckUnlocked((scope,)),), (an_event(),)))
            await services.store.commit(
                Unit((PutPerson(a_person(f"new-{number}")), PutTask(a_task(f"task_{number}"))), (an_event(),))
            )
            (first,) = await services.store.entries(TENANT, kinds=[EventKind.LOG_RESTORED])
            assert first.index == made.manifest.log.size
            assert b'"state":{' in first.leaf
            assert not await told(services)


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("people", 'update people set body = replace(body, \'"roles":[]\', \'"roles":["administrator"]\')'),
        ("people", "insert into people select tenant, 'eve', body from people where name = 'root'"),
        ("agents", 'update agents set body = replace(body, \'"owner":"lena"\', \'"owner":"eve"\')'),
        ("delegations", "update delegations set body = replace(body, 'contract-bot', 'eves-bot')"),
        ("fences", "update fences set locked = 0"),
        ("fences", "delete from fences"),
    ],
)
@pytest.mark.parametrize("lost", [False, True], ids=["without a loss", "with a loss"])
async def test_a_restore_launders_nothing_that_others_changed_before_the_backup(
    kept: KeptStore, tmp_path: Path, table: str, statement: str, *, lost: bool
) -> None:
    """The row is refused as before; a fence keeps its scope locked; the rest goes on."""
    await kept.commit(*FILLED)
    if "roles" in statement:
        change(kept, "update people set body = replace(body, 'lena\",', 'lena\",\"roles\":[],')")
    assert change(kept, statement)
    await kept.back_up(tmp_path / "a.remit")
    if lost:
        await kept.commit(PutPerson(a_person("omar")), events=3)
    await kept.restore(tmp_path / "a.remit", accept=lost)
    async with kept.opened() as services:
        if table == "fences":
            with pytest.raises(Fenced):
                await services.store.commit(
                    Unit((CheckUnlocked(("agent:locked-before", "everything:*")),), (an_event(),))
                )
            return
        assert await told(services) == {table}
        store = services.store
        reads: dict[str, Callable[[], Awaitable[object]]] = {
            "people": lambda: store.person(TENANT, "eve" if "insert" in statement else "lena"),
            "agents": lambda: store.agent(TENANT, "contract-bot"),
            "delegations": lambda: store.delegation(TENANT, "dlg_one"),
        }
        with pytest.raises(StateChanged):
            await reads[table]()
        assert await store.person(TENANT, "root")
        task = await store.task(TENANT, a_task().id)
        assert task is not None
        assert task.state.ended


async def test_a_session_that_a_restore_ended_does_not_come_back(kept: KeptStore, tmp_path: Path) -> None:
    """Its row is put back into the database as it was: once the log said it, but the restore took it out."""
    await kept.commit(*FILLED)
    (row,) = change(kept, "select digest, expires, body, person from credentials")
    await kept.back_up(tmp_path / "a.remit")
    await kept.restore(tmp_path / "a.remit")
    assert change(
        kept,
        "insert into credentials (tenant, digest, expires, body, person) values (?, ?, ?, ?, ?)",
        TENANT,
        *row,
    )
    async with kept.opened() as services:
        with pytest.raises(StateChanged):
            await services.store.signed_in(TENANT, "d")


async def test_pruned_events_still_count_after_a_restore(kept: KeptStore, tmp_path: Path) -> None:
    """What the backup's pruned events said is restored, and nothing else is right."""
    await kept.commit(*FILLED)
    await kept.commit(PutPerson(a_person("vera")))
    async with kept.opened() as services:
        await services.store.prune(TENANT, [(0, await services.store.size(TENANT) - 1)])
    await kept.back_up(tmp_path / "a.remit")
    await kept.restore(tmp_path / "a.remit")
    async with kept.opened() as services:
        assert not (await services.identity.directory.person("vera")).roles
        assert (await services.identity.directory.person("lena")).name == "lena"
    await kept.back_up(tmp_path / "b.remit")
    assert change(kept, "update people set body = replace(body, 'lena', 'Lena') where name = 'lena'")
    async with kept.opened() as services:
        with pytest.raises(StateChanged):
            await services.store.person(TENANT, "lena")


async def test_a_backup_moved_to_another_database_raises_no_alarm(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The rows have the same digests there."""
    kept = KeptStore(tmp_path / "house")
    await kept.commit(*FILLED)
    await kept.back_up(tmp_path / "a.remit")
    kept.move_to(request.getfixturevalue("postgres"))
    await kept.restore(tmp_path / "a.remit")
    async with kept.opened() as services:
        assert services.store.covers_rows(TENANT)
        assert not await told(services)
        assert await services.store.person(TENANT, "root")
