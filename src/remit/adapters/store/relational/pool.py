# SPDX-License-Identifier: Apache-2.0
"""A small pool of threads that read, each with a separate connection."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from remit.adapters.store.relational.sql import Sql
from remit.core.errors import StoreUnavailable

THREADS = 2

P = ParamSpec("P")
T = TypeVar("T")


class Closable(Protocol):
    """A connection, as far as the pool uses it."""

    def close(self) -> None:
        """Close the connection."""
        ...


C = TypeVar("C", bound=Closable)


class Access(Protocol[C]):
    """How read-only connections are opened and used, and what their faults mean."""

    @property
    def faults(self) -> tuple[type[Exception], ...]:
        """The exception types that the database raises."""
        ...

    def open(self) -> C:
        """Open a connection."""
        ...

    def moment(self, connection: C) -> AbstractContextManager[Sql]:
        """Provide one transaction for reading: all statements see the same moment."""
        ...

    def lost(self, connection: C) -> bool:
        """Return whether the connection is gone, so that a new one may succeed."""
        ...

    def unavailable(self, fault: Exception) -> StoreUnavailable:
        """Return the error that callers see."""
        ...


class ReadPool(Generic[C]):
    """Threads that read. A read sees everything that was committed before it was called."""

    def __init__(self, access: Access[C]) -> None:
        """Take the access; the threads that use connections open them."""
        self._access = access
        self._local = threading.local()
        self._open: set[C] = set()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="remit-store-read")

    async def run(self, read: Callable[Concatenate[Sql, P], T], *args: P.args, **named: P.kwargs) -> T:
        """Run `read(connection, ...)` on a thread; a fault of the database becomes `StoreUnavailable`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._read, read, args, named)

    def _read(self, read: Callable[..., T], args: tuple[object, ...], named: dict[str, object]) -> T:
        connection: C | None = getattr(self._local, "connection", None)
        try:
            connection = connection or self._fresh()
            return self._once(connection, read, args, named)
        except self._access.faults as fault:
            if connection is None or not self._access.lost(connection):
                raise self._access.unavailable(fault) from fault
        # The connection was lost while idle, for example at a restart of the server. Reading twice is
        # harmless.
        try:
            return self._once(self._fresh(), read, args, named)
        except self._access.faults as fault:
            raise self._access.unavailable(fault) from fault

    def _fresh(self) -> C:
        connection = self._local.connection = self._access.open()
        self._open.add(connection)
        return connection

    def _once(
        self, connection: C, read: Callable[..., T], args: tuple[object, ...], named: dict[str, Any]
    ) -> T:
        try:
            with self._access.moment(connection) as sql:
                return read(sql, *args, **named)
        except self._access.faults:
            if self._access.lost(connection):
                self._local.connection = None
                self._open.discard(connection)
                with contextlib.suppress(*self._access.faults):
                    connection.close()
            raise

    def close(self) -> None:
        """Finish the reads in progress and close the connections."""
        self._threads.shutdown()
        for connection in self._open:
            connection.close()
