# SPDX-License-Identifier: Apache-2.0
"""The rooms that AuthZEN's endpoints work with."""

from __future__ import annotations

from dataclasses import dataclass

from remit.services.authzen.access_requests import AccessRequests
from remit.services.authzen.evaluation import AuthzenEvaluations
from remit.services.decisions.assembly import DecisionServices
from remit.services.identity.assembly import IdentityServices
from remit.services.replicas.assembly import ReplicaServices


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthzenRooms:
    """Each as it is put together for all."""

    replicas: ReplicaServices
    decisions: DecisionServices
    identity: IdentityServices
    answers: AuthzenEvaluations
    access_requests: AccessRequests
