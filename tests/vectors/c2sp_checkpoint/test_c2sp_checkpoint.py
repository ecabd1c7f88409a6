# SPDX-License-Identifier: Apache-2.0
"""C2SP signed notes, checkpoints and cosignatures: published keys and notes, and fixed ones of our own.

Published: keys, note and manglings of `sumdb/note/note_test.go` in golang/mod (BSD-3-Clause); the witness key
of `note/note_cosigv1_test.go` in transparency-dev/formats (Apache-2.0). Our own: the checkpoint below was
signed with the Ed25519 seeds 00..1f (log) and 20..3f (witness); RFC 8032 makes signatures deterministic.
"""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from remit.core.errors import Malformed, VerificationFailed
from remit.core.evidence import checkpoint as cp
from tests.refusals import refused

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
WITNESS = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = (
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcE"
    "lZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "\u2014 EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCO"
    "Xm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)

LOG_SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WITNESS_SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
LOG = cp.VerifierKey("log.example/acme", LOG_SIGNER.public_key().public_bytes_raw())
WATCHER = cp.VerifierKey(
    "witness.example/w1", WITNESS_SIGNER.public_key().public_bytes_raw(), cp.COSIGNATURE_V1
)
HEAD = cp.Checkpoint(
    "log.example/acme", 20852163, base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
)


@pytest.mark.parametrize("text", [PETER, ENOCH, WITNESS])
def test_a_published_verifier_key_is_read_and_written(text: str) -> None:
    """Name, type and key id of the published keys are as published."""
    assert str(cp.VerifierKey.parse(text)) == text


def test_no_mangling_of_a_verifier_key_is_read() -> None:
    """No part of a key, no key with one byte raised, no longer key and no unknown type passes for a key."""
    mangled = [PETER[i:j] for i in range(len(PETER)) for j in range(i + 1, len(PETER) + 1)][:-1]
    mangled = [text for text in mangled if text != PETER]
    mangled += [PETER[:i] + chr(ord(PETER[i]) + 1) + PETER[i + 1 :] for i in range(len(PETER))]
    mangled += [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "",
    ]
    for text in mangled:
        with refused("malformed", Malformed):
            cp.VerifierKey.parse(text)


def test_a_published_note_is_signed_byte_for_byte() -> None:
    """Signing the published text with its key gives the published note; both signatures verify."""
    peter, enoch = cp.VerifierKey.parse(PETER), cp.VerifierKey.parse(ENOCH)
    signature = Ed25519PrivateKey.from_private_bytes(PETER_SEED).sign(TEXT.encode())
    note = cp.Note(TEXT).with_signature(cp.Signature(peter.name, peter.key_id, signature))
    assert note.encode() == (TEXT + "\n" + PETER_LINE).encode()
    again = cp.Note.parse((TEXT + "\n" + PETER_LINE + ENOCH_LINE).encode())
    assert again.text == TEXT
    for key, line in zip((peter, enoch), again.signatures, strict=True):
        assert (line.name, line.key_id) == (key.name, key.key_id)
        assert key.verifies(TEXT.encode(), line.value)
        assert not key.verifies(TEXT.encode() + b"\n", line.value)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT + "\n",
        TEXT + "\n" + PETER_LINE[:-1],
        "\x01" + TEXT + "\n" + PETER_LINE,
        TEXT.replace("\n", "\r\n") + "\n" + PETER_LINE,
        TEXT + "\n" + PETER_LINE.replace("PeterNeumann", "Bad Name"),
        TEXT + "\n" + PETER_LINE.replace("PeterNeumann", "Bad+Name"),
        TEXT + "\n" + PETER_LINE.replace("PeterNeumann", "Bad\u2003Name"),
        TEXT + "\n" + PETER_LINE + "Unexpected line.\n",
        TEXT + "\n" + PETER_LINE.replace("\u2014", "-"),
        TEXT + "\n" + PETER_LINE.replace("AM=", "AN="),
        TEXT + "\n\u2014 short AAAAAA==\n",
    ],
)
def test_a_mangled_note_is_refused(text: str) -> None:
    """What the reference implementation calls a malformed note is one here."""
    with refused("malformed", Malformed):
        cp.Note.parse(text.encode())


def test_bytes_that_are_not_utf8_are_no_note() -> None:
    """A note is UTF-8 throughout."""
    with refused("malformed", Malformed):
        cp.Note.parse(b"\xff" + (TEXT + "\n" + PETER_LINE).encode())


FIXED = """log.example/acme
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— log.example/acme \
u3VmNKRM6BgzeJC8ae96efnuLO/rbdE9Wrd4Z9eiw3ACIK+tZds3sjATFmR7gtdUA+ytp6fPF8B2zKF/OLa/9E3VzwU=
— witness.example/w1 \
IDJKvgAAAABkGFDLV9XJuV1top/5W3wL05ElB2+GDgwooXeo3gbVp4Jvwp0u5sbqRRp47ZOUPVA2t3ZZqigE+pSmny9Y1rAsrJj7DA==
"""


