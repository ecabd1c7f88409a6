# SPDX-License-Identifier: Apache-2.0
"""Holders of leases who would be taken for dead while they live, at each source but PostgreSQL."""

import contextlib
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from remit.adapters.broker.openbao.tokens import OpenBaoTokenBroker
from remit.adapters.runtime.system import SystemClock
from remit.core.errors import KeyUnavailable
from remit.ports.broker import LeaseWanted, Probe, UpstreamCredential
from tests.architecture.tree import ROOT
from tests.conformance.bao_brokers import AtBaoTokens, AtOpenBao
from tests.conformance.brokers import AtAuthorities
from tests.conformance.cloud_brokers import AtAws, AtGitHub, AtKubernetes
from tests.gateways.several_replicas import until
from tests.servers.authorization_server import authorities
from tests.servers.aws_server import aws_server
from tests.servers.bao_server import BaoServer
from tests.servers.github_server import github_server
from tests.servers.kubernetes_server import kubernetes_server
from tests.servers.postgres_server import PostgresServer
from tests.worlds.database_roles import run
from tests.worlds.values import a_task

Json = Any


#: What a token may whose holder makes others.
MAKES_TOKENS = """
path "auth/token/create" { capabilities = ["update"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
"""


def statements_of_the_guide() -> list[str]:
    """Return the statements by which the guide has OpenBao end a user."""
    text = (ROOT / "docs" / "howto" / "lease-from-openbao.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"^ +set local lock_timeout.*?drop role [^;]+;", text, re.DOTALL | re.MULTILINE)
    return [line.strip() for line in found.splitlines()]


def wanted() -> LeaseWanted:
    """Return what a task wants."""
    task = a_task("task_one", deadline=datetime.now(UTC) + timedelta(hours=1))
    return LeaseWanted(f"lse_{secrets.token_hex(8)}", "desk", task)


async def session_at(place: AtOpenBao, given: UpstreamCredential) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """Log in with a lease of the database engine."""
    user, password = (given.headers[name] for name in place.HEADERS)
    return await psycopg.AsyncConnection.connect(place.place, user=user, password=password, autocommit=True)


async def test_another_password_of_a_database_user_is_no_end(
    bao: BaoServer, postgres_server: PostgresServer
) -> None:
    """The login that remit knows is refused, and the user lives: OpenBao still has the lease."""
    place = AtOpenBao(bao, postgres_server, by_login=True)
    broker = await place.broker()
    try:
        given = await broker.obtain(wanted())
        async with await session_at(place, given) as session:
            await session.execute("alter role current_user password 'mine'")
        assert await broker.probe(given) is Probe.ACCEPTED
        await broker.revoke(given)
        assert await broker.probe(given) is Probe.REFUSED
    finally:
        await place.close()


async def test_the_howtos_statements_end_a_user_that_holds_its_own_row(
    bao: BaoServer, postgres_server: PostgresServer
) -> None:
    """Its session and its lock are gone, and so are the user and what it has made."""
    place = AtOpenBao(bao, postgres_server, by_login=True)
    place.revoke_by(*statements_of_the_guide())
    postgres_server.ask("grant create on schema public to public", database=place.name)
    broker = await place.broker()
    try:
        given = await broker.obtain(wanted())
        async with await session_at(place, given) as session:
            await run(
                session, "create view mine as select 1", "begin", "alter role current_user password 'x'"
            )
            await broker.revoke(given)
            assert await broker.probe(given) is Probe.REFUSED
            with pytest.raises(psycopg.OperationalError):
                await session.execute("select 1")
        assert postgres_server.ask("select to_regclass('mine')", database=place.name) == [(None,)]
    finally:
        await place.close()


async def test_a_token_that_may_not_look_itself_up_is_not_dead(bao: BaoServer) -> None:
    """OpenBao refuses both with 403, and in other words."""
    place = AtBaoTokens(bao)
    role = {"allowed_policies": ["crm-reader"], "token_no_default_policy": True}
    bao.ask("POST", "auth/token/roles/crm-bare", role)
    ours = bao.token_for(place.POLICY.replace("create/crm", "create/crm-bare"))
    known = place.known(lambda: ours)
    broker = OpenBaoTokenBroker(known, "crm-bare", clock=SystemClock(), policies=("crm-reader",))
    try:
        given = await broker.obtain(wanted())
        assert await broker.probe(given) is not Probe.REFUSED
        await broker.revoke(given)
        assert await broker.probe(given) is Probe.REFUSED
    finally:
        await place.close()


async def test_tokens_that_a_token_has_made_die_with_it(bao: BaoServer) -> None:
    """Its holder may make others, and makes some of each kind."""
    bao.ask("PUT", "sys/policies/acl/maker", {"policy": MAKES_TOKENS})
    bao.ask("POST", "auth/token/roles/makers", {"allowed_policies": ["maker"], "orphan": True})
    place = AtBaoTokens(bao)
    ours = bao.token_for(place.POLICY.replace("create/crm", "create/makers"))
    known = place.known(lambda: ours)
    broker = OpenBaoTokenBroker(known, "makers", clock=SystemClock(), policies=("maker",))
    try:
        given = await broker.obtain(wanted())
        made = []
        for kind in ("service", "batch"):
            told = bao.ask("POST", "auth/token/create", {"type": kind}, token=given.headers["X-Vault-Token"])
            assert isinstance(told, dict)
            made.append(told["auth"]["client_token"])
        for token in made:
            bao.ask("GET", "auth/token/lookup-self", token=token)
        await broker.revoke(given)
        assert await broker.probe(given) is Probe.REFUSED

        async def refused() -> bool:
            for token in made:
                with contextlib.suppress(OSError):
                    bao.ask("GET", "auth/token/lookup-self", token=token)
                    return False
            return True

        await until(refused)
    finally:
        await place.close()


async def test_a_scope_that_is_too_small_is_no_end() -> None:
    """RFC 6750: a resource that knows a token and wants more of it says 403, too."""
    with authorities() as server:
        place = AtAuthorities(server, by_introspection=False, probe="/narrow")
        broker = await place.broker()
        given = await broker.obtain(wanted())
        assert await broker.probe(given) is Probe.ACCEPTED
        await broker.revoke(given)
        assert await broker.probe(given) is Probe.REFUSED
        await place.close()


async def test_who_stands_before_a_resource_refuses_nothing() -> None:
    """A proxy that wants its own password answers 401, too: the token may live behind it."""
    with authorities() as server:
        place = AtAuthorities(server, by_introspection=False, probe="/guarded")
        broker = await place.broker()
        given = await broker.obtain(wanted())
        assert await broker.probe(given) is Probe.ACCEPTED
        server.guarded = True
        assert await broker.probe(given) is Probe.UNREACHABLE
        server.guarded = False
        await broker.revoke(given)
        assert await broker.probe(given) is Probe.REFUSED
        await place.close()


async def test_who_stands_before_github_takes_nothing_back() -> None:
    """A 401 that is not GitHub's own: nothing is claimed, and later all of it."""
    with github_server() as server:
        place = AtGitHub(server)
        broker = await place.broker()
        given = await broker.obtain(wanted())
        server.fronted = True
        with pytest.raises(KeyUnavailable) as refused:
            await broker.revoke(given)
        assert refused.value.code == "source-refused"
        assert await broker.probe(given) is Probe.UNREACHABLE
        server.fronted = False
        assert await broker.probe(given) is Probe.ACCEPTED
        await broker.revoke(given)
        assert await broker.probe(given) is Probe.REFUSED
        await place.close()


@pytest.mark.parametrize("audiences", [(), ("crm.example.com",)], ids=["self", "review"])
async def test_an_object_that_stays_behind_its_deletion_shows_nothing(audiences: tuple[str, ...]) -> None:
    """A person who may change Secrets gives it a finalizer: the API server knows the token a while longer."""
    with kubernetes_server() as server:
        place = AtKubernetes(server, audiences=audiences)
        broker = await place.broker()
        given = await broker.obtain(wanted())
        server.finalized = set(server.objects)
        server.lag = 2
        await broker.revoke(given)
        assert await broker.probe(given) is Probe.ACCEPTED
        assert await broker.probe(given) is Probe.ACCEPTED
        assert await broker.probe(given) is Probe.REFUSED
        await place.close()


async def test_who_stands_before_kubernetes_refuses_nothing() -> None:
    """A 401 that is not the API server's own."""
    with kubernetes_server() as server:
        place = AtKubernetes(server, audiences=())
        broker = await place.broker()
        given = await broker.obtain(wanted())
        server.fronted = True
        assert await broker.probe(given) is Probe.UNREACHABLE
        server.fronted = False
        assert await broker.probe(given) is Probe.ACCEPTED
        await place.close()


async def test_a_denial_that_was_deleted_is_made_again() -> None:
    """A person who may change the role's policies undoes the denial; the sink reports that, and it is denied
    again.
    """
    with aws_server() as server:
        place = AtAws(server)
        broker = await place.broker()
        given = await broker.obtain(wanted())
        await broker.revoke(given)
        assert await broker.probe(given) is Probe.REFUSED
        server.policies.clear()
        assert await broker.probe(given) is Probe.ACCEPTED
        await broker.revoke(given)
        assert await broker.probe(given) is Probe.REFUSED
        await place.close()
