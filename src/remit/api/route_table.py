# SPDX-License-Identifier: Apache-2.0
"""Every endpoint that is served and described alike: the REST interface, AuthZEN's, and those of streams."""

from __future__ import annotations

import msgspec

from remit.api.authzen import routes as authzen_routes
from remit.api.rest import routes as rest_routes
from remit.api.rest.route import Endpoint
from remit.api.ssf import table as ssf_table

ENDPOINTS: tuple[Endpoint, ...] = (
    *rest_routes.ENDPOINTS,
    *(
        msgspec.structs.replace(one, tag="Decisions for other enforcement points (AuthZEN)")
        for one in authzen_routes.ENDPOINTS
    ),
    *(msgspec.structs.replace(one, tag="Shared signals (SSF)") for one in ssf_table.ENDPOINTS),
)
