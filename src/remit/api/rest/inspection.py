# SPDX-License-Identifier: Apache-2.0
"""The queries `who` and `can`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from remit.api.rest.representations import View
from remit.api.rest.route import Body, Endpoint, RestRequest
from remit.core.errors import Malformed, NotFound
from remit.core.json_value import Json
from remit.services.identity.assembly import IdentityServices
from remit.services.identity.permissions import Duty, ask_about
from remit.services.inspection.assembly import InspectionServices
from remit.services.inspection.who import is_token
from remit.services.inspection.who_can import WayToTool
from remit.services.tasks.assembly import TaskServices


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionRooms:
    """The rooms that these endpoints work with."""

    tasks: TaskServices
    identity: IdentityServices
    inspection: InspectionServices


class AskWho(Body, frozen=True, kw_only=True):
    """What to ask about: an agent, a task, a workload (such as a SPIFFE ID) or a person."""

    x: str


class AskCan(Body, frozen=True, kw_only=True):
    """The question: may `x` (a task or an agent) call `tool` with `arguments` now?

    Without `tool`: what may it do? Without `arguments`: under which grants may it call the tool?
    """

    x: str
    tool: str = ""
    arguments: dict[str, Json] | None = None


class AskWhoCan(Body, frozen=True, kw_only=True):
    """The tool (`upstream/tool`): who could call it, by which task types, without an open task?"""

    tool: str


class WhoCanView(View, frozen=True, kw_only=True):
    """Who could call a tool.

    `ways` are the task types that grant it, each with the agents that it names: `may` is `yes`, `asks` (a
    person approves each call) or `no`, and `cut_by` is what cuts an agent off: the `tool` (suspended), the
    `agent` (suspended, retired), the `person` (none may request such a task), or the `policy`, with its
    rules. `others` are the registered agents that no such task type names. `unjudged` is why the policies
    were not asked, if they were not.
    """

    tool: str
    state: str
    effect: str
    audience: str
    tier: str
    described: bool
    ways: tuple[WayToTool, ...]
    others: tuple[str, ...]
    unjudged: str


class AskToken(Body, frozen=True, kw_only=True):
    """What to ask about. It may be an access token, so it is in the body, which no access log contains."""

    x: str


async def who(errand: RestRequest[InspectionRooms]) -> dict[str, Json]:
    """Describe an agent, task, workload or person."""
    asked: AskWho = errand.query
    if is_token(asked.x):
        raise Malformed("a token must not be in a URL", remediation="send it by POST")
    return await _who(errand, asked.x)


async def who_token(errand: RestRequest[InspectionRooms]) -> dict[str, Json]:
    """Describe the subject of a token, or an agent, task, workload or person."""
    asked: AskToken = errand.body
    return await _who(errand, asked.x.strip())


async def _who(errand: RestRequest[InspectionRooms], name: str) -> dict[str, Json]:
    """Return the description if the caller may see it; raise `NotFound` otherwise."""
    try:
        told = await errand.rooms.inspection.who.of(name)
    except NotFound:
        await _may_ask(errand, name)
        raise
    match told["kind"]:
        case "token" if "agent" in told:
            await _may_ask(errand, told["task"]["task"] if told["task"] else told["agent"])
        case "workload":
            for one in told["agents"]:
                await _may_ask(errand, one["agent"])
        case "task" | "agent" | "person":
            await _may_ask(errand, name)
    return told


async def can(errand: RestRequest[InspectionRooms]) -> dict[str, Json]:
    """Return what a task or an agent may do now."""
    asked: AskCan = errand.body
    if asked.arguments is not None and not asked.tool:
        raise Malformed("`arguments` need a `tool`", remediation="give the tool")
    await _may_ask(errand, asked.x)
    return await errand.rooms.inspection.reports.can(asked.x, asked.tool, asked.arguments)


async def who_can(errand: RestRequest[InspectionRooms]) -> WhoCanView:
    """Return who could call a tool, and what cuts others off."""
    asked: AskWhoCan = errand.body
    found = await errand.rooms.inspection.who_can.who(asked.tool, by=errand.by)
    return WhoCanView(**msgspec.structs.asdict(found))


async def _may_ask(errand: RestRequest[InspectionRooms], name: str) -> None:
    rooms = errand.rooms
    task = await rooms.tasks.tasks.find(name)
    agent = await rooms.identity.directory.find_agent(name)
    ask_about(errand.someone, name, task, agent)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/who",
        summary="Show who an agent, task, workload or person is, for which person it acts, and the proof",
        serve=who,
        people=Duty.OWN,
        asks=AskWho,
        gives=dict[str, Any],
    ),
    Endpoint(
        method="POST",
        path="/api/v1/who",
        summary="The same, also for an access token",
        serve=who_token,
        people=Duty.OWN,
        takes=AskToken,
        gives=dict[str, Any],
    ),
    Endpoint(
        method="POST",
        path="/api/v1/can",
        summary="Show what a task or an agent may do now, by which rule and until when",
        serve=can,
        people=Duty.OWN,
        takes=AskCan,
        gives=dict[str, Any],
    ),
    Endpoint(
        method="POST",
        path="/api/v1/can/who",
        summary="Show who could call a tool, by which task types, and what cuts others off",
        serve=who_can,
        people=Duty.OVERSEE,
        takes=AskWhoCan,
        gives=WhoCanView,
    ),
)
