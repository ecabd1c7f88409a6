# SPDX-License-Identifier: Apache-2.0
"""DPoP at one process: its nonces, and the proofs that it has seen (RFC 9449 sections 8, 9, 11.1).

Time is divided into epochs. A nonce names this process, its start and the epoch in which it was issued, under
a MAC, so nothing is stored for it. Each proof carries a nonce, and each epoch remembers the proofs that came
with its nonces. An epoch is forgotten as a whole when its nonces are no longer valid. So a proof can be used
once, and only here, however long its own timestamp lets it live, and memory is bounded. A full epoch ends
early: a client with a nonce of an older epoch gets the new nonce and tries again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from remit.core.errors import ProofRefused
from remit.core.identity.workload import Confirmation
from remit.core.oauth.dpop import ALGORITHMS, FIRST_PROOF, MAX_AGE_S, token_hash, verify_proof
from remit.ports.runtime import Clock, Entropy

__all__ = ["ALGORITHMS", "NONCE_HEADER", "PROOF_HEADER", "DpopReplay"]

#: Seconds of an epoch. A nonce is valid in its own epoch and in the next one.
EPOCH_S: Final = 60.0
#: Proofs remembered in one epoch; about 100 bytes each.
EPOCH_PROOFS: Final = 200_000
MAC_BYTES: Final = 16
NONCE_HEADER: Final = "DPoP-Nonce"
PROOF_HEADER: Final = "DPoP"


class DpopReplay:
    """Checks proofs and remembers them. For one event loop; every check is complete before it returns."""

    def __init__(
        self,
        clock: Clock,
        entropy: Entropy,
        *,
        max_age_s: int = MAX_AGE_S,
        epoch_s: float = EPOCH_S,
        epoch_proofs: int = EPOCH_PROOFS,
    ) -> None:
        """Begin without proofs.

        `max_age_s` is the largest difference between a proof's time and remit's clock.
        """
        self._clock = clock
        self._max_age_s = max_age_s
        self._epoch_s = epoch_s
        self._epoch_proofs = epoch_proofs
        # Both are new at each start: a proof for another process, or from before a restart, is void here.
        self._incarnation = _text(entropy.bytes(6))
        self._key = entropy.bytes(32)
        self._epoch = 0
        self._since = clock.boot_s()
        self._seen: set[bytes] = set()
        self._seen_before: set[bytes] = set()
        self._nonce = self._made(0)

    def nonce(self) -> str:
        """Return the current nonce; a client uses it until it gets another one."""
        self._turn()
        return self._nonce

    def fresher(self, used: str) -> str:
        """Return the nonce to send to a client that used another one; empty where it used the newest."""
        return "" if used == self.nonce() else self._nonce

    def check(self, proof: str, *, method: str, url: str, token: str = "") -> tuple[Confirmation, str]:
        """Return the key of a proof, and its nonce; raises `ProofRefused`.

        `method` and `url` are those of the request, the URL as its owner names it; `token` is the access
        token beside the proof, empty at the token endpoint. A valid proof is used up.
        """
        now = self._clock.now()
        held = verify_proof(
            proof,
            method=method,
            url=url,
            now=now,
            token_hash=token_hash(token) if token else "",
            max_age_s=self._max_age_s,
        )
        self._turn()
        seen = self._seen_under(held.nonce)
        if seen is None:
            raise self.challenge(first=not held.nonce)
        mark = hashlib.sha256(f"{held.thumbprint}\n{held.token_id}".encode()).digest()[:16]
        if mark in seen:
            raise ProofRefused(
                "the DPoP proof was already used", code="proof-replayed", remediation="sign a new proof"
            )
        seen.add(mark)
        return Confirmation(jkt=held.thumbprint), held.nonce

    def challenge(self, *, first: bool = False) -> ProofRefused:
        """Return the refusal that asks for a proof with the current nonce (section 8)."""
        return ProofRefused(
            "the DPoP proof needs a nonce of this server",
            code=FIRST_PROOF if first else "proof-nonce",
            error="use_dpop_nonce",
            nonce=self.nonce(),
            remediation="sign a new proof with the nonce of the `DPoP-Nonce` header",
        )

    def _seen_under(self, nonce: str) -> set[bytes] | None:
        """Return the set of proofs seen with a nonce; `None` for a nonce that expired or was never issued."""
        if nonce == self._nonce:
            return self._seen
        if self._epoch and hmac.compare_digest(nonce.encode(), self._made(self._epoch - 1).encode()):
            return self._seen_before
        return None

    def _turn(self) -> None:
        """Begin the next epoch where this one is over or full."""
        passed = self._clock.boot_s() - self._since
        if passed < self._epoch_s and len(self._seen) < self._epoch_proofs:
            return
        if passed >= 2 * self._epoch_s:
            # No request came for so long that the previous epoch has expired too.
            self._epoch += 1
            self._seen = set()
        self._epoch += 1
        self._seen_before, self._seen = self._seen, set()
        self._since = self._clock.boot_s()
        self._nonce = self._made(self._epoch)

    def _made(self, epoch: int) -> str:
        named = f"{self._incarnation}.{epoch:x}"
        mac = hmac.digest(self._key, named.encode(), "sha256")[:MAC_BYTES]
        return f"{named}.{_text(mac)}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
