# SPDX-License-Identifier: Apache-2.0
"""The trust bundle of the own trust domain, for whoever checks its SVIDs (SPIFFE Federation, section 5)."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from remit.core.errors import NotFound
from remit.services.assembly.services import Services
from remit.services.identity.svid_issuing import REFRESH_HINT_S

BUNDLE_PATH: Final = "/spiffe/bundle"


async def trust_bundle(house: Services) -> Response:
    """Return the bundle: public, and fresh for as long as its refresh hint says."""
    if house.issuing is None:
        raise NotFound("no trust domain is configured", remediation="configure `workload_api`")
    return Response(
        house.issuing.document,
        media_type="application/json",
        headers={"Cache-Control": f"max-age={REFRESH_HINT_S}"},
    )
