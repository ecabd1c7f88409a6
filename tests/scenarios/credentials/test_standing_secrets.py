# SPDX-License-Identifier: Apache-2.0
"""Threat: a standing secret that an attacker has seen once opens an upstream for ever.

Each is a finding with its age, and remit changes what it may change: whatever breaks off in between, one
secret that works is known.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest

from remit.adapters.broker.postgres.password import PostgresPassword
from remit.core.errors import KeyUnavailable, RemitError
from remit.core.evidence.event import EventKind
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from remit.services.credentials.secret_rotation import RotatedSecrets
from remit.services.credentials.standing_secrets import StandingSecret, StandingSecrets
from tests.faults.breaking_rotation import DAY, Breaking, Crash, Rotations
from tests.gateways.leasing_gateway import LeasingGateway
from tests.servers.postgres_server import PostgresServer
from tests.worlds.calls import CallWorld, call_world
from tests.worlds.values import TENANT, WorldEntropy

Json = Any


class Place(Rotations):
    """A role of a real database, and what rotates its password."""

    def __init__(self, world: CallWorld, server: PostgresServer) -> None:
        super().__init__(world)
        self.server = server
        database = server.fresh().rsplit("/", 1)[1]
        self.user = f"crm_of_{database}"
        server.ask(f"create role {self.user} login password 'the-first'")
        self.address = f"postgresql://127.0.0.1:{server.port}/{database}"
        self.published: list[str] = []
        self.first = "the-first"

    async def publish(self, secret: str) -> None:
        """Take what is handed on."""
        self.published.append(secret)

    async def opened(self) -> tuple[RotatedSecrets, Breaking]:
        """Return what rotates, as a process that has just started has it."""
        return await self.of(PostgresPassword(self.address, self.user, lambda: self.first, self.publish))

    def opens(self, password: str) -> bool:
        """Whether the database takes a password: asked by the test itself."""
        try:
            psycopg.connect(self.address, user=self.user, password=password).close()
        except psycopg.OperationalError:
            return False
        return True


@pytest.fixture
async def place(tmp_path: Path, postgres_server: PostgresServer) -> AsyncIterator[Place]:
    """Provide one."""
    async with call_world(tmp_path) as world:
        yield Place(world, postgres_server)


async def test_what_is_due_is_rotated_and_the_old_one_is_refused(place: Place) -> None:
    """Seen at the database itself; in the evidence is how old it was, and nothing of either."""
    rotated, _ = await place.opened()
    read = rotated.reader("crm")
    await rotated.tend()
    assert read() == "the-first"
    place.world.clock.advance(DAY.total_seconds())
    await rotated.tend()
    assert place.opens(read())
    assert not place.opens("the-first")
    assert place.published == [read()]
    (told,) = await place.world.facts(EventKind.SECRET_ROTATED)
    assert told["age_s"] == DAY.total_seconds()
    assert told["old_refused"] is True
    kept = str(await place.world.services.store.values(TENANT, "secret:"))
    for secret in (read(), "the-first"):
        assert secret not in kept
        assert secret not in str(told)
    assert (await place.opened())[0].reader("crm")() == read()


@pytest.mark.parametrize(
    "breaks",
    [
        "before the change",
        "after the change",
        "the answer is lost",
        "before it is tried",
        "it cannot be tried",
    ],
)
async def test_whatever_breaks_off_one_that_works_is_known(place: Place, breaks: str) -> None:
    """After the next start the rotation comes through, and the first password is refused."""
    rotated, one = await place.opened()
    one.breaks = breaks
    try:
        assert not await rotated.rotate("crm")
        assert rotated.stuck
    except Crash:
        pass
    rotated, _ = await place.opened()
    await rotated.tend()
    assert rotated.stuck == {}
    assert place.opens(rotated.reader("crm")())
    assert not place.opens("the-first")


async def test_calls_go_on_while_a_rotation_cannot_be_confirmed(place: Place) -> None:
    """What was set is carried at once, though it cannot be tried."""
    rotated, one = await place.opened()
    one.breaks = "it cannot be tried"
    assert not await rotated.rotate("crm")
    assert place.opens(rotated.reader("crm")())
    await rotated.reseal()
    one.breaks = ""
    assert await rotated.rotate("crm")
    assert place.opens(rotated.reader("crm")())


async def test_a_store_that_takes_nothing_changes_nothing(place: Place) -> None:
    """A secret that is not kept is not set."""
    rotated, _ = await place.opened()
    store = place.world.services.store

    async def full(*_: Any) -> None:
        raise RemitError("the disk is full")

    with mock.patch.object(store, "commit", full), pytest.raises(RemitError, match="full"):
        await rotated.rotate("crm")
    assert place.opens("the-first")
    assert await rotated.rotate("crm")


async def test_a_password_that_somebody_else_changed_is_said_and_mended(place: Place) -> None:
    """remit guesses nothing: it takes the configured one where that works, and says so where none does."""
    rotated, _ = await place.opened()
    assert await rotated.rotate("crm")
    place.server.ask(f"alter role {place.user} password 'by-somebody-else'")
    assert not await rotated.rotate("crm")
    assert "refuse" in rotated.stuck["crm"].why or "cannot be used" in rotated.stuck["crm"].why
    assert not await rotated.rotate("crm")
    assert "was changed elsewhere" in rotated.stuck["crm"].why
    place.first = "by-somebody-else"
    assert await rotated.rotate("crm")
    assert rotated.reader("crm")() == "by-somebody-else"
    assert await rotated.rotate("crm")
    assert not place.opens("by-somebody-else")


async def test_one_that_cannot_be_read_any_more_refuses_its_calls(place: Place) -> None:
    """Whose sealing key is lost: nothing is guessed, and nothing is set over it. Sealed again in time, it is
    there.
    """
    rotated, _ = await place.opened()
    await place.sealing.rotate()
    await rotated.reseal()
    await place.sealing.retire("1")
    assert (await place.opened())[0].reader("crm")() == "the-first"
    await place.sealing.rotate()
    await place.sealing.retire("2")
    rotated, _ = await place.opened()
    assert "can no longer be read" in rotated.stuck["crm"].why
    with pytest.raises(KeyUnavailable):
        rotated.reader("crm")()
    await rotated.tend()
    assert place.opens("the-first")


async def test_two_processes_on_one_store_rotate_one_secret(place: Place) -> None:
    """The one that comes later takes over what the other has set, and does not rotate again."""
    one, _ = await place.opened()
    other, _ = await place.opened()
    place.world.clock.advance(DAY.total_seconds())
    await one.tend()
    await other.tend()
    assert one.reader("crm")() == other.reader("crm")()
    assert len(await place.world.facts(EventKind.SECRET_ROTATED)) == 1
    assert await other.rotate("crm")
    await one.tend()
    assert place.opens(one.reader("crm")())


# Findings.


def looking(place: Place, rotated: RotatedSecrets, *secrets: StandingSecret) -> StandingSecrets:
    """Return what looks after some secrets."""
    return StandingSecrets(
        secrets,
        rotated=rotated,
        findings=place.world.services.findings.findings,
        store=place.world.services.store,
        clock=place.world.clock,
        entropy=WorldEntropy("looking"),
        sealing=place.sealing,
        tenant=TENANT,
        max_age=timedelta(days=90),
    )


async def open_now(place: Place) -> dict[FindingKind, Json]:
    """Return the open findings of the upstream."""
    found = await place.world.services.findings.findings.about("upstream:crm", state=FindingState.OPEN)
    return {one.kind: one.facts for one in found}


async def test_each_is_a_finding_that_ages_until_it_is_another_secret(place: Place) -> None:
    """Old after ninety days; changed at its source, it is young again, without remit having been told."""
    rotated, _ = await place.opened()
    value = ["s3cret-one"]
    secret = StandingSecret(
        upstream="crm", place="headers.Authorization", where="env:CRM", read=lambda: value[0]
    )
    look = looking(place, rotated, secret).look
    await look()
    assert set(await open_now(place)) == {FindingKind.STANDING_SECRET}
    place.world.clock.advance(91 * 86400)
    await look()
    assert (await open_now(place))[FindingKind.OLD_SECRET]["age_days"] == 91
    value[0] = "s3cret-two"
    await look()
    assert set(await open_now(place)) == {FindingKind.STANDING_SECRET}
    everything = str(await place.world.services.store.values(TENANT, "standing:")) + str(
        await open_now(place)
    )
    assert "s3cret" not in everything


async def test_what_somebody_has_accounted_for_stays_so(place: Place) -> None:
    """Resolved with a reason: it does not open again by being looked at; one that is gone is settled."""
    rotated, _ = await place.opened()
    secret = StandingSecret(upstream="crm", place="headers.X", where="file:x", read=lambda: "x")
    await looking(place, rotated, secret).look()
    (found,) = await place.world.services.findings.findings.about("upstream:crm")
    await place.world.services.findings.findings.resolve(
        found.id, by="root", resolution="their API knows nothing else"
    )
    place.world.clock.advance(2 * 86400)
    await looking(place, rotated, secret).look()
    assert await open_now(place) == {}
    await looking(
        place, rotated, StandingSecret(upstream="crm", place="y", where="y", read=lambda: "y")
    ).look()
    await looking(place, rotated).look()
    assert await open_now(place) == {}


async def test_a_rotation_that_is_stuck_is_a_finding(place: Place) -> None:
    """Until it came through."""
    rotated, one = await place.opened()
    secret = StandingSecret(
        upstream="crm", place="lease.password.first", where="env:X", read=lambda: "", rotated=True
    )
    one.breaks = "the answer is lost"
    await rotated.rotate("crm")
    await looking(place, rotated, secret).look()
    facts = await open_now(place)
    assert facts[FindingKind.SECRET_STUCK]["why"] == "no answer"
    assert facts[FindingKind.SECRET_STUCK]["remediation"] == "look at the network"
    assert facts[FindingKind.STANDING_SECRET]["rotated_every_s"] == 86400
    one.breaks = ""
    await rotated.rotate("crm")
    await looking(place, rotated, secret).look()
    assert set(await open_now(place)) == {FindingKind.STANDING_SECRET}


# The whole of it.


@pytest.fixture
def gateway(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[LeasingGateway]:
    """A gateway whose `crm` is given a standing role."""
    database = postgres_server.fresh().rsplit("/", 1)[1]
    postgres_server.ask(f"create role standing_{database} login password 'the-first'")
    lease = {
        "password": {
            "database": f"postgresql://127.0.0.1:{postgres_server.port}/{database}",
            "user": f"standing_{database}",
            "first": "env:CRM_PASSWORD",
        },
        "headers": {"X-Database": "postgresql://{user}:{password}@{host}:{port}/{database}"},
    }
    with mock.patch.dict(os.environ, {"CRM_PASSWORD": "the-first"}), LeasingGateway(tmp_path, lease) as made:
        yield made


def test_people_are_told_of_it(gateway: LeasingGateway) -> None:
    """`finding list` and `who` name it; its calls carry it, and the agent is not shown it."""
    task, token = gateway.open()
    assert "the-first" not in gateway.call(token, "the-first")
    (shown,) = gateway.shown()
    assert ":the-first@" in shown["x-database"]
    session = gateway.session()
    listed = gateway.remit("finding", "list", session=session, env={"COLUMNS": "160"}).stdout
    assert "standing-secret" in listed
    assert "upstream:crm" in listed
    told = gateway.remit("who", task, session=session, env={"COLUMNS": "160"}).stdout
    assert "standing secret for" in told
    assert gateway.closed_up(task)["closed"]


def test_the_end_of_an_upstream_is_the_end_of_its_standing_password(
    gateway: LeasingGateway, postgres_server: PostgresServer
) -> None:
    """An attacker who had seen it cannot log in from then on, and the closure states after how long; tasks go
    on with another password.
    """
    _, token = gateway.open()
    gateway.call(token)
    seen = gateway.shown()[-1]["x-database"]
    psycopg.connect(seen).close()
    closure = gateway.closed_up("upstream:crm")
    assert closure["closed"]
    (closing,) = [one for one in closure["closings"] if one["kind"] == "standing-password"]
    assert 0 < closing["revoked_after_ms"] <= closing["refused_after_ms"]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(seen)
    _, other = gateway.open()
    gateway.call(other)
    now = gateway.shown()[-1]["x-database"]
    assert now != seen
    psycopg.connect(now).close()


@pytest.mark.slow
def test_a_database_that_is_down_at_the_end_leaves_the_closure_open(
    gateway: LeasingGateway, postgres_server: PostgresServer
) -> None:
    """It is tried again until the old password is refused; who looks at a task is not told of it there."""
    task, token = gateway.open()
    gateway.call(token)
    broker = gateway.services.credentials.leases._brokers["crm"]
    with mock.patch.object(broker, "_address", {"host": "127.0.0.1", "port": 1, "connect_timeout": 1}):
        gateway.left_open("upstream:crm")
    assert gateway.services.credentials.leases.of(task=task) == []
    gateway.until(lambda: gateway.services.credentials.leases.counts()["open"] == 0)
    assert gateway.closed_up("upstream:crm")["closed"]
