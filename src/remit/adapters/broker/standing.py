# SPDX-License-Identifier: Apache-2.0
"""Standing credentials: secrets that the configuration refers to, read at each lease and shown to no agent.

Nothing can be taken back from a standing secret, so each lease says that it is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from remit.core.request import AccessRequest
from remit.ports.broker import UpstreamCredential


class StandingBroker:
    """Gives the headers of one upstream. `headers` maps a name to whatever reads its value now."""

    def __init__(self, upstream: str, headers: Mapping[str, Callable[[], str]]) -> None:
        """Take the readers; they raise `KeyUnavailable` where a secret is missing."""
        self._id = f"standing:{upstream}"
        self._headers = dict(headers)

    async def lease(self, request: AccessRequest) -> UpstreamCredential:
        """Read the secrets now, so that a rotated one is used from the next call on."""
        return UpstreamCredential(
            self._id, {name: read() for name, read in self._headers.items()}, standing=True
        )

    async def release(self, credential: UpstreamCredential) -> None:
        """Nothing can be taken back."""
