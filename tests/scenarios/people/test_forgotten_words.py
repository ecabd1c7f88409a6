# SPDX-License-Identifier: Apache-2.0
"""A person is forgotten: their words are in no answer, no row, no byte that remit keeps."""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from remit.adapters.store.postgres import PostgresStore
from remit.adapters.store.postgres.session import SCHEMA
from remit.adapters.store.relational.state.record import NO_ROWS, StateRecord
from remit.api import app
from remit.core.errors import Forbidden, NotFound, Unauthenticated
from remit.core.evidence.event import EventKind
from remit.core.tasks.grant import Grant, GrantTemplate
from remit.core.tasks.plan import PlanEntry
from remit.core.tasks.task import Parameter, TaskState, UserMessage
from remit.ports.store.changes import PutApproval, PutDelegation, PutTask
from remit.ports.store.store import Store
from remit.ports.store.units import Unit
from remit.services.evidence.log import readable
from remit.services.people.delegations import NewDelegation
from remit.services.tasks.tasks import Opening
from tests.servers.postgres_server import PostgresServer
from tests.worlds.calls import CallWorld, a_bundle, a_type, call_world
from tests.worlds.services import LOOPBACK, exchange
from tests.worlds.values import (
    START,
    TENANT,
    WorldClock,
    WorldEntropy,
    WorldSealingKeys,
    a_delegation,
    a_task,
    an_approval,
)

Json = Any

GOAL, PARAMETER, TURN, ARGUMENT, COMMENT, RECORD = (
    f"{flower}-was-said" for flower in ("gladiolus", "petunia", "tulip", "aster", "cosmos", "rhodora")
)
OF_LENA = (GOAL, PARAMETER, TURN, ARGUMENT, RECORD)


def found_in(folder: Path, words: Iterable[str]) -> list[tuple[str, str]]:
    """Search every byte below a folder."""
    files = [(file, file.read_bytes()) for file in folder.rglob("*") if file.is_file()]
    return [(word, file.name) for word in words for file, data in files if word.encode() in data]


async def asked(world: CallWorld, method: str, path: str, body: Json = None) -> str:
    """Ask a management endpoint as root, and give what it says."""
    services = world.services
    secret, *_ = await services.identity.authenticator.sign_in(
        await services.identity.authenticator.make_code("root", by="remit")
    )
    headers = [("authorization", f"Bearer {secret}"), ("content-type", "application/json")]
    content = b"" if body is None else json.dumps(body).encode()
    told = await exchange(app(services, reload=a_bundle), method, path, headers, content, LOOPBACK)
    assert told.status < 500, told.content
    return told.content.decode()


async def all_told(world: CallWorld, task: str) -> str:
    """Return what remit answers about a task and about lena, by every endpoint that shows them."""
    paths = (
        f"/api/v1/who?x={task}",
        "/api/v1/who?x=lena",
        "/api/v1/who?x=clerk",
        f"/api/v1/tasks/{task}",
        "/api/v1/tasks",
        "/api/v1/approvals",
        "/api/v1/delegations",
        "/api/v1/findings",
        "/api/v1/events?limit=1000",
        "/api/v1/events/export",
    )
    return "".join([await asked(world, "GET", path) for path in paths])


async def spoken(world: CallWorld) -> str:
    """Have lena say all kinds of things; give her task."""
    paying = a_type(
        "pay-one",
        parameters={"whom": Parameter()},
        grants=(GrantTemplate("desk/pay", {"text": {"prefix": "{whom}"}}),),
    )
    bundle = a_bundle()
    types = {**bundle.task_types, paying.name: paying}
    await world.services.policies.apply(msgspec.structs.replace(bundle, task_types=types), by="remit")
    services, lena = world.services, await world.person("lena")
    task, token = await world.open(
        "pay-one",
        goal=GOAL,
        params={"whom": PARAMETER},
        plan=(PlanEntry(tool="desk/pay", arguments={"text": {"exact": f"{PARAMETER} {ARGUMENT}"}}),),
    )
    await services.tasks.tasks.add_message(task.id, TURN, lena)
    approval = await world.asked(token, text=f"{PARAMETER} {ARGUMENT}")
    await services.decisions.approvals.answer(
        approval, await world.person("omar"), approve=True, comment=COMMENT
    )
    await world.call(token, "pay", text=f"{PARAMETER} {ARGUMENT}")
    await world.call(token, "pay", text=f"not {ARGUMENT}")
    record = NewDelegation(agent="clerk", task_type="pay-one", goal=RECORD, params={"whom": PARAMETER})
    await services.people.delegations.add(record, lena)
    return task.id


