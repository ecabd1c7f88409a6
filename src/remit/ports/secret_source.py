# SPDX-License-Identifier: Apache-2.0
"""Where standing secrets lie that are asked for: OpenBao's key-value stores, the system's keyring."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec

#: What a source clearly says no to: there is no such secret, or it is not for remit. What was read of it
#: before counts no more.
GONE = "secret-gone"


class ReadSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret as it was read. `since` is when it was written, where its source tells; `version` its number
    there, 0 where it has none; `until` when the source gives it no more, where that is known.
    """

    value: str
    since: datetime | None = None
    version: int = 0
    until: datetime | None = None

    def __repr__(self) -> str:
        """Say which version; nothing of the secret."""
        return f"ReadSecret(version={self.version!r}, since={self.since!r})"


class SecretSource(Protocol):
    """One place of secrets. Safe for many at once on one event loop; nothing is kept here."""

    async def read(self, name: str) -> ReadSecret:
        """Read what a name stands for, as it is now; raises `KeyUnavailable`, code `GONE` for a clear no.

        Bounded in time by the source itself. No error says anything of what was read.
        """
        ...
