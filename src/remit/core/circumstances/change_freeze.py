# SPDX-License-Identifier: Apache-2.0
"""Change freezes: a person declares that nothing should change for a time. Policies say what that means."""

from __future__ import annotations

from datetime import datetime

import msgspec


class ChangeFreeze(msgspec.Struct, frozen=True, kw_only=True):
    """A change freeze, from its declaration until its end or until a person lifts it."""

    id: str
    reason: str
    by: str
    since: datetime
    until: datetime
