# SPDX-License-Identifier: Apache-2.0
"""Commitments, sealed values and wrapped keys."""

import base64
import hashlib
import hmac
from typing import Any

import pytest

from remit.core import canonical
from remit.core import sealing as seal
from remit.core.errors import Malformed, VerificationFailed
from remit.core.evidence import merkle
from tests.refusals import refused

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
NONCE = bytes(12)
SALTS = [bytes([number]) * 16 for number in range(1, 4)]
VALUES: dict[str, object] = {"path": "contracts/C-42.md", "limit": 100}


def test_a_commitment_is_an_hmac_over_name_and_value() -> None:
    """Anyone who has salt, name and value can recompute it with any HMAC."""
    expected = hmac.new(SALTS[0], b'["path","contracts/C-42.md"]', hashlib.sha256).digest()
    found = seal.commit("path", "contracts/C-42.md", SALTS[0])
    assert base64.urlsafe_b64decode(found + "=") == expected
    assert found == "m7K4YGSILkruKbasvKYGL8f8tlYZCAtvp75DmjQYk9Q"


@pytest.mark.parametrize(
    ("name", "value", "salt"),
    [
        ("path", "contracts/C-43.md", SALTS[0]),
        ("paths", "contracts/C-42.md", SALTS[0]),
        ("path", "contracts/C-42.md", SALTS[1]),
        ("path", ["contracts/C-42.md"], SALTS[0]),
    ],
)
def test_a_commitment_opens_to_nothing_else(name: str, value: object, salt: bytes) -> None:
    """Another value, name or salt does not open it."""
    commitment = seal.commit("path", "contracts/C-42.md", SALTS[0])
    assert seal.open_commitment(commitment, "path", "contracts/C-42.md", SALTS[0])
    assert not seal.open_commitment(commitment, name, value, salt)
    assert not seal.open_commitment("\u00e9" + commitment, name, value, salt)


@pytest.mark.parametrize("size", range(16, 33))
def test_a_salt_of_any_size_is_the_key_of_an_hmac(size: int) -> None:
    """Whatever its size and that of the value, any HMAC-SHA256 gives the commitment."""
    for value in ("", "x" * 40, "y" * 500):
        salt = hashlib.sha256(f"{size} {value}".encode()).digest()[:size]
        expected = hmac.digest(salt, canonical.encode(["name", value]), "sha256")
        assert base64.urlsafe_b64decode(seal.commit("name", value, salt) + "=") == expected


@pytest.mark.parametrize("size", [0, 15, 33])
def test_a_salt_of_another_size_is_refused(size: int) -> None:
    """Fewer than 16 bytes could be guessed; more than 32 are a mistake."""
    with refused("malformed", Malformed):
        seal.commit("path", "x", bytes(size))


def test_sealed_values_come_back_and_match_their_leaf() -> None:
    """Seal, unseal and reveal give the values again."""
    commitments, openings = seal.conceal(VALUES, SALTS[:2])
    blob = seal.seal(KEY, NONCE, openings, b"event-1")
    assert b"C-42" not in blob
    assert seal.unseal(KEY, blob, b"event-1") == openings
    assert seal.reveal(seal.unseal(KEY, blob, b"event-1"), commitments) == VALUES


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -7,
        1.5,
        1e16,
        1e22,
        "\u20ac:\U0001f600",
        ["a", {"\u20ac": 1, "a": [1e300]}],
        {"b": 1, "a": {}},
    ],
)
def test_any_json_value_survives_sealing(value: object) -> None:
    """What was committed to is what comes back, and it still opens the commitment."""
    commitments, openings = seal.conceal({"value": value}, SALTS[:1])
    blob = seal.seal(KEY, NONCE, openings, b"event-1")
    assert seal.reveal(seal.unseal(KEY, blob, b"event-1"), commitments) == {"value": value}
    assert commitments["value"] == seal.commit("value", value, SALTS[0])


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (float("nan"), "number-out-of-range"),
        (2**53, "number-out-of-range"),
        ("\ud800", "lone-surrogate"),
        (b"bytes", "not-json"),
    ],
)
def test_a_value_that_json_does_not_know_is_not_committed_to(value: object, code: str) -> None:
    """It is refused as such, not sealed approximately."""
    with refused(code, Malformed):
        seal.conceal({"value": value}, SALTS[:1])


def test_each_value_has_its_salt() -> None:
    """Too few or too many salts are a mistake, not a shared salt."""
    for salts in (SALTS[:1], SALTS):
        with pytest.raises(ValueError, match="zip"):
            seal.conceal(VALUES, salts)


def test_a_blob_opens_for_its_event_and_its_subject_alone() -> None:
    """A blob that is moved to another event, changed in any byte, or tried with another key does not open."""
    blob = seal.seal(KEY, NONCE, seal.conceal(VALUES, SALTS[:2])[1], b"event-1")
    attempts = [(KEY, blob, b"event-2"), (OTHER_KEY, blob, b"event-1")]
    attempts += [
        (KEY, blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :], b"event-1") for at in range(1, len(blob))
    ]
    for key, data, place in attempts:
        with pytest.raises(VerificationFailed) as refusal:
            seal.unseal(key, data, place)
        assert refusal.value.code == "unseal-failed"


