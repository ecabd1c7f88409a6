# SPDX-License-Identifier: Apache-2.0
"""Put together what answers other enforcement points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remit.core.identity.deployment import Deployment
from remit.ports.adapters import Adapters
from remit.ports.notifier import SignedDelivery
from remit.services.authzen.access_requests import REQUESTS_PATH, AccessRequests
from remit.services.authzen.enforcement_points import AskedSubjects, EnforcementPoint
from remit.services.authzen.evaluation import AuthzenEvaluations
from remit.services.decisions.assembly import DecisionServices
from remit.services.mediation.dependencies import Dependencies


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSettings:
    """Who else may ask for decisions; how long a permit holds, and by when its outcome is reported.

    `deliveries` are, by enforcement point, how callbacks are sent.
    """

    enforcement_points: Mapping[str, EnforcementPoint] = field(default_factory=dict)
    deliveries: Mapping[str, SignedDelivery] = field(default_factory=dict)
    permit_ttl_s: int = 5
    report_within_s: int = 300


def access_requests_of(
    adapters: Adapters, deployment: Deployment, decisions: DecisionServices
) -> AccessRequests:
    """Return what binds access requests to denials."""
    return AccessRequests(
        store=adapters.store,
        clock=adapters.clock,
        keys=adapters.keys.tokens,
        approvals=decisions.approvals,
        tenant=deployment.tenant,
        issuer=deployment.public_url,
        requests_url=deployment.public_url + REQUESTS_PATH,
    )


def answers_of(
    adapters: Adapters, deployment: Deployment, settings: EvaluationSettings, parts: Dependencies
) -> AuthzenEvaluations:
    """Return what answers them."""
    return AuthzenEvaluations(
        parts,
        AskedSubjects(
            store=adapters.store,
            authenticator=parts.authenticator,
            members=deployment.members,
            tenant=deployment.tenant,
        ),
        points=settings.enforcement_points,
        permit_ttl_s=settings.permit_ttl_s,
        report_within_s=settings.report_within_s,
    )
