# SPDX-License-Identifier: Apache-2.0
"""The route table: every endpoint of the REST interface, in the order in which the documents show them."""

from __future__ import annotations

import msgspec

from remit.api.rest import (
    agents,
    approvals,
    data,
    delegations,
    ends,
    events,
    findings,
    keys,
    people,
    policies,
    replicas,
    reports,
    session,
    tasks,
    tools,
    upstreams,
)
from remit.api.rest.endpoint import Endpoint

_PARTS = {
    "Signing in": session.ENDPOINTS,
    "People": people.ENDPOINTS,
    "Agents": agents.ENDPOINTS,
    "Delegations": delegations.ENDPOINTS,
    "Findings": findings.ENDPOINTS,
    "Tasks": tasks.ENDPOINTS,
    "Ending": ends.ENDPOINTS,
    "Approvals": approvals.ENDPOINTS,
    "Data at rest": data.ENDPOINTS,
    "Questions": reports.ENDPOINTS,
    "Tools": tools.ENDPOINTS,
    "Upstreams": upstreams.ENDPOINTS,
    "Policies": policies.ENDPOINTS,
    "Evidence": events.ENDPOINTS,
    "Keys": keys.ENDPOINTS,
    "Replicas": replicas.ENDPOINTS,
}

ENDPOINTS: tuple[Endpoint, ...] = tuple(
    msgspec.structs.replace(endpoint, tag=tag) for tag, part in _PARTS.items() for endpoint in part
)
