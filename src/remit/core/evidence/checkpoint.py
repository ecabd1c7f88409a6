# SPDX-License-Identifier: Apache-2.0
"""Signed statements about the evidence log, in the text formats that the transparency community shares
(C2SP).

- `Note`: a text with signature lines (c2sp.org/signed-note), and `VerifierKey`, the public half that checks
  one.
- `Checkpoint`: origin, size and root of a log, as the text of a note (c2sp.org/tlog-checkpoint). A log signs
  it with key type 0x01; a witness adds a timestamped cosignature of type 0x04 (c2sp.org/tlog-cosignature).
- `LogProof`: one leaf's inclusion proof and a checkpoint, which together suffice for an auditor
  (c2sp.org/tlog-proof).

Input from outside is parsed here and refused as `Malformed`. None of it is trusted until `open_checkpoint` or
`LogProof.verify` has returned. Private keys never enter this module: signing takes a function.
"""

import base64
import binascii
import hashlib
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from remit.core.errors import Malformed, VerificationFailed
from remit.core.evidence import merkle

Sign = Callable[[bytes], bytes]
"""Makes the 64 bytes of an Ed25519 signature (RFC 8032)."""

ED25519: Final = 0x01
COSIGNATURE_V1: Final = 0x04

MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100
_MAX_SIZE = 2**63 - 1
_DASH = "\u2014 "
PROOF_HEADER = "c2sp.org/tlog-proof@v1"


class VerifierKey(msgspec.Struct, frozen=True):
    """A key whose signatures are trusted: a key name, a signature type, and an Ed25519 public key of 32
    bytes.

    `type` is `ED25519` for a log, `COSIGNATURE_V1` for a witness.
    """

    name: str
    public: bytes
    type: int = ED25519

    def __post_init__(self) -> None:
        """Refuse, as `Malformed`, a name that no signature line can hold, and a key that is not an Ed25519
        key.
        """
        if not _is_key_name(self.name):
            raise Malformed(
                f"`{self.name}` is not a key name: it is empty or contains a space or a plus sign"
            )
        if self.type not in {ED25519, COSIGNATURE_V1}:
            raise Malformed(f"signature type {self.type:#04x} of key `{self.name}` is not known")
        if len(self.public) != 32:
            raise Malformed(f"the Ed25519 public key `{self.name}` does not have 32 bytes")

    @property
    def key_id(self) -> bytes:
        """The four bytes that name the key in a signature line: an identifier, not a protection against
        forgery.
        """
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:4]

    def __str__(self) -> str:
        """Write the key as C2SP's verifier key: name, key id in hex, base64 of type and public key."""
        return f"{self.name}+{self.key_id.hex()}+{_b64(bytes([self.type]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Parse the form that `str` writes; raise `Malformed` for anything else, or if the key id does not
        match the key.
        """
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        material = _unb64(encoded, "a verifier key")
        if not material:
            raise Malformed("a verifier key is `name+keyid+base64`")
        key = cls(name, material[1:], material[0])
        if key.key_id.hex() != key_id:
            raise Malformed(f"the key id of verifier key `{name}` does not match its key")
        return key

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Return whether `signature` is this key's over `message` (RFC 8032)."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Signature(msgspec.Struct, frozen=True):
    """One signature line of a note, not yet checked."""

    name: str
    key_id: bytes
    value: bytes

    def __str__(self) -> str:
        """Write the line, without its newline."""
        return f"{_DASH}{self.name} {_b64(self.key_id + self.value)}"


class Note(msgspec.Struct, frozen=True):
    """A text that ends in a newline, and the signatures under it (c2sp.org/signed-note)."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def encode(self) -> bytes:
        """Write the note: text, empty line, signature lines."""
        return (self.text + "\n" + "".join(f"{line}\n" for line in self.signatures)).encode()

    @classmethod
    def parse(cls, data: bytes) -> "Note":
        """Parse a note, or raise `Malformed`. Its signatures are not yet checked."""
        if len(data) > MAX_NOTE_BYTES:
            raise Malformed(
                f"a note of {len(data)} bytes is over the limit of {MAX_NOTE_BYTES}", code="too-large"
            )
        try:
            whole = data.decode()
        except UnicodeDecodeError:
            raise Malformed("a note is UTF-8 text") from None
        if any(character < " " and character != "\n" for character in whole):
            raise Malformed("a note contains a control character")
        text, blank, lines = whole.rpartition("\n\n")
        if not blank or not lines.endswith("\n"):
            raise Malformed("a note is a text, an empty line, and one or more signature lines")
        found = tuple(_signature(line) for line in lines[:-1].split("\n"))
        if len(found) > MAX_SIGNATURES:
            raise Malformed(f"a note has more than {MAX_SIGNATURES} signatures", code="too-large")
        return cls(text + "\n", found)

    def with_signature(self, signature: Signature) -> "Note":
        """Add a signature line, replacing an earlier line of the same key."""
        others = (s for s in self.signatures if (s.name, s.key_id) != (signature.name, signature.key_id))
        return Note(self.text, (*others, signature))


