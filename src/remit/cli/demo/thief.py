# SPDX-License-Identifier: Apache-2.0
"""A thief with a task's database password, in a separate process that knows nothing of remit.

The thief logs in with the password again and again and keeps one session open, until standard input is
closed. The result then goes to standard output. Before that, the thief writes one line with one word at the
first successful login, and another at the first refused login, so that the story need not guess how long this
takes on a busy machine. Times are on the machine's monotonic clock, which its processes share.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Final

import msgspec
import psycopg

PAUSE_S: Final = 0.005
ENOUGH: Final = 10_000
INSIDE: Final = b"inside\n"
SHUT_OUT: Final = b"shut out\n"
#: Longest wait for either word.
PATIENCE_S: Final = 30.0


class StolenCredentials(msgspec.Struct):
    """What a stolen password was good for.

    When each accepted login began, when each refused one was refused, what was visible, and what became of
    the session that stayed open.
    """

    saw: list[str] = []
    let_in_at: list[float] = []
    refused_at: list[float] = []
    said: str = ""
    session_cut: bool = False


def rob(address: str, stop: threading.Event) -> StolenCredentials:
    """Log in again and again until stopped."""
    loot = StolenCredentials()
    with psycopg.connect(address, autocommit=True) as session:
        loot.saw = [str(row[0]) for row in session.execute("select id from changes order by id").fetchall()]
        for _ in range(ENOUGH):
            began = time.monotonic()
            try:
                psycopg.connect(address).close()
            except psycopg.OperationalError as refusal:
                if not loot.refused_at:
                    _say(SHUT_OUT)
                loot.refused_at.append(time.monotonic())
                loot.said = str(refusal).strip().rpartition("FATAL:")[2].strip()
            else:
                if not loot.let_in_at:
                    _say(INSIDE)
                loot.let_in_at.append(began)
            if stop.wait(PAUSE_S):
                break
        try:
            session.execute("select 1")
        except psycopg.OperationalError:
            loot.session_cut = True
    return loot


def _say(word: bytes) -> None:
    sys.stdout.buffer.write(word)
    sys.stdout.buffer.flush()


class Thief:
    """The story's view of the thief: started with an address, stopped later."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Keep the process."""
        self._process = process

    @classmethod
    async def send(cls, address: str) -> Thief:
        """Start a thief with an address."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "remit.cli.demo.thief"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        # Not an argument: other users of the machine could read arguments.
        process.stdin.write(address.encode() + b"\n")
        await process.stdin.drain()
        return cls(process)

    async def says(self, word: bytes) -> bool:
        """Return whether the thief reports this word (login accepted, or refused) in about half a minute."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._process.stdout.readline() == word
        except TimeoutError:
            return False

    async def caught(self) -> StolenCredentials:
        """Stop the thief, and return the result."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        said, _ = await self._process.communicate()
        return msgspec.json.decode(said, type=StolenCredentials)


def main() -> None:
    """Read the address, log in until the input ends, and write the result."""
    address = sys.stdin.readline().strip()
    stop = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=watch, daemon=True).start()
    sys.stdout.buffer.write(msgspec.json.encode(rob(address, stop)))


if __name__ == "__main__":
    main()
