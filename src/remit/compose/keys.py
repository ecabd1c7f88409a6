# SPDX-License-Identifier: Apache-2.0
"""Remit's own keys, where the configuration has them, and the trust domain of its own that some are for."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from datetime import timedelta

from remit.adapters.keys.file import FileAuthorityKeys, FileCheckpointKeys, FileSealingKeys, FileTokenKeys
from remit.adapters.peers.linux import CAN_TELL, LinuxPeers
from remit.config import Config, KeysSection, WorkloadApiSection
from remit.core.errors import ConfigInvalid
from remit.core.keys.own_keys import KeyKind
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.store import Store
from remit.services.assembly.services import Services
from remit.services.assembly.upkeep import Upkeep
from remit.services.identity.keys import Keyring
from remit.services.identity.svid_issuing import SvidIssuing, SvidRule

#: How long the work of a previous key of the trust domain is accepted beyond the life of an SVID.
GRACE = timedelta(minutes=5)
#: A certificate of an authority is made one period before it signs, signs for one, and is trusted after that.
PERIODS_OF_LIFE = 3
#: Seconds between two looks at what the keys need.
KEEP_S = 30.0
#: Seconds between two looks whether another replica has replaced one.
LOOK_S = 1.0
#: How long a sealing key stays beside the next one, so that each replica seals again what it holds.
REST = timedelta(seconds=4 * KEEP_S)
#: Seconds between two renewals of the token for OpenBao.
RENEW_S = 300.0


async def open_keys(
    config: Config, clock: Clock, entropy: Entropy, stack: AsyncExitStack, name: str
) -> Keyring:
    """Open the keys of every kind, making the first of each; `name` signs the log. Raises `KeyUnavailable`.

    What is held open is closed with `stack`.
    """
    folder, own = config.at(config.keys.path), config.workload_api
    life = timedelta(seconds=own.svid_ttl_s if own else 0)
    reign = timedelta(seconds=own.rotate_every if own else 0) * PERIODS_OF_LIFE
    section = config.keys.openbao
    if config.keys.kind == "openbao" and section is not None:
        from remit.compose.openbao_keys import open_bao_keys

        bao = await open_bao_keys(config, section, clock, entropy, name, life=reign, overlap=life + GRACE)
        stack.push_async_callback(bao.close)
        return bao.keyring
    return Keyring(
        tokens=FileTokenKeys(folder, clock),
        checkpoints=FileCheckpointKeys(folder, name, clock),
        sealing=FileSealingKeys(folder, entropy, clock),
        authority=FileAuthorityKeys(
            folder, own.trust_domain, entropy, clock, life=reign, overlap=life + GRACE
        )
        if own
        else None,
        svids=FileTokenKeys(folder, clock, kind=KeyKind.SVID, overlap=life + GRACE) if own else None,
    )


def periods_of(keys: KeysSection, own: WorkloadApiSection | None) -> dict[KeyKind, timedelta]:
    """Return the ages at which keys are replaced by themselves."""
    periods = {KeyKind.TOKEN: timedelta(seconds=keys.rotate_every)}
    if own is not None:
        turn = timedelta(seconds=own.rotate_every)
        periods |= {KeyKind.CA: turn, KeyKind.SVID: turn}
    return periods


def issuing_of(
    config: Config, keys: Keyring, store: Store, clock: Clock, entropy: Entropy
) -> SvidIssuing | None:
    """Return the authority of the own trust domain, where there is one; raises `ConfigInvalid`."""
    own = config.workload_api
    if own is None or keys.authority is None or keys.svids is None:
        return None
    if not CAN_TELL:
        raise ConfigInvalid(
            "this system does not report the process at the other end of a Unix socket",
            key="workload_api",
            remediation="use Linux, or SPIRE and `trust.spiffe`",
        )
    return SvidIssuing(
        trust_domain=own.trust_domain,
        rules=[
            SvidRule(spiffe_id=one.spiffe_id, uid=one.uid, executable=one.executable, hint=one.hint)
            for one in own.workloads
        ],
        authority=keys.authority,
        svids=keys.svids,
        store=store,
        clock=clock,
        entropy=entropy,
        tenant=config.tenant,
        life=timedelta(seconds=own.svid_ttl_s),
        own_uid=os.geteuid(),
    )


async def serve_keys(config: Config, house: Services, upkeep: Upkeep, stack: AsyncExitStack) -> None:
    """Keep the keys from now on, and serve the Workload API until `stack` is closed."""
    house.rotations.rest = lambda: REST if house.replicas.several else timedelta()
    upkeep.every("check the keys", LOOK_S, house.rotations.look)
    upkeep.every("maintain the keys", KEEP_S, house.rotations.keep)
    for name, chore in house.rotations.chores.items():
        upkeep.every(name, RENEW_S, chore)
    # What was due while nobody was here comes first.
    await house.rotations.keep()
    issuing, own = house.issuing, config.workload_api
    if issuing is None or own is None:
        return
    await issuing.refresh()
    issuing.on_given(house.sightings.given)
    house.rotations.on_change(
        lambda kind: upkeep.soon("publish the bundle", issuing.refresh) if issuing.follows(kind) else None
    )
    # Also now and then, in case it could not be recorded when it changed.
    upkeep.every("publish the bundle again", KEEP_S, issuing.refresh)
    from remit.api.spiffe.listener import WorkloadEndpoint

    door = WorkloadEndpoint(issuing, LinuxPeers())
    stack.push_async_callback(door.close)
    await door.open(config.at(own.socket), own.open_to)
