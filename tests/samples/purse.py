# SPDX-License-Identifier: Apache-2.0
"""Tokens for a relay: the next one only where the last was refused."""

from __future__ import annotations

from remit_sdk.errors import GatewayRefused


class Purse:
    """Tokens `t1`, `t2`, ...; the next one only where the last was refused."""

    id = "tsk_1"

    def __init__(self, last: int = 9) -> None:
        self.number, self.last = 1, last

    async def token(self, *, upstream: str = "", endpoint: str = "mcp", not_this: str = "") -> str:
        """Return the token that stands."""
        if not_this == f"t{self.number}":
            if self.number == self.last:
                raise GatewayRefused("the task is completed", status=409, code="task-ended")
            self.number += 1
        return f"t{self.number}"
