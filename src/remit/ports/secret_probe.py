# SPDX-License-Identifier: Apache-2.0
"""Trying whether an exposed secret still opens something that remit knows."""

from __future__ import annotations

from typing import Protocol

from remit.ports.broker import Probe


class SecretProbe(Protocol):
    """One place of the configuration where secrets are accepted.

    INVARIANT: the place comes from the configuration. No value of a finding chooses where a secret is sent.
    An attempt only signs in, or reads who the caller is. Concurrency: any number of attempts at once.
    """

    @property
    def upstream(self) -> str:
        """The upstream that the place belongs to."""
        ...

    @property
    def opens(self) -> str:
        """The type of secrets that it accepts: `postgresql`, `github` or `oauth`."""
        ...

    @property
    def place(self) -> str:
        """The place in words, as `host:port/database` or as an address; never with a secret."""
        ...

    @property
    def user(self) -> str:
        """The account that the configuration names; empty if none."""
        ...

    async def probe(self, secret: str, user: str) -> Probe:
        """Return whether the place accepts the secret, for an account where it has accounts.

        Anything but a clear answer is `unreachable`. Raises nothing.
        """
        ...
