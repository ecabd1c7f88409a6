# SPDX-License-Identifier: Apache-2.0
"""Processor time of a recorded call where one, two and four writers of one PostgreSQL take turns at its log.

    python -m bench.shared_log [CALLS]

All writers are in this process and each writes after the other, so nothing is counted but what they do
differently from a writer that is alone.
"""

import asyncio
import secrets
import sys
import time

import psutil

from bench.replica_cost import seconds_of
from remit.adapters.store.postgres import PostgresStore
from remit.cli.demo.database import Database
from remit.core.scope import EVERYTHING
from remit.core.tasks.task import Budgets
from remit.ports.store.changes import CheckFence, TakeBudget
from remit.ports.store.units import Unit
from tests.worlds.stores import opened_postgres
from tests.worlds.values import a_permit, an_outcome

WARM_UP = 24
ROUNDS = 3


def _call(number: int, task: str) -> Unit:
    call = f"call_{number}"
    takes = TakeBudget({task: Budgets()}, calls=1)
    return Unit((CheckFence({}, (EVERYTHING,)), takes), (a_permit(call, task), an_outcome(call, task)))


async def _alternating(stores: list[PostgresStore], count: int, first: int) -> None:
    for number in range(count):
        place = number % len(stores)
        await stores[place].commit(_call(first + number, f"task_{place}"))


async def _main(calls: int) -> None:
    database = Database(secrets.token_urlsafe(12), durable=True)
    database.start()
    assert database.process is not None
    server = psutil.Process(database.process.pid)

    def used() -> float:
        return seconds_of(server) + sum(map(seconds_of, server.children(recursive=True)))

    try:
        stores = [opened_postgres(database.url(), f"writer {number}") for number in range(4)]
        number = 0
        for _ in range(ROUNDS):
            for width in (1, 2, 4):
                await _alternating(stores[:width], WARM_UP * width, number)
                number += WARM_UP * width
                writer_s, server_s = time.process_time(), used()
                await _alternating(stores[:width], calls, number)
                number += calls
                writer = (time.process_time() - writer_s) * 1e6 / calls
                told = (used() - server_s) * 1e6 / calls
                sys.stdout.write(f"{width} writers: {writer:6.0f} us, PostgreSQL {told:6.0f} us\n")
        for store in stores:
            await store.close()
    finally:
        database.remove()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]) if sys.argv[1:] else 1_200))
