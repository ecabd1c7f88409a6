# SPDX-License-Identifier: Apache-2.0
"""What becomes of a parked call follows from its question, as it is stored, and the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from remit.core.decisions.access_request import call_digest
from remit.core.decisions.approval import Approval, ApprovalState, OvertakenBy
from remit.core.decisions.parked_call import ParkedState, can_park, parked_end, parked_state

Json = Any
ASKED = datetime(2026, 11, 20, 9, tzinfo=UTC)
DUE, OVER = ParkedState.DUE, ParkedState.OVER


def a_question(**changes: Json) -> Approval:
    """Return a question that is open for fifteen minutes."""
    arguments = {"n": 1}
    known: dict[str, Json] = {
        "tenant": "default",
        "id": "apr_1",
        "task": "tsk_1",
        "agent": "clerk",
        "requested_for": "lena",
        "tool": "office/pay",
        "call": call_digest("tsk_1", "office/pay", arguments),
        "arguments": arguments,
        "rules": (),
        "requested": ASKED,
        "expires": ASKED + timedelta(minutes=15),
    }
    return Approval(**(known | changes))


@pytest.mark.parametrize(
    ("changes", "early", "late"),
    [
        ({"state": ApprovalState.PENDING}, ParkedState.WAITS, DUE),
        ({"state": ApprovalState.APPROVED}, DUE, OVER),
        ({"state": ApprovalState.APPROVED, "used": 1}, OVER, OVER),
        ({"state": ApprovalState.DENIED}, DUE, OVER),
        ({"state": ApprovalState.NARROWED}, DUE, OVER),
        ({"state": ApprovalState.CONSUMED, "used": 1}, OVER, OVER),
        ({"state": ApprovalState.EXPIRED}, OVER, OVER),
        ({"state": ApprovalState.EXPIRED, "overtaken": OvertakenBy.RULES}, OVER, OVER),
        ({"state": ApprovalState.EXPIRED, "overtaken": OvertakenBy.AGENT}, *[ParkedState.WITHDRAWN] * 2),
    ],
)
def test_the_state_of_a_question_says_what_a_look_can_do(
    changes: Json, early: ParkedState, late: ParkedState
) -> None:
    """While the question is open, and from its last moment on."""
    question = a_question(**changes)
    assert parked_state(question, question.expires - timedelta(microseconds=1)) is early
    assert parked_state(question, question.expires) is late


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": ApprovalState.CONSUMED}, "approval-used"),
        ({"state": ApprovalState.APPROVED, "used": 1}, "approval-used"),
        ({"state": ApprovalState.EXPIRED, "overtaken": OvertakenBy.PROVENANCE}, "approval-withdrawn"),
        ({"state": ApprovalState.DENIED}, "denied"),
        ({"state": ApprovalState.EXPIRED, "decided_by": "omar"}, "approval-expired"),
        ({"state": ApprovalState.EXPIRED}, "unanswered"),
    ],
)
def test_a_call_that_is_over_says_why(changes: Json, code: str) -> None:
    """And what would help."""
    end = parked_end(a_question(**changes))
    assert end.code == code
    assert end.remediation


def test_a_question_with_hidden_values_holds_no_call() -> None:
    """What people were not shown cannot be sent from it."""
    question = a_question()
    assert can_park(question)
    assert not can_park(msgspec.structs.replace(question, arguments={"n": {"sha256": "0" * 64}}))
