# SPDX-License-Identifier: Apache-2.0
"""The credentials of upstreams, by name: standing secrets, and sources with one for each task or call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from remit.config.credentials.lease import LeaseSection
from remit.config.sections.secret_sources import references
from remit.config.settings import UpstreamSection
from remit.core.policy.reach import CredentialSource, CredentialSources, Lifetime


def credentials_of_upstreams(upstreams: Mapping[str, UpstreamSection]) -> CredentialSources:
    """Return the credentials that calls to each upstream carry; the same credential has the same name
    everywhere.
    """
    return {name: tuple(dict.fromkeys(_of(section))) for name, section in upstreams.items()}


def _of(section: UpstreamSection) -> Iterator[CredentialSource]:
    lease = section.lease
    # Beside a lease, `headers` are for remit's own requests; no call carries them.
    for part in (section.env, {} if lease is not None else section.headers):
        for _, reference in references(part):
            yield CredentialSource(reference.where)
    if lease is not None:
        lifetime = Lifetime.CALL if lease.per == "call" else Lifetime.TASK
        yield CredentialSource(_name(lease), Lifetime.STANDING if lease.password is not None else lifetime)


def _name(lease: LeaseSection) -> str:
    """Return the name of a lease's account and source."""
    if (oauth := lease.oauth) is not None:
        return f"oauth: {oauth.client_id} at {oauth.token_url}"
    if (postgres := lease.postgres) is not None:
        return f"postgres: roles by {postgres.admin.where}"
    if (bao := lease.openbao) is not None:
        within = bao.pki or bao.static
        place = f"{within.mount}/{within.role}" if within is not None else bao.path
        return f"openbao: {place or 'tokens'} at {bao.address}"
    if (aws := lease.aws) is not None:
        return f"aws: {aws.role}"
    if (github := lease.github) is not None:
        return f"github: {github.app} at {github.owner}"
    if (cluster := lease.kubernetes) is not None:
        return f"kubernetes: {cluster.namespace}/{cluster.service_account} at {cluster.api_url}"
    assert lease.password is not None
    return f"password: {lease.password.user} at {lease.password.database}"
