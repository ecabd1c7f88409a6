# SPDX-License-Identifier: Apache-2.0
"""Labels at rest in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from remit.core.flow.stored_labels import StoredLabel
from remit.ports.store.units import UnitStore


class StoredLabelStore(UnitStore, Protocol):
    """Labels at rest. Durability, concurrency and errors: `UnitStore`."""

    async def stored_labels(self, tenant: str, upstream: str, resources: Sequence[str]) -> list[StoredLabel]:
        """Return the stored labels of certain resources of an upstream; those without one are left out."""

    async def stored_labels_under(
        self, tenant: str, *, upstream: str = "", prefix: str = "", limit: int = 1000
    ) -> list[StoredLabel]:
        """Return the stored labels of resources whose names begin with `prefix`, by upstream and name."""

    async def stored_label_counts(self, tenant: str) -> dict[str, int]:
        """Return, for each upstream, the number of resources with a stored label."""