class Checkpoint(msgspec.Struct, frozen=True):
    """The head of a log: the log's name (`origin`), the number of leaves, and the root over them."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse, as `Malformed`, a head that cannot be written."""
        for line in (self.origin, *self.extensions):
            if not line or any(character < " " for character in line):
                raise Malformed("a line of a checkpoint is empty or contains a control character")
        if not 0 <= self.size <= _MAX_SIZE:
            raise Malformed(f"a log does not have {self.size} leaves")
        if len(self.root) != merkle.HASH_SIZE:
            raise Malformed("the root of a log is 32 bytes")

    def body(self) -> bytes:
        """Write the text that is signed."""
        lines = (self.origin, str(self.size), _b64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines).encode()

    @classmethod
    def parse(cls, body: bytes) -> "Checkpoint":
        """Parse the text of a note as a checkpoint, or raise `Malformed`."""
        try:
            lines = body.decode().split("\n")
        except UnicodeDecodeError:
            raise Malformed("a checkpoint is UTF-8 text") from None
        if len(lines) < 4 or lines.pop():
            raise Malformed("a checkpoint is at least three lines: origin, size, root")
        origin, size, root, *extensions = lines
        return cls(
            origin, _decimal(size, "the size of a checkpoint"), _unb64(root, "a root"), tuple(extensions)
        )


class Cosignature(msgspec.Struct, frozen=True):
    """A witness's verified statement that this was the log's largest head at `timestamp` (epoch seconds)."""

    key: VerifierKey
    timestamp: int


class OpenedCheckpoint(msgspec.Struct, frozen=True):
    """A checkpoint whose log signature has been verified, and the known witnesses that cosigned it."""

    checkpoint: Checkpoint
    log: VerifierKey
    cosignatures: tuple[Cosignature, ...] = ()


def sign_checkpoint(checkpoint: Checkpoint, key: VerifierKey, sign: Sign) -> Note:
    """Sign a checkpoint as the log that owns `key`; `sign` is the function that holds the private half.

    INVARIANT (the caller's): a log never signs two checkpoints of which the larger does not extend the
    smaller.
    """
    if key.type != ED25519:
        raise Malformed(f"key `{key.name}` is a witness's key and cannot sign for a log")
    body = checkpoint.body()
    return Note(body.decode(), (Signature(key.name, key.key_id, _signed(key, sign, body)),))


def cosign_checkpoint(note: Note, key: VerifierKey, sign: Sign, *, timestamp: int) -> Note:
    """Add a witness's cosignature made at `timestamp`, in seconds since the epoch.

    INVARIANT (the caller's): the witness has checked the log's signature and its consistency with the
    witness's last head.
    """
    if key.type != COSIGNATURE_V1:
        raise Malformed(f"key `{key.name}` is not a witness's key")
    message = _cosigned(timestamp, note.text)
    value = struct.pack(">Q", timestamp) + _signed(key, sign, message)
    return note.with_signature(Signature(key.name, key.key_id, value))


def open_checkpoint(
    data: bytes,
    log: VerifierKey,
    *,
    origin: str | None = None,
    witnesses: Iterable[VerifierKey] = (),
    quorum: int = 0,
) -> OpenedCheckpoint:
    """Check a signed checkpoint, offline, against the keys that the reader trusts.

    `origin` is the required name of the log (by default the name of the log's key). At least `quorum`
    different `witnesses` must have cosigned. Lines by unknown keys are ignored; one bad line by a known key
    refuses the checkpoint. Raises `Malformed` for input that is not a checkpoint, `VerificationFailed` for an
    invalid one.
    """
    note = Note.parse(data)
    checkpoint = Checkpoint.parse(note.text.encode())
    wanted = log.name if origin is None else origin
    if checkpoint.origin != wanted:
        raise VerificationFailed(
            f"the checkpoint is of log `{checkpoint.origin}`, not of `{wanted}`", code="origin-mismatch"
        )
    if log.type != ED25519:
        raise VerificationFailed(f"key `{log.name}` is a witness's key and cannot sign for a log")
    if not _lines_of(note, log):
        raise VerificationFailed(
            f"the checkpoint is not signed by key `{log.name}+{log.key_id.hex()}`", code="signature-missing"
        )
    body = note.text.encode()
    for line in _lines_of(note, log):
        if not log.verifies(body, line.value):
            raise _forged(log)
    cosigned = tuple(
        Cosignature(key, timestamp)
        for key in dict.fromkeys(witnesses)
        if (timestamp := cosignature_time(note, key)) is not None
    )
    # Count distinct public keys: one witness under two names is one witness.
    if len({cosignature.key.public for cosignature in cosigned} - {log.public}) < quorum:
        raise VerificationFailed(
            f"fewer than {quorum} of the trusted witnesses cosigned the checkpoint", code="quorum-missing"
        )
    return OpenedCheckpoint(checkpoint, log, cosigned)


