# SPDX-License-Identifier: Apache-2.0
"""What is left of a broker that the configuration names no more."""

from __future__ import annotations

from remit.core.errors import KeyUnavailable
from remit.ports.broker import LeaseWanted, Probe, UpstreamCredential


class RemovedBroker:
    """Stands in for a broker that the configuration does not name any more: what it gave stays open."""

    standing = False
    traceable = True

    def __init__(self, upstream: str, kind: str) -> None:
        """Remember what is missing."""
        self.kind = kind
        self._upstream = upstream

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """There is none to be had."""
        raise self._gone()

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Nobody can take it back."""
        raise self._gone()

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Nobody can try it."""
        return Probe.UNREACHABLE

    def _gone(self) -> KeyUnavailable:
        return KeyUnavailable(
            f"upstream `{self._upstream}` has no broker of kind `{self.kind}` any more",
            code="broker-gone",
            remediation="configure it again until its credentials are dead, or end them at their source "
            "and close"
            " each by hand (`remit lease close`)",
        )
