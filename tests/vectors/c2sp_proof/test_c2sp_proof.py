# SPDX-License-Identifier: Apache-2.0
"""C2SP tlog-proof@v1: a fixed receipt of our own, and every way to break it.

The tree holds the leaves `event 0` to `event 6`; its checkpoint is signed with the Ed25519 seed 00..1f.
"""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from remit.core.errors import Malformed, VerificationFailed
from remit.core.evidence import checkpoint as cp
from remit.core.evidence import merkle
from tests.refusals import refused

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG = cp.VerifierKey("log.example/acme", SIGNER.public_key().public_bytes_raw())
LEAVES = [f"event {number}".encode() for number in range(7)]

FIXED = """c2sp.org/tlog-proof@v1
extra YWdlLXYxLjIuMQ==
index 4
0GLeeAZ2n1dRjcBuSvzKyiyPkDm/PEFevBeHJQKpIEw=
6Fbu9QYI6NXK/lRH9usb0/rwr8bz7lF7JmNRu5TfRuY=
f0l1rlueoFoa1OtGPV8gkkCHBI6XjPazQgNu7FyQV+Y=

log.example/acme
7
tB1hsuDNzm6A+zectuO70A/7f7O6qCUZXvH4oOkWvX8=

— log.example/acme \
u3VmNKNDU4AY32g+iUJ2YaZavgbKfDPbCFfptxF2fGor92k8CO0UkZrJHZyWJC7ohIQCWlNLISXgQ94+zQB1k9CBEw8=
"""


def _receipt(index: int, extra: bytes = b"") -> cp.LogProof:
    hashes = [merkle.leaf_hash(leaf) for leaf in LEAVES]
    frontier, _ = merkle.new_tile_nodes(merkle.Frontier(), hashes)
    reader = merkle.TileReader(lambda _level, start, count: hashes[start : start + count], len(hashes))
    path = tuple(merkle.inclusion_proof(index, len(hashes), reader))
    note = cp.sign_checkpoint(cp.Checkpoint(LOG.name, len(hashes), frontier.root()), LOG, SIGNER.sign)
    return cp.LogProof(index, path, note.encode(), extra)


def test_a_receipt_is_fixed_byte_for_byte() -> None:
    """The format does not drift, and what is written is read back and verifies."""
    receipt = _receipt(4, b"age-v1.2.1")
    assert receipt.encode().decode() == FIXED
    again = cp.LogProof.parse(FIXED.encode())
    assert again == receipt
    assert again.verify(LEAVES[4], LOG).checkpoint.size == 7


@pytest.mark.parametrize("index", range(7))
def test_every_leaf_has_a_receipt_that_is_for_it_alone(index: int) -> None:
    """A receipt verifies for its own leaf and no other."""
    receipt = cp.LogProof.parse(_receipt(index).encode())
    receipt.verify(LEAVES[index], LOG)
    for other in range(7):
        if other != index:
            with refused("inclusion-failed", VerificationFailed):
                receipt.verify(LEAVES[other], LOG)


def test_a_log_of_one_leaf_has_a_receipt_without_path() -> None:
    """The smallest receipt has no hashes between its index and its checkpoint."""
    note = cp.sign_checkpoint(cp.Checkpoint(LOG.name, 1, merkle.leaf_hash(b"only")), LOG, SIGNER.sign)
    receipt = cp.LogProof(0, (), note.encode())
    assert cp.LogProof.parse(receipt.encode()) == receipt
    receipt.verify(b"only", LOG)


def test_a_change_of_any_line_of_a_receipt_is_noticed() -> None:
    """Index, each hash of the path, size, root and signature: no line can be changed unnoticed."""
    lines = FIXED.split("\n")
    for number, line in enumerate(lines):
        if not line or line.startswith("extra "):
            continue
        at = len(line) // 2
        changed = line[:at] + ("1" if line[at] != "1" else "2") + line[at + 1 :]
        data = "\n".join([*lines[:number], changed, *lines[number + 1 :]])
        with pytest.raises((Malformed, VerificationFailed)):
            cp.LogProof.parse(data.encode()).verify(LEAVES[4], LOG)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tlog-proof@v1", "tlog-proof@v2"),
        ("index 4", "index 04"),
        ("index 4", "Index 4"),
        ("index 4", "index"),
        ("index 4\n", ""),
        ("extra ", "extra  "),
        ("extra YWdl", "extra \nYWdl"),
        ("\n\n", "\n"),
        ("index 4\n", "index 4\nAAAA\n"),
        ("index 4\n", "index 4\n\u00e9\n"),
        ("index 4\n", "index 4\n" + "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n" * 64),
    ],
)
def test_a_mangled_receipt_is_refused(old: str, new: str) -> None:
    """What is not exactly the format is refused before anything is verified."""
    assert old in FIXED
    with refused("malformed", Malformed):
        cp.LogProof.parse(FIXED.replace(old, new, 1).encode()).verify(LEAVES[4], LOG)
