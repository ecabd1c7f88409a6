# SPDX-License-Identifier: Apache-2.0
"""The proof of an answer: the events that it rests on, each with its inclusion proof, as an export.

It shows that each event is in the signed log as it stands. It does not show that the log holds no other event
that fits the question: for that, ask the question of a whole export that verifies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from remit.core.errors import VerificationFailed
from remit.core.evidence.checkpoint import VerifierKey, open_checkpoint
from remit.core.evidence.export import checkpoint_line, event_line, header_line
from remit.core.evidence.merkle import Frontier, TileReader, inclusion_proof, new_tile_nodes
from remit.core.json_value import Json

#: An event: index, leaf, and openings where they may be shown.
SelectedEvent = tuple[int, bytes, dict[str, list[Json]] | None]
#: Gives the leaf hashes from an index on, as many as are asked for.
LeafHashes = Callable[[int, int], Sequence[bytes]]
_AT_ONCE = 1 << 16


class SignedLog(msgspec.Struct, frozen=True, kw_only=True):
    """The log that an export holds: its name, its public key, and the signed note that ends the export.

    The text of `pruned` of its events is gone: events from before `pruned_before`, a time, may be missing.
    `verified` is whether the events were verified just now; those of tables were when the tables were made.
    """

    origin: str
    verifier: str
    size: int
    note: str
    verified: bool = True
    pruned: int = 0
    pruned_before: str = ""


def selection_lines(
    log: SignedLog, question: str, events: Iterable[SelectedEvent], hashes: LeafHashes
) -> Iterator[bytes]:
    """Yield the lines of an export of these events, which come in the order of the log.

    Raises `VerificationFailed` where the hashes are not those that were signed.
    """
    nodes: dict[tuple[int, int], bytes] = {}
    tree = Frontier()
    for start in range(0, log.size, _AT_ONCE):
        tree, born = new_tile_nodes(tree, hashes(start, min(_AT_ONCE, log.size - start)))
        nodes.update({(one.level, one.index): one.hash for one in born})
    signed = open_checkpoint(log.note.encode(), VerifierKey.parse(log.verifier)).checkpoint
    if (signed.size, signed.root) != (log.size, tree.root()):
        raise VerificationFailed(
            "the tables differ from the signed log", remediation="make them again with `remit audit tables`"
        )

    def read_range(level: int, start: int, count: int) -> Sequence[bytes]:
        if level == 0:
            return hashes(start, count)
        return [nodes[level, index] for index in range(start, start + count)]

    reader = TileReader(read_range, log.size)
    yield header_line(log.origin, log.verifier, log.size, question=question)
    for index, leaf, openings in events:
        yield event_line(index, leaf, openings, inclusion_proof(index, log.size, reader))
    yield checkpoint_line(log.note)
