# SPDX-License-Identifier: Apache-2.0
"""Shadowed policies: a candidate decides beside the policies in force, without effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec

from remit.api.rest.policy_simulation import Compared, FlipView, Skipped, compared_bundle, flip_views
from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Body, Endpoint, RestRequest
from remit.core.decisions.policy_shadow import MOST_SHARE, NOT_SHADOWED, USUAL_SHARE
from remit.core.policy.bundle import PolicySource
from remit.core.tasks.history import HistoryCounter
from remit.services.decisions.assembly import DecisionServices
from remit.services.identity.permissions import Duty
from remit.services.policy.bundle import Policies
from remit.services.policy.shadow import ShadowReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRooms:
    """The rooms that these endpoints work with."""

    policies: Policies
    decisions: DecisionServices


class StartShadow(Body, frozen=True, kw_only=True):
    """The candidate: the given policies, those of an earlier version, or else those in the server's folder.

    Tools and task types are those in force. `share` is the part of one core, in percent, that the candidate
    may use on each replica; calls beyond that are counted as not shadowed.
    """

    policies: tuple[PolicySource, ...] | None = None
    history: tuple[HistoryCounter, ...] | None = None
    version: Annotated[int, msgspec.Meta(ge=0)] = 0
    share: Annotated[int, msgspec.Meta(ge=1, le=MOST_SHARE)] = USUAL_SHARE
    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class StopShadow(Body, frozen=True, kw_only=True):
    """Why the candidate is stopped."""

    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class ShadowFault(View, frozen=True, kw_only=True):
    """Why a replica does not shadow now, and what to do."""

    text: str
    remediation: str


class ShadowView(View, frozen=True, kw_only=True):
    """A candidate that is shadowed, and what was found so far.

    Of the `calls` that were decided since, the candidate decided those `shadowed`; the others are in
    `not_shadowed`, with the reason, or still wait. `unchanged` are those with the same outcome;
    `refused_elsewhere` were refused by a grant, a budget or a token, so no policy can change them. `flips`
    are the others. `against` are the digests of the bundles that answered. `in_force`: the candidate's
    policies are those in force now. `unrecorded` differences are counted and have no event. `per_call_us` is
    the processor time that a shadowed call takes.
    """

    shadow: str
    candidate: str
    by: str
    reason: str
    since: Moment
    share: int
    in_force: bool
    against: tuple[str, ...]
    runs: int
    calls: int
    shadowed: int
    unchanged: int
    refused_elsewhere: int
    not_shadowed: tuple[Skipped, ...]
    flips: tuple[FlipView, ...]
    unrecorded: int
    per_call_us: int
    faults: tuple[ShadowFault, ...]


class ShadowStatus(View, frozen=True, kw_only=True):
    """The candidate that is shadowed, if there is one."""

    shadow: ShadowView | None


async def start(errand: RestRequest[ShadowRooms]) -> ShadowStatus:
    """Start to shadow a candidate; answers stay as they are."""
    wanted: StartShadow = errand.body
    given = Compared(policies=wanted.policies, history=wanted.history, version=wanted.version)
    bundle = await compared_bundle(errand, given)
    shadow = errand.rooms.decisions.shadow
    await shadow.start(
        bundle.policies, bundle.history, by=errand.by, reason=wanted.reason, share=wanted.share
    )
    return await status(errand)


async def status(errand: RestRequest[ShadowRooms]) -> ShadowStatus:
    """Return what the candidate would have decided differently so far."""
    found = await errand.rooms.decisions.shadow.report()
    return ShadowStatus(shadow=None if found is None else _view(found))


async def stop(errand: RestRequest[ShadowRooms]) -> ShadowStatus:
    """Stop the candidate on all replicas, and return what was found."""
    wanted: StopShadow = errand.body
    found = await errand.rooms.decisions.shadow.stop(by=errand.by, reason=wanted.reason)
    return ShadowStatus(shadow=_view(found))


def _view(found: ShadowReport) -> ShadowView:
    shadow, replay = found.shadow, found.replay
    computing_s = sum(one.computing_s for one in found.tallies)
    faults = dict.fromkeys((one.fault, one.remediation) for one in found.tallies if one.fault)
    return ShadowView(
        shadow=shadow.id,
        candidate=shadow.digest,
        by=shadow.by,
        reason=shadow.reason,
        since=datetime.fromisoformat(shadow.since),
        share=shadow.share,
        in_force=found.in_force,
        against=tuple(dict.fromkeys(digest for one in found.tallies for digest in one.against)),
        runs=len(found.tallies),
        calls=replay.read,
        shadowed=replay.replayed,
        unchanged=sum(replay.same.values()),
        refused_elsewhere=replay.refused_elsewhere,
        not_shadowed=tuple(
            Skipped(code=code, meaning=NOT_SHADOWED.get(code, code), decisions=calls)
            for code, calls in replay.skipped.most_common()
        ),
        flips=flip_views(replay),
        unrecorded=sum(one.unrecorded for one in found.tallies),
        per_call_us=round(computing_s / replay.replayed * 1e6) if replay.replayed else 0,
        faults=tuple(ShadowFault(text=text, remediation=way) for text, way in faults),
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/policies/shadow",
        summary="Show what a shadowed candidate would have decided differently",
        serve=status,
        people=Duty.AUDIT,
        gives=ShadowStatus,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/policies/shadow",
        summary="Have a candidate decide beside the policies in force, without effect",
        serve=start,
        people=Duty.ADMINISTER,
        takes=StartShadow,
        gives=ShadowStatus,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/policies/shadow/stop",
        summary="Stop the shadowed candidate, and show what was found",
        serve=stop,
        people=Duty.ADMINISTER,
        takes=StopShadow,
        gives=ShadowStatus,
    ),
)
