# SPDX-License-Identifier: Apache-2.0
"""Approvals in the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from remit.core.decisions.approval import Approval, ApprovalState
from remit.ports.store.units import UnitStore


class ApprovalStore(UnitStore, Protocol):
    """Approvals. Durability, concurrency and errors: `UnitStore`."""

    async def approval(self, tenant: str, approval_id: str) -> Approval | None:
        """Return an approval."""

    async def approvals(
        self,
        tenant: str,
        *,
        task: str = "",
        call: str = "",
        state: ApprovalState | None = None,
        limit: int = 100,
        skip: int = 0,
        length: int | None = None,
    ) -> list[Approval]:
        """Return approvals, newest first, after the first `skip`.

        Arguments, reasons and comments that take more than `length` bytes are left out; None: never.
        """

    async def open_questions(self, tenant: str, agent: str, since: datetime) -> int:
        """Return how many questions of an agent's tasks, asked after `since`, were not answered."""

    async def open_approvals(self, tenant: str, tasks: Sequence[str]) -> list[Approval]:
        """Return the approvals of some tasks that were not answered, or whose answer was not used."""
