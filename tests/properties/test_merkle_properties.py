# SPDX-License-Identifier: Apache-2.0
"""The tree against RFC 6962 section 2.1 written down word by word, and its proofs against tampering."""

import functools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.errors import Malformed, VerificationFailed
from remit.core.evidence import merkle
from tests.refusals import refused

MOST = 600
LEAVES = [merkle.leaf_hash(f"leaf {number}".encode()) for number in range(MOST)]


@functools.cache
def naive_root(start: int, end: int) -> bytes:
    """MTH of RFC 6962 section 2.1."""
    width = end - start
    if width == 0:
        return merkle.EMPTY_ROOT
    if width == 1:
        return LEAVES[start]
    k = 1
    while k * 2 < width:
        k *= 2
    return merkle.node_hash(naive_root(start, start + k), naive_root(start + k, end))


def naive_path(m: int, start: int, end: int) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1."""
    width = end - start
    if width == 1:
        return []
    k = 1
    while k * 2 < width:
        k *= 2
    if m < k:
        return [*naive_path(m, start, start + k), naive_root(start + k, end)]
    return [*naive_path(m - k, start + k, end), naive_root(start, start + k)]


def naive_subproof(m: int, start: int, end: int, *, known: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962 section 2.1.2."""
    width = end - start
    if m == width:
        return [] if known else [naive_root(start, end)]
    k = 1
    while k * 2 < width:
        k *= 2
    if m <= k:
        return [*naive_subproof(m, start, start + k, known=known), naive_root(start + k, end)]
    return [*naive_subproof(m - k, start + k, end, known=False), naive_root(start, start + k)]


