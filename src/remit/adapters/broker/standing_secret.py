# SPDX-License-Identifier: Apache-2.0
"""Standing credentials: secrets that the configuration refers to, read for each call and shown to no agent.

Nothing can be taken back from a standing secret, so its broker says that it is one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from remit.ports.broker import LeaseWanted, Probe, UpstreamCredential


class StandingBroker:
    """Gives the headers of one upstream. `headers` maps a name to whatever reads its value now, `secret`
    names those that hold a secret. `held` are secrets that a program of the upstream got when it was started:
    no call carries them, and no result may tell them.
    """

    kind = "standing"
    standing = True
    traceable = False

    def __init__(
        self,
        upstream: str,
        headers: Mapping[str, Callable[[], str]],
        secret: Collection[str] = (),
        held: Collection[str] = (),
    ) -> None:
        """Take the readers; they raise `KeyUnavailable` where a secret is missing."""
        self._id = f"standing:{upstream}"
        self._headers = dict(headers)
        self._secret = frozenset(secret)
        self._held = tuple(held)

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Read the secrets now, so that a rotated one is used from the next call on."""
        headers = {name: read() for name, read in self._headers.items()}
        # `Bearer` and the like is no secret; what stands after it is.
        secrets = self._held + tuple(headers[name].rpartition(" ")[2] for name in self._secret)
        return UpstreamCredential(lease=self._id, headers=headers, secrets=secrets)

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Nothing can be taken back."""

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """It is as good as ever."""
        return Probe.ACCEPTED
