# SPDX-License-Identifier: Apache-2.0
"""The Merkle tree of the evidence log: appending, proving and verifying (RFC 6962 section 2, RFC 9162).

A *node* is named `(level, index)`: the root of the complete subtree over the leaves `index << level` up to
`(index + 1) << level`. A hash is 32 bytes of SHA-256. A store keeps every leaf hash (level 0) and the nodes
of levels 8, 16, 24, ... as they become complete (`new_tile_nodes`). 256 neighbours of one such level are a
*tile* (C2SP tlog-tiles), and `TileReader` computes every other node by reading whole tiles.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Sequence

import msgspec

from remit.core.errors import Malformed, VerificationFailed

HASH_SIZE = 32
_SIZES = frozenset({HASH_SIZE})
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of the tree without leaves (RFC 6962 section 2.1)."""

NodeReader = Callable[[int, int], bytes]
"""Returns the hash of the complete subtree `(level, index)`."""

RangeReader = Callable[[int, int, int], Sequence[bytes]]
"""Returns, for `(level, start, count)`, `count` stored hashes of level 0, 8, 16, ... from index `start`
on.
"""


def leaf_hash(leaf: bytes) -> bytes:
    """Hash one leaf: SHA-256 of 0x00 and the leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two neighbouring subtrees into their parent: SHA-256 of 0x01, left, right."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class TileNode(msgspec.Struct, frozen=True):
    """A node that a store keeps beside the leaf hashes: `level` is 8, 16, 24, ..."""

    level: int
    index: int
    hash: bytes


class Frontier(msgspec.Struct, frozen=True):
    """The data needed to append to a tree: its size and the roots of its complete subtrees, largest first.

    INVARIANT: there is one peak of 32 bytes for each bit that is set in `size`.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Refuse, as `Malformed`, a frontier that no tree has."""
        if self.size < 0 or len(self.peaks) != self.size.bit_count():
            raise Malformed(f"a tree of size {self.size} does not have {len(self.peaks)} complete subtrees")
        if not _SIZES.issuperset(map(len, self.peaks)):
            raise Malformed("a hash of a Merkle tree is 32 bytes")

    def append(self, leaf: bytes) -> "Frontier":
        """Return the frontier after appending one leaf, given by its leaf hash."""
        return new_tile_nodes(self, (leaf,))[0]

    def root(self) -> bytes:
        """Return the root of the whole tree (RFC 6962 section 2.1)."""
        return _fold(self.peaks) if self.peaks else EMPTY_ROOT

    def to_bytes(self) -> bytes:
        """Serialise: the size as 8 bytes, big-endian, then the peaks."""
        return struct.pack(">Q", self.size) + b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Frontier":
        """Parse the bytes that `to_bytes` wrote; raise `Malformed` for anything else."""
        if len(data) < 8 or (len(data) - 8) % HASH_SIZE:
            raise Malformed("a frontier is a size of 8 bytes and hashes of 32 bytes")
        peaks = tuple(data[at : at + HASH_SIZE] for at in range(8, len(data), HASH_SIZE))
        return cls(struct.unpack(">Q", data[:8])[0], peaks)


def new_tile_nodes(before: Frontier, leaves: Iterable[bytes]) -> tuple[Frontier, list[TileNode]]:
    """Append leaf hashes; return the new frontier and the nodes of levels 8, 16, ... that became complete.

    The nodes come in the order of their leaves, and a store adds them in the same commit as the leaf hashes.
    The cost is one hash per leaf on average.
    """
    size, peaks, born = before.size, list(before.peaks), list[TileNode]()
    for leaf in leaves:
        if len(leaf) != HASH_SIZE:
            raise Malformed("a leaf hash is 32 bytes")
        node, level, full = leaf, 0, size
        while full & 1:  # merge with each left subtree of the same height into one of the next height
            node = node_hash(peaks.pop(), node)
            level, full = level + 1, full >> 1
            if level % TILE_HEIGHT == 0:
                born.append(TileNode(level, full, node))
        peaks.append(node)
        size += 1
    return Frontier(size, tuple(peaks)), born


def inclusion_proof(index: int, size: int, read: NodeReader) -> list[bytes]:
    """Prove that leaf `index` is in the tree of `size` leaves: its siblings, from the leaf up (RFC 6962
    2.1.1).
    """
    return [_fold([read(*node) for node in nodes]) for nodes in inclusion_nodes(index, size)]


def consistency_proof(old: int, new: int, read: NodeReader) -> list[bytes]:
    """Prove that the tree of `new` leaves begins with the tree of `old` leaves (RFC 6962 section 2.1.2).

    The proof is empty where there is nothing to prove: `old` is 0 or equals `new`.
    """
    return [_fold([read(*node) for node in nodes]) for nodes in consistency_nodes(old, new)]


def root_nodes(size: int) -> list[tuple[int, int]]:
    """Return the complete subtrees that form the tree of `size` leaves, left to right."""
    return _cover(0, size)


def root_at(size: int, read: NodeReader) -> bytes:
    """Return the root of the first `size` leaves."""
    return _fold([read(*node) for node in root_nodes(size)]) if size else EMPTY_ROOT


def inclusion_nodes(index: int, size: int) -> list[list[tuple[int, int]]]:
    """Name what an inclusion proof is made of: for each of its hashes, the nodes that fold into it.

    An asynchronous store fetches these first, and then proves with a reader that only
    looks up.
    """
    if not 0 <= index < size:
        raise VerificationFailed(
            f"leaf {index} is not in a tree of {size} leaves", remediation=f"ask for an index below {size}"
        )
    start, end = 0, size
    siblings: list[list[tuple[int, int]]] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            siblings.append(_cover(middle, end))
            end = middle
        else:
            siblings.append(_cover(start, middle))
            start = middle
    return siblings[::-1]


def consistency_nodes(old: int, new: int) -> list[list[tuple[int, int]]]:
    """Return the nodes of a consistency proof, as `inclusion_nodes` does."""
    if not 0 <= old <= new:
        raise VerificationFailed(f"a tree of {new} leaves cannot extend one of {old}")
    if old in {0, new}:
        return []
    start, end = 0, new
    parts: list[list[tuple[int, int]]] = []
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            parts.append(_cover(middle, end))
            end = middle
        else:
            parts.append(_cover(start, middle))
            start = middle
    if start:  # otherwise the last subtree is the old tree itself, whose root the verifier has
        parts.append(_cover(start, end))
    return parts[::-1]


class TileReader:
    """A `NodeReader` over a store of leaf hashes and tile nodes that reads each needed tile once.

    Do not share it between threads; create it for one proof, or a few over the same tree of `size` leaves.
    """

    def __init__(self, read_range: RangeReader, size: int) -> None:
        self._read_range = read_range
        self._size = size
        # By tile, then by height within the tile: the hashes of that row.
        self._tiles: dict[tuple[int, int], list[list[bytes]]] = {}

    def __call__(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree; raise `VerificationFailed` if the tree does not have it."""
        key = _tile(level, index)
        rows = self._tiles.get(key)
        if rows is None:
            rows = self._tiles[key] = self._load(*key)
        height = level - key[0]
        at = index - (key[1] << (TILE_HEIGHT - height))
        while len(rows) <= height:
            below = rows[-1]
            rows.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
        if not 0 <= at < len(rows[height]):
            raise VerificationFailed(
                f"a tree of {self._size} leaves has no complete subtree {index} at level {level}"
            )
        return rows[height][at]

    def _load(self, level: int, tile: int) -> list[list[bytes]]:
        _, start, count = _tile_range(level, tile, self._size)
        if count <= 0:
            return [[]]
        row = list(self._read_range(level, start, count))
        if len(row) != count or any(len(item) != HASH_SIZE for item in row):
            raise VerificationFailed(
                f"the store does not have hashes {start} to {start + count - 1} of level {level}",
                code="nodes-missing",
            )
        return [row]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf with hash `leaf` is number `index` of the tree (RFC 9162 section 2.1.3.2).

    Raises `VerificationFailed` if the proof does not lead to `root`.
    """
    if not 0 <= index < size:
        raise VerificationFailed(f"leaf {index} is not in a tree of {size} leaves", code="inclusion-failed")
    _check_lengths((leaf, root, *proof), "inclusion-failed")
    left, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise VerificationFailed("the inclusion proof is too long", code="inclusion-failed")
        if left & 1 or left == last:
            node = node_hash(sibling, node)
            while not left & 1 and left:  # no sibling on these levels: the subtree is the last one
                left, last = left >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        left, last = left >> 1, last >> 1
    if last:
        raise VerificationFailed("the inclusion proof is too short", code="inclusion-failed")
    if node != root:
        raise VerificationFailed(f"leaf {index} is not in the tree with this root", code="inclusion-failed")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that the tree `(new, new_root)` begins with the tree `(old, old_root)` (RFC 9162 section
    2.1.4.2).

    Raises `VerificationFailed` if it does not, or if the proof shows something else.
    """
    if not 0 <= old <= new:
        raise VerificationFailed(
            f"a tree of {new} leaves cannot extend one of {old}", code="consistency-failed"
        )
    _check_lengths((old_root, new_root, *proof), "consistency-failed")
    if old in {0, new}:
        if proof or old_root != (new_root if old == new else EMPTY_ROOT):
            raise VerificationFailed("the roots of equal trees differ", code="consistency-failed")
        return
    # A complete old tree is itself a node on the path; the prover leaves it out.
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not proof:
        raise VerificationFailed("the consistency proof is too short", code="consistency-failed")
    left, last = old - 1, new - 1
    while left & 1:
        left, last = left >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise VerificationFailed("the consistency proof is too long", code="consistency-failed")
        if left & 1 or left == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not left & 1 and left:
                left, last = left >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        left, last = left >> 1, last >> 1
    if last:
        raise VerificationFailed("the consistency proof is too short", code="consistency-failed")
    if before != old_root or after != new_root:
        which = "old" if before != old_root else "new"
        raise VerificationFailed(
            f"the tree of {new} leaves does not extend the tree of {old}: the {which} root differs",
            code="consistency-failed",
        )


