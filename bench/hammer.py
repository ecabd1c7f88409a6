# SPDX-License-Identifier: Apache-2.0
"""The hammer: connections that call for a task which may end at any moment, and report the answers.

`python -m bench.hammer` reads commands as lines of JSON: first `Orders`, then one `Round` after another, each
followed by the `Fenced` that reports when its task was ended. It answers each round with a line `begun` and,
when all of its attempts are answered, with a `Tally`. All the while, connections of the same process call for
a bystander's task, which is not ended.

Times are nanoseconds of the machine's monotonic clock, which its processes share.
"""

import asyncio
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

import httptools
import msgspec
import uvloop

from bench.calls import echo_call
from bench.load import request
from bench.wire import Bodies

CODE = re.compile(rb'"code":"([a-z-]+)"')
PER_ROUND = 100_000
"""Texts carry eight digits: a thousand rounds of so many different ones. Round 0 is the bystander's."""


class Orders(msgspec.Struct, frozen=True):
    """Where to call, as what, over how many connections."""

    url: str
    tool: str
    connections: int
    bystander: str
    """The bystander's token."""
    bystanders: int


class Round(msgspec.Struct, frozen=True):
    """One task to call for, and how often."""

    number: int
    token: str
    attempts: int


class Fenced(msgspec.Struct, frozen=True):
    """When the end of a round's task was committed, and when it had returned to who asked for it."""

    committed_ns: int
    returned_ns: int


class Tally(msgspec.Struct, kw_only=True):
    """What a round's attempts were told.

    `late` are numbers of calls that were sent after the commit and permitted, `released` of those whose
    answer came after the end had returned; `behind` counts attempts that were sent after the commit.
    """

    permitted: int = 0
    refused: int = 0
    behind: int = 0
    late: list[int] = []
    released: list[int] = []
    codes: dict[str, int] = {}
    faults: dict[str, int] = {}
    bystander_permitted: int = 0
    bystander_refused: int = 0
    bystander_codes: dict[str, int] = {}


class Calls:
    """The calls of one token: the same request again and again, each with its own number."""

    def __init__(self, orders: Orders, token: str, number: int) -> None:
        """Build the request once."""
        call = echo_call(0, orders.url, orders.tool, {"authorization": f"Bearer {token}"})
        at = urlsplit(orders.url)
        raw = request(call, f"{at.hostname}:{at.port}")
        self._before, self._after = raw.split(b"call 00000000 ")
        self._first = number * PER_ROUND
        self.sent = 0

    def next(self) -> tuple[int, bytes]:
        """Return the next one and its number."""
        number = self._first + self.sent % PER_ROUND
        self.sent += 1
        return number, b"%bcall %08d %b" % (self._before, number, self._after)


Told = tuple[int, int, int, str]
"""What an attempt was told: its number, when it was sent and answered, and why not (empty: permitted)."""


class Connection(Bodies[httptools.HttpResponseParser]):
    """One keep-alive connection, with one call in flight."""

    def __init__(
        self, next_call: Callable[[], tuple[int, bytes] | None], tell: Callable[[Told], None]
    ) -> None:
        """Take where calls come from and where answers go."""
        super().__init__(httptools.HttpResponseParser)
        self._next = next_call
        self._tell = tell
        self._number = self._sent_ns = 0
        self.busy = False
        self.lost = False

    def go(self) -> None:
        """Send the next call, if there is one."""
        found = None if self.lost else self._next()
        self.busy = found is not None
        if found is not None:
            self._number, raw = found
            self._sent_ns = time.monotonic_ns()
            self.transport.write(raw)

    def on_message_complete(self) -> None:
        """Tell what came of the call, and go on (httptools)."""
        body = self.body()
        if b"call %08d " % self._number in body and b'"result"' in body:
            why = ""
        else:
            found = CODE.search(body)
            why = found[1].decode() if found else f"?{self._parser.get_status_code()} {body[:120]!r}"
        self._tell((self._number, self._sent_ns, time.monotonic_ns(), why))
        self.go()

    def connection_lost(self, exc: Exception | None) -> None:
        """A call whose connection was cut was told nothing: a fault, for HTTP can always answer."""
        self.lost = True
        if self.busy:
            self._tell((self._number, self._sent_ns, time.monotonic_ns(), f"?lost {exc}"))
            self.busy = False


class Hammer:
    """All connections, and the round that is going on."""

    def __init__(self, orders: Orders) -> None:
        """Take the orders."""
        self._orders = orders
        self._calls: Calls | None = None
        self._left = self._wanted = 0
        self._told: list[Told] = []
        self._aside: list[Told] = []
        self._over = asyncio.Event()
        self._connections: list[Connection] = []

    async def connect(self) -> None:
        """Open all connections; the bystander's begin at once."""
        at, loop = urlsplit(self._orders.url), asyncio.get_running_loop()
        host, port = at.hostname or "127.0.0.1", at.port or 80
        bystander = Calls(self._orders, self._orders.bystander, 0)
        for _ in range(self._orders.connections):
            made = await loop.create_connection(lambda: Connection(self._next, self.note), host, port)
            self._connections.append(made[1])
        for _ in range(self._orders.bystanders):
            _, beside = await loop.create_connection(
                lambda: Connection(bystander.next, self._aside.append), host, port
            )
            beside.go()

    def _next(self) -> tuple[int, bytes] | None:
        if self._left == 0 or self._calls is None:
            return None
        self._left -= 1
        return self._calls.next()

    def note(self, *told: Told) -> None:
        """Note what attempts of this round were told."""
        self._told += told
        if self._left == 0 and len(self._told) == self._wanted:
            self._over.set()

    async def round(self, wanted: Round) -> None:
        """Call for a task until every attempt was answered."""
        self._calls = Calls(self._orders, wanted.token, wanted.number)
        self._left = self._wanted = wanted.attempts
        self._told.clear()
        self._aside.clear()
        self._over.clear()
        for connection in self._connections:
            connection.go()
        await self._over.wait()

    def tally(self, fenced: Fenced) -> Tally:
        """Count what the round was told."""
        tally = Tally()
        codes, faults, aside = Counter[str](), Counter[str](), Counter[str]()
        for number, sent_ns, answered_ns, why in self._told:
            tally.behind += sent_ns > fenced.committed_ns
            if why:
                (faults if why.startswith("?") else codes)[why] += 1
                continue
            tally.permitted += 1
            if sent_ns > fenced.committed_ns:
                tally.late.append(number)
            if answered_ns > fenced.returned_ns:
                tally.released.append(number)
        for _, _, _, why in self._aside:
            if why:
                aside[why] += 1
            else:
                tally.bystander_permitted += 1
        tally.refused, tally.codes, tally.faults = codes.total(), dict(codes), dict(faults)
        tally.bystander_refused, tally.bystander_codes = aside.total(), dict(aside)
        return tally


async def main() -> None:
    """Carry out what the lines say."""
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    hammer = Hammer(msgspec.json.decode(await lines.readline(), type=Orders))
    await hammer.connect()
    while line := await lines.readline():
        going = asyncio.create_task(hammer.round(msgspec.json.decode(line, type=Round)))
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        fenced = msgspec.json.decode(await lines.readline(), type=Fenced)
        await going
        sys.stdout.buffer.write(msgspec.json.encode(hammer.tally(fenced)) + b"\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
