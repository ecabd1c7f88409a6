# SPDX-License-Identifier: Apache-2.0
"""The page that answers who is at work, for which person, doing what, permitted what, and until when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec
from starlette.responses import Response

from remit.api.console.charts import call_bars
from remit.api.console.page import ConsoleRequest
from remit.core.identity.principals import AgentState
from remit.core.tasks.task import Task, TaskState
from remit.core.tools.tool import Tier
from remit.services.identity.permissions import Duty, may, own_task
from remit.services.inspection.activity import MINUTES, LastCall

#: Tasks that are searched, and those that one page shows; idle agents that it names.
SEARCHED: Final = 10_000
SHOWN: Final = 100
IDLE: Final = 24


class WorkingTask(msgspec.Struct, frozen=True, kw_only=True):
    """One open task as a row: `question` is the approval that it waits for, `last` its last call."""

    id: str
    agent: str
    person: str
    goal: str
    tier: str
    tools: tuple[str, ...]
    opened: datetime
    deadline: datetime
    parent: str
    question: str
    last: LastCall | None
    suspended: bool
    endable: bool

    @property
    def dot(self) -> str:
        """The color of its dot: whether it waits, was refused, or goes on."""
        if self.suspended:
            return "bad"
        if self.question:
            return "warn"
        return "" if self.last is None else {"deny": "bad", "defer": "warn"}.get(self.last.outcome, "good")


async def show(visit: ConsoleRequest) -> Response:
    """Show the page."""
    rooms, now = visit.rooms, visit.now
    await rooms.inspection.activity.look()
    sought = visit.asked("q").strip()
    found = await rooms.tasks.tasks.newest(state=TaskState.ACTIVE, limit=SEARCHED, texts=bool(sought))
    active = [one for one in found if one.active_at(now) and visit.sees(one)]
    questions: dict[str, str] = {}
    for question in await visit.questions():
        questions.setdefault(question.task, question.id)
    wanted = [one for one in active if _about(one, sought.lower())]
    wanted.sort(key=lambda one: (one.id in questions, _moved(visit, one)), reverse=True)
    shown = [await rooms.tasks.tasks.get(one.id) for one in wanted[:SHOWN]]
    overseen = visit.may(Duty.OVERSEE)
    agents = await rooms.identity.directory.agents() if overseen else []
    busy = {one.agent for one in active}
    idle = [one for one in agents if one.name not in busy and one.state is not AgentState.RETIRED]
    minutes = rooms.inspection.activity.minutes() if overseen else []
    return await visit.show(
        "now.html",
        tasks=[_row(visit, one, questions.get(one.id, "")) for one in shown],
        hidden_tasks=len(wanted) - SHOWN,
        total=len(active),
        working=len(busy),
        sought=sought,
        locks=await rooms.endings.locks.all() if overseen else [],
        idle=[_idle(one.name, one.state) for one in idle[:IDLE]],
        agents_total=len(agents),
        since=_since(visit) if overseen else None,
        bars=call_bars(minutes) if overseen else "",
        calls=sum(one.permitted + one.refused + one.asked for one in minutes),
        refused=sum(one.refused for one in minutes),
    )


def _since(visit: ConsoleRequest) -> datetime | None:
    """Return the time from which on calls are counted, if that is less than the hour that is shown."""
    since = visit.rooms.inspection.activity.since
    return since if since is not None and visit.now - since < timedelta(minutes=MINUTES - 1) else None


def _about(task: Task, sought: str) -> bool:
    texts = (task.agent, task.on_behalf_of, task.intent.requested_by, task.intent.goal, task.id, task.type)
    return not sought or any(sought in text.lower() for text in texts)


def _moved(visit: ConsoleRequest, task: Task) -> datetime:
    last = visit.rooms.inspection.activity.last_call(task.id)
    return last.at if last is not None else task.opened


def _row(visit: ConsoleRequest, task: Task, question: str) -> WorkingTask:
    registry = visit.rooms.tools.registry
    names = tuple(dict.fromkeys(grant.tool for grant in task.grants))
    tiers = [tool.tier for name in names if (tool := registry.get(name)) is not None]
    return WorkingTask(
        id=task.id,
        agent=task.agent,
        person=task.on_behalf_of or task.intent.requested_by.partition(":")[2],
        goal=task.intent.goal,
        tier=max(tiers, default=Tier.CONVERSATION).word if names else "",
        tools=names,
        opened=task.opened,
        deadline=task.deadline,
        parent=task.parent,
        question=question,
        last=visit.rooms.inspection.activity.last_call(task.id),
        suspended=bool(visit.rooms.tasks.live.suspended(task)),
        endable=own_task(task, visit.someone) or may(visit.someone, Duty.END),
    )


def _idle(name: str, state: AgentState) -> dict[str, str]:
    suspended = state is AgentState.SUSPENDED
    return {"name": name, "state": state.value, "dot": "bad" if suspended else ""}
