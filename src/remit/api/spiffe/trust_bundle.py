# SPDX-License-Identifier: Apache-2.0
"""The trust bundle of the own trust domain, for whoever checks its SVIDs (SPIFFE Federation, section 5)."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from remit.services.identity.svid_issuing import REFRESH_HINT_S, SvidIssuing

BUNDLE_PATH: Final = "/spiffe/bundle"


async def trust_bundle(issuing: SvidIssuing, _: Request) -> Response:
    """Return the bundle: public, and fresh for as long as its refresh hint says."""
    return Response(
        issuing.document,
        media_type="application/json",
        headers={"Cache-Control": f"max-age={REFRESH_HINT_S}"},
    )
