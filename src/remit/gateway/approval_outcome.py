# SPDX-License-Identifier: Apache-2.0
"""Waiting for a person: a call that asks for it hears the answer of an approver at once.

The header `Remit-Wait` says how many seconds an agent is ready to wait. The call that waits holds nothing but
its connection. After the answer it is made again as a separate call, so that everything is decided again.

Each question has one page, at which people answer it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeGuard

from remit.core.decisions.approval import ApprovalState
from remit.core.decisions.decision import Outcome
from remit.core.decisions.mediation import End, Refused
from remit.core.errors import Malformed
from remit.services.decisions.approvals import Approvals

HEADER: Final = "remit-wait"
#: The longest wait of one request; an agent that waits longer calls again.
MAX_WAIT_S: Final = 3600
#: Seconds before the end of its token in which a wait ends, so that its agent still reads an answer.
TOKEN_LEFT_S: Final = 2.0


def page_of(public_url: str, approval: str) -> str:
    """Return the address of a question's page at the console."""
    return f"{public_url.rstrip('/')}/console/approvals/{approval}"


def wait_of(value: str, token_left_s: float) -> float:
    """Return how many seconds a call may wait, at most until shortly before its token ends.

    Raises `Malformed`.
    """
    if not value:
        return 0.0
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(MAX_WAIT_S))):
        raise Malformed(
            f"the header `{HEADER}` is not a number of seconds",
            code="wait-form",
            remediation=f"write a whole number from 0 to {MAX_WAIT_S}",
        )
    return within(int(value), token_left_s)


def within(wait_s: float, token_left_s: float) -> float:
    """Return a wait that ends before its token does."""
    return max(0.0, min(wait_s, MAX_WAIT_S, token_left_s - TOKEN_LEFT_S))


def waits(end: End) -> TypeGuard[Refused]:
    """Return whether a call waits for a person."""
    return isinstance(end, Refused) and end.decision.outcome is Outcome.DEFER


async def heard(end: End, again: Callable[[], Awaitable[End]], approvals: Approvals, wait_s: float) -> End:
    """Return how a call ends: where it waits for a person and its agent does, too, after the answer."""
    if wait_s <= 0 or not waits(end):
        return end
    found = await approvals.settled(end.decision.approval, wait_s)
    return end if found is None or found.state is ApprovalState.PENDING else await again()
