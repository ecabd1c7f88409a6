# SPDX-License-Identifier: Apache-2.0
"""Sources of standing secrets that are read on request: OpenBao's key-value stores, the system's keyring."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec

#: Code of a source's clear refusal: the secret does not exist, or is not for remit. A value read earlier is
#: no longer valid.
GONE = "secret-gone"


class ReadSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret as it was read.

    `since` is when it was written, where its source reports that; `version` its number there, 0 where it has
    none; `until` when the source stops returning it, where that is known.
    """

    value: str
    since: datetime | None = None
    version: int = 0
    until: datetime | None = None

    def __repr__(self) -> str:
        """Return the version; nothing of the secret."""
        return f"ReadSecret(version={self.version!r}, since={self.since!r})"


class SecretSource(Protocol):
    """One source of secrets. Safe for many at once on one event loop; nothing is kept here."""

    async def read(self, name: str) -> ReadSecret:
        """Read the current secret of a name; raises `KeyUnavailable`, code `GONE` for a clear refusal.

        The source itself bounds the time. No error contains anything of what was read.
        """
        ...
