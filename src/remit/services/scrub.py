# SPDX-License-Identifier: Apache-2.0
"""Scrubbing: a credential that an upstream sends back does not reach the agent.

What is replaced is the credential's text as it is, as JSON writes it, percent-encoded, and in base64 at each
of the three places that it can have there. This is against servers that echo what they were sent, in a debug
header or an error; one that wants to tell its credential to the agent can write it in a way of its own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Final
from urllib.parse import quote

import msgspec

from remit.core.mediation import Chunk
from remit.core.route import ReplyPiece
from remit.ports.broker import UpstreamCredential

#: What is shorter is met by chance in any text.
MIN_SECRET: Final = 6
REMOVED: Final = b"[credential removed]"
#: The pieces of one body; what lies across two of them is looked for, too.
_BODIES: Final = frozenset(one.value for one in ReplyPiece if one is not ReplyPiece.HEAD)


class Scrubber:
    """Scrubs the chunks of one call. What may be the beginning of a credential is held back until the next
    piece of the same body shows whether it is.
    """

    def __init__(
        self,
        credential: UpstreamCredential | None,
        on_found: Callable[[UpstreamCredential], None] = lambda _: None,
    ) -> None:
        """Take the credential of the call, if it has one; `on_found` is told once when it comes back."""
        self._credential = credential
        self._on_found: Callable[[UpstreamCredential], None] | None = on_found
        self._held = b""

    def take(self, chunk: Chunk) -> Chunk:
        """Give a chunk without the credential."""
        credential = self._credential
        if credential is None or not credential.secrets or chunk.method not in _BODIES:
            clean = scrubbed(chunk, credential)
            if clean is not chunk:
                self._found(credential)
            return clean
        forms = _forms(credential.secrets)
        body = self._held + chunk.body
        for form in forms:
            if form in body:
                body = body.replace(form, REMOVED)
                self._found(credential)
        held = 0 if chunk.last else _begun(body, forms)
        self._held = body[len(body) - held :]
        return msgspec.structs.replace(chunk, body=body[: len(body) - held])

    def _found(self, credential: UpstreamCredential | None) -> None:
        told, self._on_found = self._on_found, None
        if told is not None and credential is not None:
            told(credential)


#: For the calls that have no credential: it changes nothing, and so is the same for all of them.
NO_SCRUBBER: Final = Scrubber(None)


def _begun(body: bytes, forms: tuple[bytes, ...]) -> int:
    """Give how many bytes at the end of a body may be the beginning of one of the forms."""
    longest = max(map(len, forms), default=0)
    for size in range(min(longest - 1, len(body)), 0, -1):
        end = body[-size:]
        if any(form.startswith(end) for form in forms):
            return size
    return 0


def cleaned(line: bytes, secrets: tuple[str, ...]) -> bytes:
    """Give a line of a log without secrets, and of one that has several lines without each of these."""
    parts = (part for secret in secrets for part in (secret, *secret.splitlines()))
    for form in _forms(tuple(dict.fromkeys(parts))):
        line = line.replace(form, REMOVED)
    return line


def scrubbed(chunk: Chunk, credential: UpstreamCredential | None) -> Chunk:
    """Give a chunk without the credential of its call."""
    if credential is None or not credential.secrets:
        return chunk
    body = chunk.body
    for form in _forms(credential.secrets):
        if form in body:
            body = body.replace(form, REMOVED)
    return chunk if body is chunk.body else msgspec.structs.replace(chunk, body=body)


@lru_cache(maxsize=1024)
def _forms(secrets: tuple[str, ...]) -> tuple[bytes, ...]:
    """Give the forms in which secrets are looked for, longest first: none hides a part of another."""
    found: set[bytes] = set()
    for secret in secrets:
        if len(secret) < MIN_SECRET:
            continue
        plain = secret.encode()
        found |= {
            plain,
            json.dumps(secret)[1:-1].encode(),
            json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
        }
        found |= {quote(secret, safe="").encode(), quote(secret).encode()}
        for skipped in range(3):
            # Whole groups of three bytes are written alike wherever the text begins.
            whole = plain[skipped : skipped + (len(plain) - skipped) // 3 * 3]
            if len(whole) >= MIN_SECRET:
                found |= {base64.b64encode(whole), base64.urlsafe_b64encode(whole)}
    return tuple(sorted(found, key=lambda form: (-len(form), form)))
