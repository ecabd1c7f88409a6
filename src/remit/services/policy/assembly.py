# SPDX-License-Identifier: Apache-2.0
"""Put the policies together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from remit.core.identity.deployment import Deployment
from remit.ports.adapters import Adapters
from remit.services.policy.bundle import Policies
from remit.services.policy.proofs import PolicyProofs


def policies_of(
    adapters: Adapters, deployment: Deployment, hands: Callable[[str], Awaitable[frozenset[str]]]
) -> Policies:
    """Return the policies; no bundle is in force yet. `hands` are the people who may be acting as one."""
    return Policies(
        engine=adapters.engine,
        store=adapters.store,
        clock=adapters.clock,
        tenant=deployment.tenant,
        members=deployment.members,
        second_person=deployment.second_person_for_policies,
        hands=hands,
    )


def proofs_of(adapters: Adapters, deployment: Deployment, policies: Policies) -> PolicyProofs:
    """Return what proves statements about the policies."""
    return PolicyProofs(
        prover=adapters.prover,
        engine=adapters.engine,
        policies=policies,
        store=adapters.store,
        clock=adapters.clock,
        tenant=deployment.tenant,
    )
