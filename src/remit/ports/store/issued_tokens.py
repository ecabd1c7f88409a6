# SPDX-License-Identifier: Apache-2.0
"""Issued tokens in the store."""

from __future__ import annotations

from collections.abc import Container
from typing import Protocol

from remit.core.oauth.refresh_token import RefreshToken, TokenFamily
from remit.ports.store.units import UnitStore


class IssuedTokenStore(UnitStore, Protocol):
    """Issued tokens. Durability, concurrency and errors: `UnitStore`."""

    def withdrawn(self, tenant: str) -> Container[str]:
        """Return, as `EndingStore.epochs` are given, the ids of what was taken back (`Withdraw`)."""

    async def family(self, tenant: str, id: str) -> TokenFamily | None:
        """Return a family of tokens."""

    async def refresh_token(self, tenant: str, digest: str) -> RefreshToken | None:
        """Return a refresh token by the SHA-256 of its text, whether or not it is used or expired."""
