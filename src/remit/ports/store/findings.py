# SPDX-License-Identifier: Apache-2.0
"""Findings in the store."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from remit.core.findings.finding import Finding, FindingState
from remit.core.findings.kinds import FindingKind, Severity
from remit.ports.store.units import UnitStore


class FindingStore(UnitStore, Protocol):
    """Findings. Durability, concurrency and errors: `UnitStore`."""

    async def finding(self, tenant: str, finding_id: str) -> Finding | None:
        """Return a finding."""

    async def findings(
        self,
        tenant: str,
        *,
        about: str = "",
        state: FindingState | None = None,
        kinds: Collection[FindingKind] = (),
        severity: Severity | None = None,
        owner: str = "",
        limit: int = 1000,
    ) -> list[Finding]:
        """Return findings, most recently seen first; no `kinds` are all kinds."""
