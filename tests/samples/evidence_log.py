# SPDX-License-Identifier: Apache-2.0
"""A log of evidence that is written by hand, and exported: each event may lie."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from remit.core.canonical import encode
from remit.core.evidence import merkle
from remit.core.evidence.checkpoint import Checkpoint, VerifierKey, sign_checkpoint
from remit.core.evidence.event import Event, EventKind, leaf_record
from remit.core.evidence.export import checkpoint_line, event_line, header_line
from remit.core.evidence.verification import SeenRoot
from tests.worlds.values import START

Json = Any

ORIGIN = "remit.example/log"


def signer(seed: int = 1) -> tuple[VerifierKey, Ed25519PrivateKey]:
    """Return a key of the log."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return VerifierKey(ORIGIN, public), private


KEY, PRIVATE = signer()


class WrittenLog:
    """A log that is written by hand: each event may lie about what came before it."""

    def __init__(self) -> None:
        self.leaves: list[bytes] = []
        self.openings: list[dict[str, list[Json]] | None] = []
        self.writers: dict[str, tuple[int, str]] = {}
        self.tasks: dict[str, str] = {}

    def add(
        self,
        kind: EventKind = EventKind.TASK_OPENED,
        *,
        writer: str = "w1",
        task: str = "",
        call: str = "",
        agent: str = "",
        facts: dict[str, Json] | None = None,
        at_s: int | None = None,
        opened: dict[str, list[Json]] | None = None,
        sealed: dict[str, str] | None = None,
        **lies: Json,
    ) -> int:
        """Write an event; gives its index."""
        at = START + timedelta(seconds=len(self.leaves) if at_s is None else at_s)
        seq, previous = self.writers.get(writer, (-1, ""))
        event = Event(
            kind=kind, at=at, tenant="default", task=task, agent=agent, call=call, facts=facts or {}
        )
        record = leaf_record(
            event,
            commitments=sealed or {},
            writer=writer,
            sequence=seq + 1,
            writer_previous=previous,
            task_previous=self.tasks.get(task, ""),
        )
        leaf = encode(record | lies)
        hashed = merkle.leaf_hash(leaf).hex()
        self.writers[writer] = (seq + 1, hashed)
        if task:
            self.tasks[task] = hashed
        self.leaves.append(leaf)
        self.openings.append(opened)
        return len(self.leaves) - 1

    def tree(self, size: int | None = None) -> merkle.Frontier:
        """Return the tree of the first events."""
        hashes = [merkle.leaf_hash(leaf) for leaf in self.leaves[:size]]
        return merkle.new_tile_nodes(merkle.Frontier(), hashes)[0]

    def seen(self, size: int) -> SeenRoot:
        """Return what a witness of the first events remembers."""
        return SeenRoot(size, self.tree(size).root())

    def export(
        self,
        only: Sequence[int] | None = None,
        *,
        task: str = "",
        closure: str = "",
        key: tuple[VerifierKey, Ed25519PrivateKey] = (KEY, PRIVATE),
        size: int | None = None,
    ) -> list[bytes]:
        """Return the lines of all events, or of some with their paths."""
        tree = self.tree()
        head = header_line(ORIGIN, str(key[0]), tree.size if size is None else size, task, closure)
        hashes = [merkle.leaf_hash(leaf) for leaf in self.leaves]
        events = []
        for index in range(len(self.leaves)) if only is None else only:
            path = None if only is None else path_of(index, hashes)
            events.append(event_line(index, self.leaves[index], self.openings[index], path))
        note = sign_checkpoint(Checkpoint(ORIGIN, tree.size, tree.root()), key[0], key[1].sign)
        return [head, *events, checkpoint_line(note.encode().decode())]


def path_of(index: int, hashes: list[bytes]) -> list[bytes]:
    """Return a proof that an event is in the log."""

    def read(level: int, at: int) -> bytes:
        inside = hashes[at << level : (at + 1) << level]
        return merkle.new_tile_nodes(merkle.Frontier(), inside)[0].root()

    return merkle.inclusion_proof(index, len(hashes), read)


def a_log(events: int = 5) -> WrittenLog:
    """Return a log of so many events, of two writers and a task."""
    log = WrittenLog()
    for number in range(events):
        log.add(writer=f"w{number % 2}", task="tsk_1" if number % 3 == 0 else "")
    return log
