# SPDX-License-Identifier: Apache-2.0
"""Connections: a person authorizes remit once at an upstream's authorization server.

Remit keeps the resulting refresh token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from remit.core.errors import KeyUnavailable
from remit.core.tasks.task import Task

T = TypeVar("T")


class UnfitConnection(KeyUnavailable):
    """A server has issued a refresh token that is not used, for `why`: the caller revokes it."""

    def __init__(self, why: KeyUnavailable, refresh: str) -> None:
        """Take the reason, and the token."""
        super().__init__(why.message, code=why.code, remediation=why.remediation, debug=why.debug)
        self.refresh = refresh


class Connector(Protocol):
    """One authorization server, as a client that people connect. Safe for many at once; keeps nothing.

    All methods raise `KeyUnavailable` where the server refuses or does not answer.
    """

    @property
    def server(self) -> str:
        """The server's name for people: its host."""
        ...

    @property
    def place(self) -> str:
        """Where tokens are requested. A refresh token is shown only to the place that issued it."""
        ...

    def address(self, *, redirect_uri: str, state: str, challenge: str) -> str:
        """Return where to send the browser (RFC 6749 section 4.1.1, with PKCE)."""
        ...

    async def redeem(self, *, code: str, issuer: str, redirect_uri: str, verifier: str) -> str:
        """Exchange the returned code for a refresh token. `issuer` is the `iss` that came with the code.

        Raises `UnfitConnection` where the server grants more than was requested.
        """
        ...

    async def revoke(self, refresh: str) -> None:
        """Revoke a refresh token (RFC 7009). Idempotent."""
        ...


class KeptTokens(Protocol):
    """The stored refresh tokens, sealed. One use of each at a time."""

    async def used(self, upstream: str, task: Task, use: Callable[[str], Awaitable[tuple[T, str]]]) -> T:
        """Return the result of `use` with the refresh token of a task's person.

        `use` returns its result and the next refresh token, or an empty text. The next token is durable
        before this returns, and also where the caller no longer waits.

        Raises `KeyUnavailable` where the person has not connected the upstream, and as `use` does; a `use`
        that raises with code `connection-lost` reports that the token is dead.
        """
        ...
