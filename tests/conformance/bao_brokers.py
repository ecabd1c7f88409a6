# SPDX-License-Identifier: Apache-2.0
"""The engines of a real OpenBao on which the brokers' suite runs, each with its own sink."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from remit.adapters.broker.http import BrokerHttp
from remit.adapters.broker.openbao.client import BaoLogin, BaoSource
from remit.adapters.broker.openbao.dynamic_secrets import OpenBaoBroker
from remit.adapters.broker.openbao.pki import OpenBaoPkiBroker
from remit.adapters.broker.openbao.static_roles import OpenBaoStaticBroker
from remit.adapters.broker.openbao.tokens import OpenBaoTokenBroker
from remit.adapters.runtime.system import SystemClock
from remit.cli.demo.database import USER
from remit.ports.broker import Broker, UpstreamCredential
from tests.servers.bao_server import BaoServer
from tests.servers.postgres_server import PASSWORD, PostgresServer

Json = Any

#: A machine may be busy; nothing is concluded from how long an answer takes.
PATIENCE_S = 60.0


class AtBao:
    """What the engines share."""

    def __init__(self, bao: BaoServer) -> None:
        self._bao = bao
        self._webs: list[BrokerHttp] = []

    def mount(self, kind: str) -> bool:
        """Mount an engine where its kind says, unless it is there; gives whether it was not."""
        return self._bao.mount(kind, kind)

    def known(self, by: Callable[[], str] | BaoLogin) -> BaoSource:
        """Return a source that asks OpenBao over its own connections."""
        web = BrokerHttp("OpenBao", timeout_s=PATIENCE_S)
        self._webs.append(web)
        return BaoSource(self._bao.address, by, web=web, clock=SystemClock())

    def cut(self) -> None:
        """Stop OpenBao's answers, with short time-outs."""
        self._bao.pause(True)
        for web in self._webs:
            web.timeout_s = 1.0

    def mend(self) -> None:
        """Let it go on."""
        self._bao.pause(False)
        for web in self._webs:
            web.timeout_s = PATIENCE_S

    async def close(self) -> None:
        """Close the connections."""
        for web in self._webs:
            await web.close()


class AtOpenBao(AtBao):
    """Leases of OpenBao's database engine, tried at the database or by the lease."""

    POLICY = """
path "database/creds/*" { capabilities = ["read"] }
path "sys/leases/revoke" { capabilities = ["update"] }
path "sys/leases/lookup" { capabilities = ["update"] }
"""
    HEADERS = {"X-Database-User": "{username}", "X-Database-Password": "{password}"}

    def __init__(self, bao: BaoServer, server: PostgresServer, *, by_login: bool) -> None:
        super().__init__(bao)
        self._by_login = by_login
        database = server.fresh().rsplit("/", 1)[1]
        self.name = database
        self.place = f"postgresql://127.0.0.1:{server.port}/{database}"
        server.ask("create table customers (name text)", database=database)
        self.mount("database")
        where = f"127.0.0.1:{server.port}/{database}?sslmode=disable"
        bao.ask(
            "POST",
            f"database/config/{database}",
            {
                "plugin_name": "postgresql-database-plugin",
                "allowed_roles": "*",
                "connection_url": f"postgresql://{{{{username}}}}:{{{{password}}}}@{where}",
                "username": USER,
                "password": PASSWORD,
            },
        )
        create = "create role \"{{name}}\" login password '{{password}}' valid until '{{expiration}}'"
        bao.ask(
            "POST",
            f"database/roles/{database}",
            {
                "db_name": database,
                "creation_statements": [create, 'grant select on customers to "{{name}}"'],
                "default_ttl": "1h",
            },
        )
        self.token = bao.token_for(self.POLICY)

    def revoke_by(self, *statements: str) -> None:
        """Have users taken back by statements of one's own."""
        path = f"database/roles/{self.name}"
        told = self._bao.ask("GET", path)
        assert isinstance(told, dict)
        self._bao.ask("POST", path, told["data"] | {"revocation_statements": list(statements)})

    async def broker(self) -> Broker:
        """Return a broker with its own connections."""
        return OpenBaoBroker(
            self.known(lambda: self.token),
            f"database/creds/{self.name}",
            headers=self.HEADERS,
            login=self.place if self._by_login else "",
        )

    async def opens(self, credential: UpstreamCredential) -> bool:
        """Log in with what the headers say, and read."""
        user, password = (credential.headers[name] for name in self.HEADERS)
        try:
            async with await psycopg.AsyncConnection.connect(self.place, user=user, password=password) as db:
                await db.execute("select * from customers")
                return True
        except psycopg.OperationalError:
            return False


