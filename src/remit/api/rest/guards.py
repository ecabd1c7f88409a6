# SPDX-License-Identifier: Apache-2.0
"""Coding assistants under guard: their last sign of life, open sessions, and what they were answered."""

from __future__ import annotations

from dataclasses import dataclass

from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Endpoint, Items, RestRequest
from remit.services.guard.guard import CodingGuard
from remit.services.guard.heartbeat import holding
from remit.services.identity.permissions import Duty


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRooms:
    """The rooms that these endpoints work with."""

    guard: CodingGuard


class GuardView(View, frozen=True, kw_only=True):
    """One client under guard, since this process began.

    `holding` is whether a refused call does not happen. `last` is the time of its last event, `answers` the
    number of each answer to one, `fault` the last event that could not be answered otherwise than by a
    refusal.
    """

    name: str
    agent: str
    person: str
    mode: str
    holding: str
    sessions: int
    last: Moment | None
    events: int
    answers: dict[str, int]
    fault: str


def guard_views(guard: CodingGuard) -> tuple[GuardView, ...]:
    """Return the state of each client under guard."""
    found = []
    for name, client in guard.clients.items():
        activity = guard.activity[name]
        found.append(
            GuardView(
                name=name,
                agent=client.agent,
                person=client.person,
                mode=client.mode.value,
                holding=holding(client),
                sessions=sum(one.client.name == name for one in guard.sessions.open.values()),
                last=activity.last,
                events=activity.events,
                answers=dict(activity.answers),
                fault=activity.fault,
            )
        )
    return tuple(found)


async def listed(errand: RestRequest[GuardRooms]) -> Items[GuardView]:
    """Return the state of each client under guard."""
    return Items(guard_views(errand.rooms.guard))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/guards",
        summary="Show the coding assistants under guard, as seen by the answering replica",
        serve=listed,
        people=Duty.OVERSEE,
        gives=Items[GuardView],
    ),
)
