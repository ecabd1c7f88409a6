# SPDX-License-Identifier: Apache-2.0
"""A standing secret that its upstream lets its holder change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from remit.ports.broker import Probe

#: Keeps the secret of before in another form, durably, before anything else is asked.
Keep = Callable[[str], Awaitable[None]]


class Rotating(Protocol):
    """One secret of one upstream. Safe for one rotation at a time; nothing is kept here.

    Whoever rotates keeps the new secret before it is set, and the old one until the new one was seen to work.
    """

    @property
    def sink(self) -> str:
        """What it opens, for people, with nothing secret."""
        ...

    @property
    def first(self) -> str:
        """The secret by the configuration, which counts until remit has set another; raises
        `KeyUnavailable`.
        """
        ...

    async def change(self, old: str, new: str, keep: Keep) -> str:
        """Have `new` in the place of `old`, or what the upstream makes itself; gives the one that counts now.
        Raises `KeyUnavailable` where that is not confirmed: then either may be the one.

        An upstream that lets its holder change the secret by something which is used up has `keep` keep
        what it gives for the next time, whatever becomes of the change.
        """
        ...

    async def known(self, current: str, keep: Keep) -> str:
        """Return the secret that counts by the upstream's own word, where it tells those who hold `current`;
        else `current`. Raises `KeyUnavailable`; `keep` as above.
        """
        ...

    async def works(self, secret: str) -> Probe:
        """Use a secret for nothing, and say what came of it; never raises."""
        ...

    async def publish(self, secret: str) -> None:
        """Hand the secret that counts to where others read it; raises `KeyUnavailable`. Idempotent."""
        ...
