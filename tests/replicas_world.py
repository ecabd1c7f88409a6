# SPDX-License-Identifier: Apache-2.0
"""Several real gateways on one PostgreSQL, each a process that tests may stop, kill and cut from the store.

They share keys, head and mailbox, as replicas of one house do; the outbox says what really happened.
"""

import asyncio
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.cutting_proxy import CuttingProxy
from tests.gateway_process import GatewayProcess, set_up

Json = Any


class Replica(GatewayProcess):
    """One of them; between it and the database stands a proxy of its own."""

    proxy: CuttingProxy

    def pause(self) -> None:
        """Stop it where it is (SIGSTOP)."""
        self.tell(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self.tell(signal.SIGCONT)

    async def known(self) -> str:
        """Give its incarnation, once it is known."""
        return str((await self.ask("GET", "/api/v1/replicas", by="root"))["me"])


class Replicas:
    """All of them."""

    def __init__(self, folder: Path, url: str, port: int, count: int, lease_ms: int) -> None:
        self.folder = folder
        self.shared = folder / "shared"
        self.shared.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            public = f"http://127.0.0.1:{probe.getsockname()[1]}"
        self.all: list[Replica] = []
        for number in range(count):
            place = folder / f"replica-{number}"
            place.mkdir()
            proxy = CuttingProxy(port)
            through = url.replace(f":{port}/", f":{proxy.port}/") + "?sslmode=disable"
            set_up(
                place,
                database=through,
                shared=self.shared,
                listen={"public_url": public},
                replica={"lease_ms": lease_ms},
            )
            replica = Replica(place, self.shared / "mail")
            replica.proxy = proxy
            self.all.append(replica)

    async def start(self) -> None:
        """Start all; the first one brings people and agents in."""
        first, *others = self.all
        await first.start()
        for one in others:
            shutil.copy(first.folder / "cast.json", one.folder / "cast.json")
        await asyncio.gather(*(one.start() for one in others))

    def outbox(self) -> list[dict[str, Json]]:
        """Read what was really sent, by whichever."""
        return self.all[0].outbox()


@asynccontextmanager
async def replicas(
    folder: Path, url: str, port: int, *, count: int = 3, lease_ms: int = 1000
) -> AsyncIterator[Replicas]:
    """Give replicas that run on the database at `url`, whose server listens on `port`."""
    world = Replicas(folder, url, port, count, lease_ms)
    async with AsyncExitStack() as stack:
        for one in world.all:
            stack.push_async_callback(_end, one)
        await world.start()
        yield world


async def _end(one: Replica) -> None:
    process: asyncio.subprocess.Process | None = getattr(one, "process", None)
    if process is not None and process.returncode is None:
        one.go_on()
        await one.kill()
    one.proxy.close()
