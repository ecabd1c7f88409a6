# SPDX-License-Identifier: Apache-2.0
"""The whole store: what adapters implement, and what `compose` opens."""

from __future__ import annotations

from typing import Protocol

from remit.ports.store.approvals import ApprovalStore
from remit.ports.store.endings import EndingStore
from remit.ports.store.findings import FindingStore
from remit.ports.store.issued_tokens import IssuedTokenStore
from remit.ports.store.log import LogStore
from remit.ports.store.pins import PinStore
from remit.ports.store.sign_in import SignInStore
from remit.ports.store.stored_labels import StoredLabelStore
from remit.ports.store.tasks import TaskStore


class Store(
    ApprovalStore,
    EndingStore,
    FindingStore,
    IssuedTokenStore,
    LogStore,
    PinStore,
    SignInStore,
    StoredLabelStore,
    TaskStore,
    Protocol,
):
    """State and evidence of all tenants, of which each room is one Protocol.

    Durability, concurrency and errors: `UnitStore`. A service takes the rooms that it uses.
    """

    async def close(self) -> None:
        """Commit pending units and close."""
