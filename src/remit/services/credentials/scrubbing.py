# SPDX-License-Identifier: Apache-2.0
"""Scrubbing: keeps a credential that an upstream sends back from the agent.

It finds the credential in every form in which the recipient of a credential commonly writes it
(`core.flow.values.echoes`): unchanged, in the escapes of JSON, HTML, addresses and mail, in nested escapes,
in base64, and as bytes, with or without line breaks. This protects against servers that echo what they
received, in a debug header or an error. A server that intends to pass its credential to the agent can encode
it differently.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from remit.core.cooperative_steps import Steps, finish
from remit.core.decisions.mediation import Chunk
from remit.core.flow.values.echoes import Echoes
from remit.core.tools.http_api import ReplyPiece
from remit.ports.broker import UpstreamCredential

REMOVED: Final = b"[credential removed]"
#: The pieces of one body; a credential that spans two of them is found too.
_BODIES: Final = frozenset(one.value for one in ReplyPiece if one is not ReplyPiece.HEAD)


class Scrubber:
    """Scrubs the chunks of one call.

    What may be the beginning of a credential is held back until the next piece of the same body decides it.
    """

    def __init__(
        self,
        credential: UpstreamCredential | None,
        on_found: Callable[[UpstreamCredential], None] = lambda _: None,
    ) -> None:
        """Take the credential of the call, if any; `on_found` is called once, when the credential comes
        back.
        """
        self._credential = credential
        self._on_found: Callable[[UpstreamCredential], None] | None = on_found
        self._held = b""

    def take(self, chunk: Chunk) -> Steps[Chunk]:
        """Return a chunk without the credential."""
        credential = self._credential
        if credential is None or not credential.secrets:
            return chunk
        of_body = chunk.method in _BODIES
        body = self._held + chunk.body if of_body else chunk.body
        steps = _echoes(credential.secrets).replaced(body, REMOVED, last=chunk.last or not of_body)
        clean, held = yield from steps
        if len(clean) + len(held) != len(body) or not body.startswith(clean):
            self._found(credential)
        if of_body:
            self._held = held
        return chunk if clean is chunk.body else msgspec.structs.replace(chunk, body=clean)

    def _found(self, credential: UpstreamCredential) -> None:
        told, self._on_found = self._on_found, None
        if told is not None:
            told(credential)


#: Changes nothing; all calls without a credential share it.
NO_SCRUBBER: Final = Scrubber(None)


def cleaned(line: bytes, secrets: tuple[str, ...]) -> bytes:
    """Return a log line without secrets; of a secret with several lines, each line is removed too."""
    parts = (part for secret in secrets for part in (secret, *secret.splitlines()))
    return finish(_echoes(tuple(dict.fromkeys(parts))).replaced(line, REMOVED, last=True))[0]


_echoes = lru_cache(maxsize=1024)(Echoes)