class Tiles:
    """A store like that of an evidence log: leaf hashes, and the nodes of levels 8, 16, ... as born."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.frontier, born = merkle.new_tile_nodes(merkle.Frontier(), leaves)
        self.rows: dict[int, list[bytes]] = {0: list(leaves)}
        self.reads: list[tuple[int, int, int]] = []
        for node in born:
            row = self.rows.setdefault(node.level, [])
            assert node.index == len(row)
            row.append(node.hash)

    def read_range(self, level: int, start: int, count: int) -> list[bytes]:
        """Read as a range query of a store does."""
        self.reads.append((level, start, count))
        return self.rows[level][start : start + count]

    def reader(self) -> merkle.TileReader:
        """Return a fresh reader over the whole tree."""
        return merkle.TileReader(self.read_range, self.frontier.size)


TILES = Tiles(LEAVES)


def _naive_reader(level: int, index: int) -> bytes:
    return naive_root(index << level, (index + 1) << level)


def test_every_size_has_the_root_of_the_definition() -> None:
    """A frontier grown leaf by leaf has the root of RFC 6962 at each size, and can be written down."""
    frontier = merkle.Frontier()
    assert frontier.root() == merkle.EMPTY_ROOT
    for size, leaf in enumerate(LEAVES, start=1):
        frontier = frontier.append(leaf)
        assert frontier.size == size
        assert frontier.root() == naive_root(0, size)
        assert merkle.Frontier.from_bytes(frontier.to_bytes()) == frontier
        assert merkle.root_at(size, TILES.reader()) == frontier.root()


def test_every_inclusion_proof_of_small_trees_is_the_definition_and_verifies() -> None:
    """For all leaves of all sizes up to 70: the path of RFC 6962, and it verifies."""
    for size in range(1, 71):
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, _naive_reader)
            assert proof == naive_path(index, 0, size)
            merkle.verify_inclusion(LEAVES[index], index, size, proof, naive_root(0, size))


def test_every_consistency_proof_of_small_trees_is_the_definition_and_verifies() -> None:
    """For all pairs of sizes up to 70: the proof of RFC 6962, which verifies."""
    for new in range(71):
        for old in range(new + 1):
            proof = merkle.consistency_proof(old, new, _naive_reader)
            assert proof == ([] if old == 0 else naive_subproof(old, 0, new, known=True))
            merkle.verify_consistency(old, new, proof, naive_root(0, old), naive_root(0, new))


sizes = st.integers(1, MOST)


@given(sizes.flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))))
def test_an_inclusion_proof_from_tiles_is_the_definition(at: tuple[int, int]) -> None:
    """Reading only stored tiles, the proof is that of RFC 6962; a tile is read once, at most two a level."""
    index, size = at
    store = Tiles(LEAVES[:size])
    proof = merkle.inclusion_proof(index, size, store.reader())
    assert proof == naive_path(index, 0, size)
    merkle.verify_inclusion(LEAVES[index], index, size, proof, naive_root(0, size))
    assert len(set(store.reads)) == len(store.reads)
    assert all(count <= 256 for _, _, count in store.reads)
    assert all(sum(level == other for other, _, _ in store.reads) <= 2 for level in store.rows)


@given(sizes.flatmap(lambda new: st.tuples(st.integers(0, new), st.just(new))))
def test_a_consistency_proof_from_tiles_is_the_definition(pair: tuple[int, int]) -> None:
    """Reading only stored tiles of the larger tree, the proof is that of RFC 6962 and verifies."""
    old, new = pair
    proof = merkle.consistency_proof(old, new, Tiles(LEAVES[:new]).reader())
    assert proof == ([] if old == 0 else naive_subproof(old, 0, new, known=True))
    merkle.verify_consistency(old, new, proof, naive_root(0, old), naive_root(0, new))


@given(st.lists(st.integers(0, 40), max_size=8), st.integers(0, 300))
def test_it_does_not_matter_how_appends_are_grouped(groups: list[int], start: int) -> None:
    """Group commit of any shape gives the same frontier and the same nodes as one append after another."""
    frontier, born = merkle.new_tile_nodes(merkle.Frontier(), LEAVES[:start])
    at = start
    for width in groups:
        frontier, more = merkle.new_tile_nodes(frontier, LEAVES[at : at + width])
        at += width
        born += more
    assert (frontier, born) == merkle.new_tile_nodes(merkle.Frontier(), LEAVES[: start + sum(groups)][:at])


def _fails(check: Callable[[], None]) -> bool:
    try:
        check()
    except VerificationFailed as refusal:
        return refusal.code in ("inclusion-failed", "consistency-failed")
    return False


@given(st.data())
def test_a_proof_of_inclusion_proves_nothing_else(data: st.DataObject) -> None:
    """One bit, one hash more or less, another leaf, index or size: the same proof no longer verifies."""
    size = data.draw(sizes)
    index = data.draw(st.integers(0, size - 1))
    root = naive_root(0, size)
    proof = naive_path(index, 0, size)
    bit = data.draw(st.integers(0, 255))
    flipped = bytearray(proof[at := data.draw(st.integers(0, len(proof) - 1))]) if proof else bytearray(root)
    flipped[bit // 8] ^= 1 << bit % 8
    if proof:
        assert _fails(
            lambda: merkle.verify_inclusion(
                LEAVES[index], index, size, [*proof[:at], bytes(flipped), *proof[at + 1 :]], root
            )
        )
        assert _fails(lambda: merkle.verify_inclusion(LEAVES[index], index, size, proof[:-1], root))
        assert _fails(lambda: merkle.verify_inclusion(LEAVES[index], index, size, proof[1:], root))
    assert _fails(lambda: merkle.verify_inclusion(LEAVES[index], index, size, [*proof, root], root))
    assert _fails(lambda: merkle.verify_inclusion(bytes(32), index, size, proof, root))
    other = data.draw(st.integers(-1, size + 1).filter(lambda number: number != index))
    assert _fails(lambda: merkle.verify_inclusion(LEAVES[index], other, size, proof, root))


@given(st.data())
def test_a_rewritten_history_is_not_consistent(data: st.DataObject) -> None:
    """If any leaf of the old tree is changed, no proof of the new tree verifies against the old root."""
    new = data.draw(st.integers(2, 200))
    old = data.draw(st.integers(1, new - 1))
    changed = data.draw(st.integers(0, old - 1))
    forged = Tiles([bytes(32) if at == changed else leaf for at, leaf in enumerate(LEAVES[:new])])
    proof = merkle.consistency_proof(old, new, forged.reader())
    assert _fails(
        lambda: merkle.verify_consistency(old, new, proof, naive_root(0, old), forged.frontier.root())
    )
    honest = naive_subproof(old, 0, new, known=True)
    assert _fails(
        lambda: merkle.verify_consistency(old, new, honest, naive_root(0, old), forged.frontier.root())
    )


def test_a_large_tree_proves_from_its_tiles() -> None:
    """70,000 leaves have nodes of levels 8 and 16, and their proofs read at most two tiles of each level."""
    leaves = [number.to_bytes(32, "big") for number in range(70_000)]
    store = Tiles(leaves)
    assert {level: len(row) for level, row in store.rows.items()} == {0: 70_000, 8: 273, 16: 1}
    root = store.frontier.root()
    for index in (0, 1, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999):
        store.reads.clear()
        proof = merkle.inclusion_proof(index, 70_000, store.reader())
        merkle.verify_inclusion(leaves[index], index, 70_000, proof, root)
        assert all(sum(level == other for other, _, _ in store.reads) <= 2 for level in store.rows)
    for old in (1, 256, 65_535, 65_536, 65_537, 69_999):
        before = merkle.new_tile_nodes(merkle.Frontier(), leaves[:old])[0].root()
        merkle.verify_consistency(
            old, 70_000, merkle.consistency_proof(old, 70_000, store.reader()), before, root
        )


def test_a_store_that_lost_hashes_is_found_out() -> None:
    """A tile that comes back short is an error that says which hashes are missing."""
    store = Tiles(LEAVES[:100])
    del store.rows[0][50:]
    with pytest.raises(VerificationFailed) as lost:
        merkle.inclusion_proof(3, 100, store.reader())
    assert lost.value.code == "nodes-missing"


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\0" * 7 + b"\1", b"\0" * 8 + bytes(32), b"\0" * 8 + b"x"])
def test_a_frontier_that_no_tree_has_is_refused(data: bytes) -> None:
    """The number of peaks follows from the size."""
    with refused("malformed", Malformed):
        merkle.Frontier.from_bytes(data)


def test_a_proof_of_inclusion_holds_for_its_size_alone() -> None:
    """Under another size, smaller or larger, it does not hold."""
    for size in range(1, 34):
        root = naive_root(0, size)
        for index in range(size):
            proof = naive_path(index, 0, size)
            merkle.verify_inclusion(LEAVES[index], index, size, proof, root)
            for wrong in {0, index, size - 1, size + 1, 2 * size, 2 * size + 1, 64} - {size}:
                other = naive_root(0, wrong)
                if index < wrong and naive_path(index, 0, wrong) == proof:
                    # Sizes in which the leaf has the same siblings: the roots differ.
                    assert other != root
                    continue
                with refused("inclusion-failed", VerificationFailed):
                    merkle.verify_inclusion(LEAVES[index], index, wrong, proof, other)
                if wrong <= index or len(naive_path(index, 0, wrong)) != len(proof):
                    with refused("inclusion-failed", VerificationFailed):
                        merkle.verify_inclusion(LEAVES[index], index, wrong, proof, root)


@pytest.mark.parametrize(
    ("proof", "word"),
    [
        (lambda path: path[:-1], "short"),
        (lambda path: [*path, path[-1]], "long"),
        (lambda path: [], "short"),
        (lambda path: [bytes(32), *path[1:]], "root"),
        (lambda path: [path[0][:-1], *path[1:]], "32 bytes"),
    ],
)
def test_a_proof_that_fails_says_how(proof: Callable[[list[bytes]], list[bytes]], word: str) -> None:
    """Too short, too long, another root, or no hashes: each by the code of what was to be proven."""
    path = naive_path(3, 0, 7)
    with refused("inclusion-failed", VerificationFailed) as caught:
        merkle.verify_inclusion(LEAVES[3], 3, 7, proof(path), naive_root(0, 7))
    assert word in str(caught.value)
    grown = naive_subproof(3, 0, 7, known=True)
    with refused("consistency-failed", VerificationFailed) as caught:
        merkle.verify_consistency(3, 7, proof(grown), naive_root(0, 3), naive_root(0, 7))
    assert word in str(caught.value)


def test_a_growth_that_fails_says_which_root_is_another() -> None:
    """The old one, or the new one; equal sizes have equal roots, and no tree shrinks."""
    grown, old, new = naive_subproof(3, 0, 7, known=True), naive_root(0, 3), naive_root(0, 7)
    for roots, word in (((new, new), "the old root"), ((old, old), "the new root")):
        with refused("consistency-failed", VerificationFailed) as caught:
            merkle.verify_consistency(3, 7, grown, *roots)
        assert word in str(caught.value)
    for sizes_, proof, roots in (
        ((7, 3), grown, (new, old)),
        ((-1, 3), [], (new, old)),
        ((3, 3), [], (old, new)),
        ((3, 3), grown, (old, old)),
        ((0, 3), [], (old, old)),
        ((0, 3), grown, (merkle.EMPTY_ROOT, old)),
        ((3, 7), [old[:-1], *grown[1:]], (old, new)),
        ((3, 7), grown, (old[:-1], new)),
    ):
        with refused("consistency-failed", VerificationFailed):
            merkle.verify_consistency(*sizes_, proof, *roots)
    merkle.verify_consistency(0, 3, [], merkle.EMPTY_ROOT, old)
    merkle.verify_consistency(3, 3, [], old, old)


@pytest.mark.parametrize(("old", "new"), [(4, 3), (-1, 3)])
def test_what_no_tree_can_prove_is_refused(old: int, new: int) -> None:
    """A growth backwards, a leaf that is not there, a subtree that is not complete."""
    with refused("verification-failed", VerificationFailed):
        merkle.consistency_nodes(old, new)
    with refused("verification-failed", VerificationFailed):
        merkle.inclusion_nodes(old, 3) if old > 3 else merkle.inclusion_nodes(-1, 3)
    with refused("verification-failed", VerificationFailed):
        Tiles(LEAVES[:5]).reader()(2, 1)
    with refused("malformed", Malformed):
        merkle.Frontier().append(b"short")
    with refused("malformed", Malformed):
        merkle.Frontier(1, (b"short",))
    with refused("inclusion-failed", VerificationFailed):
        merkle.verify_inclusion(LEAVES[0], 3, 3, [], LEAVES[0])
