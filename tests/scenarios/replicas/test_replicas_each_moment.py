# SPDX-License-Identifier: Apache-2.0
"""An end while a replica is stopped, killed or cut from the store at each single moment of a call.

Not at moments that dice choose (that is `test_replicas_trials`), but one after the other: at every await of
steps 5 to 7, and at every statement of the commit in step 5. The upstream is the witness.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.http_line import Line
from tests.conformance.brokers import AtPostgres
from tests.gateways.gateway_process import ROOT, Refused, Told
from tests.gateways.several_replicas import Replicas, replicas, until
from tests.samples.evidence_reading import permits
from tests.servers.postgres_server import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.long]

Json = Any


#: How often one moment is tried: a turn of the loop that there was once need not be there again.
TRIES = 3
STEPS = {f"{step} {what}" for step in ("record", "lease", "forward") for what in ("begins", "is over")}


class Moment:
    """One task, one call that is broken at one moment where its task is served, and one end elsewhere."""

    def __init__(self, world: Replicas, fate: str, what: str, number: int) -> None:
        self.world = world
        self.ender, self.victim = world.all
        self.fate = fate
        how = "killed" if fate == "killed" else "stopped"
        self.subject = f"{len(world.outbox())} {how} at {number} of {what}"
        self.told: Told | None = None
        self.returned_ns = self.answered_ns = 0

    @property
    def broken(self) -> bool:
        """Whether its moment has come."""
        return (self.victim.folder / "broken").exists()

    async def run(self) -> bool:
        """Break the call, end its task, mend what was broken, and judge; tells whether the moment came."""
        (self.victim.folder / "broken").unlink(missing_ok=True)
        task, token = await self._opened()
        head = (await self.ender.ask("GET", "/api/v1/events/head", by="root"))["size"]
        call = asyncio.create_task(self._call(token))

        async def broken_or_over() -> bool:
            return call.done() or self.broken

        await until(broken_or_over)
        if not self.broken:
            await call
            return False
        going_on = None
        if self.fate == "cut off":
            self.victim.proxy.cut_off(True)
            going_on = asyncio.create_task(self._go_on(call))
        closure = await self._ended(task)
        self.returned_ns = time.monotonic_ns()
        if self.fate == "killed":
            await self.victim.process.wait()
            await self.victim.start()
        self.victim.proxy.cut_off(False)
        await (going_on or self._go_on(call))
        await call
        await self._judge(task, head, closure)
        return True

    async def _opened(self) -> tuple[str, str]:
        async with asyncio.timeout(60):
            while True:
                # It may just be coming back from the moment before.
                with contextlib.suppress(Refused, AssertionError):
                    return await self.victim.open_task()
                await asyncio.sleep(0.05)

    async def _ended(self, task: str) -> Json:
        async with asyncio.timeout(60):
            while True:
                # On a busy machine the ender may be late with its own lease.
                with contextlib.suppress(Refused):
                    return await self.ender.ask(
                        "POST", "/api/v1/end", {"kind": "task", "name": task}, by="root"
                    )
                await asyncio.sleep(0.05)

    async def _call(self, token: str) -> None:
        # A killed process gives no answer.
        with (
            contextlib.suppress(OSError, EOFError, ValueError),
            contextlib.closing(await Line.to(self.victim.port)) as line,
        ):
            self.told = await self.victim.send(line, token, self.subject)
        self.answered_ns = time.monotonic_ns()

    async def _go_on(self, call: asyncio.Task[None]) -> None:
        while not call.done():
            # It says where it is an instant before it stops.
            self.victim.go_on()
            await asyncio.wait([call], timeout=0.05)

    async def _judge(self, task: str, head: int, closure: Json) -> None:
        events = await self._events(head)
        fence = max(
            event["index"]
            for event in events
            if event["kind"] == "fence.raised" and event["facts"]["scope"] == f"task:{task}"
        )
        granted = [event for event in permits(events) if event["task"] == task]
        where = (self.fate, self.subject, closure)
        assert all(event["index"] < fence for event in granted), where
        mails = [mail for mail in self.world.outbox() if mail["subject"] == self.subject]
        assert len(mails) <= len(granted) <= 1, where
        late = [mail for mail in mails if mail["monotonic_ns"] > self.returned_ns]
        listed = {one["decision"] for one in closure["indeterminate"]}
        assert not late or {event["call"] for event in granted} <= listed, where
        if self.answered_ns > self.returned_ns:
            assert self.told is None or self.told.result is None, where

    async def _events(self, start: int) -> list[Json]:
        query = f"limit=1000&start={start}&kinds=decision.made,fence.raised"
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(Refused):
                    page = await self.ender.ask("GET", f"/api/v1/events?{query}", by="root")
                    assert page["next"] is None
                    return list(page["items"])
                await asyncio.sleep(0.05)


async def moments_of(world: Replicas) -> list[tuple[str, int]]:
    """Return the moments of a call that nothing befalls, each by its name and the how many-th of that name.

    While a program starts the loop turns hundreds of times: of so many, those that lie ever further apart.
    """
    place = world.all[1].folder / "moments"

    async def passed() -> bool:
        place.unlink(missing_ok=True)
        moment = Moment(world, "stopped", "no such moment", 1)
        assert not await moment.run()
        # On a busy machine a replica may be late with its lease, and refuse.
        return moment.told is not None and moment.told.result is not None

    await until(passed)
    met: dict[str, int] = json.loads(place.read_text())
    return [(what, number) for what, count in met.items() for number in _apart(count)]


def _apart(count: int) -> Iterator[int]:
    number = 1
    while number <= count:
        yield number
        number = max(number + 1, number * 5 // 4)


async def each_moment(world: Replicas, fate: str) -> Counter[str]:
    """Break a call at each of its moments, one call after the other; gives those that came, by name."""
    came: Counter[str] = Counter()
    for what, number in await moments_of(world):
        for _ in range(TRIES):
            if await Moment(world, fate, what, number).run():
                came[what] += 1
                break
    return came


def breakable(folder: Path) -> None:
    """Let calls of a replica be broken."""
    (folder / "breaks").touch()


@pytest.mark.parametrize(
    "fate",
    [
        "stopped",
        pytest.param("cut off", marks=pytest.mark.slow),
        pytest.param("killed", marks=pytest.mark.slow),
    ],
)
async def test_an_end_holds_at_each_moment_of_a_call(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer, fate: str
) -> None:
    """No permit behind the fence, no late mail that the closure does not name, no answer that comes after."""
    async with replicas(
        tmp_path, postgres, postgres_server.port, count=2, lease_ms=500, prepare=breakable
    ) as world:
        came = await each_moment(world, fate)
    assert came.keys() >= STEPS | {"record waits", "record goes on", "begin", "commit"}, came


@pytest.mark.slow
@pytest.mark.parametrize("fate", ["stopped", "cut off", "killed"])
async def test_an_end_holds_at_each_moment_in_which_a_credential_is_obtained(
    tmp_path: Path, postgres: str, postgres_server: PostgresServer, fate: str
) -> None:
    """A program that is started for the task, with a role of a database: step 6 awaits both."""
    place = AtPostgres(postgres_server)
    roles = {"admin": "file:admin", "grants": list(place.GRANTS[:2])}
    mailbox = tmp_path / "shared" / "mail"
    mail = {
        "command": [sys.executable, str(ROOT / "examples/servers/mail.py"), str(mailbox)],
        "sender_constraint": "optional",
        "lease": {"postgres": roles, "env": {"DATABASE": place.HEADERS["X-Database"]}},
    }

    def prepare(folder: Path) -> None:
        breakable(folder)
        mailbox.mkdir(exist_ok=True)
        (folder / "admin").touch(0o600)
        (folder / "admin").write_text(place.admin_url)

    async with replicas(
        tmp_path,
        postgres,
        postgres_server.port,
        count=2,
        lease_ms=500,
        prepare=prepare,
        upstreams={"mail": mail},
    ) as world:
        came = await each_moment(world, fate)
    assert came.keys() >= STEPS | {"lease waits", "lease goes on"}, came
    assert came["lease waits"] >= 2, came  # the credential, and the program