async def test_nothing_that_was_said_is_left(tmp_path: Path) -> None:
    """Not in an answer, and not in a byte of the folder: of the database, its log, or anything beside it."""
    async with call_world(tmp_path) as world:
        task = await spoken(world)
        before = await all_told(world, task)
        assert [word for word in (*OF_LENA, COMMENT) if word not in before] == []
        told = await asked(
            world, "POST", "/api/v1/subjects/forget", {"subject": "lena", "reason": "asked for"}
        )
        assert json.loads(told)["forgotten"], told
        after = await all_told(world, task)
        assert [word for word in OF_LENA if word in after] == []
        assert found_in(tmp_path, (*OF_LENA, COMMENT)) == []
        # What others said is theirs.
        assert COMMENT in after
    assert found_in(tmp_path, (*OF_LENA, COMMENT)) == []


async def test_what_is_done_by_forgotten_words_ends(tmp_path: Path) -> None:
    """The open task ends, and so does the delegation under which another would open: the words of both name
    no one.
    """
    async with call_world(tmp_path) as world:
        task, token = await world.open()
        record = await world.services.people.delegations.add(
            NewDelegation(agent="clerk", task_type="work", goal=RECORD), await world.person("lena")
        )
        await world.services.people.forgetting.forget("lena", by="root", reason="")
        # What the token was given for is not known any more, either.
        with pytest.raises(Unauthenticated) as refused:
            await world.call(token, "read")
        assert refused.value.code == "token-authority"
        assert (await world.services.tasks.tasks.get(task.id)).state is TaskState.REVOKED
        assert (await world.services.people.delegations.get(record.id)).revoked is not None
        for kind in (EventKind.SUBJECT_FORGOTTEN, EventKind.TASK_ENDED, EventKind.DELEGATION_REVOKED):
            (facts,) = await world.facts(kind)
            assert "lena" not in json.dumps(facts)


async def test_a_record_whose_words_are_gone_permits_nothing(tmp_path: Path) -> None:
    """A process that ended while it forgot left the record: the record has lost its restrictions, and the
    next try ends it and the task, without naming a person.
    """
    async with call_world(tmp_path) as world:
        services = world.services
        task, _ = await world.open()
        new = NewDelegation(agent="clerk", task_type="work", goal=RECORD)
        record = await services.people.delegations.add(new, await world.person("lena"))
        await services.evidence.log.forget("lena", by="root")
        opening = Opening(agent="clerk", task_type="work", on_behalf_of="lena")
        with pytest.raises(Forbidden) as refused:
            await services.tasks.tasks.open(opening, agent=await services.identity.directory.agent("clerk"))
        assert refused.value.code == "no-delegation"
        before = await services.evidence.log.size()
        await services.people.forgetting.forget("lena", by="root", reason="")
        assert (await services.people.delegations.get(record.id)).revoked is not None
        assert (await services.tasks.tasks.get(task.id)).state is TaskState.REVOKED
        told = [readable(entry) for entry in await services.evidence.log.pages(start=before, limit=1000)]
        assert "lena" not in json.dumps(told)
        with pytest.raises(NotFound) as nobody:
            await services.people.forgetting.forget("lena", by="root", reason="")
        assert nobody.value.code == "not-found"


async def test_while_somebody_is_forgotten_nothing_opens_by_their_record(tmp_path: Path) -> None:
    """Their delegations end before their key does."""
    async with call_world(tmp_path) as world:
        services = world.services
        new = NewDelegation(agent="clerk", task_type="work", goal=RECORD)
        for _ in range(3):
            await services.people.delegations.add(new, await world.person("lena"))
        await services.people.forgetting.forget("lena", by="root", reason="")
        kinds = [entry.kind for entry in await services.evidence.log.pages(limit=1000)]
        last = len(kinds) - 1 - kinds[::-1].index(EventKind.DELEGATION_REVOKED.value)
        assert last < kinds.index(EventKind.SUBJECT_FORGOTTEN.value)


async def test_what_is_asked_in_a_task_for_nobody_is_of_who_stated_it(tmp_path: Path) -> None:
    """Its calls and questions go with that person's key, and not with the agent's."""
    async with call_world(tmp_path) as world:
        kind = a_type(
            "house-work",
            requires_person=False,
            parameters={"whom": Parameter()},
            grants=(GrantTemplate("desk/pay", {"text": {"prefix": "{whom}"}}),),
        )
        bundle = a_bundle()
        types = {**bundle.task_types, kind.name: kind}
        await world.services.policies.apply(msgspec.structs.replace(bundle, task_types=types), by="remit")
        task, token = await world.open("house-work", goal=GOAL, params={"whom": PARAMETER})
        assert task.on_behalf_of == ""
        await world.asked(token, text=f"{PARAMETER} {ARGUMENT}")
        await world.call(token, "pay", text=f"not {ARGUMENT}")
        said = (GOAL, PARAMETER, ARGUMENT)
        assert [word for word in said if word not in await all_told(world, task.id)] == []
        await asked(world, "POST", "/api/v1/subjects/forget", {"subject": "lena"})
        assert [word for word in said if word in await all_told(world, task.id)] == []


