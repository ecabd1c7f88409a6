# SPDX-License-Identifier: Apache-2.0
"""Scrubbing: a credential that an upstream sends back does not reach the agent.

What is replaced is the credential's text as it is, as JSON writes it, percent-encoded, and in base64 at each
of the three places that it can have there. This is against servers that echo what they were sent, in a debug
header or an error; one that wants to tell its credential to the agent can write it in a way of its own.
"""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from typing import Final
from urllib.parse import quote

import msgspec

from remit.core.mediation import Chunk
from remit.ports.broker import UpstreamCredential

#: What is shorter is met by chance in any text.
MIN_SECRET: Final = 6
REMOVED: Final = b"[credential removed]"


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
