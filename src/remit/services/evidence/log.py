# SPDX-License-Identifier: Apache-2.0
"""The evidence log: signing its head, proving from it, and exporting it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from remit.core.errors import Conflict, HeadMissing, Malformed, NotFound, VerificationFailed
from remit.core.evidence.checkpoint import (
    Checkpoint,
    LogProof,
    Note,
    VerifierKey,
    open_checkpoint,
    sign_checkpoint,
)
from remit.core.evidence.event import Event
from remit.core.evidence.events.system import SubjectForgotten
from remit.core.evidence.export import checkpoint_line, event_line, header_line, read_leaf
from remit.core.evidence.merkle import leaf_hash, verify_consistency
from remit.ports.keys import CheckpointKeys
from remit.ports.log import Head, HeadKeeper
from remit.ports.runtime import Clock
from remit.ports.store.log import Entry, LogStore

#: Events read from the store at a time while exporting.
PAGE = 500


class Evidence:
    """The log of one tenant."""

    def __init__(
        self,
        *,
        store: LogStore,
        heads: HeadKeeper,
        keys: CheckpointKeys,
        clock: Clock,
        tenant: str,
        origin: str,
    ) -> None:
        """Take the parts; `origin` names the log in every checkpoint."""
        self._store = store
        self._heads = heads
        self._keys = keys
        self._clock = clock
        self._tenant = tenant
        self._lock = asyncio.Lock()
        #: The last head with which the log was seen to begin.
        self._grown_from: Head | None = None
        #: Whether another one was found.
        self.forked = False
        self.origin = origin

    @property
    def verifier(self) -> str:
        """The public key, in the form in which a verifier takes it."""
        return self._keys.verifier

    async def check_head(self) -> None:
        """Hold the kept head against our own keys, before anything is added to the log; raises
        `VerificationFailed`.

        The store has been held against the head when it was opened. INVARIANT: a head that nobody signed, or
        none where there are events, is no ground to sign the log on: whoever shortened the log could have
        written it.
        """
        # In this order: another replica may just be writing and signing the first events.
        size = await self._store.size(self._tenant)
        head = self._heads.read(self.origin)
        if head is None:
            if size:
                raise HeadMissing(self._tenant, size)
            return
        if not self._ours(head):
            raise VerificationFailed(
                f"the stored head of log `{self.origin}` is not signed by a key of this log",
                code="head-forged",
                remediation="restore the head's file and the keys from a backup, and find out how they "
                "were changed",
            )

    async def checkpoint(self) -> Head:
        """Sign the log as it is committed now, and keep the head outside the store; gives the head. Raises
        `VerificationFailed` where the head that is there is of another log.
        """
        async with self._lock:
            # In this order: what another replica has signed was committed before.
            previous = self._heads.read(self.origin)
            size, root = await self._store.root(self._tenant)
            await self._see_grown(previous, size, root)
            if previous is not None and previous.size == size and previous.root == root:
                return previous
            checkpoint = Checkpoint(self.origin, size, root)
            head = Head(size, root, (await self._signed(checkpoint)).encode().decode())
            try:
                await self._heads.swap(self.origin, previous, head)
            except Conflict:
                # Another replica that keeps its head in the same place was faster; its word is as good.
                ahead = self._heads.read(self.origin)
                if ahead is None or not self._ours(ahead):
                    raise
                await self._see_grown(ahead, *await self._store.root(self._tenant))
                return ahead
            self._grown_from = head
            return head

    async def _see_grown(self, head: Head | None, size: int, root: bytes) -> None:
        """See that the log begins with what a head says; raises `VerificationFailed`.

        INVARIANT: nobody signs two histories beside one another: of two that go on from copies of one store,
        and keep their heads in one place, the second to sign finds out.
        """
        if head is None or head == self._grown_from:
            return
        between = 0 < head.size < size
        proof = await self._store.consistency(self._tenant, head.size, size) if between else []
        try:
            verify_consistency(head.size, size, proof, head.root, root)
        except VerificationFailed:
            self.forked = True
            raise VerificationFailed(
                f"the log does not match the stored head of {head.size} events: another remit signs it "
                "from a copy of the store, or the store was rolled back",
                code="log-forked",
                remediation="stop one of them; the head belongs to the original store",
            ) from None
        self._grown_from = head

    def _ours(self, head: Head) -> bool:
        wanted = Checkpoint(self.origin, head.size, head.root)
        return any(_signed_by(head, key, wanted) for key in self._keys.verifiers)

    async def _signed(self, checkpoint: Checkpoint) -> Note:
        """Sign a head under the current key, and under previous ones beside it."""
        made = await self._keys.sign_note(checkpoint.body())
        first, *others = [_note(checkpoint, verifier, signature) for verifier, signature in made]
        for other in others:
            first = first.with_signature(other.signatures[0])
        return first

    async def prove(self, index: int) -> LogProof:
        """Return a receipt that event `index` is in the log; verifies offline (C2SP tlog-proof).

        Its `extra` is the leaf, which the path authenticates: facts and commitments, nothing that is sealed.
        """
        head = await self.checkpoint()
        if not 0 <= index < head.size:
            raise NotFound(f"event {index} does not exist", remediation=f"the log has {head.size} events")
        (entry,) = await self._store.entries(self._tenant, start=index, limit=1, opened=False)
        path = await self._store.inclusion(self._tenant, index, head.size)
        return LogProof(index, tuple(path), head.note.encode(), entry.leaf)

    async def growth(self, old: int) -> tuple[Head, list[bytes]]:
        """Return the signed head, and the proof that the log begins with what it was at `old` events (RFC
        6962 section 2.1.2).
        """
        head = await self.checkpoint()
        if not 0 < old <= head.size:
            raise NotFound(
                f"the log has fewer than {old} events",
                code="log-shorter",
                remediation=f"the log has {head.size} events",
            )
        return head, await self._store.consistency(self._tenant, old, head.size)

    async def entry(self, index: int) -> Entry:
        """Return one event with its values, where they can still be read."""
        found = await self._store.entries(self._tenant, start=index, limit=1, opened=True)
        if not found or found[0].index != index:
            raise NotFound(f"event {index} does not exist", remediation="see `remit audit log`")
        return found[0]

    async def export(self, *, task: str = "", values: bool = True) -> AsyncIterator[bytes]:
        """Yield the lines of an export: of everything, or of one task; `values` includes the openings."""
        head = await self.checkpoint()
        yield header_line(self.origin, self.verifier, head.size, task)
        start = 0
        while start < head.size:
            page = await self._store.entries(self._tenant, start=start, limit=PAGE, task=task, opened=values)
            page = [entry for entry in page if entry.index < head.size]
            if not page:
                break
            for entry in page:
                path = await self._store.inclusion(self._tenant, entry.index, head.size) if task else None
                yield event_line(entry.index, entry.leaf, entry.openings, path)
            start = page[-1].index + 1
        yield checkpoint_line(head.note)

    async def pages(
        self,
        *,
        start: int = 0,
        before: int | None = None,
        limit: int = 100,
        kinds: tuple[str, ...] = (),
        task: str = "",
    ) -> list[Entry]:
        """Return events for reading: the first from `start` on, or the last ones below `before`."""
        most = min(limit, 1000)
        return await self._store.entries(
            self._tenant, start=start, before=before, limit=most, kinds=kinds, task=task, opened=True
        )

    async def forget(self, subject: str, *, by: str, reason: str = "") -> None:
        """Destroy a subject's key, on record, so that what was sealed under it can never be read again.

        The record does not name the subject: that would remember what is to be forgotten. Raises `NotFound`
        where nothing is sealed under such a name.
        """
        forgotten = SubjectForgotten(reason=reason, by=by)
        event = Event.of(forgotten, at=self._clock.now(), tenant=self._tenant, subject=by)
        if not await self._store.forget(self._tenant, subject, event):
            raise NotFound(
                f"nothing is sealed under `{subject[:80]}`",
                remediation="give the name of a person or an agent, as in the evidence",
            )

    async def size(self) -> int:
        """Return the number of events."""
        return await self._store.size(self._tenant)


def _note(checkpoint: Checkpoint, verifier: str, signature: bytes) -> Note:
    return sign_checkpoint(checkpoint, VerifierKey.parse(verifier), lambda _: signature)


def _signed_by(head: Head, key: str, wanted: Checkpoint) -> bool:
    try:
        opened = open_checkpoint(head.note.encode(), VerifierKey.parse(key), origin=wanted.origin)
    except (VerificationFailed, Malformed):
        return False
    return opened.checkpoint == wanted


def is_as_recorded(entry: Entry) -> bool:
    """Whether a row holds the leaf of its hash, says what that leaf says, and opens to its values."""
    if leaf_hash(entry.leaf) != entry.leaf_hash:
        return False
    try:
        record, _ = read_leaf(entry.leaf)
    except ValueError:
        return False
    sealed = bool(entry.sealed) or not record.sealed
    # Openings are None where none were asked for, or their key is gone. Empty ones do not fit their leaf.
    return (entry.kind, entry.task) == (record.kind, record.task) and sealed and entry.openings != {}


def readable(entry: Entry) -> dict[str, object]:
    """Return an event as people and programs read it: its record, with the opened values in place.

    Raises `VerificationFailed` where the row is not what was recorded.
    """
    if not is_as_recorded(entry):
        raise VerificationFailed(
            f"event {entry.index} differs from the recorded one: it was changed in the store",
            code="event-changed",
            remediation="run `remit audit verify` to see which events fail",
        )
    record: dict[str, object] = msgspec.json.decode(entry.leaf)
    record["index"] = entry.index
    record["hash"] = entry.leaf_hash.hex()
    if entry.openings:
        record["values"] = {name: value for name, (_, value) in entry.openings.items()}
    return record