async def test_words_from_before_are_sealed_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that an older remit wrote in plain: of people who have a key; of others they are dropped."""
    monkeypatch.setattr(StateRecord, "before", lambda *_: NO_ROWS)  # as that one, which recorded none
    async with call_world(tmp_path) as world:
        task = await spoken(world)
        whole = await world.services.tasks.tasks.get(task)
        other = (await world.open())[0].id
    forgotten = msgspec.structs.replace(
        whole, on_behalf_of="", intent=msgspec.structs.replace(whole.intent, requested_by="gone-long-ago")
    )
    with sqlite3.connect(tmp_path / "remit.db") as old:
        for row, name in ((whole, task), (msgspec.structs.replace(forgotten, id=other), other)):
            plain = msgspec.json.encode(row).decode()
            old.execute("update tasks set body = ?, sealed = null where id = ?", (plain, name))
    old.close()
    assert {word for word, _ in found_in(tmp_path, OF_LENA)} >= {GOAL, PARAMETER, TURN}
    async with call_world(tmp_path, seed="second", settle=False) as world:
        assert found_in(tmp_path, OF_LENA) == []
        assert await world.services.tasks.tasks.get(task) == whole
        assert (await world.services.tasks.tasks.get(other)).intent.goal == ""


async def said_there(store: Store) -> None:
    """Keep one of each kind of row with words in it, all of lena's."""
    intent = msgspec.structs.replace(
        a_task().intent, goal=GOAL, params={"whom": PARAMETER}, messages=(UserMessage(TURN, START),)
    )
    grant = Grant("desk/pay", {"text": {"exact": f"{PARAMETER} {ARGUMENT}"}})
    task = msgspec.structs.replace(a_task(), intent=intent, grants=(grant,), plan=(grant,))
    approval = an_approval(arguments={"text": ARGUMENT}, reasons=(f"it is {PARAMETER}",))
    record = a_delegation(goal=RECORD, params={"whom": PARAMETER})
    changes = (PutTask(task), PutApproval(approval), PutDelegation(record, expect_new=True))
    await store.commit(Unit(changes))


async def test_no_byte_of_a_server_holds_what_was_said(own_postgres: PostgresServer) -> None:
    """Of PostgreSQL's files, its write-ahead log included: nothing was ever written there in plain."""
    url = own_postgres.fresh()
    store = PostgresStore.open(
        url,
        durability="durable",
        clock=WorldClock(),
        entropy=WorldEntropy("first"),
        sealing=WorldSealingKeys(),
    )
    try:
        await said_there(store)
        found = await store.task(TENANT, a_task().id)
        assert found is not None
        assert found.intent.goal == GOAL
        await store.forget(TENANT, "lena")
        found = await store.task(TENANT, a_task().id)
        assert found is not None
        assert found.intent.goal == ""
    finally:
        await store.close()
    own_postgres.ask("checkpoint")
    own_postgres.stop()
    assert found_in(own_postgres.data, OF_LENA) == []


async def test_the_tables_of_a_server_do_not_hold_what_stood_there_in_plain(
    own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that an older remit wrote are sealed at the start, and their files are written again: only the
    write-ahead log, which is the server's to remove, may hold them for a while.
    """
    monkeypatch.setattr(StateRecord, "before", lambda *_: NO_ROWS)  # as that one, which recorded none
    url = own_postgres.fresh()

    def opened(seed: str) -> PostgresStore:
        return PostgresStore.open(
            url,
            durability="durable",
            clock=WorldClock(),
            entropy=WorldEntropy(seed),
            sealing=WorldSealingKeys(),
        )

    store = opened("first")
    await said_there(store)
    whole = await store.task(TENANT, a_task().id)
    await store.close()
    with psycopg.connect(url, autocommit=True) as old:
        old.execute(
            f"update {SCHEMA}.tasks set body = %s, sealed = null",
            (msgspec.json.encode(whole).decode(),),
        )
    store = opened("second")
    try:
        assert await store.task(TENANT, a_task().id) == whole
        await store.forget(TENANT, "lena")
    finally:
        await store.close()
    own_postgres.ask("checkpoint")
    own_postgres.stop()
    left = found_in(own_postgres.data, OF_LENA)
    log = {file.name for file in (own_postgres.data / "pg_wal").iterdir()}
    assert [name for _, name in left if name not in log] == []
