# SPDX-License-Identifier: Apache-2.0
"""remit with many tasks that will be ended: `python -m bench.serve_ends remit.yaml TASKS`.

Its first line is an `Opened`. After that it writes a `Committed` whenever the fence of a task was committed:
the moment at which this process learned that it was, from a clock that the bench puts around the store.
"""

import sys
import time
from pathlib import Path

import msgspec
import uvloop

from bench.serve_governed import Desk, listen
from remit.compose import open_services
from remit.config import load_config
from remit.ports.store.changes import RaiseFence
from remit.ports.store.store import Store
from remit.ports.store.units import Receipt, Unit


class Opened(msgspec.Struct, frozen=True):
    """A session of who may end and read everything, and the ids and tokens of the tasks."""

    session: str
    tasks: list[tuple[str, str]]


class Committed(msgspec.Struct, frozen=True):
    """When a scope's fence was committed, on the machine's monotonic clock."""

    scope: str
    at_ns: int


def say(what: msgspec.Struct) -> None:
    """Write a line."""
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.flush()


def clocked(store: Store) -> None:
    """Have the store say when it has committed a fence."""
    commit = store.commit

    async def noting(unit: Unit, *, at_once: bool = False) -> Receipt:
        receipt = await commit(unit, at_once=at_once)
        at_ns = time.monotonic_ns()
        for change in unit.changes:
            if isinstance(change, RaiseFence):
                say(Committed(change.scope, at_ns))
        return receipt

    store.commit = noting  # type: ignore[method-assign]


async def serve(config_path: Path, tasks: int) -> None:
    """Serve until stopped."""
    config = load_config(config_path)
    async with open_services(config) as services:
        desk = await Desk.arrange(services)
        session, _ = await services.identity.authenticator.open_session(desk.person)
        opened = [await desk.open() for _ in range(tasks)]
        clocked(services.store)
        say(Opened(session, opened))
        await listen(services, config)


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
