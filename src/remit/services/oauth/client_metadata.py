# SPDX-License-Identifier: Apache-2.0
"""Client ID metadata documents: fetched when a client first shows its address, and then cached.

draft-ietf-oauth-client-id-metadata-document-03 section 5. Only a valid document is cached, never a failure.
There is one fetch at a time for each client, and a few at once for all. Clients that are registered here have
a separate lane, so that strangers with many slow hosts cannot delay them.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import datetime, timedelta

from remit.core.errors import Busy, Malformed, SourceUnavailable
from remit.core.oauth.client_metadata import (
    MAX_DOCUMENT_BYTES,
    ClientMetadata,
    check_client_address,
    read_client_metadata,
)
from remit.ports.fetch import Fetch
from remit.ports.runtime import Clock

#: Documents cached at once; the least recently used one is dropped first.
CAPACITY = 256
#: Minimum, default and maximum time for which a document is cached, whatever its `Cache-Control` states.
LEAST_S, USUAL_S, MOST_S = 30, 300, 3600
#: Documents fetched at once, and fetches that may wait for their turn.
AT_ONCE, WAITING = 4, 32
TIMEOUT_S = 5.0


class _Lane:
    """The cached documents and running fetches of clients that share their turns."""

    def __init__(self) -> None:
        self.kept: OrderedDict[str, tuple[datetime, ClientMetadata]] = OrderedDict()
        self.fetching: dict[str, asyncio.Task[ClientMetadata]] = {}
        self.turns = asyncio.Semaphore(AT_ONCE)


class ClientDocuments:
    """Returns the metadata of clients by their address; for one event loop."""

    def __init__(self, fetch: Fetch | None, clock: Clock) -> None:
        """Take the function that fetches; without it, no client is known by an address."""
        self._fetch = fetch
        self._clock = clock
        self._registered, self._strangers = _Lane(), _Lane()

    @property
    def taken(self) -> bool:
        """Whether clients may be known by an address at all."""
        return self._fetch is not None

    async def get(self, client_id: str, *, registered: bool = False) -> ClientMetadata:
        """Return the metadata of a client; `registered` states whether an agent here is bound to it.

        Raises `Malformed` (code `invalid_client`) for an address or a document that the draft forbids or that
        cannot be fetched, and `Busy` where too many documents are being fetched.
        """
        check_client_address(client_id)
        if self._fetch is None:
            raise Malformed("clients with a URL as their id are not accepted here", code="invalid_client")
        lane = self._registered if registered else self._strangers
        kept = lane.kept.get(client_id)
        if kept is not None and self._clock.now() < kept[0]:
            lane.kept.move_to_end(client_id)
            return kept[1]
        running = lane.fetching.get(client_id)
        if running is None:
            if len(lane.fetching) >= AT_ONCE + WAITING:
                raise Busy("too many documents of clients are being fetched", remediation="try again soon")
            running = asyncio.create_task(self._fetch_one(self._fetch, lane, client_id))
            lane.fetching[client_id] = running
            running.add_done_callback(lambda _: lane.fetching.pop(client_id, None))
        # Shielded: other requests may be waiting for the same document.
        return await asyncio.shield(running)

    async def _fetch_one(self, fetch: Fetch, lane: _Lane, client_id: str) -> ClientMetadata:
        async with lane.turns:
            try:
                got = await fetch.get(client_id, max_bytes=MAX_DOCUMENT_BYTES, timeout_s=TIMEOUT_S)
            except SourceUnavailable as error:
                raise Malformed(
                    "the client's metadata document cannot be fetched",
                    code="invalid_client",
                    remediation="make it public under the exact address, without redirects",
                    debug=str(error),
                ) from None
        # Section 5: any other status is an error, redirects included.
        if got.status != 200:
            raise Malformed(
                f"the client's metadata document returned status {got.status}, not 200",
                code="invalid_client",
                remediation="make it public under the exact address, without redirects",
            )
        metadata = read_client_metadata(client_id, got.headers.get("content-type", ""), got.body)
        for_s = min(MOST_S, max(LEAST_S, USUAL_S if got.max_age_s is None else got.max_age_s))
        lane.kept[client_id] = (self._clock.now() + timedelta(seconds=for_s), metadata)
        if len(lane.kept) > CAPACITY:
            lane.kept.popitem(last=False)
        return metadata
