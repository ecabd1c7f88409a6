# SPDX-License-Identifier: Apache-2.0
"""Calls in hand: from the decision to the close."""

from __future__ import annotations

from collections.abc import Callable


class LiveCall:
    """One call in hand: from its decision to its close, which for one that is `deferred` comes long after its
    first answer.
    """

    __slots__ = ("cut", "decision", "deferred", "effect", "on_cut", "scopes", "sent", "tool")

    def __init__(self, decision: str, tool: str, effect: str, scopes: tuple[str, ...]) -> None:
        """Start with nothing sent; `on_cut` is set once there is an exchange that can be cut."""
        self.decision = decision
        self.tool = tool
        self.effect = effect
        self.scopes = scopes
        self.sent = False
        self.cut = False
        self.deferred = False
        self.on_cut: Callable[[], None] | None = None

    def stop(self) -> None:
        """Cut the call: nothing more of it is sent or released."""
        self.cut = True
        if self.on_cut is not None:
            self.on_cut()
