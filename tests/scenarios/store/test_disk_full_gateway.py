# SPDX-License-Identifier: Apache-2.0
"""A gateway whose disk is full refuses every call, forwards none, loses nothing, and recovers by itself."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.http_line import Line
from tests.gateways.gateway_process import GatewayProcess, Told, gateway_process
from tests.samples.evidence_reading import permits

FILLING = "x" * 20_000


async def send_until_refused(gateway: GatewayProcess, line: Line, token: str) -> list[str]:
    """Send mails until the store is full; gives those that were sent.

    The first that is refused does not say so: then the write-ahead log is copied into the database, and where
    that still has room for it there is room in the log again.
    """
    sent: list[str] = []
    refused = 0
    for count in range(2000):
        told = await gateway.send(line, token, f"filling {count}", FILLING)
        if told.result is not None:
            sent.append(f"filling {count}")
            refused = 0
            continue
        assert told.code == "store-unavailable", told
        refused += 1
        if refused == 20:
            return sent
        await asyncio.sleep(0.05)
    raise AssertionError("the disk never became full")


async def send_once_there_is_room(gateway: GatewayProcess, line: Line, token: str) -> Told:
    """Send a mail; the gateway may hear of it before it has heard that there is room."""
    tries = 200
    while True:
        told = await gateway.send(line, token, "after", FILLING)
        tries -= 1
        if told.code != "store-unavailable" or not tries:
            return told
        await asyncio.sleep(0.05)


async def check_refuses(gateway: GatewayProcess, line: Line, token: str) -> None:
    """What changes something is refused with a remediation, at every endpoint; what reads goes on."""
    before = gateway.outbox()
    for count in range(20):
        told = await gateway.send(line, token, f"while full {count}", FILLING)
        assert told.code == "store-unavailable"
        assert "space" in told.error["remediation"], told.error
    assert gateway.outbox() == before
    opening = {"agent": "mail-bot", "task_type": "send-mail", "goal": FILLING[:8000]}
    status, _ = await gateway.raw("POST", "/api/v1/tasks", opening, by="lena")
    assert status == 503
    status, _ = await gateway.raw("GET", "/health/live")
    assert status == 200
    assert await gateway.events(kinds="task.opened")


async def fill_and_recover(
    folder: Path, fill: Callable[[GatewayProcess], None], free: Callable[[GatewayProcess], None]
) -> None:
    """The whole story: work, fill, be refused, free, work again."""
    async with gateway_process(folder) as gateway:
        _, token = await gateway.open_task()
        with contextlib.closing(await Line.to(gateway.port)) as line:
            assert (await gateway.send(line, token, "before")).result is not None
            fill(gateway)
            sent = ["before", *await send_until_refused(gateway, line, token)]
            await check_refuses(gateway, line, token)
            free(gateway)
            told = await send_once_there_is_room(gateway, line, token)
            assert told.result is not None, told
            sent.append("after")
            assert [mail["subject"] for mail in gateway.outbox()] == sent
        await gateway.stop()
        await gateway.start()
        report = await gateway.verified()
        assert report.holds, report.faults
        events = await gateway.events()
        # Outcomes that could not be written were written later: nothing is left open.
        assert report.unfinished == ()
        assert [event["values"]["arguments"]["subject"] for event in permits(events)] == sent


@pytest.mark.slow
async def test_a_store_that_may_not_grow_refuses_every_call(tmp_path: Path) -> None:
    """SQLite's own bound stands for the disk: it answers as a full one does, on every machine."""
    await fill_and_recover(
        tmp_path,
        lambda gateway: gateway.tell(signal.SIGUSR1),
        lambda gateway: gateway.tell(signal.SIGUSR2),
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB, where this machine lets us have one."""
    place, mount, umount = tmp_path / "disk", shutil.which("mount"), shutil.which("umount")
    place.mkdir()
    if os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("only root can mount")
    command = [mount, "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let root mount")
    try:
        yield place
    finally:
        subprocess.run([umount, "-l", place], check=True)


async def test_a_disk_that_is_full_refuses_every_call(small_disk: Path, tmp_path: Path) -> None:
    """A real file system without room, on which the heads of the log lie too, then with some again."""
    # The mailbox is not remit's: its disk has room.
    (tmp_path / "mail").mkdir()
    (small_disk / "mail").symlink_to(tmp_path / "mail")
    ballast = small_disk / "ballast"

    def fill(_: GatewayProcess) -> None:
        ballast.write_bytes(bytes(12_000_000))

    await fill_and_recover(small_disk, fill, lambda _: ballast.unlink())
