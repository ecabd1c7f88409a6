# SPDX-License-Identifier: Apache-2.0
"""Where a continuous export of the evidence goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from remit.core.evidence.ocsf import ExportLine


class EvidenceSink(Protocol):
    """Takes lines of an export, one batch at a time on one event loop.

    Durability: when `send` returns, the sink has taken all lines of the batch, in order, possibly more than
    once. It keeps nothing that it has not sent.
    """

    async def send(self, lines: Sequence[ExportLine]) -> None:
        """Send a batch; raise `SourceUnavailable` where it must be sent again, as a whole."""
        ...
