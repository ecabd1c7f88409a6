# SPDX-License-Identifier: Apache-2.0
"""The evidence log: signs its head, proves events from it, and exports it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from remit.core.errors import (
    Busy,
    Conflict,
    HeadMissing,
    Malformed,
    NotFound,
    RestoreUnfinished,
    VerificationFailed,
)
from remit.core.evidence.checkpoint import (
    Checkpoint,
    LogProof,
    Note,
    VerifierKey,
    open_checkpoint,
    sign_checkpoint,
)
from remit.core.evidence.event import Event, EventKind
from remit.core.evidence.events.system import SubjectForgotten
from remit.core.evidence.export import checkpoint_line, event_line, header_line, pruned_line, read_leaf
from remit.core.evidence.merkle import leaf_hash, verify_consistency
from remit.core.evidence.restore import UNSETTLED
from remit.ports.evidence.log import Head, HeadKeeper
from remit.ports.keys import CheckpointKeys
from remit.ports.runtime import Clock
from remit.ports.store.log import Entry, LogStore

#: Events that an export reads from the store at a time.
PAGE = 500


class Evidence:
    """The evidence log of one tenant."""

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
        """Take the dependencies; `origin` names the log in every checkpoint."""
        self._store = store
        self._heads = heads
        self._keys = keys
        self._clock = clock
        self._tenant = tenant
        self._lock = asyncio.Lock()
        #: The last head of which the log was verified to be a continuation.
        self._grown_from: Head | None = None
        #: Whether a head of another history was found.
        self.forked = False
        #: Adds cosignatures to a head, or returns an earlier cosigned one that covers an event.
        self.cosign: Callable[[Head, int], Awaitable[Head]] = _alone
        self.origin = origin

    @property
    def verifier(self) -> str:
        """The public key, in the form that a verifier takes."""
        return self._keys.verifier

    async def check_head(self) -> None:
        """Verify the stored head against our own keys before anything is appended; raise
        `VerificationFailed`.

        The store was checked against the head when it was opened. INVARIANT: the log is not signed on the
        basis of a head without a valid signature, or without a head while there are events. An attacker who
        shortened the log could have written such a head.
        """
        await self.check_settled()
        # In this order, because another replica may be writing and signing the first events now.
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

    async def check_settled(self) -> None:
        """Raise `RestoreUnfinished` for a store in which a backup's tasks may still be open."""
        if await self._store.value(self._tenant, UNSETTLED) is not None:
            raise RestoreUnfinished

    def signed(self) -> Head | None:
        """Return the last signed head; `None` before the first one. Raises `StoreUnavailable`."""
        return self._heads.read(self.origin)

    async def checkpoint(self) -> Head:
        """Sign the log as committed now, store the head outside the store, and return the head.

        Raises `VerificationFailed` if the stored head is of another log.
        """
        async with self._lock:
            # In this order: another replica commits before it signs.
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
                # Another replica that stores its head in the same place was faster; its head is equally
                # valid.
                ahead = self._heads.read(self.origin)
                if ahead is None or not self._ours(ahead):
                    raise
                await self._see_grown(ahead, *await self._store.root(self._tenant))
                return ahead
            self._grown_from = head
            return head

    async def proven(self, covering: int | None = None) -> Head:
        """Return a signed head that covers an event, or every event until now, with the cosignatures of the
        witnesses; of those that answer in time.
        """
        head = await self.checkpoint()
        return await self.cosign(head, head.size - 1 if covering is None else covering)

    async def _see_grown(self, head: Head | None, size: int, root: bytes) -> None:
        """Check that the log is a continuation of a head; raise `VerificationFailed`.

        INVARIANT: two histories are never both signed. If two processes continue from copies of one store and
        keep their heads in one place, the second to sign detects this.
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
        """Sign a head under the current key and additionally under the previous keys."""
        made = await self._keys.sign_note(checkpoint.body())
        first, *others = [_note(checkpoint, verifier, signature) for verifier, signature in made]
        for other in others:
            first = first.with_signature(other.signatures[0])
        return first

    async def prove(self, index: int) -> LogProof:
        """Return a receipt that event `index` is in the log; it can be verified offline (C2SP tlog-proof).

        Its `extra` is the leaf, which the path authenticates: facts and commitments, nothing sealed.
        """
        head = await self.checkpoint()
        if not 0 <= index < head.size:
            raise NotFound(f"event {index} does not exist", remediation=f"the log has {head.size} events")
        head = await self.cosign(head, index)
        entry = await self.entry(index)
        path = await self._store.inclusion(self._tenant, index, head.size)
        return LogProof(index, tuple(path), head.note.encode(), entry.leaf)

    async def growth(self, old: int) -> tuple[Head, list[bytes]]:
        """Return the signed head, and the proof that the log continues its first `old` events.

        Source: RFC 6962 section 2.1.2.
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
        """Return one event, with its values if they are still readable."""
        found = await self._store.entries(self._tenant, start=index, limit=1, opened=True)
        if not found or index < 0:
            raise NotFound(f"event {index} does not exist", remediation="see `remit audit log`")
        if found[0].index != index:
            raise NotFound(
                f"the text of event {index} is not in the store any more",
                code="pruned",
                remediation="`remit audit verify` says whether it was pruned, when and by whom",
            )
        return found[0]

    async def export(self, *, task: str = "", values: bool = True) -> AsyncIterator[bytes]:
        """Yield the lines of an export: of everything, or of one task; `values` includes the openings."""
        head = await self.proven()
        yield header_line(self.origin, self.verifier, head.size, task)
        start, gaps = 0, False
        while start < head.size:
            page = await self._store.entries(self._tenant, start=start, limit=PAGE, task=task, opened=values)
            page = [entry for entry in page if entry.index < head.size]
            if not page:
                break
            for entry in page:
                while not task and start < entry.index:
                    # What was pruned is here by its hashes; what is missing is not, and fails verification.
                    hashes = await self._hashes(start, min(entry.index, start + PAGE))
                    if not hashes:
                        break
                    yield pruned_line(start, hashes)
                    start, gaps = start + len(hashes), True
                start = entry.index + 1
                path = await self._store.inclusion(self._tenant, entry.index, head.size) if task else None
                yield event_line(entry.index, entry.leaf, entry.openings, path)
            start = page[-1].index + 1
        if gaps and await self._store.entries(
            self._tenant, start=head.size, limit=1, kinds=(EventKind.LOG_PRUNED,)
        ):
            # The event that says so came after this head.
            raise Busy("events were pruned during this export", remediation="export again")
        yield checkpoint_line(head.note)

    async def _hashes(self, start: int, before: int) -> list[bytes]:
        """Return the leaf hashes of these events; none if the store does not have all of them."""
        hashes = await self._store.hashes(self._tenant, 0, start, before - start)
        return hashes if len(hashes) == before - start else []

    async def pages(
        self,
        *,
        start: int = 0,
        before: int | None = None,
        limit: int = 100,
        kinds: tuple[str, ...] = (),
        task: str = "",
    ) -> list[Entry]:
        """Return events for reading: the first ones from `start` on, or the last ones below `before`."""
        most = min(limit, 1000)
        return await self._store.entries(
            self._tenant, start=start, before=before, limit=most, kinds=kinds, task=task, opened=True
        )

    async def forget(self, subject: str, *, by: str, reason: str = "") -> None:
        """Destroy a subject's key, on record, so that nothing sealed under it can ever be read again.

        The record does not name the subject, because that would preserve what is to be forgotten. Raises
        `NotFound` if nothing is sealed under this name.
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


async def _alone(head: Head, covering: int) -> Head:
    return head


def _note(checkpoint: Checkpoint, verifier: str, signature: bytes) -> Note:
    return sign_checkpoint(checkpoint, VerifierKey.parse(verifier), lambda _: signature)


def _signed_by(head: Head, key: str, wanted: Checkpoint) -> bool:
    try:
        opened = open_checkpoint(head.note.encode(), VerifierKey.parse(key), origin=wanted.origin)
    except (VerificationFailed, Malformed):
        return False
    return opened.checkpoint == wanted


def is_as_recorded(entry: Entry) -> bool:
    """Return whether a row's leaf has the right hash, and the row and its openings match the leaf."""
    if leaf_hash(entry.leaf) != entry.leaf_hash:
        return False
    try:
        record, _ = read_leaf(entry.leaf)
    except ValueError:
        return False
    sealed = bool(entry.sealed) or not record.sealed
    # Openings are None if they were not requested, or their key is gone. Empty openings do not match their
    # leaf.
    return (entry.kind, entry.task) == (record.kind, record.task) and sealed and entry.openings != {}


def readable(entry: Entry) -> dict[str, object]:
    """Return an event in the form for people and programs: its record, with the opened values in place.

    Raises `VerificationFailed` if the row is not the one that was recorded.
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
