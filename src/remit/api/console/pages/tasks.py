# SPDX-License-Identifier: Apache-2.0
"""The page of one task: its agent and person, what it may do, its calls, and its end."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from remit.api.console.evidence_rows import call_rows
from remit.api.console.page import ROOT, ConsoleRequest, address_of
from remit.core.tasks.task import Task
from remit.services.endings.suspensions import may_resume, may_take_over
from remit.services.evidence.event_search import EventSearch
from remit.services.identity.permissions import Duty, end_task, may, own_task, see_task

#: Events of the task that the page reads, the last ones.
EVENTS: Final = 200
#: Open questions of one page.
QUESTIONS: Final = 20


async def show(visit: ConsoleRequest) -> Response:
    """Show the page."""
    task = see_task(await visit.rooms.tasks.tasks.get(visit.part("task")), visit.someone)
    rooms, now = visit.rooms, visit.now
    answer = await rooms.inspection.who.of(task.id)
    found = await rooms.evidence.searches.search(
        EventSearch(task=task.id), before=await rooms.evidence.log.size(), limit=EVENTS
    )
    closures = await rooms.evidence.receipts.closures(f"task:{task.id}", 1)
    above, operates = await rooms.endings.suspensions.over(task), may(visit.someone, Duty.END)
    own = above if above is not None and above.task == task.id else None
    return await visit.show(
        "task.html",
        task=task,
        state=answer["state"],
        who=answer,
        sentences=rooms.policies.applied.bundle.sentences(
            task, now=now, observed=rooms.decisions.authorizer.observed
        ),
        questions=await visit.questions(task.id, QUESTIONS),
        rows=call_rows(found.entries),
        closure=closures[0] if closures else None,
        suspension=above,
        resumable=own is not None and may_resume(own, task, visit.someone, operates=operates),
        suspendable=above is None
        or (own is not None and may_take_over(own, task, visit.someone, operates=operates)),
        endable=task.active_at(now) and (own_task(task, visit.someone) or operates),
    )


async def pause(visit: ConsoleRequest) -> Response:
    """Suspend the task, or have it go on."""
    form = await visit.act()
    person, rooms = visit.someone, visit.rooms
    task = end_task(await rooms.tasks.tasks.get(visit.part("task")), person)
    reason = form.get("reason")[:500]
    here = address_of("tasks", task.id)
    operates = may(person, Duty.END)
    if form.get("act") == "resume":
        await rooms.endings.suspensions.resume(task, person, operates=operates, reason=reason)
        return visit.then(here, "task-resumed")
    await rooms.endings.suspensions.suspend(task, person, operates=operates, reason=reason)
    return visit.then(here, "task-suspended")


async def end(visit: ConsoleRequest) -> Response:
    """End the task and show how its permissions close."""
    form = await visit.act()
    person = visit.someone

    def agreed(task: Task) -> Task:
        return end_task(task, person)

    closure = await visit.rooms.endings.revocations.end_task(
        visit.part("task"), reason=form.get("reason")[:500], by=person.name, agreed=agreed
    )
    return visit.then(f"{ROOT}/closures/{closure.id}", "ended")
