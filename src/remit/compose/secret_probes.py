# SPDX-License-Identifier: Apache-2.0
"""The places of the configuration at which an exposed secret can be tried."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from remit.adapters.broker.http import BrokerHttp
from remit.adapters.broker.secret_probe import BearerSecretProbe, PostgresSecretProbe
from remit.adapters.keys.secret_files import read_secret
from remit.compose.sources import tls_of
from remit.config import Config, state_of
from remit.core.errors import KeyUnavailable
from remit.core.user_folders import state_folder
from remit.ports.secret_probe import SecretProbe

#: The key's file in the state folder. It shows whether a guess is a secret that was found.
FINGERPRINT_KEY: Final = "discovery/fingerprint.key"


def secret_probes_of(config: Config, stack: AsyncExitStack) -> tuple[SecretProbe, ...]:
    """Return one for each lease that names a place; `stack` closes their connections."""
    found: list[SecretProbe] = []

    def web(upstream: str, ca: str) -> BrokerHttp:
        made = BrokerHttp(f"the source of `{upstream}`", tls=tls_of(ca, config))
        stack.push_async_callback(made.close)
        return made

    for name, section in config.upstreams.items():
        lease = section.lease
        if lease is None:
            continue
        if lease.password is not None:
            found.append(PostgresSecretProbe(name, _said(lease.password.database), lease.password.user))
        if lease.postgres is not None:
            found.append(PostgresSecretProbe(name, lease.postgres.admin.resolve))
        if lease.github is not None:
            url = f"{lease.github.api_url.rstrip('/')}/user"
            found.append(BearerSecretProbe(name, "github", url, web(name, lease.github.tls_ca)))
        if lease.oauth is not None and lease.oauth.probe_url:
            bearer = BearerSecretProbe(name, "oauth", lease.oauth.probe_url, web(name, section.tls_ca))
            found.append(bearer)
    return tuple(found)


def database_probe(address: str) -> SecretProbe:
    """Return one for a database that a person names on their own machine."""
    return PostgresSecretProbe("", _said(address))


def fingerprint_key(config: Config) -> bytes:
    """Return the key of fingerprints of this remit's scans, else of its user's; empty before the first."""
    return first_key(state_of(config.folder))


def first_key(folder: Path) -> bytes:
    """Return the key in a state folder, else in that of the user; empty if there is none."""
    for one in (folder, Path(state_folder(os.environ, os.path.expanduser("~")))):
        try:
            return read_secret(one / FINGERPRINT_KEY)
        except KeyUnavailable:
            continue
    return b""


def _said(address: str) -> Callable[[], str]:
    return lambda: address
