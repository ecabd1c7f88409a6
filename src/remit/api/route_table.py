# SPDX-License-Identifier: Apache-2.0
"""Every endpoint that is served and described alike: the REST interface, AuthZEN's, and those of streams."""

from __future__ import annotations

import msgspec

from remit.api.authzen import routes as authzen
from remit.api.rest import routes as rest
from remit.api.rest.route import Endpoint
from remit.api.ssf import table as ssf

ENDPOINTS: tuple[Endpoint, ...] = (
    *rest.ENDPOINTS,
    *(
        msgspec.structs.replace(one, tag="Decisions for other enforcement points (AuthZEN)")
        for one in authzen.ENDPOINTS
    ),
    *(msgspec.structs.replace(one, tag="Telling others of events (SSF)") for one in ssf.ENDPOINTS),
)
