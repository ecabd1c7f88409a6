# SPDX-License-Identifier: Apache-2.0
"""Stored labels: listing the labels of data that tasks wrote to resources; declassifying such data, and
tasks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from remit.api.rest.representations import Moment, TaskView, View, task_view
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.flow.stored_labels import LOOSE, ResourceWrite, StoredLabel
from remit.core.json_value import Json
from remit.core.label import Lowering
from remit.services.flow.assembly import FlowServices
from remit.services.flow.declassification import task_digest
from remit.services.identity.permissions import Duty, see_data


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLabelRooms:
    """The rooms that these endpoints work with."""

    flow: FlowServices


class DataFilter(Body, frozen=True, kw_only=True):
    """Filter for resources."""

    upstream: str = ""
    prefix: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100


class DataPlace(Body, frozen=True, kw_only=True):
    """A resource of an upstream; an empty `resource` means the upstream as a whole."""

    upstream: str
    resource: str = ""


class Declassifying(Body, frozen=True, kw_only=True):
    """A declassification by a person who has reviewed the data. `confirm` is the digest of the reviewed
    label.

    `to_class` is the new class; `without` are categories and trust zones that no longer apply.
    """

    reason: Annotated[str, msgspec.Meta(min_length=1)]
    confirm: str
    to_class: str = ""
    trusted: bool = False
    without: tuple[str, ...] = ()

    @property
    def lowering(self) -> Lowering:
        """The requested lowering of the label."""
        return Lowering(to_class=self.to_class, trusted=self.trusted, without=self.without)


class DeclassifyingData(Declassifying, frozen=True, kw_only=True):
    """A declassification of a resource and of everything below it."""

    upstream: str
    resource: str = ""


class WrittenView(View, frozen=True, kw_only=True):
    """A call that wrote to the resource, and the label of the written data."""

    task: str
    agent: str
    decision: str
    number: int
    tool: str
    at: Moment
    data_class: str = msgspec.field(name="class")
    trust: str


class DataView(View, frozen=True, kw_only=True):
    """The stored label of a resource.

    `label` is that of data written to it, `below` that of data written below it; `null` if nothing was
    written. `known` is `false` for a write to an unknown resource, which counts for the whole upstream. A
    declassification names `digest`.
    """

    upstream: str
    resource: str
    known: bool
    label: dict[str, Json] | None
    below: dict[str, Json] | None
    writers: tuple[WrittenView, ...]
    changed: Moment
    lowered: Moment | None
    digest: str


class TaskLabel(View, frozen=True, kw_only=True):
    """The label of a task; a declassification names `digest`."""

    task: str
    label: dict[str, Json]
    lowered: Moment | None
    digest: str


def data_view(stored_label: StoredLabel) -> DataView:
    """Return the public representation of a stored label."""
    return DataView(
        upstream=stored_label.upstream,
        resource=stored_label.resource,
        known=not stored_label.resource.startswith(LOOSE),
        label=stored_label.label.facts if stored_label.label else None,
        below=stored_label.below.facts if stored_label.below else None,
        writers=tuple(_written(one) for one in stored_label.writers),
        changed=stored_label.changed,
        lowered=stored_label.lowered,
        digest=stored_label.digest,
    )


def _written(one: ResourceWrite) -> WrittenView:
    return WrittenView(
        task=one.task,
        agent=one.agent,
        decision=one.decision,
        number=one.call,
        tool=one.tool,
        at=one.at,
        data_class=one.data_class,
        trust=one.trust.value,
    )


async def listed(errand: RestRequest[StoredLabelRooms]) -> Items[DataView]:
    """Return the stored labels of resources."""
    see_data(errand.someone)
    wanted: DataFilter = errand.query
    found = await errand.rooms.flow.declassifications.listed(wanted.upstream, wanted.prefix, wanted.limit)
    return Items(tuple(data_view(one) for one in found))


async def shown(errand: RestRequest[StoredLabelRooms]) -> DataView:
    """Return the stored label of one resource."""
    see_data(errand.someone)
    place: DataPlace = errand.query
    return data_view(await errand.rooms.flow.declassifications.get(place.upstream, place.resource))


async def declassified(errand: RestRequest[StoredLabelRooms]) -> DataView:
    """Lower the stored label of a resource, and of everything below it."""
    said: DeclassifyingData = errand.body
    done = await errand.rooms.flow.declassifications.resource(
        said.upstream,
        said.resource,
        said.lowering,
        errand.someone,
        reason=said.reason,
        seen=said.confirm,
    )
    return data_view(done)


async def task_label(errand: RestRequest[StoredLabelRooms]) -> TaskLabel:
    """Return the label of a task."""
    task = await errand.task()
    return TaskLabel(task=task.id, label=task.label.facts, lowered=task.lowered, digest=task_digest(task))


async def task_declassified(errand: RestRequest[StoredLabelRooms]) -> TaskView:
    """Lower the label of a task."""
    task = await errand.task()
    said: Declassifying = errand.body
    done = await errand.rooms.flow.declassifications.task(
        task.id, said.lowering, errand.someone, reason=said.reason, seen=said.confirm
    )
    return task_view(done, errand.desk.clock.now())


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/data",
        summary="List stored labels by resource, for approvers and auditors",
        serve=listed,
        people=Duty.OVERSEE,
        asks=DataFilter,
        gives=Items[DataView],
    ),
    Endpoint(
        method="GET",
        path="/api/v1/data/resource",
        summary="Show the stored label of a resource and its writers, for approvers and auditors",
        serve=shown,
        people=Duty.OVERSEE,
        asks=DataPlace,
        gives=DataView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/data/declassify",
        summary="Lower the stored label of a resource; never after one's own tasks",
        serve=declassified,
        people=Duty.APPROVE,
        takes=DeclassifyingData,
        gives=DataView,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/tasks/{task}/label",
        summary="Show the label of a task, with the digest for declassification",
        serve=task_label,
        people=Duty.OWN,
        gives=TaskLabel,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/tasks/{task}/declassify",
        summary="Lower the label of a task; never of one's own task",
        serve=task_declassified,
        people=Duty.APPROVE,
        takes=Declassifying,
        gives=TaskView,
    ),
)
