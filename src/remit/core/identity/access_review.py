# SPDX-License-Identifier: Apache-2.0
"""Access reviews: a person looks at what an agent is granted and uses, and answers for each task type.

INVARIANT: a review names what was shown by digests: of the grants, and of the calls that were counted. A
review of other grants than those in force is refused, so no one certifies what they have not seen.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from remit.core.canonical import digest
from remit.core.json_value import Json


class ReviewAnswer(enum.StrEnum):
    """What becomes of a task type: it stays, some of its tools go, or the agent no longer runs it."""

    CERTIFY = "certify"
    TRIM = "trim"
    REMOVE = "remove"


class TypeAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer about one task type; `tools` are those that go, for `trim`."""

    task_type: str
    answer: ReviewAnswer
    tools: tuple[str, ...] = ()


class UseWindow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The calls that were counted: since a time, of the events from index `first` and below `size`."""

    since: Annotated[datetime, msgspec.Meta(tz=True)]
    first: Annotated[int, msgspec.Meta(ge=0)]
    size: Annotated[int, msgspec.Meta(ge=0)]


class AccessReview(msgspec.Struct, frozen=True, kw_only=True):
    """A review that was given by people: `grants` and `shown` are digests of what they saw.

    `hands` are all people who may be behind the first of them.
    """

    by: tuple[str, ...]
    at: datetime
    grants: str
    shown: str
    window: UseWindow
    answers: tuple[TypeAnswer, ...]
    hands: tuple[str, ...] = ()


class ReviewRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one agent's reviews.

    `last` is the last review. `waiting` is one that a second person must agree to. `asked` is when the agent
    was found due, `acted` when an overdue review had its consequence; both are empty after a review.
    """

    agent: str
    last: AccessReview | None = None
    waiting: AccessReview | None = None
    asked: datetime | None = None
    acted: datetime | None = None


def grants_digest(
    *, agent: str, owner: str, workloads: list[str], ceilings: Mapping[str, Json], task_types: Json
) -> str:
    """Return the digest of what an agent is granted: its task types, ceilings, and proofs of identity."""
    return digest(
        {
            "agent": agent,
            "owner": owner,
            "workloads": sorted(workloads),
            "ceilings": dict(ceilings),
            "task_types": task_types,
        }
    )


def shown_digest(grants: str, window: UseWindow, counts: Mapping[str, Mapping[str, int]]) -> str:
    """Return the digest of the whole sheet: the grants, and the outcomes counted in the window by tool."""
    return digest(
        {
            "grants": grants,
            "since": window.since.astimezone(UTC).isoformat(),
            "first": window.first,
            "size": window.size,
            "counts": {tool: {one: many for one, many in of.items() if many} for tool, of in counts.items()},
        }
    )


def due_at(record: ReviewRecord, created: datetime, every: timedelta) -> datetime:
    """Return when the next review of an agent is due."""
    return (record.last.at if record.last else created) + every


class ReviewRule(msgspec.Struct, frozen=True, kw_only=True):
    """How often each agent is reviewed, and what happens `grace` after a review was due and not given.

    `escalate` tells the owner's substitute, or the administrators; `suspend` suspends the agent. Either
    happens again after each further `grace`.
    """

    every: timedelta
    grace: timedelta = timedelta(days=14)
    suspends: bool = False
