# SPDX-License-Identifier: Apache-2.0
"""Several real gateways on one PostgreSQL, each a process that tests may stop, kill and cut from the store.

They share keys, head and mailbox, as replicas of one house do; the outbox says what really happened.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.cutting_proxy import CuttingProxy
from tests.gateway_process import ROOT, GatewayProcess, set_up

Json = Any


class Replica(GatewayProcess):
    """One of them; between it and the database stands a proxy of its own, and between it and NATS another."""

    proxy: CuttingProxy
    nats: CuttingProxy | None = None

    def pause(self) -> None:
        """Stop it where it is (SIGSTOP)."""
        self.tell(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self.tell(signal.SIGCONT)

    async def ready(self) -> Json:
        """Say what it tells everybody of itself."""
        return json.loads((await self.raw("GET", "/health/ready"))[1])

    async def told(self) -> Json:
        """Say what it tells of all of them."""
        return await self.ask("GET", "/api/v1/replicas", by="root")

    async def says(self, *words: str) -> tuple[int, str]:
        """Run one command against it, as its administrator; gives the exit code and what is said."""
        env = {**os.environ, "REMIT_URL": f"http://127.0.0.1:{self.port}", "NO_COLOR": "1"}
        env |= {"REMIT_SESSION": self.cast["sessions"]["root"], "PYTHONPATH": str(ROOT / "src")}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "remit", *words),
            cwd=self.folder,
            env=env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode()

    async def known(self) -> str:
        """Give its incarnation, once it is known."""
        return str((await self.ask("GET", "/api/v1/replicas", by="root"))["me"])


class Replicas:
    """All of them."""

    def __init__(
        self, folder: Path, url: str, port: int, count: int, lease_ms: int, nats: int = 0, **more: Json
    ) -> None:
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
            proxy, wakes = CuttingProxy(port), CuttingProxy(nats) if nats else None
            own: Json = {"lease_ms": lease_ms}
            if wakes is not None:
                own["nats"] = {"servers": [f"nats://127.0.0.1:{wakes.port}"]}
            through = url.replace(f":{port}/", f":{proxy.port}/") + "?sslmode=disable"
            set_up(
                place,
                database=through,
                shared=self.shared,
                listen={"public_url": public},
                replica=own,
                **more,
            )
            replica = Replica(place, self.shared / "mail")
            replica.proxy, replica.nats = proxy, wakes
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
    folder: Path, url: str, port: int, *, count: int = 3, lease_ms: int = 1000, nats: int = 0, **more: Json
) -> AsyncIterator[Replicas]:
    """Give replicas that run on the database at `url`, whose server listens on `port`; woken over the NATS
    that listens on `nats`, with `more` in their configurations.
    """
    world = Replicas(folder, url, port, count, lease_ms, nats, **more)
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
    if one.nats is not None:
        one.nats.close()
