# SPDX-License-Identifier: Apache-2.0
"""A page of the console: who looks, what that person may do, and how the page is drawn.

A page is drawn on the server as a whole. The browser's script asks for it again when the log says that
something has changed, and replaces the parts that are marked as live. Without a script everything works, but
stands still.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

import jinja2
import msgspec
from starlette.responses import Response

from remit.api.console.formats import FILTERS, segment, shown
from remit.api.console.questions import state_word
from remit.api.console.rooms import ConsoleRooms
from remit.api.oauth.browser import sign_in
from remit.api.oauth.browser.rendering import PageRequest, Serve, paged_as
from remit.api.oauth.forms import Form
from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.errors import Busy
from remit.core.identity.principals import Person
from remit.core.tasks.task import Task
from remit.services.decisions.approvals import MAX_LISTED
from remit.services.identity.permissions import Duty, may, own_task, require, see_approval

ROOT: Final = "/console"
#: Waiting questions that each page counts.
MOST_WAITING: Final = 99


class NavigationEntry(msgspec.Struct, frozen=True):
    """An entry of the navigation; `duty` is what a person needs to open it."""

    key: str
    title: str
    address: str
    duty: Duty


DESTINATIONS: Final = (
    NavigationEntry("now", "Now", ROOT, Duty.OWN),
    NavigationEntry("approvals", "Approvals", f"{ROOT}/approvals", Duty.OWN),
    NavigationEntry("agents", "Agents", f"{ROOT}/agents", Duty.OVERSEE),
    NavigationEntry("evidence", "Evidence", f"{ROOT}/evidence", Duty.AUDIT),
    NavigationEntry("onboard", "Onboard", f"{ROOT}/onboard", Duty.OVERSEE),
    NavigationEntry("paths", "Paths", f"{ROOT}/paths", Duty.OVERSEE),
    NavigationEntry("policies", "Policies", f"{ROOT}/policies", Duty.OVERSEE),
    NavigationEntry("findings", "Findings", f"{ROOT}/findings", Duty.OVERSEE),
    NavigationEntry("controls", "Controls", f"{ROOT}/controls", Duty.OVERSEE),
)

#: What a page says after an act, by the word in its address. A word that is not here says nothing.
DONE: Final = {
    "ended": "Ended. Every permission that came from it is being checked.",
    "locked": "Ended and locked. Nothing opens there until someone unlocks it.",
    "unlocked": "Unlocked. New tasks may open again.",
    "approved": "Approved. The agent has the answer.",
    "refused": "Refused. The agent has the answer.",
    "counted": "Your approval counts. The agent waits until further people have approved the same.",
    "reviewed": "Reviewed. The finding is resolved.",
    "narrowed": "Narrowed. The agent may make the smaller call.",
    "withdrawn": "Withdrawn. It permits nothing any more.",
    "task-suspended": "Suspended. None of its calls is permitted until someone resumes it, or ends it.",
    "task-resumed": "It goes on.",
    "suspended": "Suspended. The agent opens no task until someone activates it.",
    "activated": "Activated. The agent may open tasks.",
    "retired": "Retired. The agent never acts again, and its tasks have ended.",
    "unbound": "Unbound. Tokens of the agent are refused from now on, and its tasks have ended.",
    "agent-reviewed": "Reviewed. What should go is drafted below.",
    "review-waits": "Recorded. It counts once a second person gives the same answers.",
    "resolved": "Resolved. If it is seen again, it opens again.",
    "accepted-finding": "Accepted. It opens again when its time is over, or when its facts change.",
    "false-finding": "Marked as false. It opens again only when its facts change.",
    "reopened": "Open again.",
    "deactivated": "Deactivated. The person's sessions and tasks have ended.",
    "reactivated": "Activated. The person may sign in again.",
    "signed-out": "Signed out. The person's sessions, codes and unused approvals have ended.",
    "revoked": "Revoked. Tasks that were opened under it have ended.",
    "saved": "Saved.",
}

_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.PackageLoader("remit.api.console", "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    # INVARIANT: no text, of any author, moves, reorders or hides what stands around it.
    finalize=shown,
)
_TEMPLATES.filters |= FILTERS | {"state_word": state_word}
_TEMPLATES.globals |= {"root": ROOT}


class ConsoleRequest(PageRequest):
    """One request of a browser for a page of the console."""

    templates = _TEMPLATES
    rooms: ConsoleRooms
    #: The entry of the navigation that the page belongs to, and the duty that it needs.
    at: str = ""
    duty: Duty = Duty.OWN

    @property
    def someone(self) -> Person:
        """The person who looks; only handlers of `console_page` use it."""
        assert self.seat is not None
        return self.seat.person

    @property
    def now(self) -> datetime:
        """The current time, UTC."""
        return self.rooms.clock.now()

    def may(self, duty: Duty) -> bool:
        """Return whether the person carries a duty."""
        return may(self.someone, duty)

    def require(self, duty: Duty) -> None:
        """Raise `Forbidden` unless the person carries a duty."""
        require(self.someone, duty)

    def asked(self, name: str, fallback: str = "") -> str:
        """Return a value of the address's query, at most 200 characters of it."""
        return self.request.query_params.get(name, fallback)[:200]

    def part(self, name: str) -> str:
        """Return a part of the address's path."""
        return str(self.request.path_params[name])

    def sees(self, task: Task) -> bool:
        """Return whether the person may see a task."""
        return may(self.someone, Duty.OVERSEE) or own_task(task, self.someone)

    async def questions(self, task: str = "", limit: int = MAX_LISTED) -> list[Approval]:
        """Return the open questions that the person may see, newest first, without their arguments."""
        found = await self.rooms.decisions.approvals.newest(ApprovalState.PENDING, task=task, limit=limit)
        return self.visible([one for one in found if one.state is ApprovalState.PENDING])

    def visible(self, found: list[Approval]) -> list[Approval]:
        """Return those of some approvals that the person may see.

        An approval names the people of its task: no task is read for it.
        """
        return [one for one in found if see_approval(one, None, self.someone)]

    async def _waiting(self) -> int:
        """Return how many questions wait that the person may see; the count stops after `MOST_WAITING`."""
        all_seen = may(self.someone, Duty.APPROVE) or may(self.someone, Duty.AUDIT)
        return len(await self.questions(limit=MOST_WAITING + 1 if all_seen else MAX_LISTED))

    async def act(self) -> Form:
        """Read the form of an act; raise `Forbidden` for another site's, `Busy` for too many.

        The duty counts when the form has arrived: its sender decides how long that takes.
        """
        form = await self.form()
        self.require(self.duty)
        if not self.rooms.acts.keeps(self.someone.name, self.rooms.clock.boot_s()):
            raise Busy("too many changes in one minute", code="too-many-acts", remediation="wait a minute")
        return form

    async def show(self, template: str, **values: Any) -> Response:
        """Return a page of the console, with its navigation."""
        waiting = await self._waiting() if self.seat is not None else 0
        return self.draw(
            template,
            script=True,
            at=self.at,
            now=self.now,
            waiting=waiting,
            roles=sorted(role.value for role in self.someone.roles),
            may={duty.value: self.may(duty) for duty in Duty},
            destinations=[one for one in DESTINATIONS if self.may(one.duty)],
            done=DONE.get(self.asked("done"), ""),
            **values,
        )

    def then(self, address: str, done: str = "") -> Response:
        """Redirect to a page of the console, which says what was done."""
        return self.go(address + (f"?{urlencode({'done': done})}" if done else ""))


Page = Callable[[ConsoleRequest], Awaitable[Response]]


def console_page(serve: Page, rooms: ConsoleRooms, *, at: str, duty: Duty) -> Serve:
    """Return the handler of a page for people who carry a duty; others sign in first, or are refused.

    `at` is the entry of the navigation. A form is sent back to the page that it is on.
    """

    async def page(visit: ConsoleRequest) -> Response:
        visit.at, visit.duty = at, duty
        if visit.seat is None:
            if "hx-request" in visit.request.headers:
                # A part of a page was asked for: the whole page goes to sign in.
                return Response(status_code=204, headers={"HX-Refresh": "true"})
            search = visit.request.url.query
            then = visit.request.url.path + (f"?{search}" if search else "")
            return sign_in.first(visit, then if visit.request.method in ("GET", "HEAD") else ROOT)
        visit.require(duty)
        return await serve(visit)

    return paged_as(ConsoleRequest, page, rooms)


def address_of(kind: str, name: str) -> str:
    """Return the address of the page of one thing, such as an agent."""
    return f"{ROOT}/{kind}/{segment(name)}"