class AtBaoStatic(AtBao):
    """A static role of OpenBao's database engine: a standing role of a real database."""

    POLICY = """
path "database/static-creds/*" { capabilities = ["read"] }
path "database/rotate-role/*" { capabilities = ["update"] }
"""
    HEADERS = {"X-Database": "postgresql://{username}:{password}@{host}:{port}/{database}"}

    def __init__(self, bao: BaoServer, server: PostgresServer, period_s: int = 86_400) -> None:
        super().__init__(bao)
        # The engine's connection, and the database, are those of dynamic roles.
        at = AtOpenBao(bao, server, by_login=True)
        self.place = at.place
        self.role = f"standing_{at.name}"
        server.ask(f"create role {self.role} login password 'the-first'")
        server.ask(f"grant select on customers to {self.role}", database=at.name)
        role = {"db_name": at.name, "username": self.role, "rotation_period": f"{period_s}s"}
        bao.ask("POST", f"database/static-roles/{self.role}", role)
        self.token = bao.token_for(self.POLICY)

    def password(self) -> str:
        """Return the one that counts, as an administrator sees it."""
        told = self._bao.ask("GET", f"database/static-creds/{self.role}")
        assert isinstance(told, dict)
        return str(told["data"]["password"])

    async def broker(self) -> Broker:
        """Return a broker with its own connections."""
        return OpenBaoStaticBroker(
            self.known(lambda: self.token),
            "database",
            self.role,
            login=self.place,
            headers=self.HEADERS,
        )

    async def opens(self, credential: UpstreamCredential) -> bool:
        """Log in with what the header says, and read."""
        try:
            async with await psycopg.AsyncConnection.connect(credential.headers["X-Database"]) as db:
                await db.execute("select * from customers")
                return True
        except psycopg.OperationalError:
            return False


class AtBaoOtp(AtBao):
    """One-time passwords for SSH, obtained by a login of AppRole; the host's side asks OpenBao itself."""

    POLICY = """
path "ssh/creds/otp" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
path "sys/leases/lookup" { capabilities = ["update"] }
"""

    def __init__(self, bao: BaoServer) -> None:
        super().__init__(bao)
        self.mount("ssh")
        role = {"key_type": "otp", "default_user": "deploy", "cidr_list": "127.0.0.0/8"}
        bao.ask("POST", "ssh/roles/otp", role)
        self.login = bao.approle_for(self.POLICY)

    async def broker(self) -> Broker:
        """Return one that logs in again."""
        return OpenBaoBroker(
            self.known(BaoLogin("auth/approle/login", lambda: self.login)),
            "ssh/creds/otp",
            parameters={"ip": "127.0.0.1", "username": "deploy"},
            headers={"X-User": "{username}", "X-One-Time-Password": "{key}"},
        )

    async def opens(self, credential: UpstreamCredential) -> bool:
        """Verify it, as the host's PAM module does: it is good for once."""
        try:
            told = self._bao.ask("POST", "ssh/verify", {"otp": credential.headers["X-One-Time-Password"]})
        except OSError:
            return False
        assert isinstance(told, dict)
        return bool(told["data"]["username"] == "deploy")


