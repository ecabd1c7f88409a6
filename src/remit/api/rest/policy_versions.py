# SPDX-License-Identifier: Apache-2.0
"""Versions of the policy bundle: history, rollback, and confirmation by a second administrator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from remit.api.rest.policy import AppliedView, Unsettled, applied_view, unsettled
from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Body, Endpoint, RestRequest
from remit.core.errors import Conflict
from remit.core.evidence.event import EventKind
from remit.core.policy.bundle import Bundle
from remit.services.endings.assembly import EndingServices
from remit.services.evidence.assembly import EvidenceServices
from remit.services.evidence.log import readable
from remit.services.identity.permissions import Duty
from remit.services.policy.bundle import Policies
from remit.services.policy.versions import BundleProposal
from remit.services.tools.assembly import ToolServices

#: Events that one look at the history reads.
MOST: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersionRooms:
    """The rooms that these endpoints work with."""

    policies: Policies
    tools: ToolServices
    endings: EndingServices
    evidence: EvidenceServices


class VersionView(View, frozen=True, kw_only=True):
    """One version of the bundle: its time, author and reason, and whether a rollback is possible.

    `by` and `second` are empty where they were forgotten. `back_to` is the earlier version that came back.
    """

    version: int
    bundle: str
    at: Moment
    by: str
    second: str
    reason: str
    back_to: int
    rules: int
    tools: int
    task_types: int
    kept: bool
    in_force: bool


class ProposalView(View, frozen=True, kw_only=True):
    """A bundle that waits for a second administrator."""

    bundle: str
    instead_of: str
    by: str
    reason: str
    at: Moment
    back_to: int


class VersionHistory(View, frozen=True, kw_only=True):
    """The versions, the newest first, and what waits for a second administrator."""

    items: tuple[VersionView, ...]
    proposed: ProposalView | None = None


class HistoryFilter(Body, frozen=True, kw_only=True):
    """How many versions to return."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20


class Rollback(Body, frozen=True, kw_only=True):
    """The version to return to; 0 is the one before the version in force.

    With `bundle`, only if the version has that digest.
    """

    version: Annotated[int, msgspec.Meta(ge=0)] = 0
    bundle: str = ""
    reason: str = ""


class RollbackPreview(View, frozen=True, kw_only=True):
    """The version that a rollback would bring back, and the open tasks that it would end or reduce."""

    version: int
    bundle: str
    tasks: tuple[Unsettled, ...]


class ConfirmBundle(Body, frozen=True, kw_only=True):
    """The digest of the proposed bundle."""

    bundle: str


async def history(errand: RestRequest[PolicyVersionRooms]) -> VersionHistory:
    """Return the versions of the bundle, the newest first."""
    wanted: HistoryFilter = errand.query
    return await version_history(errand.rooms.policies, errand.rooms.evidence, wanted.limit)


async def version_history(policies: Policies, evidence: EvidenceServices, limit: int) -> VersionHistory:
    """Return at most `limit` versions of the bundle, the newest first, from the evidence."""
    numbers = await policies.versions.numbers()
    now = (await policies.versions.in_force()).version
    events = await evidence.log.pages(
        before=await evidence.log.size(), limit=MOST, kinds=(EventKind.BUNDLE_APPLIED,)
    )
    found: dict[int, VersionView] = {}
    for entry in events:
        event: dict[str, Any] = readable(entry)
        facts, values = event["facts"], event.get("values", {})
        version = facts.get("version", 0)
        if version in found or not version:
            continue  # a start with the same files, or from before versions had numbers
        found[version] = VersionView(
            version=version,
            bundle=facts["bundle"],
            at=datetime.fromisoformat(event["at"]),
            by=values.get("by", ""),
            second=values.get("second", ""),
            reason=facts.get("reason", ""),
            back_to=facts.get("back_to", 0),
            rules=facts["rules"],
            tools=facts["tools"],
            task_types=facts["task_types"],
            kept=version in numbers,
            in_force=version == now,
        )
    proposal = await policies.versions.proposal()
    return VersionHistory(
        items=tuple(found[one] for one in sorted(found, reverse=True)[:limit]),
        proposed=None if proposal is None else _proposed(proposal),
    )


def _proposed(proposal: BundleProposal) -> ProposalView:
    return ProposalView(
        bundle=proposal.bundle,
        instead_of=proposal.instead_of,
        by=proposal.by,
        reason=proposal.reason,
        at=datetime.fromisoformat(proposal.at),
        back_to=proposal.back_to,
    )


async def rollback_preview(errand: RestRequest[PolicyVersionRooms]) -> RollbackPreview:
    """Return what a rollback would do to open tasks; change nothing."""
    version, bundle = await _earlier(errand)
    found = await errand.rooms.endings.rebundling.preview(bundle)
    return RollbackPreview(version=version, bundle=bundle.digest, tasks=unsettled(found))


async def rollback(errand: RestRequest[PolicyVersionRooms]) -> AppliedView:
    """Put an earlier version in force, from the store and for all replicas."""
    wanted: Rollback = errand.body
    rooms = errand.rooms
    version, bundle = await _earlier(errand)
    if rooms.policies.second_person:
        await rooms.policies.propose(bundle, by=errand.by, reason=wanted.reason, back_to=version)
        return applied_view(rooms.policies, proposed=bundle.digest)
    await rooms.policies.apply(bundle, by=errand.by, reason=wanted.reason, back_to=version, held=True)
    return await _settled(errand)


async def confirm(errand: RestRequest[PolicyVersionRooms]) -> AppliedView:
    """Put a proposed bundle in force, as a second administrator."""
    wanted: ConfirmBundle = errand.body
    await errand.rooms.policies.confirm(wanted.bundle, by=errand.by)
    return await _settled(errand)


async def _settled(errand: RestRequest[PolicyVersionRooms]) -> AppliedView:
    rooms = errand.rooms
    await rooms.tools.registry.described()
    changed = await rooms.endings.rebundling.look()
    return applied_view(rooms.policies, tasks=unsettled(changed))


async def _earlier(errand: RestRequest[PolicyVersionRooms]) -> tuple[int, Bundle]:
    """Return the version to return to, with its bundle; raise `NotFound` or `Conflict`."""
    wanted: Rollback = errand.body
    versions = errand.rooms.policies.versions
    now = await versions.in_force()
    version = wanted.version or now.version - 1
    bundle = await versions.of(version)
    if wanted.bundle not in ("", bundle.digest):
        raise Conflict(
            f"version {version} is not bundle `{wanted.bundle[:80]}`",
            remediation="see `remit policy history`",
        )
    if bundle.digest == now.bundle:
        raise Conflict(
            f"version {version} is what is in force", remediation="give another one of `remit policy history`"
        )
    return version, bundle


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/policies/history",
        summary="List the versions of the policy bundle, with author and reason",
        serve=history,
        people=Duty.OVERSEE,
        asks=HistoryFilter,
        gives=VersionHistory,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/policies/rollback/preview",
        summary="List the open tasks that a rollback would end or reduce",
        serve=rollback_preview,
        people=Duty.OVERSEE,
        takes=Rollback,
        gives=RollbackPreview,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/policies/rollback",
        summary="Put an earlier version of the policy bundle in force, on all replicas",
        serve=rollback,
        people=Duty.ADMINISTER,
        takes=Rollback,
        gives=AppliedView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/policies/confirm",
        summary="Put a proposed policy bundle in force, as a second administrator",
        serve=confirm,
        people=Duty.ADMINISTER,
        takes=ConfirmBundle,
        gives=AppliedView,
    ),
)
