# SPDX-License-Identifier: Apache-2.0
"""Parked calls: calls that wait for a person while their agent holds a handle in place of a connection.

A parked call is its question and nothing else: the question has the task, the agent, the tool and the
arguments, so its id is the handle. What becomes of the call follows from the question alone.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Final

import msgspec

from remit.core.decisions.access_request import call_digest
from remit.core.decisions.approval import Approval, ApprovalState, OvertakenBy


class ParkedState(enum.Enum):
    """What a look at a parked call can do: wait, have the call decided again, or say how it ended."""

    WAITS = "waits"
    DUE = "due"
    WITHDRAWN = "withdrawn"
    OVER = "over"


class ParkedEnd(msgspec.Struct, frozen=True):
    """Why a parked call is not made (any more): a code, a text, and what would help."""

    code: str
    text: str
    remediation: str


_USED: Final = ParkedEnd(
    "approval-used",
    "the approval of this call has been used, and no result of the call is kept here",
    "check the outcome before you make the call again",
)
_OVERTAKEN: Final = ParkedEnd(
    "approval-withdrawn",
    "the question about this call was withdrawn, because it rested on other rules, sources or approvers",
    "make the call again, which asks a person again",
)
_LAPSED: Final = ParkedEnd(
    "approval-expired",
    "the approval of this call ended before the call was made",
    "make the call again if it is still needed",
)
_UNANSWERED: Final = ParkedEnd(
    "unanswered",
    "no person has answered in time, so this call is refused",
    "tell your person that no one answered; the next call asks again",
)
_REFUSED: Final = ParkedEnd(
    "denied", "a person did not permit this call", "go on without it, or tell the person what you need"
)


def can_park(question: Approval) -> bool:
    """Return whether the question holds the whole call.

    It does not hold the values of arguments that the tool's description marks as sensitive.
    """
    return call_digest(question.task, question.tool, question.arguments) == question.call


def parked_state(question: Approval, now: datetime) -> ParkedState:
    """Return how a parked call stands, by its question as it is stored.

    INVARIANT: a call is due only as long as its approval has permitted no call, so that one handle makes one
    call, also where the approval permits several.
    """
    open_ = now < question.expires
    match question.state:
        case ApprovalState.PENDING:
            # The end of a question that no one has answered is recorded by a decision.
            return ParkedState.WAITS if open_ else ParkedState.DUE
        case ApprovalState.APPROVED:
            return ParkedState.DUE if open_ and question.used == 0 else ParkedState.OVER
        case ApprovalState.DENIED | ApprovalState.NARROWED:
            return ParkedState.DUE if open_ else ParkedState.OVER
        case ApprovalState.EXPIRED if question.overtaken is OvertakenBy.AGENT:
            return ParkedState.WITHDRAWN
    return ParkedState.OVER


def parked_end(question: Approval) -> ParkedEnd:
    """Return why a parked call that is over is not made."""
    if question.state is ApprovalState.CONSUMED or question.used:
        return _USED
    if question.overtaken is not None:
        return _OVERTAKEN
    if question.state in (ApprovalState.DENIED, ApprovalState.NARROWED):
        return _REFUSED
    return _LAPSED if question.decided_by else _UNANSWERED
