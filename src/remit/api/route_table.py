# SPDX-License-Identifier: Apache-2.0
"""Every endpoint that is served and described from one table: the REST interface, AuthZEN, and event
streams.
"""

from __future__ import annotations

from typing import Any

from remit.api import log_tiles
from remit.api.authzen import routes as authzen_routes
from remit.api.authzen.rooms import AuthzenRooms
from remit.api.rest import routes as rest_routes
from remit.api.rest.evidence import EvidenceRooms
from remit.api.rest.route import Endpoint, group
from remit.api.ssf import table as ssf_table
from remit.api.ssf.rooms import StreamRooms

ENDPOINTS: tuple[Endpoint[Any], ...] = (
    *rest_routes.ENDPOINTS,
    *group("The log as static files (C2SP tlog-tiles)", EvidenceRooms, log_tiles.ENDPOINTS),
    *group("Decisions for other enforcement points (AuthZEN)", AuthzenRooms, authzen_routes.ENDPOINTS),
    *group("Shared signals (SSF)", StreamRooms, ssf_table.ENDPOINTS),
)