def _cosigned() -> cp.Note:
    note = cp.sign_checkpoint(HEAD, LOG, LOG_SIGNER.sign)
    return cp.cosign_checkpoint(note, WATCHER, WITNESS_SIGNER.sign, timestamp=1679315147)


def test_a_checkpoint_with_its_cosignature_is_fixed_byte_for_byte() -> None:
    """The format does not drift: the same keys, head and time give the same note, and it opens."""
    assert _cosigned().encode().decode() == FIXED
    opened = cp.open_checkpoint(FIXED.encode(), LOG, witnesses=[WATCHER], quorum=1)
    assert opened.checkpoint == HEAD
    assert opened.cosignatures == (cp.Cosignature(WATCHER, 1679315147),)


def test_lines_by_unknown_keys_are_ignored() -> None:
    """A stranger's line neither helps nor harms."""
    stranger = cp.Signature("stranger.example", b"\0\0\0\0", bytes(64))
    data = _cosigned().with_signature(stranger).encode()
    assert cp.open_checkpoint(data, LOG).cosignatures == ()
    assert len(cp.open_checkpoint(data, LOG, witnesses=[WATCHER]).cosignatures) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: text.replace("20852163", "20852164"), "signature-invalid"),
        (lambda text: text.replace("CsUY", "CsUZ"), "signature-invalid"),
        (lambda text: text.replace("q2I=\n", "q2I=\nmore\n", 1), "signature-invalid"),
        (lambda text: text.replace("log.example/acme\n", "log.example/other\n", 1), "origin-mismatch"),
        (
            lambda text: text.replace("\u2014 log.example/acme", "\u2014 log.example/else"),
            "signature-missing",
        ),
        (
            lambda text: text.replace("\u2014 witness.example/w1", "\u2014 witness.example/w2"),
            "quorum-missing",
        ),
        (lambda text: text.replace("AAAABk", "AAAABl"), "signature-invalid"),
    ],
)
def test_a_changed_checkpoint_is_refused(change: object, code: str) -> None:
    """Size, root, an added line, origin, signer, cosignature, its time: each change has its code."""
    assert callable(change)
    changed = change(FIXED)
    assert changed != FIXED
    with pytest.raises(VerificationFailed) as refusal:
        cp.open_checkpoint(changed.encode(), LOG, witnesses=[WATCHER], quorum=1)
    assert refusal.value.code == code


def test_one_witness_under_two_names_counts_once() -> None:
    """A quorum is of different public keys, and the log's own is none of them."""
    alias = cp.VerifierKey("witness.example/alias", WATCHER.public, cp.COSIGNATURE_V1)
    own = cp.VerifierKey("witness.example/own", LOG.public, cp.COSIGNATURE_V1)
    note = cp.cosign_checkpoint(_cosigned(), alias, WITNESS_SIGNER.sign, timestamp=1679315148)
    note = cp.cosign_checkpoint(note, own, LOG_SIGNER.sign, timestamp=1679315149)
    known = [WATCHER, alias, own]
    assert len(cp.open_checkpoint(note.encode(), LOG, witnesses=known, quorum=1).cosignatures) == 3
    with pytest.raises(VerificationFailed) as refusal:
        cp.open_checkpoint(note.encode(), LOG, witnesses=known, quorum=2)
    assert refusal.value.code == "quorum-missing"


def test_a_key_has_one_role() -> None:
    """A witness's key does not sign for a log, nor a log's key for a witness."""
    with refused("malformed", Malformed):
        cp.sign_checkpoint(HEAD, WATCHER, WITNESS_SIGNER.sign)
    with refused("malformed", Malformed):
        cp.cosign_checkpoint(_cosigned(), LOG, LOG_SIGNER.sign, timestamp=1)
    with refused("verification-failed", VerificationFailed):
        cp.open_checkpoint(FIXED.encode(), WATCHER, origin=HEAD.origin)
    with refused("verification-failed", VerificationFailed):
        cp.open_checkpoint(FIXED.encode(), LOG, witnesses=[LOG])


def test_a_signature_that_its_key_does_not_verify_never_leaves() -> None:
    """A signer that holds another key is found out when it signs."""
    with refused("signature-invalid", VerificationFailed):
        cp.sign_checkpoint(HEAD, LOG, WITNESS_SIGNER.sign)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "log\n1\n",
        "log\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "log\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "log\n\u0661\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "log\n9223372036854775808\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n",
        "log\n1\nAAAA\n",
        "\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n",
        "log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\nopen line",
    ],
)
def test_a_body_that_is_no_checkpoint_is_refused(body: str) -> None:
    """Three full lines, a decimal in its only spelling, 32 bytes of root, and nothing empty."""
    with refused("malformed", Malformed):
        cp.Checkpoint.parse(body.encode())


def test_extension_lines_are_kept_and_signed() -> None:
    """A checkpoint with extension lines is read back as it was written."""
    head = cp.Checkpoint("log", 0, bytes(32), ("first", "second line"))
    assert cp.Checkpoint.parse(head.body()) == head
