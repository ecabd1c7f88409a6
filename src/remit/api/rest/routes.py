# SPDX-License-Identifier: Apache-2.0
"""The route table: every endpoint of the REST interface, in the order in which the documents show them."""

from __future__ import annotations

import msgspec

from remit.api.rest import (
    approvals,
    endings,
    evidence,
    findings,
    inspection,
    policy,
    replicas,
    stored_labels,
    tasks,
    tools,
    upstreams,
)
from remit.api.rest.identity import agents, delegations, keys, people, sign_in
from remit.api.rest.route import Endpoint

_PARTS = {
    "Signing in": sign_in.ENDPOINTS,
    "People": people.ENDPOINTS,
    "Agents": agents.ENDPOINTS,
    "Delegations": delegations.ENDPOINTS,
    "Findings": findings.ENDPOINTS,
    "Tasks": tasks.ENDPOINTS,
    "Ending": endings.ENDPOINTS,
    "Approvals": approvals.ENDPOINTS,
    "Stored labels": stored_labels.ENDPOINTS,
    "Questions": inspection.ENDPOINTS,
    "Tools": tools.ENDPOINTS,
    "Upstreams": upstreams.ENDPOINTS,
    "Policies": policy.ENDPOINTS,
    "Evidence": evidence.ENDPOINTS,
    "Keys": keys.ENDPOINTS,
    "Replicas": replicas.ENDPOINTS,
}

ENDPOINTS: tuple[Endpoint, ...] = tuple(
    msgspec.structs.replace(endpoint, tag=tag) for tag, part in _PARTS.items() for endpoint in part
)