@pytest.mark.parametrize("blob", [b"", b"\x01", b"\x02" + bytes(60), b"\x01" + bytes(27)])
def test_a_blob_of_another_form_is_refused(blob: bytes) -> None:
    """A later format is not taken for this one."""
    with refused("malformed", Malformed):
        seal.unseal(KEY, blob, b"event-1")


def test_values_that_the_leaf_did_not_commit_to_are_not_revealed() -> None:
    """A holder of the subject's key can make a blob, but not one that fits the leaf."""
    commitments, openings = seal.conceal(VALUES, SALTS[:2])
    forged: seal.Openings = {**openings, "limit": [openings["limit"][0], 101]}
    missing: seal.Openings = {"path": openings["path"]}
    broken: seal.Openings = {**openings, "limit": ["!", 100]}
    for attempt in (forged, missing, {**openings, "more": openings["path"]}):
        with pytest.raises(VerificationFailed) as refusal:
            seal.reveal(attempt, commitments)
        assert refusal.value.code == "commitment-mismatch"
    with refused("malformed", Malformed):
        seal.reveal(broken, commitments)


def test_a_wrapped_key_is_for_its_subject_alone() -> None:
    """It unwraps with the same key-encryption key and for the same subject, and is no sealed blob."""
    wrapped = seal.wrap_key(OTHER_KEY, NONCE, KEY, "ada@example.com")
    assert seal.unwrap_key(OTHER_KEY, wrapped, "ada@example.com") == KEY
    for key, subject in ((KEY, "ada@example.com"), (OTHER_KEY, "eve@example.com")):
        with refused("unseal-failed", VerificationFailed):
            seal.unwrap_key(key, wrapped, subject)
    with refused("unseal-failed", VerificationFailed):
        seal.unseal(OTHER_KEY, wrapped, b"ada@example.com")


@pytest.mark.parametrize(
    ("key", "nonce"), [(bytes(16), NONCE), (bytes(31), NONCE), (KEY, bytes(11)), (KEY, bytes(16))]
)
def test_keys_and_nonces_of_another_size_are_refused(key: bytes, nonce: bytes) -> None:
    """AES-256 and 96-bit nonces only."""
    with refused("malformed", Malformed):
        seal.seal(key, nonce, {}, b"")
    with refused("malformed", Malformed):
        seal.wrap_key(KEY, NONCE, bytes(16), "ada@example.com")


def test_deleting_a_key_hides_the_values_and_leaves_every_proof() -> None:
    """After a subject's key is gone its values are beyond reach, and its leaves verify as before."""
    commitments, openings = seal.conceal(VALUES, SALTS[:2])
    leaf = canonical.encode({"kind": "tool.called", "id": "event-1", "sealed": commitments})
    hashes = [merkle.leaf_hash(b"event-0"), merkle.leaf_hash(leaf), merkle.leaf_hash(b"event-2")]
    frontier, _ = merkle.new_tile_nodes(merkle.Frontier(), hashes)
    proof = merkle.inclusion_proof(1, 3, merkle.TileReader(lambda _, start, n: hashes[start : start + n], 3))
    keys = {"ada@example.com": seal.wrap_key(OTHER_KEY, NONCE, KEY, "ada@example.com")}
    blobs = {
        "event-1": seal.seal(KEY, NONCE, openings, b"event-1"),
        "event-2": seal.seal(OTHER_KEY, NONCE, openings, b"event-2"),
    }
    assert seal.reveal(
        seal.unseal(
            seal.unwrap_key(OTHER_KEY, keys["ada@example.com"], "ada@example.com"),
            blobs["event-1"],
            b"event-1",
        ),
        commitments,
    )

    del keys["ada@example.com"]

    merkle.verify_inclusion(merkle.leaf_hash(leaf), 1, 3, proof, frontier.root())
    for value in ("contracts/C-42.md", "C-42"):
        assert value.encode() not in leaf + blobs["event-1"]
    with refused("unseal-failed", VerificationFailed):  # no key that is left opens it
        seal.unseal(OTHER_KEY, blobs["event-1"], b"event-1")
    # and the leaf alone does not let a guess be tried: without the salt, the right value matches nothing
    assert not any(
        seal.open_commitment(commitments["path"], "path", "contracts/C-42.md", salt) for salt in SALTS[1:]
    )


def test_what_json_cannot_write_is_not_sealed() -> None:
    """It is refused as such, with its own code."""
    openings: dict[str, list[Any]] = {"value": ["salt", b"bytes"]}
    with refused("not-json", Malformed):
        seal.seal(KEY, NONCE, openings, b"event-1")


def test_the_smallest_blob_is_the_one_of_nothing() -> None:
    """A version, a nonce and a tag; a byte less is no blob."""
    blob = seal._encrypt(KEY, NONCE, b"", b"place")
    assert len(blob) == 1 + 12 + 16
    assert seal._decrypt(KEY, blob, b"place", "sealed values") == b""
    with refused("malformed", Malformed):
        seal._decrypt(KEY, blob[:-1], b"place", "sealed values")


def test_the_first_name_that_one_side_lacks_is_named() -> None:
    """By the order of names, whichever side lacks it."""
    commitments, openings = seal.conceal(VALUES, SALTS[:2])
    for one, other in ((commitments, {}), ({}, openings)):
        with refused("commitment-mismatch", VerificationFailed) as caught:
            seal.reveal(other, one)
        assert f"`{min(VALUES)}`" in str(caught.value)
