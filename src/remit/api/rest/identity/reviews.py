# SPDX-License-Identifier: Apache-2.0
"""Access reviews of agents: what is due, what a reviewer is shown, and the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.identity.access_review import AccessReview, ReviewAnswer, TypeAnswer, UseWindow
from remit.core.identity.principals import Agent
from remit.core.tasks.task import TaskState
from remit.services.identity.assembly import IdentityServices
from remit.services.identity.permissions import Duty, ask_about, may
from remit.services.inspection.access_reviews import GivenReview, ReviewSheet
from remit.services.inspection.assembly import InspectionServices
from remit.services.tasks.assembly import TaskServices

#: Open tasks that a sheet looks at.
MOST_TASKS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRooms:
    """The rooms that these endpoints work with."""

    identity: IdentityServices
    inspection: InspectionServices
    tasks: TaskServices


class WindowView(View, frozen=True, kw_only=True):
    """The calls that were counted: since a time, of the events from `first` and below `size`."""

    since: Moment
    first: int
    size: int


class TypeAnswerView(View, frozen=True, kw_only=True):
    """The answer about a task type; `tools` are those that go."""

    task_type: str
    answer: ReviewAnswer
    tools: tuple[str, ...]


class ReviewView(View, frozen=True, kw_only=True):
    """A review that was given, with the digests of what was shown."""

    by: tuple[str, ...]
    at: Moment
    grants: str
    shown: str
    answers: tuple[TypeAnswerView, ...]


class DueReviewView(View, frozen=True, kw_only=True):
    """An agent whose review is due; `asked` is when its finding opened."""

    agent: str
    owner: str
    due: Moment
    last: ReviewView | None
    asked: Moment | None
    waits: bool


class ToolUseView(View, frozen=True, kw_only=True):
    """What an agent used of one tool: decisions by outcome, and the task types that grant it."""

    tool: str
    tier: str
    task_types: tuple[str, ...]
    open_tasks: int
    permitted: int
    asked: int
    refused: int


class ReviewedTypeView(View, frozen=True, kw_only=True):
    """A task type that names the agent: its tools, and the name or groups by which it does."""

    name: str
    purpose: str
    tools: tuple[str, ...]
    by: tuple[str, ...]


class ReviewDraftView(View, frozen=True, kw_only=True):
    """What the last review asked for and is still granted: a diff of one file, or why there is none."""

    task_type: str
    answer: ReviewAnswer
    tools: tuple[str, ...]
    file: str
    diff: str
    others: tuple[str, ...]
    note: str


class ReviewSheetView(View, frozen=True, kw_only=True):
    """What a reviewer is shown. A review sends `grants`, `shown` and `window` back."""

    agent: str
    owner: str
    task_types: tuple[ReviewedTypeView, ...]
    used: tuple[ToolUseView, ...]
    ungranted: tuple[ToolUseView, ...]
    window: WindowView
    grants: str
    shown: str
    due: Moment | None
    last: ReviewView | None
    waiting: ReviewView | None
    drafts: tuple[ReviewDraftView, ...]


class ReviewAgent(Body, frozen=True, kw_only=True):
    """The answers of a review, with the digests and the window of the sheet that was shown."""

    grants: str
    shown: str
    window: UseWindow
    answers: tuple[TypeAnswer, ...]
    comment: Annotated[str, msgspec.Meta(max_length=2000)] = ""


def review_view(review: AccessReview | None) -> ReviewView | None:
    """Return the public representation of a review."""
    if review is None:
        return None
    answers = tuple(TypeAnswerView(**msgspec.structs.asdict(one)) for one in review.answers)
    return ReviewView(by=review.by, at=review.at, grants=review.grants, shown=review.shown, answers=answers)


async def due(errand: RestRequest[ReviewRooms]) -> Items[DueReviewView]:
    """Return the agents whose review is due, the longest due first; without a role, one's own."""
    found = await errand.rooms.inspection.reviews.due(errand.desk.clock.now())
    person = errand.someone
    return Items(
        tuple(
            DueReviewView(
                agent=agent.name,
                owner=agent.owner,
                due=since,
                last=review_view(record.last),
                asked=record.asked,
                waits=record.waiting is not None,
            )
            for agent, record, since in found
            if may(person, Duty.OVERSEE) or agent.owned_by(person)
        )
    )


async def sheet(errand: RestRequest[ReviewRooms]) -> ReviewSheetView:
    """Return what a reviewer of an agent is shown now."""
    return await _shown(errand, await _agent(errand))


async def review(errand: RestRequest[ReviewRooms]) -> ReviewSheetView:
    """Record a review; where two people are wanted, the first one waits for the second."""
    wanted: ReviewAgent = errand.body
    agent = await _agent(errand)
    given = GivenReview(
        grants=wanted.grants,
        shown=wanted.shown,
        window=wanted.window,
        answers=wanted.answers,
        comment=wanted.comment,
    )
    await errand.rooms.inspection.reviews.review(agent, errand.someone, given)
    return await _shown(errand, agent)


async def _agent(errand: RestRequest[ReviewRooms]) -> Agent:
    directory, name = errand.rooms.identity.directory, errand.place["name"]
    ask_about(errand.someone, name, None, await directory.find_agent(name))
    return await directory.agent(name)


async def _shown(errand: RestRequest[ReviewRooms], agent: Agent) -> ReviewSheetView:
    rooms = errand.rooms
    tasks = await rooms.tasks.tasks.newest(agent=agent.name, state=TaskState.ACTIVE, limit=MOST_TASKS)
    found = await rooms.inspection.reviews.sheet(
        agent, [one for one in tasks if one.active_at(errand.desk.clock.now())]
    )
    drafts = await rooms.inspection.reviews.drafts(agent, found.record)
    return _view(found, tuple(ReviewDraftView(**msgspec.structs.asdict(one)) for one in drafts))


def _view(found: ReviewSheet, drafts: tuple[ReviewDraftView, ...]) -> ReviewSheetView:
    used, ungranted = (
        tuple(ToolUseView(**msgspec.structs.asdict(one)) for one in many)
        for many in (found.use.tools, found.use.others)
    )
    return ReviewSheetView(
        agent=found.agent.name,
        owner=found.agent.owner,
        task_types=tuple(ReviewedTypeView(**msgspec.structs.asdict(one)) for one in found.task_types),
        used=used,
        ungranted=ungranted,
        window=WindowView(**msgspec.structs.asdict(found.use.window)),
        grants=found.grants,
        shown=found.shown,
        due=found.due,
        last=review_view(found.record.last),
        waiting=review_view(found.record.waiting),
        drafts=drafts,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/reviews",
        summary="List the agents whose access review is due; without a role, one's own",
        serve=due,
        people=Duty.OWN,
        gives=Items[DueReviewView],
    ),
    Endpoint(
        method="GET",
        path="/api/v1/agents/{name}/review",
        summary="Show what an agent is granted against what it uses, for a review",
        serve=sheet,
        people=Duty.OWN,
        gives=ReviewSheetView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/agents/{name}/review",
        summary="Review an agent: certify, trim or remove what each of its task types grants",
        serve=review,
        people=Duty.OWN,
        takes=ReviewAgent,
        gives=ReviewSheetView,
    ),
)
