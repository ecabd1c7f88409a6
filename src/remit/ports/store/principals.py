# SPDX-License-Identifier: Apache-2.0
"""Agents and people in the store."""

from __future__ import annotations

from typing import Protocol

from remit.core.identity.principals import Agent, LastProof, Person
from remit.ports.store.units import UnitStore


class PrincipalStore(UnitStore, Protocol):
    """Agents and people. Durability, concurrency and errors: `UnitStore`."""

    async def agent(self, tenant: str, name: str) -> Agent | None:
        """Return an agent."""

    async def agents(self, tenant: str) -> list[Agent]:
        """Return all agents by name."""

    async def agents_bound(self, tenant: str, workload: str) -> list[Agent]:
        """Return the agents with a binding to a workload (`workload_of`), by name.

        Other conditions of a binding are not considered.
        """

    async def last_proof(self, tenant: str, agent: str) -> LastProof | None:
        """Return how an agent last proved its identity."""

    async def last_proofs(self, tenant: str) -> list[LastProof]:
        """Return how each agent last proved its identity, by agent; one that never did is left out."""

    async def person(self, tenant: str, name: str) -> Person | None:
        """Return a person."""

    async def people(self, tenant: str) -> list[Person]:
        """Return all people by name."""
