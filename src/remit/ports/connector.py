# SPDX-License-Identifier: Apache-2.0
"""Connections: a person lets remit act for them at an upstream's authorization server, once, and remit keeps
the refresh token that comes of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from remit.core.errors import KeyUnavailable
from remit.core.tasks.task import Task

T = TypeVar("T")


class UnfitConnection(KeyUnavailable):
    """A server has given a refresh token that is not used, for `why`: whoever keeps them takes it back."""

    def __init__(self, why: KeyUnavailable, refresh: str) -> None:
        """Take what is said of it, and the token."""
        super().__init__(why.message, code=why.code, remediation=why.remediation, debug=why.debug)
        self.refresh = refresh


class Connector(Protocol):
    """One authorization server, as a client that people connect. Safe for many at once; keeps nothing.

    All raise `KeyUnavailable` for what it refuses, and where it does not answer.
    """

    @property
    def server(self) -> str:
        """What people know it as: its host."""
        ...

    @property
    def place(self) -> str:
        """Where tokens are asked for. A refresh token is shown to the place that gave it, alone."""
        ...

    def address(self, *, redirect_uri: str, state: str, challenge: str) -> str:
        """Return where to send the browser (RFC 6749 section 4.1.1, with PKCE)."""
        ...

    async def redeem(self, *, code: str, issuer: str, redirect_uri: str, verifier: str) -> str:
        """Exchange the code that came back for a refresh token. `issuer` is the `iss` that came with it.

        Raises `UnfitConnection` where that gives more than was asked for.
        """
        ...

    async def revoke(self, refresh: str) -> None:
        """Have a refresh token opened nothing any more (RFC 7009). Idempotent."""
        ...


class KeptTokens(Protocol):
    """The refresh tokens that are kept, sealed. One use of each at a time."""

    async def used(self, upstream: str, task: Task, use: Callable[[str], Awaitable[tuple[T, str]]]) -> T:
        """Return what `use` makes of the refresh token of a task's person, with the next refresh token or an
        empty text. The next one is durable before this returns, and also where nobody waits any more.

        Raises `KeyUnavailable` where the person has not connected the upstream, and as `use` does; a `use`
        that raises with code `connection-lost` says that the token is dead.
        """
        ...
