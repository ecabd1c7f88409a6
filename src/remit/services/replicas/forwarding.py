# SPDX-License-Identifier: Apache-2.0
"""Whose a request is, and passing it on: what a replica tells the owner, and what an owner believes.

1. the task of a request is found in what it shows; that is no more than a hint, for the owner judges it all
2. the owner of the task is asked of the store once, and remembered while it lives; what nobody owns is taken
3. the request goes to the address that the owner has sealed, as it is, with a header that only replicas write
4. an owner believes the header alone if it holds for this very request, names it, and was not met before; a
   request with one that does not hold is refused, whatever else it shows
"""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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
from remit.core.replicas.replica import Replica
from remit.core.scope import Raised, ScopeKind
from remit.core.tasks.task import Task
from remit.ports.forwarding import ForwardedRequest, Forwarder
from remit.ports.keys import SealingKeys
from remit.ports.store.tasks import TaskStore
from remit.services.replicas.replica_lease import Replicas
from remit.services.replicas.task_ownership import Ownership, root_of

#: Tasks whose family is remembered, and families whose owner is.
MOST = 20_000

#: Seconds that another replica has to answer what is asked of it here, and bytes of its answer.
ANSWER_S = 30.0
MAX_ANSWER_BYTES = 1024 * 1024

Headers = Sequence[tuple[bytes, bytes]]


class Family(NamedTuple):
    """What is remembered of a task: the root that its family goes back to, and what ends its calls."""

    root: str
    scopes: frozenset[str]
    epochs: Mapping[str, int]

    @classmethod
    def of(cls, task: Task) -> Family:
        """Remember a task."""
        return cls(root_of(task), frozenset(task.scopes), task.epochs)

    def ended_by(self, raised: Raised, upstream: str) -> bool:
        """Whether a fence ends a call of the task to an upstream; to any where that is empty.

        The tool is not known: the end of one ends calls to all of its upstream.
        """
        kind, _, name = raised.scope.partition(":")
        of_upstream = kind in (ScopeKind.TOOL, ScopeKind.UPSTREAM)
        under = upstream in ("", name.partition("/")[0]) if of_upstream else raised.scope in self.scopes
        return under and raised.epoch > self.epochs.get(raised.scope, 0)


class WholeAnswer(NamedTuple):
    """What another replica has answered."""

    status: int
    body: bytes


class Forwarding:
    """Finds owners, writes and reads the header. For one event loop."""

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
        """Take the parts."""
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
        #: Requests since start: passed on to others, and served for them.
        self.counts: Counter[str] = Counter()

    @property
    def several(self) -> bool:
        """Whether anything may have to be passed on at all."""
        return self._replicas.several

    def seal(self, replica: str, address: str) -> str:
        """Seal an address, so that others send to it."""
        key = self._sealing.current
        return f"{key}:{forwarding.seal_of(self._sealing.sealing_key(key), replica, address)}"

    def mine(self, task_id: str) -> bool:
        """Whether a task is known to be owned here; from memory."""
        family = self._families.get(task_id)
        return family is not None and self._ownership.holds(family.root)

    def family(self, task_id: str) -> Family:
        """Return what is remembered of a task whose owner was asked for just now."""
        return self._families[task_id]

    async def owner(self, task_id: str) -> Replica | None:
        """1, 2. Give the other replica that owns a task, `None` where this one does or nobody needs to.

        Raises `StoreUnavailable`, `Elsewhere` where the owner cannot be told.
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
                # It has entered since this replica looked, or is about to be buried.
                raise
            self._owners[root] = owner.id
            _shorten(self._owners)
            return owner
        return None

    def forget(self, task_id: str) -> None:
        """What was known of a task's owner is not so any more."""
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
        """3. Give the header for a request to an owner; raises `StoreUnavailable` where its address is not
        sealed.
        """
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
        self.counts["to others"] += 1
        current = self._sealing.current
        passage = ForwardingStep(
            sender=self._replicas.id,
            to=owner.id,
            number=self._number,
            key=current,
            seen=seen,
        )
        return forwarding.written(passage, self._sealing.sealing_key(current), method, target, headers, body)

    def others(self) -> list[Replica]:
        """Return the other replicas."""
        return list(self._replicas.others.values())

    async def asked(
        self, owner: Replica, path: str, headers: Headers, body: bytes, seen: Seen
    ) -> WholeAnswer:
        """Ask another replica something of its own, as `headers` and `seen` say on whose behalf.

        Raises `StoreUnavailable` where it does not answer.
        """
        given, target = forwarding.carried(headers), path.encode("ascii")
        told = self.written(owner, "POST", target, given, body, seen=seen)
        assert self._forwarder is not None
        request = ForwardedRequest("POST", target, [*given, (forwarding.HEADER, told)], body)
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
        """Raise `Malformed` or `Elsewhere` unless a header names a living replica, and this one."""
        passage = forwarding.read(value)
        if passage.to != self._replicas.id or passage.sender not in self._replicas.others:
            raise Elsewhere("", passage.to)

    def believed(
        self, value: bytes, method: str, target: bytes, headers: Headers, body: bytes
    ) -> ForwardingStep:
        """4. Give what another replica tells of a request; raises `Malformed`, `Elsewhere` for another's."""
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
        self.counts["from others"] += 1
        return passage


def _shorten(known: OrderedDict[str, Any]) -> None:
    while len(known) > MOST:
        known.popitem(last=False)
