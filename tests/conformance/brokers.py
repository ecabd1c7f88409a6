# SPDX-License-Identifier: Apache-2.0
"""The brokers that the conformance suite runs on, each with a real source and sink, and a hand on both. A new
backend is one more class here.
"""

from __future__ import annotations

from typing import Any, Protocol

import psycopg

from remit.adapters.broker.http import BrokerHttp
from remit.adapters.broker.oauth.client import SourceClient
from remit.adapters.broker.oauth.grants import ClientCredentialsGrant, GrantForm
from remit.adapters.broker.oauth.tokens import OAuthBroker, OAuthInjection
from remit.adapters.broker.postgres.roles import PostgresBroker
from remit.adapters.runtime.system import SystemClock, SystemEntropy
from remit.ports.broker import Broker, UpstreamCredential
from tests.servers.authorization_server import CLIENT, SECRET, Authorities
from tests.servers.postgres_server import PostgresServer
from tests.servers.scripted_broker import ScriptedBroker

Json = Any


class BrokerPlace(Protocol):
    """A broker's surroundings."""

    async def broker(self) -> Broker:
        """Return a broker; another one each time, as after a restart."""
        ...

    async def opens(self, credential: UpstreamCredential) -> bool:
        """Whether the sink takes a credential: asked by the test itself, past the broker."""
        ...

    def cut(self) -> None:
        """Have the source not answer."""
        ...

    def mend(self) -> None:
        """Have it answer again."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


class InMemory:
    """The scripted one, which other tests rest on."""

    def __init__(self, *, traceable: bool) -> None:
        self._broker = ScriptedBroker(traceable=traceable)

    async def broker(self) -> Broker:
        """It has no state apart from its source's."""
        return self._broker

    async def opens(self, credential: UpstreamCredential) -> bool:
        """Look."""
        return credential.lease in self._broker.alive

    def cut(self) -> None:
        """Both are down."""
        self._broker.down = self._broker.sink_down = True

    def mend(self) -> None:
        """Both are up."""
        self._broker.down = self._broker.sink_down = False

    async def close(self) -> None:
        """Nothing."""


class AtAuthorities:
    """OAuth, tried at the sink or by introspection."""

    def __init__(self, authorities: Authorities, *, by_introspection: bool, probe: str = "/me") -> None:
        self._authorities = authorities
        self._probe = "" if by_introspection else f"{authorities.url}{probe}"
        self._webs: list[BrokerHttp] = []

    async def broker(self) -> Broker:
        """Return a broker with its own connections."""
        at, web = self._authorities.url, BrokerHttp("the authorization server")
        self._webs.append(web)
        places = OAuthInjection(
            token=f"{at}/token",
            revoke=f"{at}/revoke",
            introspect="" if self._probe else f"{at}/introspect",
            probe=self._probe,
        )
        client = SourceClient(
            CLIENT,
            lambda: SECRET,
            method="basic",
            audience=at,
            web=web,
            clock=SystemClock(),
            entropy=SystemEntropy(),
        )
        return OAuthBroker(
            "crm.example.com",
            places,
            client=client,
            source=GrantForm(ClientCredentialsGrant()),
            web=web,
            clock=SystemClock(),
        )

    async def opens(self, credential: UpstreamCredential) -> bool:
        """Ask the resource."""
        web = BrokerHttp("the resource")
        try:
            return (
                await web.ask("GET", f"{self._authorities.url}/me", headers=credential.headers)
            ).status == 200
        finally:
            await web.close()

    def cut(self) -> None:
        """Stop the server."""
        self._authorities.stop()

    def mend(self) -> None:
        """Start it on the same port."""
        self._authorities.start()

    async def close(self) -> None:
        """Close the connections."""
        for web in self._webs:
            await web.close()


class AtPostgres:
    """Roles of a database, made by an administrator that is no superuser."""

    GRANTS = (
        "grant usage on schema crm to {role}",
        "grant select on crm.customers to {role}",
        "create policy {role} on crm.customers to {role} using (name = {id})",
    )
    HEADERS = {"X-Database": "postgresql://{user}:{password}@{host}:{port}/{database}"}

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.url = server.fresh()
        self.database = self.url.rsplit("/", 1)[1]
        self.admin = f"admin_of_{self.database}"
        for line in (
            f"create role {self.admin} login createrole password 'of-the-admin'",
            f"grant create on database {self.database} to {self.admin}",
        ):
            server.ask(line, database=self.database)
        self.admin_url = server.url(self.database, user=self.admin, password="of-the-admin")
        with psycopg.connect(self.admin_url, autocommit=True) as db:
            db.execute("create schema crm")
            db.execute("create table crm.customers (name text)")
            db.execute("insert into crm.customers values ('C-42'), ('C-43')")
            db.execute("alter table crm.customers enable row level security")
        self._before = self._roles()

    def _roles(self) -> set[str]:
        told = self._server.ask("select rolname from pg_roles where rolname like 'remit!_lse%' escape '!'")
        return {name for (name,) in told}

    def roles(self) -> set[str]:
        """Return the roles that remit has made since, and not dropped."""
        return self._roles() - self._before

    def let(self, attribute: str) -> None:
        """Permit the administrator to grant one of its attributes."""
        self._server.ask(f"alter role {self.admin} {attribute}")

    async def broker(self) -> Broker:
        """Return one."""
        return PostgresBroker(
            lambda: self.admin_url, grants=self.GRANTS, headers=self.HEADERS, entropy=SystemEntropy()
        )

    async def opens(self, credential: UpstreamCredential) -> bool:
        """Log in with what the header says, and read what the task's parameter opens."""
        try:
            async with await psycopg.AsyncConnection.connect(credential.headers["X-Database"]) as db:
                rows = await (await db.execute("select name from crm.customers")).fetchall()
                assert rows == [("C-42",)]
                return True
        except psycopg.OperationalError:
            return False

    def cut(self) -> None:
        """Stop the server."""
        self._server.stop()

    def mend(self) -> None:
        """Start it again."""
        self._server.start()

    async def close(self) -> None:
        """Do nothing: there is nothing to release."""
