# SPDX-License-Identifier: Apache-2.0
"""Issued tokens and one-time codes in the store."""

from __future__ import annotations

from collections.abc import Container
from typing import Protocol

from remit.core.oauth.one_time_code import Ticket
from remit.core.oauth.refresh_token import RefreshToken, TokenFamily
from remit.ports.store.units import UnitStore


class IssuedTokenStore(UnitStore, Protocol):
    """Issued tokens and one-time codes. Durability, concurrency and errors: `UnitStore`."""

    def withdrawn(self, tenant: str) -> Container[str]:
        """Return, as `EndingStore.epochs` are given, the ids of what was taken back (`Withdraw`)."""

    async def family(self, tenant: str, id: str) -> TokenFamily | None:
        """Return a family of tokens."""

    async def refresh_token(self, tenant: str, digest: str) -> RefreshToken | None:
        """Return a refresh token by the SHA-256 of its text, used or run out or not."""

    async def ticket(self, tenant: str, digest: str) -> Ticket | None:
        """Return a ticket by the digest of its value, used or not; one that ran out may be gone."""
