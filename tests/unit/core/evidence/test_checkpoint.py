# SPDX-License-Identifier: Apache-2.0
"""Checkpoints, notes and receipts at their edges: what is one, and by which code the rest is refused."""

import base64
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from remit.core.errors import Malformed, VerificationFailed
from remit.core.evidence import checkpoint as cp
from remit.core.evidence import merkle
from tests.refusals import refused

SIGNERS = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(1, 5)]
LOG = cp.VerifierKey("log.example", SIGNERS[0].public_key().public_bytes_raw())
WITNESSES = [
    cp.VerifierKey(f"w{n}.example", SIGNERS[n].public_key().public_bytes_raw(), cp.COSIGNATURE_V1)
    for n in (1, 2, 3)
]
LEAVES = [b"a", b"b", b"c"]
HASHES = [merkle.leaf_hash(leaf) for leaf in LEAVES]
TREE = merkle.new_tile_nodes(merkle.Frontier(), HASHES)[0]
HEAD = cp.Checkpoint("log.example", 3, TREE.root())
ROOT = base64.b64encode(HEAD.root).decode()
MOST = 2**63 - 1


def signed(head: cp.Checkpoint = HEAD) -> cp.Note:
    """Return the log's own note."""
    return cp.sign_checkpoint(head, LOG, SIGNERS[0].sign)


def cosigned(*which: int, timestamp: int = 1) -> cp.Note:
    """Return a note that witnesses have signed, too."""
    note = signed()
    for n in which:
        note = cp.cosign_checkpoint(note, WITNESSES[n - 1], SIGNERS[n].sign, timestamp=timestamp)
    return note


@pytest.mark.parametrize(
    ("size", "extensions"), [(0, ()), (1, ()), (MOST, ()), (3, ("one",)), (3, ("one", "two words"))]
)
def test_a_checkpoint_is_read_as_it_was_written(size: int, extensions: tuple[str, ...]) -> None:
    """Of no leaves or as many as there may be, with whatever lines follow the root."""
    head = cp.Checkpoint("log.example", size, HEAD.root, extensions)
    assert cp.Checkpoint.parse(head.body()) == head
    assert cp.open_checkpoint(signed(head).encode(), LOG).checkpoint == head


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"log.example\n3\n",
        f"log.example\n3\n{ROOT}".encode(),
        f"\n3\n{ROOT}\n".encode(),
        f"log\texample\n3\n{ROOT}\n".encode(),
        f"log.example\n03\n{ROOT}\n".encode(),
        f"log.example\n\n{ROOT}\n".encode(),
        f"log.example\n-3\n{ROOT}\n".encode(),
        f"log.example\n\N{ARABIC-INDIC DIGIT THREE}\n{ROOT}\n".encode(),
        f"log.example\n\N{SUPERSCRIPT THREE}\n{ROOT}\n".encode(),
        f"log.example\n{MOST + 1}\n{ROOT}\n".encode(),
        f"log.example\n{10**19}\n{ROOT}\n".encode(),
        f"log.example\n3\n{ROOT[:-1]}\n".encode(),
        b"log.example\n3\nAAAA\n",
        f"log.example\n3\n{ROOT}\n\n".encode(),
        f"log.example\n3\n{ROOT}\na\x1fb\n".encode(),
        b"\xff\n3\nAAAA\n",
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused(body: bytes) -> None:
    """Origin, size in its shortest form, root of 32 bytes, and no empty line or control character."""
    with refused("malformed", Malformed):
        cp.Checkpoint.parse(body)


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [
        ("", 1, HEAD.root),
        ("a\nb", 1, HEAD.root),
        ("a", -1, HEAD.root),
        ("a", MOST + 1, HEAD.root),
        ("a", 1, HEAD.root[1:]),
        ("a", 1, HEAD.root + b"x"),
    ],
)
def test_a_head_that_cannot_be_written_is_refused(origin: str, size: int, root: bytes) -> None:
    """The refusal precedes any signature."""
    with refused("malformed", Malformed):
        cp.Checkpoint(origin, size, root)


