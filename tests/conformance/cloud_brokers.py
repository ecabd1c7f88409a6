# SPDX-License-Identifier: Apache-2.0
"""Clouds that the brokers' suite runs on: servers of this machine that speak their interfaces strictly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic

from remit.adapters.broker.aws.query_api import AwsQuery
from remit.adapters.broker.aws.sts import AwsProbe, AwsRole, StsBroker
from remit.adapters.broker.github import GitHubApp, GitHubBroker
from remit.adapters.broker.http import BrokerHttp
from remit.adapters.broker.kubernetes import KubernetesBroker, ServiceAccount
from remit.adapters.broker.openbao.client import BaoSource
from remit.adapters.broker.openbao.dynamic_secrets import OpenBaoBroker
from remit.adapters.runtime.system import SystemClock
from remit.core.keys.sigv4 import AwsKeys, AwsScope, signing_headers
from remit.ports.broker import Broker, UpstreamCredential
from tests.servers.aws_server import ADMIN, ROLE, AwsServer, aws_server
from tests.servers.github_server import APP, INSTALLATION, OWNER, GitHubServer, github_server
from tests.servers.kubernetes_server import API_SERVER, NAMESPACE, OURS, KubernetesServer, kubernetes_server
from tests.servers.local_server import Served
from tests.servers.vault_server import TOKEN, VaultServer, vault_server

Json = Any


async def admin() -> AwsKeys:
    """Return remit's own keys."""
    return AwsKeys(*ADMIN)


class AtServer(Generic[Served]):
    """What the places at servers of tests share."""

    def __init__(self, server: Served) -> None:
        self._server = server
        self._webs: list[BrokerHttp] = []

    def web(self, name: str = "the cloud") -> BrokerHttp:
        """Return connections, which are closed at the end."""
        self._webs.append(BrokerHttp(name))
        return self._webs[-1]

    def cut(self) -> None:
        """Stop the server."""
        self._server.stop()

    def mend(self) -> None:
        """Start it on the same port."""
        self._server.start()

    async def close(self) -> None:
        """Close the connections."""
        for web in self._webs:
            await web.close()


