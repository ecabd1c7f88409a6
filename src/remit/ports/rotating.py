# SPDX-License-Identifier: Apache-2.0
"""A standing secret that its holder can change at the upstream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from remit.ports.broker import Probe

#: Stores the previous secret in another form, durably, before any further request.
Keep = Callable[[str], Awaitable[None]]


class Rotating(Protocol):
    """One secret of one upstream. Safe for one rotation at a time; nothing is kept here.

    The caller stores the new secret before it is set, and keeps the old one until the new one was seen to
    work.
    """

    @property
    def sink(self) -> str:
        """What the secret opens, described for people, without a secret."""
        ...

    @property
    def first(self) -> str:
        """The configured secret, which is valid until remit has set another; raises `KeyUnavailable`."""
        ...

    async def change(self, old: str, new: str, keep: Keep) -> str:
        """Replace `old` by `new`, or by a secret that the upstream makes; return the one that is now valid.

        Raises `KeyUnavailable` where that is not confirmed: then either secret may be valid.

        Where the upstream authorizes the change with something that is used up by it, `keep` stores what the
        upstream returns for the next time, whatever the outcome of the change.
        """
        ...

    async def known(self, current: str, keep: Keep) -> str:
        """Return the valid secret as the upstream reports it, where it reports it to holders of `current`.

        Otherwise returns `current`. Raises `KeyUnavailable`; `keep` as above.
        """
        ...

    async def works(self, secret: str) -> Probe:
        """Try a secret without effect, and return the result; never raises."""
        ...

    async def publish(self, secret: str) -> None:
        """Publish the valid secret to where others read it; raises `KeyUnavailable`. Idempotent."""
        ...
