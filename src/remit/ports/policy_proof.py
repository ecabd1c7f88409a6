# SPDX-License-Identifier: Apache-2.0
"""The prover: questions about policies that are answered for every possible call, not for samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from remit.core.policy.bundle import PolicySource
from remit.core.policy.proof import ProofAnswer, ProofPrograms
from remit.core.tasks.task import TaskType
from remit.core.tools.tool import Tool


class ProvedPolicies(msgspec.Struct, frozen=True):
    """Policies with the tools and task types that they are about."""

    sources: Sequence[PolicySource]
    tools: Sequence[Tool]
    task_types: Sequence[TaskType]


class PolicyProver(Protocol):
    """Proves or refutes statements about policies, tool by tool; `only` limits the tools by their ids.

    INVARIANT: an answer is `PROVEN` only if the statement holds for every call that can reach a decision.
    Each question is bounded in time and memory, and all questions of one method together take at most
    `seconds`; a question beyond that is `UNDECIDED`. Every method raises `NotFound` where the programs are
    not installed, and `ConfigInvalid` for policies that are not valid.
    """

    def programs(self) -> ProofPrograms:
        """Return the versions of the programs."""
        ...

    def change(
        self, old: ProvedPolicies, new: ProvedPolicies, only: frozenset[str] = frozenset(), *, seconds: float
    ) -> Iterator[ProofAnswer]:
        """Answer for each tool that a change can touch: no rule fails, and nothing more is permitted."""
        ...

    def errors(
        self, policies: ProvedPolicies, only: frozenset[str] = frozenset(), *, seconds: float
    ) -> Iterator[ProofAnswer]:
        """Answer for each tool whether one of its rules can fail."""
        ...

    def bounded(
        self,
        policies: ProvedPolicies,
        guardrail: PolicySource,
        only: frozenset[str] = frozenset(),
        *,
        seconds: float,
    ) -> Iterator[ProofAnswer]:
        """Answer for each tool in a guardrail's scope whether nothing is permitted that it refuses."""
        ...

    def reached(
        self,
        policies: ProvedPolicies,
        by: Sequence[str],
        only: frozenset[str] = frozenset(),
        *,
        seconds: float,
    ) -> Iterator[ProofAnswer]:
        """Answer for each tool whether only these agents, or members of these groups (`group:NAME`), reach
        it.
        """
        ...