def a_note(lines: int, *, text: str = "text\n") -> bytes:
    """Return a note with so many signature lines."""
    line = f"\u2014 key {base64.b64encode(b'12345').decode()}\n"
    return (text + "\n" + line * lines).encode()


def test_a_note_has_at_most_its_bounds() -> None:
    """So many signatures, so many bytes; a signature has four bytes of key id and one more."""
    assert len(cp.Note.parse(a_note(cp.MAX_SIGNATURES)).signatures) == cp.MAX_SIGNATURES
    with refused("too-large", Malformed):
        cp.Note.parse(a_note(cp.MAX_SIGNATURES + 1))
    at_most = a_note(1, text="x" * (cp.MAX_NOTE_BYTES - len(a_note(1, text="\n"))) + "\n")
    assert len(at_most) == cp.MAX_NOTE_BYTES
    assert cp.Note.parse(at_most).signatures[0].value == b"5"
    with refused("too-large", Malformed):
        cp.Note.parse(b"x" + at_most)
    short = base64.b64encode(b"1234").decode()
    with refused("malformed", Malformed):
        cp.Note.parse(f"text\n\n\u2014 key {short}\n".encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        a_note(1)[:-1],
        a_note(1).replace(b"\n\n", b"\n"),
        a_note(1).replace(b"key", b""),
        a_note(1).replace(b"key", b"k+y"),
        a_note(1).replace(b"key", b"k\x1fy"),
        a_note(1).replace("\u2014 ".encode(), b""),
        a_note(1).replace(b"text", b"te\x00xt"),
        a_note(1).replace(b"text", b"te\xffxt"),
    ],
)
def test_bytes_that_are_no_note_are_refused(data: bytes) -> None:
    """A text, an empty line, and at least one signature line."""
    with refused("malformed", Malformed):
        cp.Note.parse(data)


def test_a_text_may_have_empty_lines_of_its_own() -> None:
    """The last one parts it from its signatures."""
    note = cp.Note.parse(a_note(2, text="one\n\ntwo\n"))
    assert note.text == "one\n\ntwo\n"
    assert len(note.signatures) == 2
    assert note.encode() == a_note(2, text="one\n\ntwo\n")


def test_a_keys_later_line_takes_the_place_of_its_earlier_one() -> None:
    """Of another key, or another name, the line stays."""
    one, other = cp.Signature("a", b"1234", b"x"), cp.Signature("b", b"1234", b"x")
    third = cp.Signature("a", b"1235", b"x")
    note = cp.Note("t\n", (one, other, third))
    again = note.with_signature(cp.Signature("a", b"1234", b"y"))
    assert again.signatures == (other, third, cp.Signature("a", b"1234", b"y"))


def test_a_checkpoint_is_opened_with_the_keys_that_the_reader_trusts() -> None:
    """Each refusal has its code: of another log, not signed, or signed by another party in its name."""
    data = signed().encode()
    assert cp.open_checkpoint(data, LOG).cosignatures == ()
    assert cp.open_checkpoint(data, LOG, origin="log.example").log == LOG
    with refused("origin-mismatch", VerificationFailed):
        cp.open_checkpoint(data, LOG, origin="else.example")
    other = cp.VerifierKey("log.example", SIGNERS[1].public_key().public_bytes_raw())
    with refused("signature-missing", VerificationFailed):
        cp.open_checkpoint(data, other)
    (line,) = signed().signatures
    forged = cp.Note(HEAD.body().decode(), (cp.Signature(line.name, line.key_id, bytes(64)),))
    with refused("signature-invalid", VerificationFailed):
        cp.open_checkpoint(forged.encode(), LOG)
    # One good line does not make up for a bad one.
    both = cp.Note(forged.text, (line, *forged.signatures))
    with refused("signature-invalid", VerificationFailed):
        cp.open_checkpoint(both.encode(), LOG)
    as_witness = cp.VerifierKey(LOG.name, LOG.public, cp.COSIGNATURE_V1)
    with refused("verification-failed", VerificationFailed):
        cp.open_checkpoint(data, as_witness)
    with refused("verification-failed", VerificationFailed):
        cp.open_checkpoint(data, LOG, witnesses=[LOG])


