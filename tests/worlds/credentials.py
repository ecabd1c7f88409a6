# SPDX-License-Identifier: Apache-2.0
"""The desk with a scripted broker, and what is asked of it by tests of credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from remit.core.endings.closure import Closing
from remit.services.assembly.services import Services
from tests.servers.scripted_broker import ScriptedBroker
from tests.worlds.calls import CallWorld, call_world

Json = Any


@asynccontextmanager
async def desk_world(
    folder: Path, broker: ScriptedBroker, seed: str = "house", process: ScriptedBroker | None = None
) -> AsyncIterator[CallWorld]:
    """Provide a desk that takes a credential; on a folder of earlier services, with their state. With a
    `process`, each task has its own credential there.
    """
    again = (folder / "remit.db").exists()
    outfit: Json = {"brokers": {"desk": broker}, "settle_s": 0.2}
    if process is not None:
        outfit["processes"] = {"desk": process}
    async with call_world(folder, seed=seed, settle=not again, **outfit) as made:
        if again:
            await made.reopen()
        yield made


def of_leases(closings: tuple[Closing, ...]) -> list[Closing]:
    """Return what a closure says of credentials."""
    return [one for one in closings if one.lease]


async def closure_now(services: Services, scope: str) -> list[Closing]:
    """Return what the newest closure of a scope says of credentials now."""
    (closure, *_) = await services.store.closures(services.tenant, scope=scope)
    return of_leases(closure.closings)
