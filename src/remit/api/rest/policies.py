# SPDX-License-Identifier: Apache-2.0
"""Policies: checking, applying and showing what is in force."""

from __future__ import annotations

import asyncio

import msgspec

from remit.api.rest.endpoint import Body, Endpoint, Errand, Items
from remit.api.rest.views import View
from remit.core.bundle import Bundle, PolicySource
from remit.core.errors import ConfigInvalid
from remit.ports.policy import Problem
from remit.services.duties import Duty


class CheckPolicies(Body, frozen=True, kw_only=True):
    """Policy sources to check; without them those in the server's own folder are checked."""

    policies: tuple[PolicySource, ...] | None = None


class CheckedPolicies(View, frozen=True, kw_only=True):
    """What is wrong; `sound` says that no problem is an error."""

    sound: bool
    problems: tuple[Problem, ...]


class AppliedView(View, frozen=True, kw_only=True):
    """The bundle in force. `waiting` names sections of the configuration that were changed since the start,
    and count after the next one.
    """

    digest: str
    tools: int
    task_types: int
    rules: int
    waiting: tuple[str, ...] = ()


class RuleView(View, frozen=True, kw_only=True):
    """One rule in force."""

    id: str
    digest: str
    text: str


class SchemaText(View, frozen=True, kw_only=True):
    """The policy schema, generated from the registered tools."""

    schema: str


async def check(errand: Errand) -> CheckedPolicies:
    """Check policies against the tools that are registered now."""
    wanted: CheckPolicies = errand.body
    try:
        if wanted.policies is None:
            bundle = await _reload(errand)
        else:
            bundle = msgspec.structs.replace(
                errand.house.policies.applied.bundle, policies=tuple(wanted.policies)
            )
        problems = errand.house.policies.check(bundle)
    except ConfigInvalid as error:
        problems = [
            Problem(
                severity="error",
                text=error.message,
                file=error.file,
                line=error.line,
                way_out=error.way_out,
            )
        ]
    return CheckedPolicies(sound=all(one.severity != "error" for one in problems), problems=tuple(problems))


async def apply(errand: Errand) -> AppliedView:
    """Read the server's bundle anew and put it in force."""
    bundle = await _reload(errand)
    await errand.house.policies.apply(bundle, by=errand.by)
    await errand.house.tools.described()
    waiting = await asyncio.to_thread(errand.desk.waiting)
    return msgspec.structs.replace(_applied(errand), waiting=waiting)


async def applied(errand: Errand) -> AppliedView:
    """Say which bundle is in force."""
    return _applied(errand)


async def rules(errand: Errand) -> Items[RuleView]:
    """Give every rule in force."""
    found = errand.house.policies.applied.policy.rules()
    return Items(tuple(RuleView(id=rule, digest=digest, text=text) for rule, digest, text in found))


async def schema(errand: Errand) -> SchemaText:
    """Give the policy schema."""
    return SchemaText(schema=errand.house.policies.schema())


async def _reload(errand: Errand) -> Bundle:
    # Reads files: not on the event loop.
    return await asyncio.to_thread(errand.desk.reload)


def _applied(errand: Errand) -> AppliedView:
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
        summary="Say which bundle is in force",
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
        path="/api/v1/policies/apply",
        summary="Read the server's bundle anew and put it in force, whole or not at all",
        serve=apply,
        people=Duty.ADMINISTER,
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
        summary="Show the policy schema that goes with the registered tools",
        serve=schema,
        people=Duty.OVERSEE,
        gives=SchemaText,
    ),
)
