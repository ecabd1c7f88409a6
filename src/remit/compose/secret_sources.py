# SPDX-License-Identifier: Apache-2.0
"""The secrets in OpenBao or in the system's keyring, read before anything needs them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from remit.adapters.runtime.system import SystemClock
from remit.config import Config
from remit.config.reading.secret_reference import FETCHED, ReadAhead
from remit.config.sections.secret_sources import bao_of, references
from remit.core.errors import ConfigInvalid
from remit.ports.runtime import Clock
from remit.ports.secret_source import SecretSource
from remit.services.credentials.secret_sources import FetchedSecrets


async def fetch(config: Config, clock: Clock, stack: AsyncExitStack, *parts: object) -> FetchedSecrets:
    """Read the secrets of some parts of a configuration, or all of them; `stack` closes the connections.

    A secret that cannot be read is refused where it is used. The keyring comes first: it may hold remit's
    login at OpenBao.
    """
    fetched, parts = FetchedSecrets(clock), parts or (config,)
    wanted, at = _named(parts, "openbao"), bao_of(config.secrets, config.keys)
    if in_keyring := _named((*parts, at) if wanted else parts, "keyring"):
        await fetched.add(_keyring(), in_keyring, "keyring")
    if wanted and at is not None:
        from remit.adapters.broker.openbao.key_value_secrets import KvSecrets
        from remit.compose.openbao_brokers import source_of

        await fetched.add(KvSecrets(source_of(at, config, clock, stack)), wanted, "openbao")
    return fetched


def fetch_now(config: Config, *parts: object) -> None:
    """Read the secrets once, for a command that checks the configuration and serves nothing."""
    if not any(_named(parts or (config,), scheme) for scheme in FETCHED):
        return

    async def fetched() -> None:
        async with AsyncExitStack() as stack:
            await fetch(config, SystemClock(), stack, *parts)

    asyncio.run(fetched())


def _keyring() -> SecretSource:
    try:
        from remit.adapters.broker.os_keyring import OsKeyring
    except ModuleNotFoundError:
        raise ConfigInvalid(
            "secrets of a keyring need the library `keyring`, which is not installed",
            remediation="install the extra (`pip install '.[keyring]'`), or use another kind of secret "
            "reference",
        ) from None
    return OsKeyring()


def _named(parts: Sequence[object], scheme: str) -> dict[str, list[ReadAhead]]:
    found: dict[str, list[ReadAhead]] = {}
    for _, ref in references(tuple(parts)):
        if ref.scheme == scheme:
            found.setdefault(ref.name, []).append(ref.fetched)
    return found
