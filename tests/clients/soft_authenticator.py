# SPDX-License-Identifier: Apache-2.0
"""An authenticator made of software (WebAuthn level 3): it makes passkeys and answers, right or wrong."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, encode_cbor

Json = Any

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass
class SoftAuthenticator:
    """One passkey. What it says of host, origin, user and counter can be changed."""

    host: str = "localhost"
    origin: str = "http://localhost:8700"
    flags: int = PRESENT | VERIFIED
    counter: int = 1
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    user_handle: str = ""

    def create(self, options: Json, *, challenge: str = "") -> Json:
        """Answer `navigator.credentials.create`."""
        self.user_handle = options["user"]["id"]
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        data = self._data(self.flags | ATTESTED)
        data += bytes(16) + len(self.id).to_bytes(2) + self.id + encode_cbor(cose)
        self.counter += 1
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        return self._credential(
            {
                "clientDataJSON": self._client("webauthn.create", challenge or options["challenge"]),
                "attestationObject": bytes_to_base64url(attestation),
            }
        )

    def get(self, options: Json, *, challenge: str = "", kind: str = "webauthn.get") -> Json:
        """Answer `navigator.credentials.get`."""
        data = self._data(self.flags)
        client = self._client(kind, challenge or options["challenge"])
        signed = data + hashlib.sha256(base64url_to_bytes(client)).digest()
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        self.counter += 1
        return self._credential(
            {
                "clientDataJSON": client,
                "authenticatorData": bytes_to_base64url(data),
                "signature": bytes_to_base64url(signature),
                "userHandle": self.user_handle,
            }
        )

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4)

    def _client(self, kind: str, challenge: str) -> str:
        told = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return bytes_to_base64url(json.dumps(told).encode())

    def _credential(self, response: Json) -> Json:
        name = bytes_to_base64url(self.id)
        return {"id": name, "rawId": name, "type": "public-key", "response": response}
