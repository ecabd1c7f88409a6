# SPDX-License-Identifier: Apache-2.0
"""The route table: every endpoint of the REST interface, in the order in which the documents show them."""

from __future__ import annotations

import msgspec

from remit.api.rest import approvals, findings, replicas, tasks, tools, upstreams
from remit.api.rest import (
    endings as ends,
)
from remit.api.rest import (
    evidence as events,
)
from remit.api.rest import (
    inspection as reports,
)
from remit.api.rest import (
    policy as policies,
)
from remit.api.rest import (
    stored_labels as data,
)
from remit.api.rest.identity import agents, delegations, keys, people
from remit.api.rest.identity import sign_in as session
from remit.api.rest.route import Endpoint

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
