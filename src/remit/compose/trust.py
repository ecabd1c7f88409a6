# SPDX-License-Identifier: Apache-2.0
"""The authorities on workload identity, from the configuration: issuers, trust domains, the kernel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from remit.adapters.attestor.bundles import (
    Context,
    Source,
    endpoint_source,
    file_source,
    spiffe_endpoint_source,
    workload_api_source,
)
from remit.adapters.attestor.issuers import Issuer, OidcIssuers
from remit.adapters.attestor.local import LocalAttestor
from remit.adapters.attestor.oidc import OidcAttestor
from remit.adapters.attestor.spiffe import SpiffeAttestor
from remit.adapters.peers.linux import LinuxPeers
from remit.adapters.runtime.system import SystemClock
from remit.compose.fetching import guarded_fetch
from remit.compose.signals import signal_issuers
from remit.config import Config, IssuerSection, TrustDomainSection
from remit.core.errors import ConfigInvalid
from remit.core.identity.spiffe import TrustAnchors
from remit.ports.fetch import Fetch
from remit.ports.issuers import IssuerUse
from remit.ports.peers import Peers
from remit.ports.runtime import Clock
from remit.services.identity.attestation import Attestors

#: Largest file with a token that a key set requires.
MAX_BEARER_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Trusted:
    """The attestors of workloads, and the readers of keys in the background."""

    issuers: OidcIssuers
    spiffe: SpiffeAttestor

    @property
    def attestors(self) -> Attestors:
        """All attestors as one."""
        return Attestors((OidcAttestor(self.issuers), self.spiffe, LocalAttestor()))

    async def faults(self) -> dict[str, str]:
        """Query every issuer and read every bundle; return the reason of each failure, empty if all work."""
        issuers, domains = await asyncio.gather(self.issuers.faults(), self.spiffe.faults())
        return {f"issuer `{name}`": fault for name, fault in issuers.items()} | {
            f"trust domain `{name}`": fault for name, fault in domains.items()
        }

    async def close(self) -> None:
        """Stop reading keys."""
        await self.issuers.close()
        await self.spiffe.close()


def trust_of(
    config: Config, public_url: str, clock: Clock, own: Mapping[str, Callable[[], TrustAnchors]] | None = None
) -> Trusted:
    """Return what the section `trust` configures; raises `ConfigInvalid`.

    `own` are bundles of remit's own trust domains.
    """
    trust = config.trust
    kept_s = float(trust.keys_kept_s)
    domains = {name: source_of(name, section, config) for name, section in trust.spiffe.items()}
    if both := sorted(set(domains) & set(own or {})):
        raise ConfigInvalid(
            f"`{both[0]}` is remit's own trust domain",
            key=f"trust.spiffe.{both[0]}",
            remediation="remove it; remit knows its own trust bundle",
        )
    return Trusted(
        issuers=OidcIssuers(
            [
                *(issuer_of(name, section, config, public_url) for name, section in trust.issuers.items()),
                *signal_issuers(config, public_url),
            ],
            clock,
        ),
        spiffe=SpiffeAttestor(
            domains,
            clock,
            audience=public_url,
            leeway_s=int(trust.leeway_s),
            kept_s=kept_s,
            own=own,
        ),
    )


async def look_at_trust(config: Config) -> dict[str, str]:
    """Query the authorities that the configuration trusts; return the reason of each failure.

    Raises `ConfigInvalid`.
    """
    trusted = trust_of(config, config.listen.url, SystemClock())
    try:
        return await trusted.faults()
    finally:
        await trusted.close()


def issuer_of(name: str, section: IssuerSection, config: Config, public_url: str) -> Issuer:
    """Return one issuer; raises `ConfigInvalid`."""
    headers = partial(_bearer, config.at(section.bearer_file)) if section.bearer_file else dict
    return Issuer(
        name=name,
        issuer=section.name_of_issuer,
        audience=section.audience or public_url,
        uses=frozenset(IssuerUse(use) for use in section.use),
        fetch=guarded_fetch(
            private=section.private,
            plain_loopback=config.trust.plain_loopback,
            ca_file=config.at(section.tls_ca) if section.tls_ca else None,
            headers=headers,
        ),
        algorithms=section.accepted,
        platform=section.platform,
        posture=section.let_in,
        leeway_s=int(config.trust.leeway_s),
        max_life_s=int(section.max_token_life_s),
        kept_s=float(config.trust.keys_kept_s),
        jwks_uri=section.jwks_uri,
        jwks_file=config.at(section.jwks_file) if section.jwks_file else None,
    )


def source_of(name: str, section: TrustDomainSection, config: Config) -> Source:
    """Return the source of one trust domain's bundle; raises `ConfigInvalid`."""
    if section.workload_api:
        return workload_api_source(name, "" if section.workload_api == "env" else section.workload_api)
    if not section.bundle_endpoint:
        return file_source(name, config.at(section.bundle_file))
    ca_file = config.at(section.tls_ca) if section.tls_ca else None

    def fetch(context: Context | None = None) -> Fetch:
        return guarded_fetch(private=section.private, ca_file=ca_file, context=context)

    if not section.endpoint_id:
        return endpoint_source(name, section.bundle_endpoint, fetch())
    return spiffe_endpoint_source(
        name,
        section.bundle_endpoint,
        server_id=section.endpoint_id,
        bootstrap=config.at(section.bundle_file),
        fetch_with=fetch,
    )


def local_peers() -> Peers:
    """Return the service that identifies the other end of Unix sockets."""
    return LinuxPeers()


def _bearer(path: Path) -> dict[str, str]:
    """Read a token from a file that the platform renews; raises `OSError`, which fails the fetch."""
    with path.open("rb") as opened:
        return {"Authorization": f"Bearer {opened.read(MAX_BEARER_BYTES).decode('ascii').strip()}"}
