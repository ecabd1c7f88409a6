# SPDX-License-Identifier: Apache-2.0
"""Standing credentials: secrets that the configuration references, read for each call and shown to no agent.

A standing secret cannot be revoked, so its broker declares itself as standing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from remit.ports.broker import LeaseWanted, Probe, UpstreamCredential


class StandingBroker:
    """Returns the headers of one upstream.

    `headers` maps a name to a reader of its current value; `secret` names the headers that hold a secret.
    `held` are secrets that a program of the upstream received when it was started: no call carries them, and
    no result may contain them.
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
        """Store the readers; they raise `KeyUnavailable` where a secret is missing."""
        self._id = f"standing:{upstream}"
        self._headers = dict(headers)
        self._secret = frozenset(secret)
        self._held = tuple(held)

    async def obtain(self, wanted: LeaseWanted) -> UpstreamCredential:
        """Read the secrets now, so that the next call uses a rotated one."""
        headers = {name: read() for name, read in self._headers.items()}
        # `Bearer` or another scheme name is no secret; the text after it is.
        secrets = self._held + tuple(headers[name].rpartition(" ")[2] for name in self._secret)
        return UpstreamCredential(lease=self._id, headers=headers, secrets=secrets)

    async def revoke(self, credential: UpstreamCredential) -> None:
        """Do nothing: a standing secret cannot be revoked."""

    async def probe(self, credential: UpstreamCredential) -> Probe:
        """Return `ACCEPTED`: the secret stays valid."""
        return Probe.ACCEPTED