def _check_lengths(hashes: Iterable[bytes], code: str) -> None:
    if any(len(item) != HASH_SIZE for item in hashes):
        raise VerificationFailed("a hash of a Merkle proof is 32 bytes", code=code)


def _split(width: int) -> int:
    """Return the largest power of two below `width` (RFC 6962: k < n <= 2k)."""
    return 1 << ((width - 1).bit_length() - 1)


def _cover(start: int, end: int) -> list[tuple[int, int]]:
    """Return the complete subtrees of the leaves `start` to `end`, left to right.

    INVARIANT: `start` is a multiple of the largest power of two that is not above `end - start`, as in every
    subtree of RFC 6962; so the subtrees shrink from left to right.
    """
    nodes: list[tuple[int, int]] = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def _fold(nodes: Sequence[bytes]) -> bytes:
    """Hash neighbouring complete subtrees, largest first, into the root above them."""
    node = nodes[-1]
    for left in reversed(nodes[:-1]):
        node = node_hash(left, node)
    return node


def _tile(level: int, index: int) -> tuple[int, int]:
    """Return the tile that yields a node: its stored level, and its place in that level."""
    height = level % TILE_HEIGHT
    return level - height, index >> (TILE_HEIGHT - height)


def _tile_range(level: int, tile: int, size: int) -> tuple[int, int, int]:
    start = tile * TILE_WIDTH
    return level, start, min(TILE_WIDTH, (size >> level) - start)
