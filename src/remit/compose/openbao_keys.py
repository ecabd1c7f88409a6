# SPDX-License-Identifier: Apache-2.0
"""Remit's own keys in OpenBao. Imported only if configured: it loads an HTTP client."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from remit.adapters.keys.openbao_client import Bao
from remit.adapters.keys.openbao_sealing import BaoSealingKeys
from remit.adapters.keys.openbao_signing import BaoAuthorityKeys, BaoCheckpointKeys, BaoTokenKeys
from remit.adapters.keys.transit import Transit
from remit.config import Config, OpenBaoSection
from remit.core.keys.own_keys import KeyKind
from remit.ports.keys import Keyring
from remit.ports.runtime import Clock, Entropy


@dataclass(frozen=True, slots=True)
class BaoKeys:
    """Keys in OpenBao, and how to close the connection to it."""

    keyring: Keyring
    close: Callable[[], Awaitable[None]]


async def open_bao_keys(
    config: Config,
    section: OpenBaoSection,
    clock: Clock,
    entropy: Entropy,
    name: str,
    *,
    life: timedelta,
    overlap: timedelta,
) -> BaoKeys:
    """Open the keys of every kind and make the first of each. Raises `KeyUnavailable`.

    `name` signs the log. A key of the trust domain signs for `life`, and is trusted for `overlap` after that.
    """
    folder, own = config.at(config.keys.path), config.workload_api
    bao = bao_of(section, config, clock)
    place = Transit(bao, mount=section.mount, prefix=section.prefix)
    try:
        keyring = Keyring(
            tokens=await BaoTokenKeys.open(folder, clock, place),
            checkpoints=await BaoCheckpointKeys.open(folder, name, clock, place),
            sealing=await BaoSealingKeys.open(folder, clock, place),
            authority=await BaoAuthorityKeys.open(
                folder, own.trust_domain, entropy, clock, place, life=life, overlap=overlap
            )
            if own
            else None,
            svids=await BaoTokenKeys.open(folder, clock, place, kind=KeyKind.SVID, overlap=overlap)
            if own
            else None,
            chores={"renew the token for OpenBao": bao.renew},
        )
    except BaseException:
        await bao.close()
        raise
    return BaoKeys(keyring, bao.close)


def bao_of(section: OpenBaoSection, config: Config, clock: Clock) -> Bao:
    """Return the connection to OpenBao."""
    tls: ssl.SSLContext | None = None
    if section.address.startswith("https:"):
        tls = ssl.create_default_context(cafile=str(config.at(section.tls_ca)) if section.tls_ca else None)
    return Bao(section.address, section.token.resolve, clock, namespace=section.namespace, tls=tls)
