# SPDX-License-Identifier: Apache-2.0
"""Forwarding of requests to the replica that owns their task: what is sent, and what the owner believes.

1. the task of a request is found in what the request shows; this is only a hint, because the owner judges
   everything
2. the store is asked once for the owner of the task, and the owner is remembered while it is alive; a task
   without an owner is taken over
3. the request goes unchanged to the address that the owner has sealed, with a header that only replicas write
4. an owner believes the header only if it is valid for this very request, names this owner, and was not seen
   before; a request with an invalid header is refused, whatever else it shows

Between workers of one machine the whole connection may go to the owner instead, with such a header over the
bytes that were received from it.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from remit.core.errors import (
    Elsewhere,
    Malformed,
    OwnerAway,
    RemitError,
    StoreUnavailable,
    UpstreamUnreachable,
)
from remit.core.replicas import forwarding
from remit.core.replicas.forwarding import ForwardingStep, Numbers, Seen
from remit.core.replicas.replica import Replica, worker_of
from remit.core.scope import Raised, ScopeKind
from remit.core.tasks.task import Task
from remit.ports.forwarding import ForwardedRequest, Forwarder
from remit.ports.keys import SealingKeys
from remit.ports.store.tasks import TaskStore
from remit.services.replicas.replica_lease import Replicas
from remit.services.replicas.task_ownership import Ownership, root_of

#: Tasks whose family is remembered, and families whose owner is remembered.
MOST = 20_000

#: In place of a method, for a connection: no request has it.
TRANSFER: Final = "TRANSFER"
#: Seconds that another replica has to answer a request of this one, and bytes of its answer.
ANSWER_S = 30.0
MAX_ANSWER_BYTES = 1024 * 1024

Headers = Sequence[tuple[bytes, bytes]]


class Family(NamedTuple):
    """What is remembered of a task: the root of its family, and the scopes that end its calls."""

    root: str
    scopes: frozenset[str]
    epochs: Mapping[str, int]

    @classmethod
    def of(cls, task: Task) -> Family:
        """Return the record of a task."""
        return cls(root_of(task), frozenset(task.scopes), task.epochs)

    def ended_by(self, raised: Raised, upstream: str) -> bool:
        """Return whether a fence ends a call of the task to an upstream, or to any upstream if that is empty.

        The tool is not known: the end of one tool ends calls to its whole upstream.
        """
        kind, _, name = raised.scope.partition(":")
        of_upstream = kind in (ScopeKind.TOOL, ScopeKind.UPSTREAM)
        under = upstream in ("", name.partition("/")[0]) if of_upstream else raised.scope in self.scopes
        return under and raised.epoch > self.epochs.get(raised.scope, 0)


class WholeAnswer(NamedTuple):
    """The complete answer of another replica."""

    status: int
    body: bytes


def sealed_address(sealing: SealingKeys, replica: str, address: str) -> str:
    """Seal the address of a replica, so that others send to it."""
    key = sealing.current
    return f"{key}:{forwarding.seal_of(sealing.sealing_key(key), replica, address)}"


class Forwarding:
    """Finds owners, and writes and reads the header; for one event loop."""

    def __init__(
        self,
        *,
        replicas: Replicas,
        ownership: Ownership,
        sealing: SealingKeys,
        store: TaskStore,
        tenant: str,
        forwarder: Forwarder | None = None,
    ) -> None:
        """Take the dependencies."""
        self._replicas = replicas
        self._ownership = ownership
        self._sealing = sealing
        self._store = store
        self._tenant = tenant
        self._forwarder = forwarder
        self._families: OrderedDict[str, Family] = OrderedDict()
        self._owners: OrderedDict[str, str] = OrderedDict()
        self._number = 0
        self._met: dict[str, Numbers] = {}
        #: Requests since the start: forwarded to other replicas, and served for them.
        self.counts: Counter[str] = Counter()
        #: Connections since the start: handed to other workers of this machine, and taken from them.
        self.transfers: Counter[str] = Counter()

    @property
    def several(self) -> bool:
        """Whether there may be other replicas to forward to."""
        return self._replicas.several

    def mine(self, task_id: str) -> bool:
        """Return whether a task is known to be owned here; from memory."""
        family = self._families.get(task_id)
        return family is not None and self._ownership.holds(family.root)

    def family(self, task_id: str) -> Family:
        """Return the record of a task whose owner was asked for just before."""
        return self._families[task_id]

    async def owner(self, task_id: str) -> Replica | None:
        """Do steps 1 and 2: return the other replica that owns a task.

        Returns `None` where this replica owns the task, or where no replica needs to own it. Raises
        `StoreUnavailable`, and `Elsewhere` where the owner cannot be determined.
        """
        family = self._families.get(task_id)
        if family is None:
            task = await self._store.task(self._tenant, task_id)
            if task is None:
                return None
            family = self._families[task_id] = Family.of(task)
            _shorten(self._families)
        root = family.root
        if self._ownership.holds(root):
            return None
        known = self._replicas.others.get(self._owners.get(root, ""))
        if known is not None:
            return known
        task = await self._store.task(self._tenant, root)
        if task is None or task.state.ended:
            return None
        try:
            await self._ownership.take(root)
        except Elsewhere as elsewhere:
            owner = self._replicas.others.get(elsewhere.owner)
            if owner is None:
                # The owner has joined since this replica last looked, or is about to be buried.
                raise
            self._owners[root] = owner.id
            _shorten(self._owners)
            return owner
        return None

    def forget(self, task_id: str) -> None:
        """Forget the remembered owner of a task."""
        if (family := self._families.get(task_id)) is not None:
            self._owners.pop(family.root, None)

    def written(
        self,
        owner: Replica,
        method: str,
        target: bytes,
        headers: Headers,
        body: bytes,
        seen: Seen,
    ) -> bytes:
        """Do step 3: return the header for a request to an owner.

        Raises `StoreUnavailable` where the owner's address has no valid seal.
        """
        told = self._told(owner, method, target, headers, body, seen)
        self.counts["to others"] += 1
        return told

    def _told(
        self, owner: Replica, method: str, target: bytes, headers: Headers, body: bytes, seen: Seen
    ) -> bytes:
        key, _, seal = owner.seal.partition(":")
        try:
            wanted = forwarding.seal_of(self._sealing.sealing_key(key), owner.id, owner.address)
        except RemitError:
            wanted = ""
        if not wanted or not hmac.compare_digest(wanted.encode(), seal.encode()):
            raise StoreUnavailable(
                f"replica `{owner.id}` has an address that no replica of this installation registered",
                code="replica-forged",
                remediation="find out who writes to the database",
            )
        self._number += 1
        current = self._sealing.current
        passage = ForwardingStep(
            sender=self._replicas.id,
            to=owner.id,
            number=self._number,
            key=current,
            seen=seen,
        )
        return forwarding.written(passage, self._sealing.sealing_key(current), method, target, headers, body)

    def introduced(self, owner: Replica, received: bytes) -> bytes:
        """Return the header for a connection that goes to an owner, together with what was received from it.

        Raises like `written`.
        """
        return self._told(owner, TRANSFER, b"", (), received, Seen())

    def others(self) -> list[Replica]:
        """Return the other replicas."""
        return list(self._replicas.others.values())

    def worker(self) -> str:
        """Return the number of this process among the workers of its machine; empty if it is none."""
        me = self._replicas.me
        return worker_of(me.address) if me is not None else ""

    def workers(self) -> list[Replica]:
        """Return the other workers of this machine."""
        me = self._replicas.me
        return [one for one in self.others() if me and one.host == me.host and worker_of(one.address)]

    async def asked(
        self,
        owner: Replica,
        path: str,
        headers: Headers = (),
        body: bytes = b"",
        seen: Seen | None = None,
        method: str = "POST",
    ) -> WholeAnswer:
        """Send a request of this replica to another one; `headers` and `seen` state on whose behalf.

        Raises `StoreUnavailable` where the other replica does not answer.
        """
        given, target = forwarding.carried(headers), path.encode("ascii")
        told = self.written(owner, method, target, given, body, seen=seen or Seen())
        assert self._forwarder is not None
        request = ForwardedRequest(method, target, [*given, (forwarding.HEADER, told)], body)
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(ANSWER_S), self._forwarder.ask(owner.address, request) as answer:
                async for piece in answer.pieces():
                    parts.append(piece)
                    if sum(map(len, parts)) > MAX_ANSWER_BYTES:
                        raise OwnerAway("its answer is too large")
                return WholeAnswer(answer.status, b"".join(parts))
        except UpstreamUnreachable as fault:
            raise OwnerAway(fault.message, sent=fault.sent) from fault
        except TimeoutError:
            raise OwnerAway("it did not answer in time", sent=True) from None

    def names_both(self, value: bytes) -> None:
        """Raise `Malformed` or `Elsewhere` unless a header names a living sender and this replica."""
        passage = forwarding.read(value)
        if passage.to != self._replicas.id or passage.sender not in self._replicas.others:
            raise Elsewhere("", passage.to)

    def believed(
        self, value: bytes, method: str, target: bytes, headers: Headers, body: bytes
    ) -> ForwardingStep:
        """Do step 4: return what another replica states about a request.

        Raises `Malformed`, and `Elsewhere` for a request to another replica.
        """
        passage = self._verified(value, method, target, headers, body)
        self.counts["from others"] += 1
        return passage

    def _verified(
        self, value: bytes, method: str, target: bytes, headers: Headers, body: bytes
    ) -> ForwardingStep:
        passage = forwarding.read(value)
        try:
            sealing = self._sealing.sealing_key(passage.key) if passage.key else b""
        except RemitError:
            sealing = b""
        if not sealing or not forwarding.holds(value, sealing, method, target, headers, body):
            raise Malformed("only replicas may send this header", code="passed-on")
        if passage.to != self._replicas.id:
            raise Elsewhere("", passage.to)
        if not self._met.setdefault(passage.sender, Numbers()).fresh(passage.number):
            raise Malformed("this request was already forwarded", code="passed-on")
        if len(self._met) > 2 * len(self._replicas.others) + 8:
            for gone in self._met.keys() - self._replicas.others.keys() - {passage.sender}:
                del self._met[gone]
        return passage

    def is_introduced(self, value: bytes, received: bytes) -> bool:
        """Return whether a living replica hands a connection to this one; a header is valid once."""
        try:
            self.names_both(value)
            self._verified(value, TRANSFER, b"", (), received)
        except RemitError:
            return False
        self.transfers["from others"] += 1
        return True


def _shorten(known: OrderedDict[str, Any]) -> None:
    while len(known) > MOST:
        known.popitem(last=False)
