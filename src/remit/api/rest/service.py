# SPDX-License-Identifier: Apache-2.0
"""The running service: what needs attention, and taking over changed files without a restart."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

import remit
from remit.api.rest.guards import GuardView, guard_views
from remit.api.rest.policy import Unsettled, unsettled
from remit.api.rest.representations import Moment, MomentText, View, read_moment
from remit.api.rest.route import Body, Endpoint, FilesNow, RestRequest
from remit.core.errors import ConfigInvalid, Conflict, OwnerAway, StoreUnavailable
from remit.core.findings.finding import FindingState
from remit.core.tasks.task import TaskState
from remit.core.tools.tool import RESERVED_OPERATIONS, ToolState
from remit.ports.upstream import Upstream
from remit.services.decisions.assembly import DecisionServices
from remit.services.endings.assembly import EndingServices
from remit.services.evidence.assembly import EvidenceServices
from remit.services.evidence.event_search import EventSearch, summed
from remit.services.findings.assembly import FindingServices
from remit.services.guard.guard import CodingGuard
from remit.services.identity.permissions import Duty
from remit.services.mediation.assembly import MediationServices
from remit.services.policy.bundle import Policies
from remit.services.replicas.assembly import ReplicaServices
from remit.services.tools.assembly import ToolServices

Mode = Literal["enforce", "observe"]
#: Open tasks that are counted.
MOST_TASKS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRooms:
    """The rooms that these endpoints work with."""

    upstreams: Mapping[str, Upstream]
    policies: Policies
    tools: ToolServices
    replicas: ReplicaServices
    endings: EndingServices
    decisions: DecisionServices
    evidence: EvidenceServices
    findings: FindingServices
    mediation: MediationServices
    guard: CodingGuard


class ServiceFilter(Body, frozen=True, kw_only=True):
    """From when on calls are counted; by default, from the beginning of the day in UTC."""

    since: MomentText = ""


class ServedUpstream(View, frozen=True, kw_only=True):
    """An upstream: its mode, whether it is reachable (`null`: an API that was not called yet), and its tools.

    `undescribed` tools have no description in the bundle, `changed` ones are suspended.
    """

    name: str
    mode: Mode
    reachable: bool | None
    since: Moment | None
    why: str
    tools: int
    undescribed: int
    changed: int


class CallFigures(View, frozen=True, kw_only=True):
    """Calls since a time. `observed` would have been refused; `failed` did not do what was asked.

    `complete` is false if there were too many to count.
    """

    since: Moment
    calls: int
    permitted: int
    refused: int
    asked: int
    observed: int
    failed: int
    complete: bool


class ToolListFigures(View, frozen=True, kw_only=True):
    """What the tool lists of tasks weigh, in bytes of JSON, since the start.

    `tasks` asked for a list. They were shown `shown_bytes` of the `offered_bytes` of their upstreams.
    """

    tasks: int
    shown_bytes: int
    offered_bytes: int


class CertificateView(View, frozen=True, kw_only=True):
    """The certificate that the port shows, from which file, and until when it is valid.

    `fault` says why the file as it is now is not shown; the certificate before it stays.
    """

    file: str
    expires: Moment
    fault: str


class FilesView(View, frozen=True, kw_only=True):
    """How the files differ from what is in force.

    `bundle` is whether the policy bundle differs, `modes` are the upstreams with another mode, `waiting` the
    sections that need a restart. `broken` is the first error of files that cannot be read.
    """

    bundle: bool = False
    modes: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    broken: str = ""
    remediation: str = ""
    certificate: CertificateView | None = None


class ServiceView(View, frozen=True, kw_only=True):
    """One running process of remit.

    `tasks` and `approvals` are those that are open now; of tasks at most 1,000 are counted.
    """

    version: str
    pid: int
    started: Moment
    url: str
    bundle: str
    upstreams: tuple[ServedUpstream, ...]
    guards: tuple[GuardView, ...]
    tasks: int
    approvals: int
    findings: int
    calls: CallFigures
    tool_lists: ToolListFigures
    files: FilesView


class ModeChange(View, frozen=True, kw_only=True):
    """An upstream whose mode changes."""

    upstream: str
    mode: Mode


class ReloadPreview(View, frozen=True, kw_only=True):
    """What a reload would change: the bundle, open tasks that it ends or reduces, and modes.

    `replaced`: the bundle was in force before, and several replicas now decide by another one. `waiting` are
    the sections that need a restart.
    """

    bundle: str
    changes_bundle: bool
    replaced: bool
    tasks: tuple[Unsettled, ...]
    modes: tuple[ModeChange, ...]
    waiting: tuple[str, ...]


class Reload(Body, frozen=True, kw_only=True):
    """Reload only if the files still contain this bundle (its digest)."""

    bundle: str = ""


class Reloaded(View, frozen=True, kw_only=True):
    """What was changed; the next call is decided by it. `waiting` are the sections that need a restart.

    `certificate` is the one that the port now shows; absent without TLS.
    """

    bundle: str
    changed_bundle: bool
    tasks: tuple[Unsettled, ...]
    modes: tuple[ModeChange, ...]
    waiting: tuple[str, ...]
    certificate: CertificateView | None = None


async def status(errand: RestRequest[ServiceRooms]) -> ServiceView:
    """Return the state of the service."""
    rooms, desk = errand.rooms, errand.desk
    wanted: ServiceFilter = errand.query
    now = desk.clock.now()
    since = read_moment(wanted.since) or now.replace(hour=0, minute=0, second=0, microsecond=0)
    tasks = await desk.tasks.newest(state=TaskState.ACTIVE, limit=MOST_TASKS)
    sizes = rooms.mediation.lists.sizes
    return ServiceView(
        version=remit.__version__,
        pid=os.getpid(),
        started=desk.started,
        url=desk.public_url,
        bundle=rooms.policies.digest,
        upstreams=tuple(_upstream(rooms, name) for name in rooms.upstreams),
        guards=guard_views(rooms.guard),
        tasks=len(tasks),
        approvals=await rooms.decisions.approvals.waiting(),
        findings=len(await rooms.findings.findings.about(state=FindingState.OPEN)),
        calls=await _figures(rooms, since),
        tool_lists=ToolListFigures(
            tasks=sizes.tasks, shown_bytes=sizes.shown_bytes, offered_bytes=sizes.offered_bytes
        ),
        files=await _files(errand),
    )


def _upstream(rooms: ServiceRooms, name: str) -> ServedUpstream:
    contact = rooms.tools.reached.of(name)
    listed = (one for one in rooms.tools.registry.of(name) if one.name not in RESERVED_OPERATIONS)
    tools = [one for one in listed if one.state is not ToolState.GONE]
    return ServedUpstream(
        name=name,
        mode=_mode(rooms, name),
        reachable=contact.up,
        since=contact.since,
        why=contact.why,
        tools=len(tools),
        undescribed=sum(not one.described for one in tools),
        changed=sum(one.state is ToolState.CHANGED for one in tools),
    )


def _mode(rooms: ServiceRooms, name: str) -> Mode:
    return "observe" if rooms.decisions.authorizer.observes(name) else "enforce"


async def _figures(rooms: ServiceRooms, since: datetime) -> CallFigures:
    found = await rooms.evidence.searches.tally(EventSearch(since=since), zone=timedelta())
    whole = summed(found.tallies)
    decided = whole.decided
    return CallFigures(
        since=since,
        calls=sum(decided.values()),
        permitted=decided.get("permit", 0),
        refused=decided.get("deny", 0),
        asked=decided.get("defer", 0),
        observed=decided.get("observed", 0),
        failed=sum(count for outcome, count in whole.ended.items() if outcome in FAILED),
        complete=found.reached is None,
    )


RELOAD_PATH: Final = "/api/v1/service/reload"
#: Outcomes of calls that did not do what was asked.
FAILED: Final = frozenset({"tool-error", "protocol-error", "not-sent", "unknown"})


async def _files(errand: RestRequest[ServiceRooms]) -> FilesView:
    try:
        files = await asyncio.to_thread(errand.desk.reread)
    except ConfigInvalid as fault:
        return FilesView(broken=fault.message, remediation=fault.remediation)
    return FilesView(
        bundle=files.bundle.digest != errand.rooms.policies.digest,
        modes=tuple(errand.rooms.decisions.modes.differing(files.observed)),
        waiting=files.waiting,
        certificate=_certificate(files),
    )


def _certificate(files: FilesNow) -> CertificateView | None:
    one = files.certificate
    return CertificateView(file=one.file, expires=one.expires, fault=one.fault) if one is not None else None


async def preview(errand: RestRequest[ServiceRooms]) -> ReloadPreview:
    """Return what a reload would change; change nothing."""
    rooms = errand.rooms
    files = await asyncio.to_thread(errand.desk.reread)
    differs = files.bundle.digest != rooms.policies.digest
    tasks = await rooms.endings.rebundling.preview(files.bundle) if differs else []
    held = (await rooms.policies.versions.in_force()).held
    replaced = (held or rooms.replicas.membership.several) and await rooms.policies.replaced(files.bundle)
    return ReloadPreview(
        bundle=files.bundle.digest,
        changes_bundle=differs,
        replaced=replaced,
        tasks=unsettled(tasks),
        modes=_changes(files, rooms.decisions.modes.differing(files.observed)),
        waiting=files.waiting,
    )


async def reload(errand: RestRequest[ServiceRooms]) -> Reloaded:
    """Take over the changed files.

    A renewed certificate of the port is loaded when the files are read; one that cannot be used stays out.

    1. Read all files. If one is wrong, what is in force stays, as a whole.
    2. Put the bundle in force if it differs, also for open tasks.
    3. Change modes. From the answer on, every call is decided in them, also by the other workers of this
       machine.
    """
    rooms, wanted = errand.rooms, errand.body
    files = await asyncio.to_thread(errand.desk.reread)
    if wanted.bundle not in ("", files.bundle.digest):
        raise Conflict("the files have changed since the preview", remediation="run `remit reload` again")
    differs = files.bundle.digest != rooms.policies.digest
    tasks = []
    # A worker that is asked by another one follows its bundle.
    if differs and not errand.arrived.passed_on:
        await rooms.policies.apply(files.bundle, by=errand.by)
        await rooms.tools.registry.described()
        tasks = await rooms.endings.rebundling.look()
    changed = await rooms.decisions.modes.change(files.observed, by=errand.by)
    if not errand.arrived.passed_on:
        await _reload_workers(errand)
    return Reloaded(
        bundle=files.bundle.digest,
        changed_bundle=differs,
        tasks=unsettled(tasks),
        modes=_changes(files, changed),
        waiting=files.waiting,
        certificate=_certificate(files),
    )


async def _reload_workers(errand: RestRequest[ServiceRooms]) -> None:
    """Have the other workers of this machine take over the same files; raise `StoreUnavailable` if one does
    not.
    """
    passing, arrived, body = errand.rooms.replicas.passing, errand.arrived, msgspec.json.encode(errand.body)
    for one in passing.workers():
        try:
            answer = await passing.asked(one, RELOAD_PATH, arrived.headers, body, arrived.seen)
            said = "" if answer.status == 200 else f"answered {answer.status}"
        except OwnerAway as fault:
            # If nothing was sent, it starts again, and reads the files then.
            said = "did not answer" if fault.sent else ""
        if said:
            raise StoreUnavailable(
                f"worker `{one.id}` {said}, and may not have taken over the files",
                code="worker-away",
                remediation="run `remit reload` again",
            )


def _changes(files: FilesNow, names: list[str]) -> tuple[ModeChange, ...]:
    return tuple(
        ModeChange(upstream=name, mode="observe" if name in files.observed else "enforce") for name in names
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/service",
        summary="Show the running service: upstreams, open work, figures, and changed files",
        serve=status,
        people=Duty.OVERSEE,
        asks=ServiceFilter,
        gives=ServiceView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/service/preview",
        summary="Show what a reload of the files would change",
        serve=preview,
        people=Duty.OVERSEE,
        gives=ReloadPreview,
    ),
    Endpoint(
        method="POST",
        path=RELOAD_PATH,
        summary="Take over changed files: the policy bundle, and the modes of upstreams",
        serve=reload,
        people=Duty.ADMINISTER,
        takes=Reload,
        gives=Reloaded,
    ),
)
