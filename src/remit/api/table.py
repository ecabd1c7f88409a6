# SPDX-License-Identifier: Apache-2.0
"""Every endpoint that is served and described alike: the REST interface, and AuthZEN's."""

from __future__ import annotations

import msgspec

from remit.api.authzen import table as authzen
from remit.api.rest import table as rest
from remit.api.rest.endpoint import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *rest.ENDPOINTS,
    *(
        msgspec.structs.replace(one, tag="Decisions for other enforcement points (AuthZEN)")
        for one in authzen.ENDPOINTS
    ),
)