class AtAws(AtServer[AwsServer]):
    """Sessions of a role that may read one customer's objects in a bucket."""

    STATEMENTS = (
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::crm"},
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::crm/{id}/*"]},
    )
    HEADERS = {"X-Key": "{access_key_id}", "X-Secret": "{secret_access_key}", "X-Token": "{session_token}"}

    def made(self, **changes: Json) -> StsBroker:
        """Return a broker; `changes` are those of the role."""
        web, clock, at = self.web("AWS"), SystemClock(), self._server.url
        known: dict[str, Json] = {"arn": ROLE, "region": "eu-central-1", "statements": self.STATEMENTS}
        sts, iam = AwsScope("eu-central-1", "sts"), AwsScope("us-east-1", "iam")
        return StsBroker(
            AwsRole(**(known | changes)),
            AwsProbe(f"{at}/s3/crm?list-type=2&max-keys=0", "s3"),
            sts=AwsQuery(f"{at}/sts/", sts, web=web, clock=clock, version="2011-06-15"),
            iam=AwsQuery(f"{at}/iam/", iam, web=web, clock=clock, version="2010-05-08"),
            keys=admin,
            web=web,
            clock=clock,
            headers=self.HEADERS,
        )

    async def broker(self) -> Broker:
        """Return a broker with its own connections."""
        return self.made()

    async def got(self, credential: UpstreamCredential, key: str) -> int:
        """Get an object with what the headers carry; gives the status."""
        keys = AwsKeys(*(credential.headers[one] for one in self.HEADERS))
        url, web = f"{self._server.url}/s3/crm/{key}", BrokerHttp("the bucket")
        scope = AwsScope("eu-central-1", "s3")
        try:
            headers = signing_headers("GET", url, b"", keys, scope, SystemClock().now())
            return (await web.ask("GET", url, headers=headers)).status
        finally:
            await web.close()

    async def opens(self, credential: UpstreamCredential) -> bool:
        """Read the task's customer; another's is never read."""
        assert await self.got(credential, "C-43/notes") == 403
        return await self.got(credential, "C-42/notes") == 200


class AtGitHub(AtServer[GitHubServer]):
    """Tokens of an app's installation that may read one repository."""

    clock = SystemClock()

    def app(self, **changes: Json) -> GitHubApp:
        """Return the app."""
        known: dict[str, Json] = {
            "api": self._server.url,
            "app": APP,
            "installation": INSTALLATION,
            "owner": OWNER,
            "repositories": ["crm"],
            "permissions": {"contents": "read"},
        }
        return GitHubApp(**(known | changes))

    def made(self, **changes: Json) -> GitHubBroker:
        """Return a broker; `changes` are those of the app."""
        return GitHubBroker(self.app(**changes), lambda: self._server.pem, web=self.web(), clock=self.clock)

    async def broker(self) -> Broker:
        """Return a broker with its own connections."""
        return self.made()

    async def got(self, credential: UpstreamCredential, repository: str) -> int:
        """Read a file of a repository; gives the status."""
        headers = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            **credential.headers,
        }
        url = f"{self._server.url}/repos/{OWNER}/{repository}/contents/README.md"
        return (await self.web().ask("GET", url, headers=headers)).status

    async def opens(self, credential: UpstreamCredential) -> bool:
        """Read the task's repository; another one is never read."""
        assert await self.got(credential, "secrets") in (401, 404)
        return await self.got(credential, "crm") == 200


class AtKubernetes(AtServer[KubernetesServer]):
    """Tokens of a service account, for the API server or for another audience."""

    def __init__(self, server: KubernetesServer, *, audiences: tuple[str, ...]) -> None:
        super().__init__(server)
        self._audiences = audiences

    def made(self, name: str = "reader", path: str = "") -> KubernetesBroker:
        """Return a broker for an account, at a path of the server."""
        account = ServiceAccount(
            api=f"{self._server.url}{path}", namespace=NAMESPACE, name=name, audiences=self._audiences
        )
        return KubernetesBroker(account, lambda: OURS, web=self.web("Kubernetes"), clock=SystemClock())

    async def broker(self) -> Broker:
        """Return a broker with its own connections."""
        return self.made()

    async def opens(self, credential: UpstreamCredential) -> bool:
        """Ask what the sink asks: whether the token is known, and for which audience."""
        token = credential.headers["Authorization"].removeprefix("Bearer ")
        assert not self._server.known(token, "https://elsewhere.example.com")
        return self._server.known(token, *(self._audiences or (API_SERVER,))) == "reader"


class AtVault(AtServer[VaultServer]):
    """Keys of Vault's AWS engine, whose leases are those of any engine."""

    async def broker(self) -> Broker:
        """Return a broker with its own connections."""
        source = BaoSource(self._server.url, lambda: TOKEN, web=self.web("Vault"), clock=SystemClock())
        env = {"AWS_ACCESS_KEY_ID": "{access_key}", "AWS_SECRET_ACCESS_KEY": "{secret_key}"}
        return OpenBaoBroker(source, "aws/creds/deploy", env=env)

    async def opens(self, credential: UpstreamCredential) -> bool:
        """Look for it among those that live."""
        key = credential.env["AWS_ACCESS_KEY_ID"]
        return any(one["access_key"] == key for one in self._server.leases.values())


@contextmanager
def at_aws() -> Iterator[AtAws]:
    """Serve AWS's interfaces."""
    with aws_server() as server:
        yield AtAws(server)


@contextmanager
def at_github() -> Iterator[AtGitHub]:
    """Serve GitHub's interface."""
    with github_server() as server:
        yield AtGitHub(server)


@contextmanager
def at_kubernetes(audiences: tuple[str, ...]) -> Iterator[AtKubernetes]:
    """Serve the API server's interface."""
    with kubernetes_server() as server:
        yield AtKubernetes(server, audiences=audiences)


@contextmanager
def at_vault() -> Iterator[AtVault]:
    """Serve Vault's interface."""
    with vault_server() as server:
        yield AtVault(server)