@pytest.mark.parametrize(("which", "quorum", "code"), [((1, 2), 2, ""), ((1, 2), 3, "quorum-missing")])
def test_as_many_witnesses_as_asked_for_must_have_cosigned(
    which: tuple[int, ...], quorum: int, code: str
) -> None:
    """Different ones: neither one key under two names, nor the log itself."""
    data = cosigned(*which, timestamp=7).encode()
    if not code:
        opened = cp.open_checkpoint(data, LOG, witnesses=WITNESSES, quorum=quorum)
        assert [(one.key, one.timestamp) for one in opened.cosignatures] == [
            (WITNESSES[0], 7),
            (WITNESSES[1], 7),
        ]
        return
    with refused(code, VerificationFailed):
        cp.open_checkpoint(data, LOG, witnesses=WITNESSES, quorum=quorum)


def test_one_witness_under_two_names_is_one() -> None:
    """And the log that witnesses itself is none."""
    twin = cp.VerifierKey("twin.example", WITNESSES[0].public, cp.COSIGNATURE_V1)
    note = cp.cosign_checkpoint(cosigned(1), twin, SIGNERS[1].sign, timestamp=1)
    known = [WITNESSES[0], twin]
    assert len(cp.open_checkpoint(note.encode(), LOG, witnesses=known, quorum=1).cosignatures) == 2
    with refused("quorum-missing", VerificationFailed):
        cp.open_checkpoint(note.encode(), LOG, witnesses=known, quorum=2)
    itself = cp.VerifierKey("self.example", LOG.public, cp.COSIGNATURE_V1)
    note = cp.cosign_checkpoint(signed(), itself, SIGNERS[0].sign, timestamp=1)
    with refused("quorum-missing", VerificationFailed):
        cp.open_checkpoint(note.encode(), LOG, witnesses=[itself], quorum=1)


def test_a_bad_line_of_a_known_witness_refuses_the_whole() -> None:
    """A bad line of an unknown witness is ignored."""
    note = cosigned(1)
    bad = cp.Signature(WITNESSES[1].name, WITNESSES[1].key_id, struct.pack(">Q", 1) + bytes(64))
    data = cp.Note(note.text, (*note.signatures, bad)).encode()
    with refused("signature-invalid", VerificationFailed):
        cp.open_checkpoint(data, LOG, witnesses=WITNESSES, quorum=1)
    assert cp.open_checkpoint(data, LOG, witnesses=WITNESSES[:1], quorum=1).cosignatures
    late = cp.Signature(WITNESSES[0].name, WITNESSES[0].key_id, struct.pack(">Q", MOST + 1) + bytes(64))
    with refused("signature-invalid", VerificationFailed):
        cp.open_checkpoint(cp.Note(note.text, (*note.signatures, late)).encode(), LOG, witnesses=WITNESSES)


def test_of_two_lines_of_a_witness_the_first_time_counts() -> None:
    """Both must hold."""
    first, second = (cosigned(1, timestamp=t).signatures[-1] for t in (5, 9))
    note = cp.Note(signed().text, (*signed().signatures, first, second))
    opened = cp.open_checkpoint(note.encode(), LOG, witnesses=WITNESSES)
    assert [one.timestamp for one in opened.cosignatures] == [5]


@pytest.mark.parametrize(("timestamp", "fits"), [(-1, False), (0, True), (MOST, True), (MOST + 1, False)])
def test_a_cosignature_has_a_time_that_can_be_written(timestamp: int, fits: bool) -> None:
    """From 0 to the largest of 63 bits."""
    if fits:
        opened = cp.open_checkpoint(cosigned(1, timestamp=timestamp).encode(), LOG, witnesses=WITNESSES)
        assert opened.cosignatures[0].timestamp == timestamp
    else:
        with refused("malformed", Malformed):
            cosigned(1, timestamp=timestamp)


