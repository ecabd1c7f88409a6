# SPDX-License-Identifier: Apache-2.0
"""Verification of exported evidence (`core.evidence.export`), offline, with only the log's public key."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec
from msgspec import UNSET

from remit.core.errors import RemitError
from remit.core.evidence.checkpoint import OpenedCheckpoint, VerifierKey, open_checkpoint
from remit.core.evidence.event import CallOutcome, EventKind
from remit.core.evidence.export import (
    FORMAT,
    Ambiguous,
    CheckpointLine,
    EventLine,
    Header,
    LeafRead,
    PrunedLine,
    read_header,
    read_leaf,
    read_line,
)
from remit.core.evidence.merkle import HASH_SIZE, Frontier, leaf_hash, new_tile_nodes, verify_inclusion
from remit.core.evidence.pruning import PruneClaim, Span, add_span, claim_of, joined, without
from remit.core.evidence.receipt import ClosureRead, ReceiptReading
from remit.core.evidence.restore import Loss
from remit.core.evidence.trust_policy import TrustPolicy
from remit.core.evidence.witness_messages import CLOCKS_APART_S
from remit.core.json_value import Json
from remit.core.keys.own_keys import KeyKind
from remit.core.sealing import reveal

#: The most faults reported; after the first, the rest usually follow from it.
MAX_FAULTS = 20
#: Leaf hashes that are appended to the tree at a time.
_BATCH = 256
_DECIDED, _CALLED = EventKind.DECISION_MADE.value, EventKind.TOOL_CALLED.value
_PRUNED = EventKind.LOG_PRUNED.value
_RESTORED, _ACCEPTED = EventKind.LOG_RESTORED.value, EventKind.LOSS_ACCEPTED.value
_ROTATED, _UNKNOWN = EventKind.KEY_ROTATED.value, CallOutcome.UNKNOWN.value


class ExportFault(msgspec.Struct, frozen=True):
    """One failed check: the event's `index` (-1 for the whole export), a stable code, and a sentence."""

    index: int
    code: str
    text: str


class WitnessedAt(msgspec.Struct, frozen=True):
    """A witness of the policy that cosigned the checkpoint, and when, in seconds since the epoch."""

    witness: str
    at: int


class SeenRoot(NamedTuple):
    """A size and root of the log that were verified here earlier."""

    size: int
    root: bytes


