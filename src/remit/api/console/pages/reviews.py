# SPDX-License-Identifier: Apache-2.0
"""Access reviews: the agents that are due, and the form of one agent's page."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec
from starlette.responses import Response

from remit.api.console.page import ConsoleRequest, address_of
from remit.api.oauth.forms import Form
from remit.core.errors import Malformed
from remit.core.identity.access_review import ReviewAnswer, TypeAnswer, UseWindow
from remit.services.identity.permissions import Duty, ask_about
from remit.services.inspection.access_reviews import GivenReview

#: Agents of the list, and how far ahead of its time a review is listed.
SHOWN: Final = 200
AHEAD: Final = timedelta(days=14)
#: Answers that a form may have, and tools of each.
MOST: Final = 500


async def index(visit: ConsoleRequest) -> Response:
    """Show the agents whose review is due, or soon will be; without a role, one's own."""
    reviews = visit.rooms.inspection.reviews
    found = [
        one
        for one in await reviews.due(visit.now + AHEAD)
        if visit.may(Duty.OVERSEE) or one[0].owned_by(visit.someone)
    ]
    return await visit.show(
        "reviews.html",
        rows=found[:SHOWN],
        total=len(found),
        late=sum(1 for _, _, due in found if due <= visit.now),
        rule=reviews.rule,
    )


async def act(visit: ConsoleRequest) -> Response:
    """Record a review of an agent."""
    form = await visit.act()
    directory, name = visit.rooms.identity.directory, visit.part("name")
    ask_about(visit.someone, name, None, await directory.find_agent(name))
    agent = await directory.agent(name)
    try:
        window = msgspec.json.decode(form.get("window"), type=UseWindow)
    except msgspec.DecodeError:
        raise Malformed("this is no review of a page", remediation="go back and reload the page") from None
    given = GivenReview(
        grants=form.get("grants"),
        shown=form.get("shown"),
        window=window,
        answers=tuple(_answers(form)),
        comment=form.get("comment")[:2000],
    )
    record = await visit.rooms.inspection.reviews.review(agent, visit.someone, given)
    return visit.then(
        address_of("agents", agent.name), "review-waits" if record.waiting else "agent-reviewed"
    )


def _answers(form: Form) -> list[TypeAnswer]:
    """Return the answers of a form: a task type with ticked tools is trimmed of them."""
    answers: list[TypeAnswer] = []
    while len(answers) < MOST and (task_type := form.get(f"type{len(answers)}")):
        number = len(answers)
        gone = tuple(tool for place in range(MOST) if (tool := form.get(f"gone{number}-{place}")))
        answer = ReviewAnswer.TRIM if gone else ReviewAnswer.CERTIFY
        if form.get(f"answer{number}") == "remove":
            answer, gone = ReviewAnswer.REMOVE, ()
        answers.append(TypeAnswer(task_type=task_type, answer=answer, tools=gone))
    return answers
