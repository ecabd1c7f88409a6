# SPDX-License-Identifier: Apache-2.0
"""The route table: every endpoint of the REST interface, in the order of the documentation."""

from __future__ import annotations

from typing import Any

from remit.api.rest import (
    approvals,
    endings,
    evidence,
    findings,
    guards,
    inspection,
    policy,
    policy_simulation,
    policy_versions,
    replicas,
    service,
    stored_labels,
    tasks,
    tools,
    upstreams,
)
from remit.api.rest.decisions import absences, freezes, function_calls, telemetry
from remit.api.rest.identity import agents, delegations, keys, people, reviews, sign_in
from remit.api.rest.policies import explanation, shadow
from remit.api.rest.route import Endpoint, group

ENDPOINTS: tuple[Endpoint[Any], ...] = (
    *group("Signing in", sign_in.SignInRooms, sign_in.ENDPOINTS),
    *group("People", people.PersonRooms, people.ENDPOINTS),
    *group("Agents", agents.AgentRooms, agents.ENDPOINTS),
    *group("Access reviews", reviews.ReviewRooms, reviews.ENDPOINTS),
    *group("Delegations", delegations.DelegationRooms, delegations.ENDPOINTS),
    *group("Findings", findings.FindingRooms, findings.ENDPOINTS),
    *group("Tasks", tasks.TaskRooms, tasks.ENDPOINTS),
    *group("Tasks", function_calls.FunctionRooms, function_calls.ENDPOINTS),
    *group("Tasks", telemetry.TelemetryRooms, telemetry.ENDPOINTS),
    *group("Ending", endings.EndRooms, endings.ENDPOINTS),
    *group("Approvals", approvals.ApprovalRooms, approvals.ENDPOINTS),
    *group("Approvals", absences.AbsenceRooms, absences.ENDPOINTS),
    *group("Change freezes", freezes.FreezeRooms, freezes.ENDPOINTS),
    *group("Stored labels", stored_labels.StoredLabelRooms, stored_labels.ENDPOINTS),
    *group("Questions", inspection.InspectionRooms, inspection.ENDPOINTS),
    *group("Tools", tools.ToolRooms, tools.ENDPOINTS),
    *group("Upstreams", upstreams.UpstreamRooms, upstreams.ENDPOINTS),
    *group("Guards", guards.GuardRooms, guards.ENDPOINTS),
    *group("Service", service.ServiceRooms, service.ENDPOINTS),
    *group("Policies", policy.PolicyRooms, policy.ENDPOINTS),
    *group("Policies", policy_simulation.SimulationRooms, policy_simulation.ENDPOINTS),
    *group("Policies", shadow.ShadowRooms, shadow.ENDPOINTS),
    *group("Policies", explanation.ExplanationRooms, explanation.ENDPOINTS),
    *group("Policies", policy_versions.PolicyVersionRooms, policy_versions.ENDPOINTS),
    *group("Evidence", evidence.EvidenceRooms, evidence.ENDPOINTS),
    *group("Keys", keys.KeyRooms, keys.ENDPOINTS),
    *group("Replicas", replicas.ReplicaRooms, replicas.ENDPOINTS),
)