class LogProof(msgspec.Struct, frozen=True):
    """A storable and portable proof that a leaf is in a log, verifiable offline with public keys alone.

    `checkpoint` is the signed note, verbatim. `extra` belongs to the application and is not authenticated.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    def encode(self) -> bytes:
        """Write the receipt as c2sp.org/tlog-proof@v1 (file extension `.tlog-proof`)."""
        lines = [PROOF_HEADER, *([f"extra {_b64(self.extra)}"] if self.extra else []), f"index {self.index}"]
        lines += map(_b64, self.path)
        return "\n".join([*lines, "", ""]).encode() + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> "LogProof":
        """Parse a receipt, or raise `Malformed`. Its validity is not yet checked."""
        if len(data) > 2 * MAX_NOTE_BYTES:
            raise Malformed(f"a receipt of {len(data)} bytes is too large", code="too-large")
        head, blank, checkpoint = data.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise Malformed("the head of a receipt is ASCII text") from None
        if lines[0] != PROOF_HEADER or not blank:
            raise Malformed(f"a receipt begins with the line `{PROOF_HEADER}`")
        rest = lines[1:]
        extra = b""
        if rest and rest[0].startswith("extra "):
            extra = _unb64(rest.pop(0)[6:], "the extra data of a receipt")
        if not rest or not rest[0].startswith("index "):
            raise Malformed("a receipt has a line `index` after its header")
        index = _decimal(rest[0][6:], "the index of a receipt")
        path = tuple(_unb64(line, "a hash of a receipt") for line in rest[1:])
        if len(path) > 63 or any(len(item) != merkle.HASH_SIZE for item in path):
            raise Malformed("the path of a receipt is at most 63 hashes of 32 bytes")
        return cls(index, path, checkpoint, extra)

    def verify(
        self,
        leaf: bytes,
        log: VerifierKey,
        *,
        origin: str | None = None,
        witnesses: Sequence[VerifierKey] = (),
        quorum: int = 0,
    ) -> OpenedCheckpoint:
        """Check by the signed checkpoint that the bytes `leaf` are leaf `index` of the log.

        Takes the same trust as `open_checkpoint` and raises the same errors, also if the leaf is not in the
        tree.
        """
        opened = open_checkpoint(self.checkpoint, log, origin=origin, witnesses=witnesses, quorum=quorum)
        head = opened.checkpoint
        merkle.verify_inclusion(merkle.leaf_hash(leaf), self.index, head.size, self.path, head.root)
        return opened


def _lines_of(note: Note, key: VerifierKey) -> list[Signature]:
    return [line for line in note.signatures if line.name == key.name and line.key_id == key.key_id]


def _forged(key: VerifierKey) -> VerificationFailed:
    return VerificationFailed(
        f"the signature by key `{key.name}+{key.key_id.hex()}` does not verify", code="signature-invalid"
    )


def cosignature_time(note: Note, key: VerifierKey) -> int | None:
    """Return the time of a witness's cosignature (its first line counts), or None; a bad line of it raises an
    error.
    """
    if key.type != COSIGNATURE_V1:
        raise VerificationFailed(f"key `{key.name}` is not a witness's key")
    first: int | None = None
    for line in _lines_of(note, key):
        timestamp = int.from_bytes(line.value[:8], "big")
        signature = line.value[8:]
        if timestamp > _MAX_SIZE or not key.verifies(_cosigned(timestamp, note.text), signature):
            raise _forged(key)
        first = timestamp if first is None else first
    return first


def _cosigned(timestamp: int, text: str) -> bytes:
    if not 0 <= timestamp <= _MAX_SIZE:
        raise Malformed(f"{timestamp} is not a valid cosignature time")
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def _signed(key: VerifierKey, sign: Sign, message: bytes) -> bytes:
    """Sign, and verify at once: a line that its own key does not verify is never returned."""
    signature = sign(message)
    if not key.verifies(message, signature):
        raise _forged(key)
    return signature


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space or not _is_key_name(name):
        raise Malformed("a signature line is an em dash, a key name and base64, separated by spaces")
    value = _unb64(encoded, "a signature")
    if len(value) < 5:
        raise Malformed("a signature is four bytes of key id and at least one more")
    return Signature(name, value[:4], value[4:])


def _is_key_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(c.isspace() or c < " " for c in name)


def _decimal(text: str, what: str) -> int:
    if not text.isascii() or not text.isdigit() or (text[0] == "0" and text != "0") or len(text) > 19:
        raise Malformed(f"{what} is not a decimal number in its shortest form")
    return int(text)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unb64(text: str, what: str) -> bytes:
    """Decode standard base64 (RFC 4648 section 4) in canonical form only: no two texts decode to the same
    bytes.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise Malformed(f"{what} is not base64") from None
    if _b64(data) != text:
        raise Malformed(f"{what} is not base64 in its shortest form")
    return data
