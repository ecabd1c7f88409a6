# SPDX-License-Identifier: Apache-2.0
"""Pending calls: from the decision to the close."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from remit.core.endings.closure import Indeterminate
from remit.core.errors import Fenced, OutOfForce
from remit.core.scope import risen
from remit.core.tasks.task import Task


class LiveCall:
    """One pending call, from its decision to its close.

    A call that is `deferred` closes long after its first answer.
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


class BusyMark(Protocol):
    """A task with pending calls."""

    @property
    def task(self) -> Task:
        """The task."""
        ...

    @property
    def in_hand(self) -> set[LiveCall]:
        """The task's pending calls."""
        ...


def cut(tasks: Iterable[BusyMark], scopes: tuple[str, ...], epochs: Mapping[str, int]) -> list[Indeterminate]:
    """Cut every pending call under a raised fence; return the calls that an upstream may have acted on.

    A task that was opened after the fence is not under it.
    """
    out: list[Indeterminate] = []
    for live in tasks:
        for call in list(live.in_hand):
            under = [one for one in scopes if one in call.scopes]
            if under and risen(live.task.epochs, epochs, under):
                if call.sent:
                    out.append(Indeterminate(call.decision, call.tool, call.effect))
                call.stop()
    return out


def fenced_by(scope: str, *, sent: bool) -> Fenced | OutOfForce:
    """Return the refusal of a call under an ended scope; without a scope, for a missing lease."""
    if not scope:
        return OutOfForce(sent=sent)
    return Fenced(f"`{scope}` has been ended", remediation="open a new task", sent=sent)