class AtBaoTokens(AtBao):
    """Tokens of a token role, which read a secret of a KV engine."""

    POLICY = """
path "auth/token/create/crm" { capabilities = ["update"] }
path "auth/token/revoke-accessor" { capabilities = ["update"] }
"""

    def __init__(self, bao: BaoServer) -> None:
        super().__init__(bao)
        bao.ask("POST", "secret/data/crm", {"data": {"password": "standing"}})
        reads = 'path "secret/data/crm" { capabilities = ["read"] }'
        bao.ask("PUT", "sys/policies/acl/crm-reader", {"policy": reads})
        role = {"allowed_policies": ["crm-reader"], "orphan": True, "renewable": False}
        bao.ask("POST", "auth/token/roles/crm", role)
        self.token = bao.token_for(self.POLICY)

    async def broker(self) -> Broker:
        """Return one."""
        return OpenBaoTokenBroker(
            self.known(lambda: self.token), "crm", clock=SystemClock(), policies=("crm-reader",)
        )

    async def opens(self, credential: UpstreamCredential) -> bool:
        """Read the secret with it, and nothing else."""
        token = credential.headers["X-Vault-Token"]
        try:
            self._bao.ask("GET", "secret/data/crm", token=token)
        except OSError:
            return False
        try:
            self._bao.ask("GET", "sys/mounts", token=token)
        except OSError:
            return True
        raise AssertionError("the token may do more than its policy says")


class AtBaoPki(AtBao):
    """Client certificates; the sink is a TLS server that goes by the authority's list of revoked ones."""

    POLICY = """
path "pki/sign/task" { capabilities = ["update"] }
path "pki/revoke" { capabilities = ["update"] }
"""

    def __init__(self, bao: BaoServer) -> None:
        super().__init__(bao)
        if self.mount("pki"):
            bao.ask("POST", "sys/mounts/pki/tune", {"max_lease_ttl": "24h"})
            bao.ask(
                "POST",
                "pki/root/generate/internal",
                {"common_name": "authority of the tests", "key_type": "ec", "ttl": "20h"},
            )
            bao.ask(
                "POST",
                "pki/roles/task",
                {
                    "allow_any_name": True,
                    "enforce_hostnames": False,
                    "key_type": "ec",
                    "key_bits": 256,
                    "client_flag": True,
                    "server_flag": True,
                    "allowed_uri_sans": "remit:*",
                    "max_ttl": "2h",
                },
            )
        self.token = bao.token_for(self.POLICY)

    async def broker(self) -> Broker:
        """Return one."""
        return OpenBaoPkiBroker(
            self.known(lambda: self.token),
            "pki",
            "task",
            clock=SystemClock(),
            parameters={"common_name": "{agent}", "uri_sans": "remit:{task}"},
            headers={"X-Serial": "{serial_number}"},
            env={"CERTIFICATE": "{certificate}", "KEY": "{private_key}"},
        )

    async def opens(self, credential: UpstreamCredential) -> bool:
        """Shake hands, in memory, with the list made again: OCSP may know before the list does."""
        self._bao.ask("GET", "pki/crl/rotate")
        listed = self._bao.ask("GET", "pki/cert/crl")
        authority = self._bao.ask("GET", "pki/cert/ca")
        assert isinstance(listed, dict)
        assert isinstance(authority, dict)
        pair = credential.env["CERTIFICATE"] + credential.env["KEY"]
        return _admitted(pair, authority["data"]["certificate"], listed["data"]["certificate"])


def _admitted(pair: str, authority: str, revoked: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        shown, lists = Path(folder, "pair.pem"), Path(folder, "crl.pem")
        shown.write_text(pair)
        lists.write_text(revoked)
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority)
        server.load_verify_locations(cafile=str(lists))
        server.verify_mode, server.verify_flags = ssl.CERT_REQUIRED, ssl.VERIFY_CRL_CHECK_LEAF
        server.load_cert_chain(shown)
        client = ssl.create_default_context(cadata=authority)
        client.check_hostname = False
        client.load_cert_chain(shown)
        return _shaken(client, server)


def _shaken(client: ssl.SSLContext, server: ssl.SSLContext) -> bool:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True)]
    done: set[int] = set()
    for _ in range(6):
        for number, end in enumerate(ends):
            try:
                end.do_handshake()
                done.add(number)
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as fault:
                if "revoked" in str(fault):
                    return False
                raise
    assert done == {0, 1}
    return True
