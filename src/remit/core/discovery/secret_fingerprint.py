# SPDX-License-Identifier: Apache-2.0
"""The name of a secret: a keyed fingerprint, which without the key does not help to guess the secret."""

from __future__ import annotations

import hmac
from typing import Final

SUBJECT: Final = "credential:"


def keyed_fingerprint(key: bytes, value: bytes) -> str:
    """Return the first 16 bytes of HMAC-SHA-256 of the secret, in hexadecimal, as detectors name it."""
    return hmac.digest(key, b"remit secret\0" + value, "sha256")[:16].hex()


def is_fingerprint_of(about: str, key: bytes, secret: str) -> bool:
    """Return whether the subject of a finding names this secret."""
    # Bytes that are no UTF-8 are as they stand in their file.
    named = SUBJECT + keyed_fingerprint(key, secret.encode("utf-8", "surrogateescape"))
    return hmac.compare_digest(about.encode("utf-8", "replace"), named.encode())
