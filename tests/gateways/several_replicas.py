# SPDX-License-Identifier: Apache-2.0
"""Several real gateways on one PostgreSQL, each a process that tests may stop, kill and cut from the store.

They share keys, head and mailbox, as replicas of one gateway do; the outbox says what really happened.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.clients.http_line import Line
from tests.faults.cutting_proxy import CuttingProxy
from tests.gateways.gateway_process import LATE_S, ROOT, GatewayProcess, set_up
from tests.servers.ports import free_port

Json = Any


class Replica(GatewayProcess):
    """A replica; it has its own proxy to the database."""

    proxy: CuttingProxy

    def pause(self) -> None:
        """Stop it where it is (SIGSTOP)."""
        self.tell(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self.tell(signal.SIGCONT)

    async def ready(self) -> Json:
        """Return what the replica reports about itself to every caller."""
        return json.loads((await self.raw("GET", "/health/ready"))[1])

    async def told(self) -> Json:
        """Say what it tells of all of them."""
        return await self.ask("GET", "/api/v1/replicas", by="root")

    async def says(self, *words: str, **more: str) -> tuple[int, str]:
        """Run one command against it, as its administrator; gives the exit code and what is said."""
        env = {**os.environ, "REMIT_URL": f"http://127.0.0.1:{self.port}", "NO_COLOR": "1"}
        env["COLUMNS"] = "200"  # no sentence is broken
        env |= {"REMIT_SESSION": self.cast["sessions"]["root"], "PYTHONPATH": str(ROOT / "src"), **more}
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

    def fill_disk(self, full: bool) -> None:
        """Let no file grow that it writes, or let them grow again."""
        self.tell(signal.SIGUSR1 if full else signal.SIGUSR2)

    def set_clock(self, ahead_s: float) -> None:
        """Set its time of day this much forth (now, where it runs, and at its next start)."""
        (self.folder / "ahead_s").write_text(str(ahead_s))
        self.ahead_s = ahead_s
        process: asyncio.subprocess.Process | None = getattr(self, "process", None)
        if process is not None and process.returncode is None:
            self.tell(signal.SIGHUP)

    async def counted(self, which: str) -> int:
        """Return how many requests were passed on, `to others` or `from others`."""
        _, told = await self.raw("GET", "/metrics")
        found = re.search(rf'remit_requests_passed_on_total{{which="{which}"}} ([0-9]+)', told.decode())
        return int(found[1]) if found else 0

    async def known(self) -> str:
        """Return its incarnation, once it is known."""
        return str((await self.ask("GET", "/api/v1/replicas", by="root"))["me"])


class Replicas:
    """All of them."""

    def __init__(
        self,
        folder: Path,
        url: str,
        port: int,
        count: int,
        lease_ms: int,
        more: Mapping[str, Json],
    ) -> None:
        self.folder = folder
        self.shared = folder / "shared"
        self.shared.mkdir()
        scheme = "https" if "tls" in more.get("listen", {}) else "http"
        public = f"{scheme}://127.0.0.1:{free_port()}"
        self.all: list[Replica] = []
        for number in range(count):
            place = folder / f"replica-{number}"
            place.mkdir()
            proxy = CuttingProxy(port, postgres=True)
            own: Json = {"lease_ms": lease_ms, **more.get("replica", {})}
            through = url.replace(f":{port}/", f":{proxy.port}/") + "?sslmode=disable"
            set_up(
                place,
                database=through,
                shared=self.shared,
                listen={"public_url": public, **more.get("listen", {})},
                replica=own,
                **{name: section for name, section in more.items() if name not in ("listen", "replica")},
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


async def until(holds: Callable[[], Awaitable[bool]], within_s: float = 120) -> None:
    """Wait until a condition holds that no event reports."""
    async with asyncio.timeout(within_s):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def sent(one: Replica, token: str, subject: str) -> str:
    """Send one mail through a replica; gives why it was refused. One that is late with its lease, and not cut
    from the store, is asked again.
    """
    until_s = time.monotonic() + LATE_S
    while True:
        with contextlib.closing(await Line.to(one.port, one.tls)) as line:
            told = await one.send(line, token, subject)
        if told.result is not None:
            return ""
        if told.code != "replica-fenced" or one.proxy.off or time.monotonic() > until_s:
            return told.code
        await asyncio.sleep(0.1)


async def until_sent(one: Replica, token: str, subject: str) -> None:
    """Call until a mail is sent."""

    async def done() -> bool:
        return not await sent(one, token, subject)

    await until(done)


async def ended(by: Replica, task: str) -> Json:
    """End a task through a replica."""
    return await by.ask("POST", "/api/v1/end", {"kind": "task", "name": task}, by="root")


@asynccontextmanager
async def replicas(
    folder: Path,
    url: str,
    port: int,
    *,
    count: int = 3,
    lease_ms: int = 10_000,
    prepare: Callable[[Path], None] = lambda _: None,
    tls: ssl.SSLContext | None = None,
    **more: Json,
) -> AsyncIterator[Replicas]:
    """Provide replicas that run on the database at `url`, whose server listens on `port`.

    The lease is so long that none loses it because the machine is busy; tests that wait for one to run out
    have a shorter one. `more` is in the configuration of each, and `prepare` changes its folder before it
    starts; `tls` is how tests connect to them.
    """
    world = Replicas(folder, url, port, count, lease_ms, more)
    for one in world.all:
        prepare(one.folder)
        one.tls = tls
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


async def rotate(one: Replica, kind: str, **how: Json) -> str:
    """Replace a key at a replica; gives the id of the new one."""
    return str((await one.ask("POST", f"/api/v1/keys/{kind}/rotate", how, by="root"))["id"])


async def keys_of(one: Replica, kind: str) -> list[tuple[str, str]]:
    """Return the keys of a kind that a replica has, by id and standing."""
    told = await one.ask("GET", "/api/v1/keys", by="root")
    return [(key["id"], key["standing"]) for key in told["items"] if key["kind"] == kind]