def test_nothing_leaves_that_its_own_key_does_not_verify() -> None:
    """Nor is a key used for what it is not."""
    with refused("signature-invalid", VerificationFailed):
        cp.sign_checkpoint(HEAD, LOG, SIGNERS[1].sign)
    with refused("signature-invalid", VerificationFailed):
        cp.cosign_checkpoint(signed(), WITNESSES[0], SIGNERS[0].sign, timestamp=1)
    with refused("malformed", Malformed):
        cp.sign_checkpoint(HEAD, WITNESSES[0], SIGNERS[1].sign)
    with refused("malformed", Malformed):
        cp.cosign_checkpoint(signed(), LOG, SIGNERS[0].sign, timestamp=1)


def a_receipt(index: int = 1, extra: bytes = b"") -> cp.LogProof:
    """Return the receipt of a leaf."""
    path = merkle.inclusion_proof(index, 3, _node)
    return cp.LogProof(index, tuple(path), signed().encode(), extra)


def _node(level: int, at: int) -> bytes:
    return merkle.new_tile_nodes(merkle.Frontier(), HASHES[at << level : (at + 1) << level])[0].root()


@pytest.mark.parametrize("extra", [b"", b"x", b"\x00\xff"])
def test_a_receipt_is_read_as_it_was_written_and_holds(extra: bytes) -> None:
    """For its leaf, its log, and no other."""
    receipt = a_receipt(extra=extra)
    assert cp.LogProof.parse(receipt.encode()) == receipt
    assert receipt.verify(b"b", LOG).checkpoint == HEAD
    with refused("inclusion-failed", VerificationFailed):
        receipt.verify(b"c", LOG)
    with refused("inclusion-failed", VerificationFailed):
        cp.LogProof(2, receipt.path, receipt.checkpoint).verify(b"b", LOG)
    with refused("origin-mismatch", VerificationFailed):
        receipt.verify(b"b", LOG, origin="else.example")
    with refused("quorum-missing", VerificationFailed):
        receipt.verify(b"b", LOG, witnesses=WITNESSES, quorum=1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (cp.PROOF_HEADER.encode(), b"c2sp.org/tlog-proof@v2"),
        (b"index 1", b"index 01"),
        (b"index 1", b"indes 1"),
        (b"index 1\n", b""),
        (b"index", b"extra !\nindex"),
        (b"index", b"ind\xffex"),
        (b"\n\n", b"\n"),
    ],
)
def test_a_text_that_is_no_receipt_is_refused(old: bytes, new: bytes) -> None:
    """Its header, its index and its hashes, each in one spelling."""
    data = a_receipt().encode()
    assert old in data
    with refused("malformed", Malformed):
        cp.LogProof.parse(data.replace(old, new, 10 if old == b"\n\n" else 1))


@pytest.mark.parametrize(("hashes", "size", "fits"), [(63, 32, True), (64, 32, False), (1, 31, False)])
def test_a_receipt_has_a_path_of_a_tree(hashes: int, size: int, fits: bool) -> None:
    """At most 63 hashes of 32 bytes."""
    data = cp.LogProof(1, (bytes(size),) * hashes, signed().encode()).encode()
    if fits:
        assert len(cp.LogProof.parse(data).path) == hashes
    else:
        with refused("malformed", Malformed):
            cp.LogProof.parse(data)


def test_a_receipt_is_no_larger_than_two_notes() -> None:
    """What is larger is not read."""
    data = a_receipt().encode()
    at_most = data + b"x" * (2 * cp.MAX_NOTE_BYTES - len(data))
    assert cp.LogProof.parse(at_most).index == 1
    with refused("too-large", Malformed):
        cp.LogProof.parse(at_most + b"x")


@pytest.mark.parametrize("name", ["", "a+b", "a b", "a\tb", "a\x1fb"])
def test_a_key_has_a_name_that_a_line_can_hold(name: str) -> None:
    """No blank, no plus, no control character; and 32 bytes of a known type."""
    with refused("malformed", Malformed):
        cp.VerifierKey(name, LOG.public)
    with refused("malformed", Malformed):
        cp.VerifierKey("log.example", LOG.public[1:])
    with refused("malformed", Malformed):
        cp.VerifierKey("log.example", LOG.public, 3)
