# SPDX-License-Identifier: Apache-2.0
"""Remit's own keys, as configured, and its own trust domain, which some of them serve."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Final

from remit.adapters.keys.file import FileAuthorityKeys, FileCheckpointKeys, FileSealingKeys, FileTokenKeys
from remit.adapters.keys.secret_files import read_secret
from remit.adapters.peers.linux import CAN_TELL, LinuxPeers
from remit.config import Config, KeysSection, WorkloadApiSection, state_of
from remit.core.errors import ConfigInvalid, KeyUnavailable
from remit.core.keys.own_keys import KeyKind
from remit.core.user_folders import state_folder
from remit.ports.keys import Keyring
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.store import Store
from remit.services.assembly.upkeep import Upkeep
from remit.services.findings.shared_identities import SharedIdentities
from remit.services.identity.assembly import IdentityServices
from remit.services.identity.svid_issuing import SvidIssuing, SvidRule

#: How long signatures of the trust domain's previous key are accepted beyond the life of an SVID.
GRACE = timedelta(minutes=5)
#: An authority's certificate is made one period before it signs, signs for one, and is trusted for one more.
PERIODS_OF_LIFE = 3
#: Seconds between two checks of what the keys need.
KEEP_S = 30.0
#: Seconds between two checks whether another replica has replaced a key.
LOOK_S = 1.0
#: How long a sealing key stays beside the next one, so that each replica reseals what it holds.
REST = timedelta(seconds=4 * KEEP_S)
#: The key's file in the state folder. It shows whether a guess is a secret that was found.
FINGERPRINT_KEY: Final = "discovery/fingerprint.key"
#: Seconds between two renewals of the OpenBao token.
RENEW_S = 300.0


async def open_keys(
    config: Config, clock: Clock, entropy: Entropy, stack: AsyncExitStack, name: str
) -> Keyring:
    """Open the keys of every kind and make the first of each; `name` signs the log.

    Raises `KeyUnavailable`. `stack` closes what is held open.
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
    """Return the ages at which keys are replaced automatically."""
    periods = {KeyKind.TOKEN: timedelta(seconds=keys.rotate_every)}
    if own is not None:
        turn = timedelta(seconds=own.rotate_every)
        periods |= {KeyKind.CA: turn, KeyKind.SVID: turn}
    return periods


def issuing_of(
    config: Config, keys: Keyring, store: Store, clock: Clock, entropy: Entropy
) -> SvidIssuing | None:
    """Return the authority of remit's own trust domain, if configured; raises `ConfigInvalid`."""
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


async def serve_keys(
    config: Config,
    identity: IdentityServices,
    sightings: SharedIdentities,
    upkeep: Upkeep,
    stack: AsyncExitStack,
) -> None:
    """Maintain the keys from now on, and serve the Workload API until `stack` is closed."""
    upkeep.every("check the keys", LOOK_S, identity.rotations.look)
    upkeep.every("maintain the keys", KEEP_S, identity.rotations.keep)
    for name, chore in identity.rotations.chores.items():
        upkeep.every(name, RENEW_S, chore)
    # Rotations that became due while remit was down come first.
    await identity.rotations.keep()
    issuing, own = identity.issuing, config.workload_api
    if issuing is None or own is None:
        return
    await issuing.refresh()
    issuing.on_given(sightings.given)
    identity.rotations.events.changed.append(
        lambda kind: upkeep.soon("publish the bundle", issuing.refresh) if issuing.follows(kind) else None
    )
    # Also periodically, in case a change could not be recorded.
    upkeep.every("publish the bundle again", KEEP_S, issuing.refresh)
    from remit.api.spiffe.listener import WorkloadEndpoint

    endpoint = WorkloadEndpoint(issuing, LinuxPeers())
    stack.push_async_callback(endpoint.close)
    await endpoint.open(config.at(own.socket), own.open_to)


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
