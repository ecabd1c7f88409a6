# SPDX-License-Identifier: Apache-2.0
"""The questions `who` and `can`."""

from __future__ import annotations

from typing import Any

from remit.api.rest.route import Body, Endpoint, RestRequest
from remit.core.errors import Malformed, NotFound
from remit.core.json_value import Json
from remit.services.identity.permissions import Duty, ask_about
from remit.services.inspection.who import is_token


class AskWho(Body, frozen=True, kw_only=True):
    """Whom to ask about: an agent, a task, a workload (such as a SPIFFE ID) or a person."""

    x: str


class AskCan(Body, frozen=True, kw_only=True):
    """What to ask: may `x` (a task or an agent) call `tool` with `arguments` right now?

    Without `tool`: what may it do at all. Without `arguments`: under which grants.
    """

    x: str
    tool: str = ""
    arguments: dict[str, Json] | None = None


class AskToken(Body, frozen=True, kw_only=True):
    """Whom to ask about, where that may be an access token: in the body, so that no log of addresses has
    it.
    """

    x: str


async def who(errand: RestRequest) -> dict[str, Json]:
    """Say who somebody is."""
    asked: AskWho = errand.query
    if is_token(asked.x):
        raise Malformed("a token must not be in a URL", remediation="send it by POST")
    return await _who(errand, asked.x)


async def who_token(errand: RestRequest) -> dict[str, Json]:
    """Say whom a token speaks for, or who somebody is."""
    asked: AskToken = errand.body
    return await _who(errand, asked.x.strip())


async def _who(errand: RestRequest, name: str) -> dict[str, Json]:
    """Answer whoever may ask; to others nobody is there."""
    try:
        told = await errand.house.who.of(name)
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


async def can(errand: RestRequest) -> dict[str, Json]:
    """Say what somebody may do right now."""
    asked: AskCan = errand.body
    if asked.arguments is not None and not asked.tool:
        raise Malformed("`arguments` need a `tool`", remediation="give the tool")
    await _may_ask(errand, asked.x)
    return await errand.house.reports.can(asked.x, asked.tool, asked.arguments)


async def _may_ask(errand: RestRequest, name: str) -> None:
    house = errand.house
    task = await house.tasks.find(name)
    agent = await house.directory.find_agent(name)
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
)
