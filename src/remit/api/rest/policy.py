# SPDX-License-Identifier: Apache-2.0
"""Policies: checking, applying and showing what is in force."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec

from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.errors import ConfigInvalid, Conflict
from remit.core.policy.bundle import Bundle, PolicySource
from remit.ports.policy import Problem
from remit.services.identity.permissions import Duty
from remit.services.tasks.revalidation import RevalidatedTask


class CheckPolicies(Body, frozen=True, kw_only=True):
    """Policy sources to check; without them those in the server's own folder are checked."""

    policies: tuple[PolicySource, ...] | None = None


class CheckedPolicies(View, frozen=True, kw_only=True):
    """What is wrong; `sound` says that no problem is an error."""

    sound: bool
    problems: tuple[Problem, ...]


class Unsettled(View, frozen=True, kw_only=True):
    """An open task that a bundle ends (`ends` says why), or takes something from."""

    task: str
    task_type: str
    agent: str
    on_behalf_of: str
    ends: str
    lost: tuple[str, ...]
    narrowed: tuple[str, ...] = ()
    deadline: Moment


class AppliedView(View, frozen=True, kw_only=True):
    """The bundle in force. `waiting` names sections of the configuration that were changed since the start,
    and count after the next one; `tasks` are those that ended, or hold less, because it was applied now.
    """

    digest: str
    tools: int
    task_types: int
    rules: int
    waiting: tuple[str, ...] = ()
    tasks: tuple[Unsettled, ...] = ()


class ApplyPolicies(Body, frozen=True, kw_only=True):
    """What is to be put in force: the bundle in the server's folder; with `bundle` only if it is that one."""

    bundle: str = ""


class Preview(View, frozen=True, kw_only=True):
    """What applying the bundle in the server's folder would do to open tasks. `replaced` where it was in
    force once, and several replicas decide by another one now.
    """

    bundle: str
    replaced: bool = False
    tasks: tuple[Unsettled, ...]


class RuleView(View, frozen=True, kw_only=True):
    """One rule in force: what it does with what it is about, why in its own words, and its text."""

    id: str
    digest: str
    text: str
    does: Literal["permits", "asks", "refuses"]
    reason: str


class SchemaText(View, frozen=True, kw_only=True):
    """The policy schema, generated from the registered tools."""

    schema: str


async def check(errand: RestRequest) -> CheckedPolicies:
    """Check policies against the tools that are registered now."""
    wanted: CheckPolicies = errand.body
    try:
        if wanted.policies is None:
            bundle = await _reload(errand)
        else:
            bundle = msgspec.structs.replace(
                errand.house.policies.applied.bundle, policies=tuple(wanted.policies)
            )
        problems = await errand.house.policies.check(bundle, by=errand.by)
    except ConfigInvalid as error:
        problems = [
            Problem(
                severity="error",
                text=error.message,
                file=error.file,
                line=error.line,
                remediation=error.remediation,
            )
        ]
    return CheckedPolicies(sound=all(one.severity != "error" for one in problems), problems=tuple(problems))


async def preview(errand: RestRequest) -> Preview:
    """Say which open tasks would not go on as they are; nothing changes."""
    bundle = await _reload(errand)
    found = await errand.house.rebundling.preview(bundle)
    house = errand.house
    replaced = house.replicas.several and await house.policies.replaced(bundle)
    return Preview(bundle=bundle.digest, replaced=replaced, tasks=_unsettled(found))


async def apply(errand: RestRequest) -> AppliedView:
    """Read the server's bundle again and put it in force, for open tasks too."""
    wanted: ApplyPolicies = errand.body
    bundle = await _reload(errand)
    if wanted.bundle not in ("", bundle.digest):
        raise Conflict(
            "the files have changed since the check", remediation="check the bundle again, then apply it"
        )
    await errand.house.policies.apply(bundle, by=errand.by)
    await errand.house.tools.described()
    changed = await errand.house.rebundling.look()
    waiting = await asyncio.to_thread(errand.desk.waiting)
    return msgspec.structs.replace(_applied(errand), waiting=waiting, tasks=_unsettled(changed))


def _unsettled(found: list[RevalidatedTask]) -> tuple[Unsettled, ...]:
    return tuple(
        Unsettled(
            task=one.task.id,
            task_type=one.task.type,
            agent=one.task.agent,
            on_behalf_of=one.task.on_behalf_of,
            ends=one.ends,
            lost=one.lost,
            narrowed=one.narrowed,
            deadline=one.deadline,
        )
        for one in found
    )


async def applied(errand: RestRequest) -> AppliedView:
    """Say which bundle is in force."""
    return _applied(errand)


async def rules(errand: RestRequest) -> Items[RuleView]:
    """Return every rule in force."""
    found = errand.house.policies.applied.policy.rules()
    return Items(tuple(RuleView(**rule._asdict()) for rule in found))


async def schema(errand: RestRequest) -> SchemaText:
    """Return the policy schema."""
    return SchemaText(schema=await errand.house.policies.schema())


async def _reload(errand: RestRequest) -> Bundle:
    # Reads files: not on the event loop.
    return await asyncio.to_thread(errand.desk.reload)


def _applied(errand: RestRequest) -> AppliedView:
    now = errand.house.policies.applied
    return AppliedView(
        digest=now.digest,
        tools=len(now.bundle.tools),
        task_types=len(now.bundle.task_types),
        rules=len(now.policy.rules()),
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/policies",
        summary="Show the bundle in force",
        serve=applied,
        people=Duty.OWN,
        gives=AppliedView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/policies/check",
        summary="Check policies: the given ones, or those in the server's folder",
        serve=check,
        people=Duty.OVERSEE,
        takes=CheckPolicies,
        gives=CheckedPolicies,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/policies/preview",
        summary="List the open tasks that the bundle in the server's folder would end or reduce",
        serve=preview,
        people=Duty.OVERSEE,
        gives=Preview,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/policies/apply",
        summary="Read the server's bundle again and put it in force as a whole, for open tasks, too",
        serve=apply,
        people=Duty.ADMINISTER,
        takes=ApplyPolicies,
        gives=AppliedView,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/policies/rules",
        summary="List the rules in force",
        serve=rules,
        people=Duty.OVERSEE,
        gives=Items[RuleView],
    ),
    Endpoint(
        method="GET",
        path="/api/v1/policies/schema",
        summary="Show the policy schema for the registered tools",
        serve=schema,
        people=Duty.OVERSEE,
        gives=SchemaText,
    ),
)
