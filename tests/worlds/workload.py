# SPDX-License-Identifier: Apache-2.0
"""Our trust domain for tests: real keys, a real store, a real Unix socket, and third-party clients.

Clients run in threads of this process or in separate processes, so that the kernel reports the truth about
them.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from spiffe import WorkloadApiClient

from remit.adapters.keys.file import FileAuthorityKeys, FileTokenKeys
from remit.adapters.peers.linux import LinuxPeers
from remit.adapters.runtime.system import SystemClock, SystemEntropy
from remit.adapters.store.sqlite import SqliteStore
from remit.api.spiffe.listener import WorkloadEndpoint
from remit.api.spiffe.messages import message
from remit.core.keys.own_keys import KeyKind
from remit.ports.peers import Peers
from remit.ports.runtime import Clock
from remit.ports.store.store import Store
from remit.services.identity.svid_issuing import SvidIssuing, SvidRule
from tests.worlds.values import TENANT, WorldSealingKeys

T = TypeVar("T")

TRUST_DOMAIN = "agents.example"
OURS = f"spiffe://{TRUST_DOMAIN}/test"


def own_digest() -> str:
    """Return the SHA-256 of the program that runs these tests."""
    return hashlib.sha256(Path("/proc/self/exe").read_bytes()).hexdigest()


@dataclass
class WorkloadWorld:
    """What there is."""

    issuing: SvidIssuing
    authority: FileAuthorityKeys
    svids: FileTokenKeys
    store: Store
    listener: WorkloadEndpoint
    socket: Path

    @property
    def endpoint(self) -> str:
        """The socket's address, as clients take it."""
        return f"unix://{self.socket}"

    async def rotate(self, *, at_once: bool = False) -> None:
        """Replace authority and key of JWT-SVIDs."""
        await self.authority.rotate(at_once=at_once)
        await self.svids.rotate(at_once=at_once)
        await self.issuing.refresh()

    async def facts(self, kind: str) -> list[dict[str, Any]]:
        """Return the facts of all events of a kind."""
        found = await self.store.entries(TENANT, limit=1000, kinds=(kind,))
        return [msgspec.json.decode(one.leaf)["facts"] for one in found]

    async def run(self, program: str, *arguments: str) -> tuple[int, str]:
        """Run a Python program as a separate process, which finds the socket as workloads do."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            program,
            *arguments,
            env={**os.environ, "SPIFFE_ENDPOINT_SOCKET": self.endpoint},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await process.communicate()
        return process.returncode or 0, told.decode()


@asynccontextmanager
async def workload_world(
    folder: Path,
    *,
    rules: Sequence[SvidRule] | None = None,
    life: timedelta = timedelta(hours=1),
    clock: Clock | None = None,
    peers: Peers | None = None,
) -> AsyncIterator[WorkloadWorld]:
    """Serve a trust domain; by default this very program is a workload of it."""
    clock = clock or SystemClock()
    entropy = SystemEntropy()
    store = SqliteStore.open(
        folder / "remit.db", durability="buffered", clock=clock, entropy=entropy, sealing=WorldSealingKeys()
    )
    authority = FileAuthorityKeys(
        folder / "keys",
        TRUST_DOMAIN,
        entropy,
        clock,
        life=timedelta(days=21),
        overlap=life + timedelta(minutes=5),
    )
    svids = FileTokenKeys(folder / "keys", clock, kind=KeyKind.SVID, overlap=timedelta(minutes=15))
    mine = SvidRule(spiffe_id=OURS, uid=os.getuid(), executable=own_digest(), hint="ours")
    issuing = SvidIssuing(
        trust_domain=TRUST_DOMAIN,
        rules=(mine,) if rules is None else rules,
        authority=authority,
        svids=svids,
        store=store,
        clock=clock,
        entropy=entropy,
        tenant=TENANT,
        life=life,
        own_uid=os.getuid(),
    )
    await issuing.refresh()
    listener = WorkloadEndpoint(issuing, peers or LinuxPeers())
    # Not in the test's folder: the path of a socket has room for a hundred characters.
    socket = Path("/tmp") / f"remit-{os.getpid()}-{os.urandom(4).hex()}" / "workload.sock"
    await listener.open(socket)
    try:
        yield WorkloadWorld(issuing, authority, svids, store, listener, socket)
    finally:
        await listener.close()
        await store.close()
        socket.parent.rmdir()


async def in_thread(work: Callable[[], T]) -> T:
    """Run a client beside the server, which shares this event loop."""
    return await asyncio.to_thread(work)


@contextlib.contextmanager
def client_of(world: WorkloadWorld) -> Iterator[WorkloadApiClient]:
    """Provide the client that others wrote."""
    with WorkloadApiClient(world.endpoint, default_timeout=60) as client:
        yield client


def stream_of(
    channel: Any, method: str, kind: str, *, metadata: tuple[tuple[str, str], ...] | None = None
) -> Any:
    """Open a stream with the library that most clients are made of."""
    call = channel.unary_stream(
        f"/SpiffeWorkloadAPI/{method}",
        request_serializer=lambda one: one.SerializeToString(),
        response_deserializer=message(f"{kind}Response").FromString,
    )
    given = (("workload.spiffe.io", "true"),) if metadata is None else metadata
    return call(message(f"{kind}Request")(), metadata=given)


def fetched(world: WorkloadWorld) -> Any:
    """Fetch a certificate."""
    with client_of(world) as client:
        return client.fetch_x509_svid()
