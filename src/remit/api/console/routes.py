# SPDX-License-Identifier: Apache-2.0
"""The routes of the console."""

from __future__ import annotations

from functools import partial
from importlib import resources
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from remit.api.console import notification_link
from remit.api.console.live import live
from remit.api.console.page import ROOT, Page, console_page
from remit.api.console.pages import (
    agents,
    approvals,
    controls,
    decisions,
    endings,
    evidence,
    findings,
    now,
    paths,
    people,
    policies,
    reviews,
    tasks,
    timelines,
    tools,
    upstreams,
)
from remit.api.console.rooms import ConsoleRooms
from remit.api.oauth.browser.rendering import Serve, paged
from remit.core.errors import NotFound
from remit.services.identity.permissions import Duty

#: Path, entry of the navigation, duty, and the handlers of GET and POST. A GET changes nothing.
PAGES: Final[tuple[tuple[str, str, Duty, Page | None, Page | None], ...]] = (
    ("", "now", Duty.OWN, now.show, None),
    ("/tasks/{task}", "now", Duty.OWN, tasks.show, None),
    ("/tasks/{task}/timeline", "now", Duty.OWN, timelines.show, None),
    ("/tasks/{task}/suspend", "now", Duty.OWN, None, tasks.pause),
    ("/tasks/{task}/end", "now", Duty.OWN, None, tasks.end),
    ("/agents", "agents", Duty.OWN, agents.index, None),
    ("/agents/{name}", "agents", Duty.OWN, agents.show, agents.act),
    ("/agents/{name}/review", "agents", Duty.OWN, None, reviews.act),
    ("/reviews", "agents", Duty.OWN, reviews.index, None),
    ("/people", "agents", Duty.OVERSEE, people.index, None),
    ("/people/{name}", "agents", Duty.OWN, people.show, people.act),
    ("/tools/{tool:path}", "onboard", Duty.OVERSEE, tools.show, tools.accept),
    ("/findings", "findings", Duty.OWN, findings.index, None),
    ("/findings/{id}", "findings", Duty.OWN, findings.show, findings.answer),
    ("/controls", "controls", Duty.OVERSEE, controls.show, None),
    ("/approvals", "approvals", Duty.OWN, approvals.listed, None),
    ("/approvals/figures", "approvals", Duty.OVERSEE, approvals.figures, None),
    ("/approvals/suggestions", "approvals", Duty.AUDIT, approvals.suggestions, None),
    ("/approvals/{approval}", "approvals", Duty.OWN, approvals.show, approvals.answer),
    ("/approvals/{approval}/alike", "approvals", Duty.APPROVE, approvals.alike, None),
    ("/approvals/{approval}/chain", "approvals", Duty.OWN, approvals.chain, None),
    ("/approvals/{approval}/withdraw", "approvals", Duty.APPROVE, None, approvals.withdraw),
    ("/approvals/{approval}/review", "approvals", Duty.OVERSEE, None, approvals.review),
    ("/stop", "now", Duty.END, endings.stop, endings.stopped),
    ("/unlock", "now", Duty.ADMINISTER, None, endings.unlock),
    ("/evidence", "evidence", Duty.AUDIT, evidence.show, None),
    ("/evidence/calls", "evidence", Duty.AUDIT, evidence.calls, None),
    ("/evidence/export", "evidence", Duty.AUDIT, evidence.export, None),
    ("/evidence/{index}", "evidence", Duty.AUDIT, evidence.event, None),
    ("/evidence/{index}/proof", "evidence", Duty.AUDIT, evidence.proof, None),
    ("/decisions/{decision}", "now", Duty.OWN, decisions.show, None),
    ("/decisions/{decision}/explanation", "now", Duty.AUDIT, decisions.explanation, None),
    ("/paths", "paths", Duty.OVERSEE, paths.show, None),
    ("/policies", "policies", Duty.OVERSEE, policies.show, None),
    ("/policies/rules/{rule:path}", "policies", Duty.OVERSEE, policies.rule, None),
    ("/policies/versions/{version}", "policies", Duty.OVERSEE, policies.version, None),
    ("/policies/versions/{version}/restore", "policies", Duty.ADMINISTER, None, policies.roll_back),
    ("/policies/confirm", "policies", Duty.ADMINISTER, None, policies.confirm),
    ("/policies/simulate", "policies", Duty.AUDIT, None, policies.simulate),
    ("/policies/shadow/stop", "policies", Duty.ADMINISTER, None, policies.stop_shadow),
    ("/policies/freeze", "policies", Duty.END, None, policies.freeze),
    ("/policies/lift", "policies", Duty.ADMINISTER, None, policies.lift),
    ("/closures/{closure}", "now", Duty.OWN, endings.closure, None),
    ("/onboard", "onboard", Duty.OVERSEE, upstreams.listed, None),
    ("/onboard/{upstream}", "onboard", Duty.OVERSEE, upstreams.show, None),
    ("/onboard/{upstream}/mode", "onboard", Duty.ADMINISTER, None, upstreams.change_mode),
)

_MEDIA: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "txt": "text/plain"}


def routes(rooms: ConsoleRooms) -> tuple[tuple[str, dict[str, Serve]], ...]:
    """Return every path of the console, with the handler of each method."""

    def page(one: Page, at: str, duty: Duty) -> Serve:
        return console_page(one, rooms, at=at, duty=duty)

    return (
        *(
            (
                ROOT + path,
                {
                    method: page(serve, at, duty)
                    for method, serve in (("GET", shows), ("POST", acts))
                    if serve is not None
                },
            )
            for path, at, duty, shows, acts in PAGES
        ),
        (ROOT + "/live", {"GET": live(rooms)}),
        (notification_link.PATH, {"GET": paged(partial(notification_link.follow, links=rooms.links), rooms)}),
        (ROOT + "/static/{name}", {"GET": _static()}),
    )


def _static() -> Serve:
    folder = resources.files("remit.api.console").joinpath("static")
    files = {one.name: one.read_bytes() for one in folder.iterdir() if one.name.rpartition(".")[2] in _MEDIA}

    async def given(request: Request) -> Response:
        name = str(request.path_params["name"])
        if name not in files:
            raise NotFound("no such file", code="no-route", remediation="reload the page")
        # A file of others has its version in its name, so it never changes.
        age = "max-age=31536000, immutable" if ".min." in name else "max-age=300"
        headers = {"Cache-Control": age, "X-Content-Type-Options": "nosniff"}
        return Response(files[name], headers=headers, media_type=_MEDIA[name.rpartition(".")[2]])

    return given
