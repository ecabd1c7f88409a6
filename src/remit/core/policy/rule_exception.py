# SPDX-License-Identifier: Apache-2.0
"""An exception of a rule that asks: calls that it need not ask about. It is proposed, and never applied."""

from __future__ import annotations

import msgspec

from remit.core.json_value import Json


class RuleException(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of one tool by one agent that have exactly these arguments, except for the `texts`.

    INVARIANT: it does not hold in a task that has read what others may have written, or data above
    `class_level`, the position of its class in the organisation's order.
    """

    agent: str
    tool: str
    same: dict[str, Json]
    texts: tuple[str, ...]
    class_level: int
