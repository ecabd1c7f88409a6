# SPDX-License-Identifier: Apache-2.0
"""A folder of key files as one text that a passphrase opens.

Fernet under a key that scrypt derives from the passphrase: the recipe "Using passwords with Fernet" of
`cryptography` (https://cryptography.io/en/latest/fernet/), with scrypt's parameters of OWASP.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Final

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from remit.adapters.keys.secret_files import check_folder, create_secret, read_secret
from remit.core.errors import KeyUnavailable, Malformed
from remit.ports.runtime import Entropy

SALT_BYTES: Final = 16
#: A passphrase seals all authority of this remit, and a thief of the backup may try passphrases for years.
MIN_PASSPHRASE: Final = 16
_COST: Final = 2**17
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,60}\.(?:json|pem|key)\Z")
_MOST: Final = 200


def seal_folder(folder: Path, passphrase: str, entropy: Entropy) -> bytes:
    """Return the key files of a folder, sealed; raises `KeyUnavailable` if one cannot be read."""
    files = {one.name: read_secret(one) for one in sorted(folder.iterdir()) if _NAME.match(one.name)}
    salt = entropy.bytes(SALT_BYTES)
    return salt + _fernet(passphrase, salt).encrypt(msgspec.msgpack.encode(files))


def open_folder(blob: bytes, passphrase: str) -> dict[str, bytes]:
    """Return the files by name; raises `KeyUnavailable` for another passphrase or changed bytes."""
    try:
        plain = _fernet(passphrase, blob[:SALT_BYTES]).decrypt(blob[SALT_BYTES:])
        files = msgspec.msgpack.decode(plain, type=dict[str, bytes])
    except (InvalidToken, msgspec.DecodeError):
        raise KeyUnavailable(
            "the passphrase does not open the keys of the backup", remediation="give the passphrase of then"
        ) from None
    if len(files) > _MOST or not all(_NAME.match(name) for name in files):
        raise KeyUnavailable(
            "the keys of the backup have other names than key files", remediation="use another backup"
        )
    return files


def put_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write key files into an empty folder, the books of the keys last; raises `KeyUnavailable`."""
    check_folder(folder)
    for name in sorted(files, key=lambda one: one.endswith(".json")):
        create_secret(folder / name, files[name])


def has_keys(folder: Path) -> bool:
    """Return whether a folder holds a key file."""
    return folder.is_dir() and any(_NAME.match(one.name) for one in folder.iterdir())


def _fernet(passphrase: str, salt: bytes) -> Fernet:
    if len(passphrase) < MIN_PASSPHRASE:
        raise Malformed(
            f"the passphrase has fewer than {MIN_PASSPHRASE} characters", remediation="use a longer one"
        )
    key = Scrypt(salt=salt, length=32, n=_COST, r=8, p=1).derive(passphrase.encode())
    return Fernet(base64.urlsafe_b64encode(key))
