# SPDX-License-Identifier: Apache-2.0
"""What is in a file of NATS credentials: a user's JWT, and the seed of the key that signs the server's nonce.

Seeds are written as NKEYS are: base32 without padding over two bytes that say what the key is for, 32 bytes
(Ed25519, RFC 8032), and a CRC-16 (XMODEM) of these.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from remit.core.errors import KeyUnavailable

_BLOCK: Final = re.compile(r"-----BEGIN (NATS USER JWT|USER NKEY SEED)-----\s+(\S+)\s+-{5,6}END \1-{5,6}")
#: What the first five bits of a seed, and the next eight, say: a seed, of a user.
_SEED: Final = 18 << 3
_USER: Final = 20 << 3

WAY_OUT: Final = "give the whole `.creds` file of the user, as `nsc generate creds` writes it"


class Creds:
    """A user, who can sign."""

    def __init__(self, text: str) -> None:
        """Read the text of a file; raises `KeyUnavailable`, which repeats nothing of it."""
        found = dict(_BLOCK.findall(text))
        if found.keys() != {"NATS USER JWT", "USER NKEY SEED"}:
            raise KeyUnavailable("these are no NATS credentials", remediation=WAY_OUT)
        self.jwt: str = found["NATS USER JWT"]
        self._key = _key(found["USER NKEY SEED"])

    def signed(self, nonce: str) -> bytes:
        """Sign what the server has drawn; base64."""
        return base64.b64encode(self._key.sign(nonce.encode()))


def _key(seed: str) -> Ed25519PrivateKey:
    try:
        raw = base64.b32decode(seed + "=" * (-len(seed) % 8))
    except (binascii.Error, ValueError):
        raw = b""
    if (
        len(raw) != 36
        or binascii.crc_hqx(raw[:34], 0).to_bytes(2, "little") != raw[34:]
        or raw[0] & 0xF8 != _SEED
        or ((raw[0] & 0x07) << 5 | (raw[1] & 0xF8) >> 3) != _USER
    ):
        raise KeyUnavailable("the seed in these NATS credentials is none of a user", remediation=WAY_OUT)
    return Ed25519PrivateKey.from_private_bytes(raw[2:34])
