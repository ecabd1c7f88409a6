# SPDX-License-Identifier: Apache-2.0
"""Policies: checking and applying a bundle, and showing the bundle in force."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.errors import ConfigInvalid, Conflict
from remit.core.policy.bundle import Bundle, PolicySource
from remit.ports.policy import Problem
from remit.services.decisions.assembly import DecisionServices
from remit.services.endings.assembly import EndingServices
from remit.services.identity.permissions import Duty
from remit.services.policy.bundle import Policies
from remit.services.replicas.assembly import ReplicaServices
from remit.services.tasks.revalidation import RevalidatedTask
from remit.services.tools.assembly import ToolServices


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRooms:
    """The rooms that these endpoints work with."""

    policies: Policies
    tools: ToolServices
    replicas: ReplicaServices
    endings: EndingServices
    decisions: DecisionServices


class CheckPolicies(Body, frozen=True, kw_only=True):
    """Policy sources to check; by default those in the server's own folder."""

    policies: tuple[PolicySource, ...] | None = None


class CheckedPolicies(View, frozen=True, kw_only=True):
    """The problems of the policies; `sound` means that none of them is an error."""

    sound: bool
    problems: tuple[Problem, ...]


class Unsettled(View, frozen=True, kw_only=True):
    """An open task that a policy bundle ends (`ends` is the reason), or from which it removes authority."""

    task: str
    task_type: str
    agent: str
    on_behalf_of: str
    ends: str
    lost: tuple[str, ...]
    narrowed: tuple[str, ...] = ()
    deadline: Moment


class AppliedView(View, frozen=True, kw_only=True):
    """The policy bundle in force.

    `waiting` are parts of the configuration that have changed and are not in force: modes wait for a reload,
    the others for the next start. `tasks` are those that ended or lost authority because the bundle was
    applied now. `version` counts the bundles that were in force. `proposed` is the digest of a bundle that
    was not applied now, as a second administrator has to confirm it.
    """

    digest: str
    version: int
    tools: int
    task_types: int
    rules: int
    waiting: tuple[str, ...] = ()
    tasks: tuple[Unsettled, ...] = ()
    proposed: str = ""


class ApplyPolicies(Body, frozen=True, kw_only=True):
    """What to apply: the policy bundle in the server's folder; with `bundle` only if it has that digest.

    `reason` is kept in the history.
    """

    bundle: str = ""
    reason: str = ""


class Preview(View, frozen=True, kw_only=True):
    """The effect on open tasks of applying the bundle in the server's folder.

    `replaced`: that bundle was in force before, and several replicas now decide by another one, or another
    version was brought back since.
    """

    bundle: str
    replaced: bool = False
    tasks: tuple[Unsettled, ...]


class RuleView(View, frozen=True, kw_only=True):
    """One rule in force: its effect on the calls that match it, its reason in its own words, and its text."""

    id: str
    digest: str
    text: str
    does: Literal["permits", "asks", "refuses"]
    reason: str


class SchemaText(View, frozen=True, kw_only=True):
    """The policy schema, generated from the registered tools."""

    schema: str


async def check(errand: RestRequest[PolicyRooms]) -> CheckedPolicies:
    """Check policies against the currently registered tools."""
    wanted: CheckPolicies = errand.body
    try:
        if wanted.policies is None:
            bundle = await _reload(errand)
        else:
            bundle = msgspec.structs.replace(
                errand.rooms.policies.applied.bundle, policies=tuple(wanted.policies)
            )
        problems = await errand.rooms.policies.check(bundle, by=errand.by)
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


async def preview(errand: RestRequest[PolicyRooms]) -> Preview:
    """Return the open tasks that the bundle in the server's folder would end or restrict; change nothing."""
    bundle = await _reload(errand)
    found = await errand.rooms.endings.rebundling.preview(bundle)
    rooms = errand.rooms
    held = (await rooms.policies.versions.in_force()).held
    replaced = (held or rooms.replicas.membership.several) and await rooms.policies.replaced(bundle)
    return Preview(bundle=bundle.digest, replaced=replaced, tasks=unsettled(found))


async def apply(errand: RestRequest[PolicyRooms]) -> AppliedView:
    """Read the server's bundle again and apply it, also to open tasks."""
    wanted: ApplyPolicies = errand.body
    bundle = await _reload(errand)
    if wanted.bundle not in ("", bundle.digest):
        raise Conflict(
            "the files have changed since the check", remediation="check the bundle again, then apply it"
        )
    policies = errand.rooms.policies
    if policies.second_person and await policies.in_force() not in ("", bundle.digest):
        await policies.propose(bundle, by=errand.by, reason=wanted.reason)
        return applied_view(policies, proposed=bundle.digest)
    await policies.apply(bundle, by=errand.by, reason=wanted.reason)
    await errand.rooms.tools.registry.described()
    changed = await errand.rooms.endings.rebundling.look()
    files = await asyncio.to_thread(errand.desk.reread)
    modes = errand.rooms.decisions.modes.differing(files.observed)
    waiting = (*files.waiting, *(f"upstreams.{name}.mode" for name in modes))
    return applied_view(policies, waiting=waiting, tasks=unsettled(changed))


def unsettled(found: list[RevalidatedTask]) -> tuple[Unsettled, ...]:
    """Return what a bundle takes from open tasks."""
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


async def applied(errand: RestRequest[PolicyRooms]) -> AppliedView:
    """Show which bundle is in force.

    For example, compare its digest with the digest that a review approved.
    """
    return applied_view(errand.rooms.policies)


async def rules(errand: RestRequest[PolicyRooms]) -> Items[RuleView]:
    """Return every rule in force."""
    found = errand.rooms.policies.applied.policy.rules()
    return Items(
        tuple(
            RuleView(id=rule.id, digest=rule.digest, text=rule.text, does=rule.does, reason=rule.reason)
            for rule in found
        )
    )


async def schema(errand: RestRequest[PolicyRooms]) -> SchemaText:
    """Return the policy schema."""
    return SchemaText(schema=await errand.rooms.policies.schema())


async def _reload(errand: RestRequest[PolicyRooms]) -> Bundle:
    # It reads files, so it runs outside of the event loop.
    return await asyncio.to_thread(errand.desk.reload)


def applied_view(policies: Policies, **more: Any) -> AppliedView:
    """Return the bundle in force; `more` is what has just been done."""
    now = policies.applied
    return AppliedView(
        digest=now.digest,
        version=now.version,
        tools=len(now.bundle.tools),
        task_types=len(now.bundle.task_types),
        rules=len(now.policy.rules()),
        **more,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/policies",
        summary="Show the policy bundle in force",
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
        summary="List the open tasks that the policy bundle in the server's folder would end or reduce",
        serve=preview,
        people=Duty.OVERSEE,
        gives=Preview,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/policies/apply",
        summary="Read the policy bundle again and put it in force as a whole, for open tasks, too",
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
