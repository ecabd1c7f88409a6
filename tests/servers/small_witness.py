# SPDX-License-Identifier: Apache-2.0
"""A small witness by the text of c2sp.org/tlog-witness, in this process, which can be told to misbehave."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from remit.core.errors import RemitError, SourceUnavailable
from remit.core.evidence.checkpoint import (
    COSIGNATURE_V1,
    Note,
    VerifierKey,
    cosign_checkpoint,
    open_checkpoint,
)
from remit.core.evidence.merkle import EMPTY_ROOT, verify_consistency
from remit.ports.fetch import Fetched

SIZE: Final = {"content-type": "text/x.tlog.size"}


class SmallWitness:
    """`ports.delivery.Deliver` that is the witness itself. `answer` replaces its true answer."""

    def __init__(self, name: str, now_s: Callable[[], int]) -> None:
        """Know no log yet."""
        self.secret = Ed25519PrivateKey.generate()
        self.key = VerifierKey(name, self.secret.public_key().public_bytes_raw(), COSIGNATURE_V1)
        self.log: VerifierKey | None = None
        self.size, self.root = 0, EMPTY_ROOT
        self.now_s = now_s
        self.asked = 0
        self.answer: Callable[[Fetched], Fetched] | None = None
        self.away = False

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        media: str,
        headers: Mapping[str, str] | None = None,
        accept: str = "application/json",
        max_bytes: int = 262_144,
        timeout_s: float = 10.0,
    ) -> Fetched:
        """Answer `add-checkpoint`."""
        self.asked += 1
        if self.away:
            raise SourceUnavailable("the witness does not answer")
        assert url.endswith("/add-checkpoint")
        told = self._told(url, body)
        return self.answer(told) if self.answer is not None else told

    def _told(self, url: str, body: bytes) -> Fetched:
        head, _, note = body.partition(b"\n\n")
        old, *proof = head.decode("ascii").split("\n")
        size = int(old.removeprefix("old "))
        if self.log is None:
            return Fetched(url=url, status=404)
        try:
            checkpoint = open_checkpoint(note, self.log).checkpoint
        except RemitError:
            return Fetched(url=url, status=403)
        if size > checkpoint.size:
            return Fetched(url=url, status=400)
        if size != self.size or (size == checkpoint.size and self.root != checkpoint.root):
            return Fetched(url=url, status=409, headers=SIZE, body=f"{self.size}\n".encode())
        try:
            hashes = [base64.b64decode(one, validate=True) for one in proof]
            verify_consistency(size, checkpoint.size, hashes, self.root, checkpoint.root)
        except RemitError:
            return Fetched(url=url, status=422)
        self.size, self.root = checkpoint.size, checkpoint.root
        made = cosign_checkpoint(Note.parse(note), self.key, self.secret.sign, timestamp=self.now_s())
        return Fetched(url=url, status=200, body=f"{made.signatures[-1]}\n".encode())
