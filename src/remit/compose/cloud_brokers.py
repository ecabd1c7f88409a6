# SPDX-License-Identifier: Apache-2.0
"""The brokers of cloud credentials, from the configuration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from remit.compose.sources import tls_of
from remit.config import (
    AwsLeaseSection,
    Config,
    GitHubLeaseSection,
    KubernetesLeaseSection,
    LeaseSection,
)
from remit.ports.broker import Broker
from remit.ports.runtime import Clock

if TYPE_CHECKING:
    from remit.adapters.broker.aws.query_api import AwsQuery
    from remit.core.keys.sigv4 import AwsKeys


def aws_broker(
    lease: LeaseSection, aws: AwsLeaseSection, config: Config, clock: Clock, stack: AsyncExitStack
) -> Broker:
    """Return the broker of an upstream whose credentials are sessions of a role."""
    from remit.adapters.broker.aws.query_api import AwsQuery
    from remit.adapters.broker.aws.sts import AwsProbe, AwsRole, StsBroker
    from remit.adapters.broker.http import BrokerHttp
    from remit.core.keys.sigv4 import AwsScope

    web = BrokerHttp(f"AWS at `{urlsplit(aws.probe_url).netloc}`", tls=tls_of(aws.tls_ca, config))
    stack.push_async_callback(web.close)

    def query(url: str, service: str, region: str, version: str) -> AwsQuery:
        return AwsQuery(url, AwsScope(region, service), web=web, clock=clock, version=version)

    # The versions of the two APIs, which are their publication dates.
    sts = query(aws.sts_url or f"https://sts.{aws.region}.amazonaws.com", "sts", aws.region, "2011-06-15")
    iam = query(aws.iam_url or "https://iam.amazonaws.com", "iam", aws.iam_region, "2010-05-08")
    return StsBroker(
        AwsRole(
            arn=aws.role,
            region=aws.region,
            statements=aws.statements,
            tool_statements=aws.tool_statements,
            external_id=aws.external_id,
            session=timedelta(seconds=aws.session_s),
            tags=aws.tags,
            source_identity=aws.source_identity,
        ),
        AwsProbe(aws.probe_url, aws.probe_service),
        sts=sts,
        iam=iam,
        keys=_aws_keys(aws, sts, clock),
        web=web,
        clock=clock,
        sign=AwsScope(aws.region, aws.sign_service) if aws.sign_service else None,
        headers=lease.headers,
        env=lease.env,
    )


def _aws_keys(aws: AwsLeaseSection, sts: AwsQuery, clock: Clock) -> Callable[[], Awaitable[AwsKeys]]:
    from remit.adapters.broker.aws.own_identity import WebIdentity
    from remit.core.keys.sigv4 import AwsKeys

    if aws.web_identity is not None:
        return WebIdentity(aws.web_identity.role, aws.web_identity.token.resolve, sts=sts, clock=clock).keys
    key, secret, token = aws.access_key_id, aws.secret_access_key, aws.session_token
    assert key is not None
    assert secret is not None

    async def keys() -> AwsKeys:
        return AwsKeys(key.resolve(), secret.resolve(), token.resolve() if token is not None else "")

    return keys


def github_broker(
    lease: LeaseSection, github: GitHubLeaseSection, config: Config, clock: Clock, stack: AsyncExitStack
) -> Broker:
    """Return the broker of an upstream whose credentials are tokens of a GitHub App."""
    from remit.adapters.broker.github import GitHubApp, GitHubBroker
    from remit.adapters.broker.http import BrokerHttp

    web = BrokerHttp(f"GitHub at `{urlsplit(github.api_url).netloc}`", tls=tls_of(github.tls_ca, config))
    stack.push_async_callback(web.close)
    app = GitHubApp(
        api=github.api_url.rstrip("/"),
        app=github.app,
        installation=github.installation,
        owner=github.owner,
        repositories=github.repositories,
        permissions=github.permissions,
        tool_permissions=github.tool_permissions,
    )
    key = github.private_key.resolve_lines
    return GitHubBroker(app, key, web=web, clock=clock, headers=lease.headers, env=lease.env)


def kubernetes_broker(
    lease: LeaseSection,
    kubernetes: KubernetesLeaseSection,
    config: Config,
    clock: Clock,
    stack: AsyncExitStack,
) -> Broker:
    """Return the broker of an upstream whose credentials are tokens of a service account."""
    from remit.adapters.broker.http import BrokerHttp
    from remit.adapters.broker.kubernetes import KubernetesBroker, ServiceAccount

    where = urlsplit(kubernetes.api_url).netloc
    web = BrokerHttp(f"the API server at `{where}`", tls=tls_of(kubernetes.tls_ca, config))
    stack.push_async_callback(web.close)
    account = ServiceAccount(
        api=kubernetes.api_url.rstrip("/"),
        namespace=kubernetes.namespace,
        name=kubernetes.service_account,
        audiences=kubernetes.audiences,
    )
    token = kubernetes.token.resolve
    return KubernetesBroker(account, token, web=web, clock=clock, headers=lease.headers, env=lease.env)
