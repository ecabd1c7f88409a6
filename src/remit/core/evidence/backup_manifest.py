# SPDX-License-Identifier: Apache-2.0
"""The manifest of a backup: what the backup holds, and the log's signature over that.

A backup is signed as a checkpoint of the log at the moment of the backup, with one extension line: the digest
of the manifest. So no key and no format of its own is needed, and the signed root covers every event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec

from remit.core.errors import Malformed, VerificationFailed
from remit.core.evidence.checkpoint import Checkpoint, Note, VerifierKey, open_checkpoint

#: The version of the format that this program writes and reads.
FORMAT: Final = 1
#: A larger manifest is refused unread.
MAX_MANIFEST_BYTES: Final = 256 * 1024
_EXTENSION = "remit-backup-sha256 "


class BackupLog(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The log in a backup: its events and their Merkle root (hex), and the last head that was signed."""

    size: int
    root: str
    signed_size: int = 0


class BackupManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a backup holds.

    `schema` is the version of the tables; `tables` counts their rows; `content_*` describe the bytes before
    the manifest; `sealing` names the sealing keys that open its values; `keys` says whether remit's own keys
    are in it, sealed under a passphrase.
    """

    format: int
    remit: str
    schema: int
    store: str
    tenant: str
    origin: str
    made: str
    log: BackupLog
    tables: dict[str, int]
    content_bytes: int
    content_sha256: str
    sealing: list[str]
    keys: bool

    def encode(self) -> bytes:
        """Return the bytes that are signed."""
        return msgspec.json.encode(self)

    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint whose signature covers this manifest."""
        return _bound(self, self.encode())


def digest_of(data: bytes) -> str:
    """Return the digest by which a backup is named: of its manifest."""
    return hashlib.sha256(data).hexdigest()


def read_manifest(data: bytes, note: bytes, origin: str, keys: Iterable[VerifierKey]) -> BackupManifest:
    """Return a manifest that one of the trusted keys has signed for the log `origin`.

    Raises `VerificationFailed`, with a code: `backup-newer` for another format, `backup-foreign` if another
    key signed it or it is of another log, `backup-changed` if the signature does not cover it.
    """
    version = _format(data)
    if version != FORMAT:
        raise VerificationFailed(
            f"the backup has format {version}, but this program reads {FORMAT}",
            code="backup-newer",
            remediation="use the remit that wrote it, or a newer one",
        )
    try:
        manifest = msgspec.json.decode(data, type=BackupManifest)
        signed = Note.parse(note)
        claimed = Checkpoint.parse(signed.text.encode())
    except (msgspec.DecodeError, Malformed) as fault:
        raise changed("its manifest cannot be read", str(fault)) from None
    signers = {(one.name, one.key_id) for one in signed.signatures}
    trusted = [one for one in keys if (one.name, one.key_id) in signers]
    if not trusted or claimed.origin != origin or manifest.origin != origin:
        raise VerificationFailed(
            f"the backup is of log `{claimed.origin[:80]}`, and no trusted key of log `{origin}` signed it",
            code="backup-foreign",
            remediation="use a backup of this remit; if its log key was replaced since, give the key of then "
            "with `--key`",
        )
    for key in trusted:
        try:
            opened = open_checkpoint(note, key, origin=origin)
        except (VerificationFailed, Malformed) as fault:
            raise changed("its signature is wrong", str(fault)) from None
        if opened.checkpoint != _bound(manifest, data):
            raise changed("its signature does not cover its manifest")
    return manifest


def changed(why: str, debug: str = "") -> VerificationFailed:
    """Return the refusal of a backup that differs from the one that was made."""
    return VerificationFailed(
        f"the backup was changed or damaged: {why}",
        code="backup-changed",
        remediation="use another copy of it, or another backup",
        debug=debug,
    )


def _bound(manifest: BackupManifest, data: bytes) -> Checkpoint:
    log = manifest.log
    return Checkpoint(manifest.origin, log.size, bytes.fromhex(log.root), (_EXTENSION + digest_of(data),))


class _Format(msgspec.Struct):
    format: int


def _format(data: bytes) -> int:
    try:
        return msgspec.json.decode(data, type=_Format).format
    except msgspec.DecodeError as fault:
        raise changed("its manifest cannot be read", str(fault)) from None
