# SPDX-License-Identifier: Apache-2.0
"""The trust bundle of remit's own trust domain, for verifiers of its SVIDs (SPIFFE Federation, section 5)."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from remit.services.identity.svid_issuing import REFRESH_HINT_S, SvidIssuing

BUNDLE_PATH: Final = "/spiffe/bundle"


async def trust_bundle(issuing: SvidIssuing, _: Request) -> Response:
    """Return the trust bundle: it is public, and valid for the time of its refresh hint."""
    return Response(
        issuing.document,
        media_type="application/json",
        headers={"Cache-Control": f"max-age={REFRESH_HINT_S}"},
    )
