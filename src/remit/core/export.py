# SPDX-License-Identifier: Apache-2.0
"""Exported evidence: lines of JSON that verify offline, by whoever holds the log's public key.

    {"remit_evidence": 1, "origin": ..., "verifier": ..., "size": n, "task": ""}
    {"index": 0, "leaf": "<the leaf's exact text>", "openings": {name: [salt, value]}, "path": [...]}
    ...
    {"checkpoint": "<C2SP signed note>"}

A whole export holds every event from the first on, and its root is computed anew. An export of one task holds
that task's events alone, each with its inclusion proof, and its completeness rests on the chain of the task's
own records. A receipt (`core.receipt`) holds what tells of one closure, which its first line names, in the
same way. Openings may be left out: a reader then sees that something was said, when and by whom, and not
what.

What it cannot show: that a log which was cut back to an older signed state is the newest. Give the size that
you saw last (`at_least`), or a witness's cosignature.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from remit.core.checkpoint import OpenedCheckpoint, VerifierKey, open_checkpoint
from remit.core.errors import RemitError
from remit.core.event import CallOutcome, EventKind
from remit.core.key import KeyKind
from remit.core.merkle import Frontier, leaf_hash, verify_inclusion
from remit.core.receipt import ClosureRead, ReceiptReading
from remit.core.seal import reveal

Json = Any
T = TypeVar("T")

FORMAT = 1
#: Faults told at the most; after a first one the rest mostly follows from it.
MAX_FAULTS = 20


class ExportFault(msgspec.Struct, frozen=True):
    """One thing that does not hold: where (`index` of the event, -1 for the whole), a stable code, and a
    sentence.
    """

    index: int
    code: str
    text: str


class ExportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found.

    `complete` says that the export holds every event up to the checkpoint. `unfinished` are the ids of
    permitted calls whose outcome is not in it. `successor` is the newest key of the log, where its own events
    say that the one it was verified with gave way to another.
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

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.faults


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    remit_evidence: int
    origin: str
    verifier: str
    size: int
    task: str = ""
    closure: str = ""


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    index: int = -1
    leaf: str | None = None
    openings: dict[str, list[Json]] | None = None
    path: list[str] | None = None
    checkpoint: str | None = None


class _Leaf(msgspec.Struct, frozen=True):
    kind: str
    at: str
    writer: str
    seq: int
    prev: str
    facts: dict[str, Json] = {}
    task: str = ""
    task_prev: str = ""
    call: str = ""
    sealed: dict[str, str] = {}


def header_line(origin: str, verifier: str, size: int, task: str = "", closure: str = "") -> bytes:
    """Give the first line of an export."""
    line = {"remit_evidence": FORMAT, "origin": origin, "verifier": verifier, "size": size, "task": task}
    return msgspec.json.encode({**line, "closure": closure} if closure else line) + b"\n"


def event_line(
    index: int, leaf: bytes, openings: dict[str, list[Json]] | None, path: list[bytes] | None
) -> bytes:
    """Give the line of one event; `path` is its inclusion proof, for the export of one task or closure."""
    line: dict[str, Json] = {"index": index, "leaf": leaf.decode()}
    if openings:
        line["openings"] = openings
    if path is not None:
        line["path"] = [base64.b64encode(node).decode() for node in path]
    return msgspec.json.encode(line) + b"\n"


def checkpoint_line(note: str) -> bytes:
    """Give the last line of an export."""
    return msgspec.json.encode({"checkpoint": note}) + b"\n"


class _Chains:
    """The chains of writers and tasks, followed while reading."""

    def __init__(self) -> None:
        self.writers: dict[str, tuple[int, str, int]] = {}
        self.tasks: dict[str, tuple[str, int]] = {}
        self.calls: dict[str, int] = {}

    def follow(self, index: int, leaf: _Leaf, hash_hex: str, *, whole: bool) -> Iterator[ExportFault]:
        """Check that a record follows the one before it from the same writer and of the same task."""
        if whole:
            seq, previous, at = self.writers.get(leaf.writer, (-1, "", -1))
            if leaf.seq != seq + 1 or leaf.prev != previous:
                suspects = f"event {at}" if at >= 0 else "an event before it"
                text = f"event {index} does not follow {suspects} of the same writer: "
                text += "one of them was changed, or events between them were dropped or moved"
                yield ExportFault(index, "chain-broken", text)
            self.writers[leaf.writer] = (leaf.seq, hash_hex, index)
        if leaf.task:
            previous, at = self.tasks.get(leaf.task, ("", -1))
            if leaf.task_prev != previous:
                text = f"event {index} does not follow event {at} of task `{leaf.task}`"
                yield ExportFault(index, "task-chain-broken", text)
            self.tasks[leaf.task] = (hash_hex, index)
        if leaf.call and leaf.kind == EventKind.DECISION_MADE.value:
            if leaf.facts.get("outcome") == "permit" or leaf.facts.get("observed") is True:
                self.calls[leaf.call] = index
        elif (
            leaf.kind == EventKind.TOOL_CALLED.value
            and leaf.facts.get("outcome") != CallOutcome.UNKNOWN.value
        ):
            self.calls.pop(leaf.call, None)


class _Reading:
    """What is known while the lines go by."""

    def __init__(self, header: _Header) -> None:
        self.header = header
        self.faults: list[ExportFault] = []
        self.chains = _Chains()
        self.frontier = Frontier()
        self.kinds: Counter[str] = Counter()
        self.events = 0
        self.opened = 0
        self.first = ""
        self.last = ""
        self.last_index = -1
        self.note: str | None = None
        self.rotated: dict[str, str] = {}
        self.number = 1  # of the line in hand; the first is the header
        self.hashes: list[tuple[int, int, bytes, list[bytes]]] = []
        self.receipt = ReceiptReading(header.closure)

    @property
    def whole(self) -> bool:
        return not self.header.task and not self.header.closure

    def fault(self, index: int, code: str, text: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(ExportFault(index, code, text))

    def event(self, line: _Line, text: str) -> None:
        data = text.encode("utf-8", "surrogatepass")
        hashed = leaf_hash(data)
        index = line.index
        wanted = self.last_index + 1
        if (self.whole and index != wanted) or (not self.whole and index < wanted):
            where = f"line {self.number} holds event {index} where"
            should = f"event {wanted} should stand" if self.whole else f"none before {wanted} may stand"
            self.fault(index, "out-of-order", f"{where} {should}")
        self.last_index = index
        self.events += 1
        self._hash(index, hashed, line)
        try:
            leaf = _decode(data, _Leaf)
        except ValueError:
            self.fault(index, "not-an-event", f"event {index} is not a record of this format")
            return
        self.kinds[leaf.kind] += 1
        # Of several writers each tells its own time: the order of the log need not be that of the clock.
        self.first = min(self.first or leaf.at, leaf.at)
        self.last = max(self.last, leaf.at)
        if leaf.kind == EventKind.KEY_ROTATED.value and leaf.facts.get("kind") == KeyKind.CHECKPOINT.value:
            self.rotated[str(leaf.facts.get("previous"))] = str(leaf.facts.get("key"))
        if self.header.closure:
            self.receipt.take(leaf.kind, leaf.at, leaf.facts)
        else:
            for fault in self.chains.follow(index, leaf, hashed.hex(), whole=self.whole):
                self.fault(fault.index, fault.code, fault.text)
        if self.header.task and leaf.task != self.header.task:
            self.fault(index, "foreign-task", f"event {index} is not of task `{self.header.task}`")
        if line.openings is not None:
            self._open(index, leaf, line.openings)

    def successors(self, key: str) -> list[str]:
        """Give the keys that came after `key`, by what the events say, in order."""
        found = [key]
        while (following := self.rotated.get(found[-1])) is not None and following not in found:
            found.append(following)
        return found[1:]

    def _hash(self, index: int, hashed: bytes, line: _Line) -> None:
        if self.whole:
            self.frontier = self.frontier.append(hashed)
            return
        try:
            path = [_node(text) for text in line.path or []]
        except ValueError:
            path = []
        self.hashes.append((self.number, index, hashed, path))

    def _open(self, index: int, leaf: _Leaf, openings: dict[str, list[Json]]) -> None:
        try:
            reveal(openings, leaf.sealed)
        except (RemitError, ValueError, TypeError, RecursionError) as error:
            text = getattr(error, "message", "a value cannot be read")
            self.fault(index, "value-changed", f"event {index}: {text}")
        else:
            self.opened += 1

    def close(self, key: VerifierKey, at_least: int) -> tuple[int, bytes]:
        """Hold what was read against the checkpoint; gives its size and root."""
        if self.note is None:
            self.fault(-1, "no-checkpoint", "the checkpoint is missing: the end was cut off")
            return 0, b""
        try:
            opened: OpenedCheckpoint = open_checkpoint(self.note.encode(), key)
        except RemitError as error:
            self.fault(-1, error.code, f"the checkpoint does not hold: {error.message}")
            return 0, b""
        size, root = opened.checkpoint.size, opened.checkpoint.root
        if opened.checkpoint.origin != self.header.origin:
            self.fault(-1, "origin-mismatch", "the checkpoint is of another log")
        if size != self.header.size:
            text = f"the first line speaks of {self.header.size} events, and {size} were signed"
            self.fault(-1, "size-mismatch", text)
        if size < at_least:
            text = f"the log is signed at {size} events, and {at_least} were seen before: it was cut back"
            self.fault(-1, "rolled-back", text)
        if self.whole:
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

    def _close_receipt(self) -> None:
        if not self.header.closure:
            return
        if self.receipt.read() is None:
            self.fault(-1, "no-closure", f"the event of closure `{self.header.closure}` is not here")
        for lease in self.receipt.strangers[:3]:
            self.fault(-1, "foreign-lease", f"closure `{self.header.closure}` lists no lease `{lease}`")

    def _close_whole(self, size: int, root: bytes) -> None:
        missing = size - self.events
        if missing > 0:
            where = f"events {self.events} to {size - 1} are" if missing > 1 else f"event {size - 1} is"
            self.fault(
                self.events, "events-missing", f"{where} missing: {size} were signed, {self.events} are here"
            )
        elif missing < 0:
            self.fault(
                size, "events-unsigned", f"{-missing} events came after the checkpoint and are not signed"
            )
        elif self.frontier.root() != root:
            text = "the events are not those that were signed"
            if not self.faults:
                # Each record but a writer's last is held by the one after it.
                ends = sorted(index for _, _, index in self.chains.writers.values())
                text += f": look first at event {' and '.join(map(str, ends))}"
            self.fault(-1, "root-mismatch", text)


def _node(text: str) -> bytes:
    """Read a node of a path, in the only spelling that it has."""
    node = base64.b64decode(text, validate=True)
    if base64.b64encode(node).decode() != text:
        raise ValueError(text)
    return node


def verify_export(lines: Iterable[bytes], key: VerifierKey, *, at_least: int = 0) -> ExportReport:
    """Verify an export line by line, in memory that does not grow with the events of a whole export.

    `key` is the log's public key, from a source that the reader trusts: the one in the file is only compared
    with it.
    """
    source = iter(lines)
    header = _header(next(source, b""))
    if header is None:
        fault = ExportFault(
            -1, "not-an-export", "this is not exported evidence, or its first line was changed"
        )
        return _report(_Reading(_Header(FORMAT, "", "", 0)), 0, b"", (fault,))
    reading = _Reading(header)
    for reading.number, raw in enumerate(source, start=2):
        _take(reading, raw)
    size, root = reading.close(key, at_least)
    faults = list(reading.faults)
    if header.verifier not in (str(key), *reading.successors(str(key))):
        text = "the export names another public key than the one given"
        faults.insert(0, ExportFault(-1, "other-key", text))
    # INVARIANT: only events that the given key has signed for say which key came after it.
    successor = "" if faults else "".join(reading.successors(str(key))[-1:])
    return _report(reading, size, root, tuple(faults[:MAX_FAULTS]), successor)


def _take(reading: _Reading, raw: bytes) -> None:
    try:
        line = _decode(raw, _Line)
    except ValueError:
        reading.fault(-1, "line-broken", f"line {reading.number} cannot be read")
        return
    if line.leaf is not None:
        reading.event(line, line.leaf)
    elif line.checkpoint is not None:
        reading.note = line.checkpoint


def _decode(raw: bytes, form: type[T]) -> T:
    """Read one line, which is one JSON text and nothing around it but its end; raises `ValueError`."""
    text = raw.removesuffix(b"\n")
    if text != text.strip():
        raise ValueError("space around a line")
    try:
        return msgspec.json.decode(text, type=form)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _header(raw: bytes) -> _Header | None:
    try:
        header = _decode(raw, _Header)
    except ValueError:
        return None
    return header if header.remit_evidence == FORMAT else None


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
        complete=reading.whole and reading.events == size and not faults,
        unfinished=tuple(reading.chains.calls),
        faults=faults,
        successor=successor,
        closure=reading.receipt.read(),
    )
