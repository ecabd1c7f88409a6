# SPDX-License-Identifier: Apache-2.0
"""Brokers: where the credential for an upstream comes from. The agent never sees it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from remit.core.request import AccessRequest


class UpstreamCredential(msgspec.Struct, frozen=True):
    """A credential in the form in which it is injected: headers for one call. `id` names the lease in
    evidence.
    """

    id: str
    headers: dict[str, str] = {}
    standing: bool = False


class Broker(Protocol):
    """Gives credentials for one upstream. Safe for many calls at once on one event loop."""

    async def lease(self, request: AccessRequest) -> UpstreamCredential:
        """Give the credential for this call; raises `KeyUnavailable` when there is none to be had."""
        ...

    async def release(self, credential: UpstreamCredential) -> None:
        """Take it back where that can be done; never raises."""
        ...
