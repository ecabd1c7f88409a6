# SPDX-License-Identifier: Apache-2.0
"""The replicas of one database (`ports.store.replicas.Fleet`), with a separate connection and thread.

The thread renews the lease, listens for nudges, and looks. It puts raised fences into memory before it
notifies the event loop, so that a delayed event loop refuses all the same. One look is one round trip.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import msgspec

from remit.adapters.store.postgres import replica_sql
from remit.adapters.store.postgres.listening import Listening
from remit.adapters.store.postgres.schema import ACKS
from remit.adapters.store.postgres.session import FAULTS, PostgresSession
from remit.adapters.store.postgres.stored_labels import PostgresLabels
from remit.adapters.store.postgres.writer import PostgresWriter
from remit.adapters.store.relational.memory import Memory
from remit.core.errors import StoreUnavailable
from remit.core.flow.stored_labels import StoredLabel
from remit.core.replicas.replica import Replica
from remit.core.scope import Raised
from remit.ports.runtime import Clock
from remit.ports.store.replicas import FenceAck, FleetSight
from remit.ports.store.units import Unit

#: Least seconds allowed for one round trip; the limit is two leases if that is longer.
LEAST_S = 1.0
_replica = msgspec.json.Decoder(Replica).decode
_ack = msgspec.json.Decoder(FenceAck).decode

Job = Callable[[PostgresSession], Any]


class _Applied(msgspec.Struct):
    bundle: str = ""


_applied = msgspec.json.Decoder(_Applied).decode


class PostgresFleet:
    """One process among the replicas of a tenant. For one event loop; call `join` first."""

    def __init__(
        self,
        *,
        dial: Callable[[], PostgresSession],
        tenant: str,
        clock: Clock,
        memory: Memory,
        writer: PostgresWriter,
        at_rest: PostgresLabels,
        began: dict[str, int],
        unavailable: Callable[[Exception], StoreUnavailable],
    ) -> None:
        """Take the parts; `began` are the turns as of which `memory` was read."""
        self._dial = dial
        self._tenant = tenant
        self._clock = clock
        self._memory = memory
        self._writer = writer
        self._at_rest = at_rest
        self._began = began.get(tenant, 0)
        self._unavailable = unavailable
        #: The turn of each table up to which everything was seen.
        self._seen = dict.fromkeys(("fences", "withdrawn", "agents", "pins", "turns"), self._began)
        self._me = ""
        self._told: Callable[[FleetSight], None] = lambda _: None
        #: Whether a nudge is pending; the number of local callers that wait for acknowledgements.
        self._nudge = False
        self._awaited = 0
        self._listening = Listening(clock)
        self._jobs: deque[tuple[Job, Callable[[Exception | None, Any], None]]] = deque()
        self._ended = False
        self._session: PostgresSession | None = None
        self._since: float | None = None
        self._patience_s = LEAST_S
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ear, self._bell = os.pipe()
        self._thread: threading.Thread | None = None

    # Called by the event loop.

    async def join(self, replica: Replica, told: Callable[[FleetSight], None]) -> None:
        """Register as an incarnation; from then on the writer writes under its name."""
        self._told = told
        self._patience_s = max(LEAST_S, 2 * replica.lease_s)
        if self._thread is None:
            self._loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._run, name="remit-store-fleet", daemon=True)
            self._thread.start()
        body = msgspec.json.encode(replica).decode()
        await self._do(lambda session: session.execute(replica_sql.JOIN, (self._tenant, replica.id, body)))
        # INVARIANT: registered before anything is permitted under its name, because a replica that ends
        # something waits for every registered replica.
        await self._writer.between(lambda: self._writer.begin_anew(replica.id, self._tenant))
        self._me = replica.id
        self._writer.on_stuck = self._free

    async def renew(self) -> None:
        """Renew the lease and look."""
        await self._do(lambda session: self._look(session, renew=True))

    async def look(self) -> None:
        """Sight."""
        await self._do(self._look)

    async def acknowledge(self, acks: Sequence[FenceAck]) -> None:
        """Send acknowledgements to the replicas that raised these fences."""

        def put(session: PostgresSession) -> None:
            with session.pipeline():
                # For these statements alone; they are one transaction.
                session.execute(replica_sql.UNHURRIED)
                session.execute(replica_sql.OLD_ACKS, (self._tenant,))
                for one in acks:
                    body = msgspec.json.encode(one).decode()
                    session.execute(
                        replica_sql.PUT_ACK, (self._tenant, one.scope, one.epoch, one.replica, body)
                    )

        await self._do(put)

    @contextlib.contextmanager
    def awaiting(self) -> Iterator[None]:
        """While this context is open, look at notifications of acknowledgements."""
        self._awaited += 1
        try:
            yield
        finally:
            self._awaited -= 1

    async def restate(self, replica: Replica) -> None:
        """Publish this replica's new record."""
        body = msgspec.json.encode(replica).decode()
        await self._do(lambda session: session.execute(replica_sql.RESTATE, (body, self._tenant, replica.id)))

    async def forget_acks(self, scope: str, epoch: int) -> None:
        """Delete the acknowledgements of an end that is on record."""
        query = "delete from fence_acks where tenant = ? and scope = ? and epoch <= ?"
        await self._do(lambda session: session.execute(query, (self._tenant, scope, epoch)))

    @property
    def began(self) -> int:
        """The turn at which this process first read the store."""
        return self._began

    async def stored_labels_since(self, upstream: str, turn: int) -> tuple[list[StoredLabel], int]:
        """Return the stored labels that were written to an upstream after a turn."""
        return await self._at_rest.since(self._tenant, upstream, turn)

    async def owned(self) -> dict[str, int]:
        """Return how many tasks each replica owns."""
        query = "select replica, count(*) from owners where tenant = ? and replica <> '' group by replica"
        return dict(await self._do(lambda session: session.execute(query, (self._tenant,)).fetchall()))

    async def owner(self, task: str) -> str:
        """Return the owner of a task; empty where no replica owns it."""
        row = await self._do(
            lambda session: session.execute(replica_sql.OWNER, (self._tenant, task)).fetchone()
        )
        return row[0] if row else ""

    async def buried(self) -> frozenset[str]:
        """Return the replicas that were buried and not forgotten."""
        query = "select id from replicas where tenant = ? and gone = 1"
        rows = await self._do(lambda session: session.execute(query, (self._tenant,)).fetchall())
        return frozenset(name for (name,) in rows)

    async def forget(self, replicas: Collection[str]) -> None:
        """Forget buried replicas that have left nothing behind."""
        query = "delete from replicas where tenant = ? and gone = 1 and id = any(?)"
        if replicas:
            await self._do(lambda session: session.execute(query, (self._tenant, sorted(replicas))))

    async def leave(self) -> None:
        """Leave in order; the writer may keep writing, but permits nothing."""
        if self._thread is None:
            return
        me, self._me = self._me, ""
        with contextlib.suppress(StoreUnavailable):
            # This also frees the tasks that it owned: an absent owner does not count as one.
            await self._do(lambda session: session.execute(replica_sql.LEAVE, (self._tenant, me)))
        thread, self._thread = self._thread, None
        self._ended = True
        self._ring()
        await asyncio.get_running_loop().run_in_executor(None, thread.join)
        os.close(self._ear)
        os.close(self._bell)

    def check(self) -> None:
        """Cut the connection if the thread has waited for it too long."""
        since, session = self._since, self._session
        if since is not None and session is not None and self._clock.boot_s() - since > self._patience_s:
            session.cut()

    def _free(self) -> None:
        """Terminate sessions that block others and are idle in a transaction."""
        if self._thread is not None and not self._ended:
            self._jobs.append((lambda session: session.execute(replica_sql.FREE).fetchall(), lambda *_: None))
            self._ring()

    async def _do(self, job: Job) -> Any:
        loop = asyncio.get_running_loop()
        if self._thread is None or self._ended:
            raise StoreUnavailable("this replica has left", remediation="restart remit")
        future: asyncio.Future[Any] = loop.create_future()

        def done(fault: Exception | None, found: Any) -> None:
            def tell() -> None:
                if not future.done():
                    future.set_exception(fault) if fault else future.set_result(found)

            loop.call_soon_threadsafe(tell)

        self._jobs.append((job, done))
        self._ring()
        return await future

    def _ring(self) -> None:
        os.write(self._bell, b"!")

    # Run by the thread.

    def _run(self) -> None:
        while not self._ended or self._jobs:
            try:
                self._turn()
            except FAULTS:
                self._drop()
        self._drop()

    def _turn(self) -> None:
        session = self._session
        ready = [self._ear] if session is None else [self._ear, session.connection.fileno()]
        # A lost connection is opened again by the next job: no lease is renewed without one.
        heard, _, _ = select.select(ready, [], [], 1.0)
        if self._ear in heard:
            os.read(self._ear, 4096)
        self._hear(read=session is not None and session.connection.fileno() in heard)
        while self._jobs or (self._nudge and self._me):
            if self._nudge and self._me:
                # Cleared before the look, so that a later nudge asks for another look.
                self._nudge = False
                self._jobs.append((self._look, lambda *_: None))
            job, done = self._jobs.popleft()
            try:
                found = self._timed(job)
            except FAULTS as fault:
                self._drop()
                done(self._unavailable(fault), None)
                continue
            except Exception as fault:  # noqa: BLE001 - whatever it is, who asked is told
                done(fault, None)
                continue
            done(None, found)
            self._hear()

    def _hear(self, *, read: bool = False) -> None:
        """Read pending notifications, now or during a job. Stop listening for a while if there are too
        many.
        """
        try:
            session = self._session
            if read and session is not None:
                session.connection.pgconn.consume_input()
            while session is not None and (told := session.connection.pgconn.notifies()) is not None:
                self._notified(told.extra)
            if session is not None and (due := self._listening.due()):
                session.run(due)
                # Notifications may have been missed while the process was not listening.
                self._nudge = True
        except FAULTS:
            self._drop()

    def _notified(self, table: bytes) -> None:
        self._listening.heard()
        self._nudge = self._nudge or table != ACKS or self._awaited > 0

    def _timed(self, job: Job) -> Any:
        self._since = self._clock.boot_s()
        try:
            if self._session is None or self._session.lost:
                self._drop()
                self._session = self._dial()
                # The driver passes notifications that arrive during a job only to its handlers.
                self._session.connection.add_notify_handler(
                    lambda told: self._notified(told.payload.encode())
                )
                self._session.run(self._listening.begin())
                # Notifications may have been missed while the process was not listening.
                self._nudge = True
            return job(self._session)
        finally:
            self._since = None

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(*FAULTS):
                session.close()

    def _look(self, session: PostgresSession, *, renew: bool = False) -> None:
        sent_s, me, since = self._clock.boot_s(), self._me, self._seen["fences"]
        mine = (self._tenant, me)
        with session.pipeline():
            # INVARIANT: each statement sees what was committed before it, and the renewal comes first. So
            # every end that was committed before the renewal is known before the lease counts.
            renewed = session.execute(replica_sql.RENEW, mine) if renew else None
            turn = session.execute(replica_sql.TURN, (self._tenant,))
            fenced = self._since_seen(session, replica_sql.FENCES, "fences")
            withdrawn = self._since_seen(session, replica_sql.WITHDRAWN, "withdrawn")
            agents = self._since_seen(session, replica_sql.AGENTS, "agents")
            pins = self._since_seen(session, replica_sql.PINS, "pins")
            everybody = session.execute(replica_sql.ALL, (self._tenant,))
            acks = session.execute(replica_sql.ACKS, (self._tenant,))
            bundle = session.execute(replica_sql.BUNDLE, (self._tenant,)).fetchone()
            lives = renewed is None or renewed.fetchone() is not None
            self._not_behind(now := turn.fetchone())
            raised, taken_back = fenced.fetchall(), withdrawn.fetchall()
            # INVARIANT: nothing is unlocked by what the database says alone, but once the log says so.
            shut = self._memory.shut.get(self._tenant, set())
            opened = any(not locked and name in shut for name, _, locked, _ in raised)
            fences = [(name, epoch, bool(locked) or name in shut) for name, epoch, locked, _ in raised]
            self._memory.show(self._tenant, fences, [name for name, _ in taken_back])
            changed, (pinned,) = agents.fetchall(), pins.fetchone()
            others = tuple(
                msgspec.structs.replace(_replica(body), renewed=count) for count, body in everybody
            )
            told = [_ack(body) for (body,) in acks]
        self._advance("turns", [now] if now is not None else [])
        self._advance("fences", raised)
        self._advance("withdrawn", taken_back)
        self._advance("agents", changed)
        self._advance("pins", [(pinned,)] if pinned is not None else [])
        look = FleetSight(
            sent_s=sent_s if renew and lives else None,
            seen_s=self._clock.boot_s(),
            gone=bool(me) and not any(one.id == me for one in others),
            replicas=others,
            raised=tuple(Raised(scope, epoch) for scope, epoch, *_ in raised),
            acks=tuple(told),
            agents=tuple(name for name, _ in changed),
            pins=pinned is not None,
            bundle=_applied(bundle[0]).bundle if bundle else "",
        )
        if self._loop is not None:
            if opened:
                asyncio.run_coroutine_threadsafe(self._catch_up(since), self._loop)
            self._loop.call_soon_threadsafe(self._told, look)

    async def _catch_up(self, since: int) -> None:
        """Let the writer read what was committed since a turn.

        It reads that again if it has done so already: a look shows a lock late, if it is undone in between.
        """
        await self._writer.between(lambda: self._writer.read_again(self._tenant, since))
        await self._writer.submit(Unit(tenant=self._tenant), hurry=True)

    def _since_seen(self, session: PostgresSession, query: str, table: str) -> Any:
        return session.execute(query, (self._tenant, self._seen[table]))

    def _advance(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        self._seen[table] = max([self._seen[table], *(row[-1] for row in rows)])

    def _not_behind(self, row: Any) -> None:
        # INVARIANT: no epoch ever falls. A database copy that lacks commits renews no lease.
        if row is None or row[0] < max(self._seen.values()):
            if row is None and not any(self._seen.values()):
                return
            raise StoreUnavailable(
                "the database lacks committed transactions",
                remediation="connect remit to the server that has them, then restart remit",
            )