class RestoreRead(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that took the place of the log, by the log's own event: `index`, and what the event says.

    `accepted`: administrators accepted the loss.
    """

    index: int
    size: int
    loss: str
    lost_size: int
    lost_root: str
    made: str
    accepted: bool = False

    def explains(self, seen: SeenRoot) -> bool:
        """Return whether a head that was seen earlier is among what was lost, and its loss accepted.

        A head beyond what the restore says is not: then more was lost than was accepted.
        """
        if not self.accepted or self.loss == Loss.NONE or seen.size <= self.size:
            return False
        if self.loss == Loss.UNKNOWN or seen.size < self.lost_size:
            return True
        return seen.size == self.lost_size and seen.root.hex() == self.lost_root


class ExportReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a verification.

    `complete` is true where the export holds every event up to the checkpoint that was not pruned; `pruned`
    are the events that say which were, and `absent` is how many these are. `unfinished` are the ids of
    permitted calls without an outcome in the export. `successor` is the newest key of the log, where the
    log's events show that the key used for verification was replaced. `restores` are the backups that took
    the log's place; `seen_lost`: what was verified earlier is among what they lost.
    """

    origin: str
    task: str
    size: int
    root: str
    events: int
    opened: int
    kinds: dict[str, int]
    first: str
    last: str
    complete: bool
    unfinished: tuple[str, ...]
    faults: tuple[ExportFault, ...]
    successor: str = ""
    closure: ClosureRead | None = None
    question: str = ""
    witnessed: tuple[WitnessedAt, ...] = ()
    pruned: tuple[PruneClaim, ...] = ()
    absent: int = 0
    restores: tuple[RestoreRead, ...] = ()
    seen_lost: bool = False

    @property
    def holds(self) -> bool:
        """Whether there are no faults."""
        return not self.faults


class _Chains:
    """The chains of writers and tasks, followed during reading."""

    def __init__(self) -> None:
        self.writers: dict[str, tuple[int, str, int]] = {}
        self.tasks: dict[str, tuple[str, int]] = {}
        self.calls: dict[str, int] = {}

    def follow(
        self, index: int, leaf: LeafRead, hash_hex: str, *, whole: bool, pruned_to: int
    ) -> list[ExportFault]:
        """Check that a record follows the previous record of the same writer and of the same task.

        Records between them may be among those that were pruned, the last one before `pruned_to`. The root
        holds the hashes of these, so a record in their place would show there.
        """
        faults = []
        if whole:
            seq, previous, at = self.writers.get(leaf.writer, (-1, "", -1))
            follows = leaf.seq == seq + 1 and leaf.prev == previous
            if not follows and not (leaf.seq > seq + 1 and at < pruned_to - 1):
                suspects = f"event {at}" if at >= 0 else "an earlier event"
                text = f"event {index} does not follow {suspects} of the same writer: "
                text += "one of them was changed, or events between them were dropped or moved"
                faults.append(ExportFault(index, "chain-broken", text))
            self.writers[leaf.writer] = (leaf.seq, hash_hex, index)
        if leaf.task:
            previous, at = self.tasks.get(leaf.task, ("", -1))
            if leaf.task_prev != previous and not (leaf.task_prev and at < pruned_to - 1):
                text = f"event {index} does not follow event {at} of task `{leaf.task}`"
                faults.append(ExportFault(index, "task-chain-broken", text))
            self.tasks[leaf.task] = (hash_hex, index)
        if leaf.call and leaf.kind == _DECIDED:
            if leaf.facts.outcome == "permit" or leaf.facts.observed is True:
                self.calls[leaf.call] = index
        elif leaf.kind == _CALLED and leaf.facts.outcome != _UNKNOWN:
            self.calls.pop(leaf.call, None)
        return faults


class _Reading:
    """The state of reading an export."""

    def __init__(self, header: Header, seen: SeenRoot | None = None) -> None:
        self.header = header
        self.closure = header.closure or ""
        self.question = header.question or ""
        self.whole = not header.task and not self.closure and not self.question
        # The beginning verified earlier; only a whole export holds its leaves.
        self.seen = seen if self.whole else None
        self.faults: list[ExportFault] = []
        self.chains = _Chains()
        self.frontier = Frontier()
        self.waiting: list[bytes] = []  # leaf hashes not yet in the frontier
        self.kinds: Counter[str] = Counter()
        self.events = 0
        self.opened = 0
        self.first = ""
        self.last = ""
        self.last_index = -1
        self.note: str | None = None
        self.rotated: dict[str, str] = {}
        self.number = 1  # of the current line; the first is the header
        # For a partial export: line, index, leaf hash and path of each event.
        self.hashes: list[tuple[int, int, bytes, list[bytes]]] = []
        self.receipt = ReceiptReading(self.closure)
        self.witnessed: tuple[WitnessedAt, ...] = ()
        self.claims: list[PruneClaim] = []
        self.pruned: list[Span] = []
        self.absent = 0
        self.restores: list[RestoreRead] = []
        self.seen_lost = False

    def fault(self, index: int, code: str, text: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(ExportFault(index, code, text))

    def take(self, raw: bytes) -> None:
        """Read the next line: an event or the checkpoint. No line may follow the checkpoint."""
        try:
            if self.note is not None:
                raise ValueError("a line after the checkpoint")
            line = read_line(raw)
            if isinstance(line, CheckpointLine):
                self.note = line.checkpoint
                return
            if isinstance(line, PrunedLine):
                self._pruned(line)
                return
            if (line.path is UNSET) is not self.whole:
                raise ValueError("only the events of a part have paths")
        except Ambiguous:
            text = f"line {self.number} is ambiguous: it has a duplicate member, or it was rewritten"
            self.fault(-1, "line-ambiguous", text)
        except ValueError:
            self.fault(-1, "line-broken", f"line {self.number} cannot be read")
        else:
            self.event(line)

    def event(self, line: EventLine) -> None:
        """Check and count one event."""
        data = line.leaf.encode()
        hashed = leaf_hash(data)
        index = line.index
        self._place(index)
        self.events += 1
        before = self._root_before(line)
        self._hash(index, hashed, line)
        try:
            leaf, facts = read_leaf(data)
        except ValueError:
            self.fault(index, "not-an-event", f"event {index} is not a record of this format")
            return
        self.kinds[leaf.kind] += 1
        # Writers have separate clocks: the order of the log need not be that of their times.
        if not self.first or leaf.at < self.first:
            self.first = leaf.at
        self.last = max(self.last, leaf.at)
        if leaf.kind == _ROTATED and leaf.facts.kind == KeyKind.CHECKPOINT.value:
            self.rotated[str(leaf.facts.previous)] = str(leaf.facts.key)
        if leaf.kind == _PRUNED and self.whole:
            self._claimed(index, leaf, facts, line)
        if leaf.kind in (_RESTORED, _ACCEPTED):
            self._restored(index, leaf.kind, facts, before)
        if self.closure:
            self.receipt.take(leaf.kind, leaf.at, facts)
        elif not self.question:
            pruned_to = self.pruned[-1][1] if self.pruned else 0
            for fault in self.chains.follow(index, leaf, hashed.hex(), whole=self.whole, pruned_to=pruned_to):
                self.fault(fault.index, fault.code, fault.text)
        if self.header.task and leaf.task != self.header.task:
            self.fault(index, "foreign-task", f"event {index} does not belong to task `{self.header.task}`")
        if line.openings is not UNSET:
            self._open(index, leaf, line.openings)

    def _place(self, index: int) -> None:
        """Check that an index follows the last one."""
        wanted = self.last_index + 1
        if (self.whole and index != wanted) or (not self.whole and index < wanted):
            where = f"line {self.number} contains event {index}, but"
            should = f"event {wanted} is expected" if self.whole else f"no event before {wanted} is permitted"
            self.fault(index, "out-of-order", f"{where} {should}")
        self.last_index = index

    def _pruned(self, line: PrunedLine) -> None:
        """Take the hashes of pruned events."""
        hashes = [_node(one) for one in line.pruned]
        if not self.whole or not hashes or line.index < 0 or any(len(one) != HASH_SIZE for one in hashes):
            raise ValueError("only a whole export has pruned events, and each has a hash")
        self._place(line.index)
        self.last_index += len(hashes) - 1
        self.absent += len(hashes)
        if not self.pruned or self.pruned[-1][1] <= line.index:  # otherwise a fault was noted
            add_span(self.pruned, line.index, line.index + len(hashes))
        for one in hashes:
            self._append(one)

    def _claimed(self, index: int, leaf: LeafRead, facts: dict[str, Json], line: EventLine) -> None:
        """Take an event that says what was pruned."""
        by = (line.openings or {}).get("by", ["", ""])
        try:
            self.claims.append(claim_of(index, leaf.at, facts, str(by[-1])))
        except (ValueError, IndexError) as error:
            self.fault(index, "pruned-wrongly", f"event {index} prunes what none may: {error}")

    def successors(self, key: str) -> list[str]:
        """Return the keys that replaced `key`, according to the events, in order."""
        found = [key]
        while (following := self.rotated.get(found[-1])) is not None and following not in found:
            found.append(following)
        return found[1:]

    def _hash(self, index: int, hashed: bytes, line: EventLine) -> None:
        if self.whole:
            self._append(hashed)
            return
        try:
            path = [_node(text) for text in line.path or ()]
        except ValueError:
            path = []
        self.hashes.append((self.number, index, hashed, path))

    def _append(self, hashed: bytes) -> None:
        self.waiting.append(hashed)
        count, seen = len(self.waiting), self.seen
        if count == _BATCH or (seen and self.frontier.size + count == seen.size):
            self.grow()

    def grow(self) -> None:
        """Append the waiting leaves to the tree, and compare its beginning with the one verified earlier."""
        self.frontier, _ = new_tile_nodes(self.frontier, self.waiting)
        self.waiting.clear()
        seen = self.seen
        if seen and self.frontier.size == seen.size and self.frontier.root() == seen.root:
            self.seen = None

    def _root_before(self, line: EventLine) -> bytes:
        """Return the root of the events before this one, if it tells of a restore."""
        if not self.whole or f'"{_RESTORED}"' not in line.leaf:
            return b""
        self.grow()
        return self.frontier.root()

    def _restored(self, index: int, kind: str, facts: dict[str, Json], before: bytes) -> None:
        if kind == _ACCEPTED:
            # A restore of a restored log that was not accepted yet names the larger loss of the two.
            self.restores = [msgspec.structs.replace(one, accepted=True) for one in self.restores]
            return
        wanted = {name: facts.get(name) for name in ("size", "loss", "lost_size", "lost_root", "made")}
        told = {name: value for name, value in wanted.items() if value is not None}
        try:
            one = msgspec.convert({"lost_size": 0, "lost_root": "", **told, "index": index}, RestoreRead)
        except msgspec.ValidationError:
            self.fault(index, "not-an-event", f"event {index} is not a record of this format")
            return
        self.restores.append(one)
        if self.whole and (index != one.size or before.hex() != facts.get("root")):
            text = f"event {index} says that a backup of {one.size} events was restored, and these are others"
            self.fault(index, "restore-misplaced", text)

    def _close_restores(self) -> None:
        """Check that each loss was accepted, and that nothing else is missing of what was seen earlier."""
        for one in self.restores:
            if one.loss != Loss.NONE and not one.accepted:
                text = (
                    f"a restore at event {one.index} lost events, and no administrator has accepted that: "
                    "let one, or two if there are two, run `remit unlock everything`"
                )
                self.fault(one.index, "loss-not-accepted", text)
        if self.seen is None or self.note is None:
            return
        if any(one.explains(self.seen) for one in self.restores):
            self.seen_lost = True
        elif self.seen.size > self.frontier.size:
            text = f"the log has {self.frontier.size} events, but {self.seen.size} were seen before: "
            self.fault(-1, "rolled-back", text + "it was truncated")
        else:
            text = f"the first {self.seen.size} events differ from those seen before"
            self.fault(-1, "rewritten", text)

    def _open(self, index: int, leaf: LeafRead, openings: dict[str, list[Json]]) -> None:
        try:
            reveal(openings, leaf.sealed)
        except (RemitError, ValueError, TypeError, RecursionError) as error:
            text = getattr(error, "message", "a value cannot be read")
            self.fault(index, "value-changed", f"event {index}: {text}")
        else:
            self.opened += 1

    def close(self, key: VerifierKey, at_least: int, policy: TrustPolicy | None) -> tuple[int, bytes]:
        """Compare the events with the checkpoint; return its size and root."""
        self.grow()
        if self.note is None:
            self.fault(-1, "no-checkpoint", "the checkpoint is missing: the file is truncated")
            return 0, b""
        try:
            note = self.note.encode()
            opened = policy.open(note, key) if policy is not None else open_checkpoint(note, key)
        except RemitError as error:
            self.fault(-1, error.code, f"the checkpoint does not verify: {error.message}")
            return 0, b""
        self._compare_times(opened)
        size, root = opened.checkpoint.size, opened.checkpoint.root
        if opened.checkpoint.origin != self.header.origin:
            self.fault(-1, "origin-mismatch", "the checkpoint is of another log")
        if size != self.header.size:
            text = f"the first line states {self.header.size} events, but {size} were signed"
            self.fault(-1, "size-mismatch", text)
        if size < at_least:
            text = f"the log is signed at {size} events, but {at_least} were seen before: it was truncated"
            self.fault(-1, "rolled-back", text)
        if self.whole:
            self._close_restores()
            self._close_whole(size, root)
        else:
            self._close_receipt()
            for number, index, hashed, path in self.hashes:
                try:
                    verify_inclusion(hashed, index, size, path, root)
                except RemitError:
                    text = f"event {index} on line {number} is not in the signed log, or was changed"
                    self.fault(index, "not-included", text)
        return size, root

    def _compare_times(self, opened: OpenedCheckpoint) -> None:
        """Check that no event claims a time after its checkpoint was cosigned."""
        self.witnessed = tuple(WitnessedAt(one.key.name, one.timestamp) for one in opened.cosignatures)
        if not self.witnessed or not self.last:
            return
        try:
            last = datetime.fromisoformat(self.last).timestamp()
        except ValueError:
            self.fault(-1, "not-an-event", "the time of an event is no time")
            return
        if last > min(one.at for one in self.witnessed) + CLOCKS_APART_S:
            text = f"an event claims to be of {self.last}, but the checkpoint was cosigned before"
            self.fault(-1, "later-than-witnessed", text)

    def _close_receipt(self) -> None:
        if not self.closure:
            return
        if self.receipt.read() is None:
            self.fault(-1, "no-closure", f"the event of closure `{self.closure}` is missing")
        for lease in self.receipt.strangers[:3]:
            self.fault(-1, "foreign-lease", f"closure `{self.closure}` does not list lease `{lease}`")

    def _close_whole(self, size: int, root: bytes) -> None:
        self._compare_pruned()
        here = self.events + self.absent
        missing = size - here
        if missing > 0:
            where = f"events {here} to {size - 1} are" if missing > 1 else f"event {size - 1} is"
            self.fault(
                here,
                "events-missing",
                f"{where} missing: {size} were signed, {here} are present",
            )
        elif missing < 0:
            self.fault(
                size, "events-unsigned", f"{-missing} events came after the checkpoint and are not signed"
            )
        elif self.frontier.root() != root:
            text = "the events differ from the signed ones"
            if not self.faults:
                # The next record of the same writer protects each record; only a writer's last is
                # unprotected.
                ends = sorted(index for _, _, index in self.chains.writers.values())
                text += f": check first event {' and '.join(map(str, ends))}"
            self.fault(-1, "root-mismatch", text)

    def _compare_pruned(self) -> None:
        """Check that the events without text are exactly those that signed events say were pruned.

        INVARIANT: an event whose text is missing outside of what was pruned is a fault.
        """
        try:
            claimed = joined(self.claims)
        except ValueError as error:
            self.fault(-1, "pruned-wrongly", f"two events contradict each other: {error}")
            return
        for first, before in without(self.pruned, claimed)[:3]:
            text = (
                f"the text of events {first} to {before - 1} is missing, and no event says that it was pruned"
            )
            self.fault(first, "events-missing", text)
        for first, before in without(claimed, self.pruned)[:3]:
            text = f"events {first} to {before - 1} were pruned, and are here all the same"
            self.fault(first, "pruned-wrongly", text)


def _node(text: str) -> bytes:
    """Decode a node of a path, in canonical base64 only."""
    node = base64.b64decode(text, validate=True)
    if base64.b64encode(node).decode() != text:
        raise ValueError(text)
    return node


def verify_export(
    lines: Iterable[bytes],
    key: VerifierKey,
    *,
    at_least: int = 0,
    seen: SeenRoot | None = None,
    policy: TrustPolicy | None = None,
) -> ExportReport:
    """Verify an export line by line; memory use does not grow with the number of events of a whole export.

    `key` is the log's public key, from a source that the reader trusts; the key in the file is only compared
    with it. `at_least` is a number of events that must be signed. `seen` is a beginning of the log that was
    verified earlier: a whole export must begin with it. By `policy` witnesses must have cosigned its
    checkpoint.
    """
    source = iter(lines)
    header = read_header(next(source, b""))
    if header is None:
        fault = ExportFault(
            -1, "not-an-export", "this is not exported evidence, or its first line was changed"
        )
        return _report(_Reading(Header(FORMAT, "", "", 0, "")), 0, b"", (fault,))
    reading = _Reading(header, seen)
    for reading.number, raw in enumerate(source, start=2):
        reading.take(raw)
    size, root = reading.close(key, max(at_least, 0 if reading.whole or not seen else seen.size), policy)
    faults = list(reading.faults)
    if header.verifier not in (str(key), *reading.successors(str(key))):
        text = "the export names another public key than the one given"
        faults.insert(0, ExportFault(-1, "other-key", text))
    # INVARIANT: a successor key counts only by events that the given key has signed.
    successor = "" if faults else "".join(reading.successors(str(key))[-1:])
    return _report(reading, size, root, tuple(faults[:MAX_FAULTS]), successor)


def _report(
    reading: _Reading, size: int, root: bytes, faults: tuple[ExportFault, ...], successor: str = ""
) -> ExportReport:
    return ExportReport(
        origin=reading.header.origin,
        task=reading.header.task,
        size=size,
        root=root.hex(),
        events=reading.events,
        opened=reading.opened,
        kinds=dict(sorted(reading.kinds.items())),
        first=reading.first,
        last=reading.last,
        complete=reading.whole and reading.events + reading.absent == size and not faults,
        unfinished=tuple(reading.chains.calls),
        faults=faults,
        successor=successor,
        closure=reading.receipt.read(),
        question=reading.question,
        witnessed=reading.witnessed,
        pruned=tuple(reading.claims),
        absent=reading.absent,
        restores=tuple(reading.restores),
        seen_lost=reading.seen_lost,
    )
