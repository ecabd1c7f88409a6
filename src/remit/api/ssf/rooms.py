# SPDX-License-Identifier: Apache-2.0
"""The rooms that the endpoints of streams work with."""

from __future__ import annotations

from dataclasses import dataclass

from remit.services.signals.assembly import SignalServices


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRooms:
    """Each as it is put together for all."""

    signals: SignalServices
