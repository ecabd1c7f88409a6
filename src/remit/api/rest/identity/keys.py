# SPDX-License-Identifier: Apache-2.0
"""Remit's own keys, without key material: listing and replacing them; and forgetting a subject."""

from __future__ import annotations

from dataclasses import dataclass

from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.errors import NotFound
from remit.core.keys.own_keys import SERVES, HeldKey, KeyKind, KeyStanding
from remit.services.identity.assembly import IdentityServices
from remit.services.identity.permissions import Duty
from remit.services.people.assembly import PeopleServices


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRooms:
    """The rooms that these endpoints work with."""

    identity: IdentityServices
    people: PeopleServices


class KeyView(View, frozen=True, kw_only=True):
    """One key: its use, its public ID, and its state. `until` is the time from which its signatures are no
    longer accepted.
    """

    kind: KeyKind
    serves: str
    id: str
    standing: KeyStanding
    made: Moment
    until: Moment | None


class RotateKey(Body, frozen=True, kw_only=True):
    """The reason to replace a key. `at_once`: the key may be compromised, so its signatures are refused
    immediately.
    """

    reason: str = ""
    at_once: bool = False


class SubjectToForget(Body, frozen=True, kw_only=True):
    """The subject whose sealed values shall become unreadable: a person's or an agent's name."""

    subject: str
    reason: str = ""


class ForgottenView(View, frozen=True, kw_only=True):
    """The result of forgetting a subject."""

    subject: str
    forgotten: bool


def key_view(key: HeldKey) -> KeyView:
    """Return the public representation of a key."""
    return KeyView(
        kind=key.kind,
        serves=SERVES[key.kind],
        id=key.id,
        standing=key.standing,
        made=key.made,
        until=key.until,
    )


async def keys(errand: RestRequest[KeyRooms]) -> Items[KeyView]:
    """Return remit's own keys."""
    return Items(tuple(key_view(one) for one in errand.rooms.identity.rotations.held()))


async def rotate(errand: RestRequest[KeyRooms]) -> KeyView:
    """Replace the keys of one kind."""
    wanted: RotateKey = errand.body
    try:
        kind = KeyKind(errand.place["kind"])
    except ValueError:
        raise NotFound(
            f"key kind `{errand.place['kind'][:80]}` does not exist",
            remediation=f"use one of {', '.join(KeyKind)}",
        ) from None
    turned = await errand.rooms.identity.rotations.rotate(
        kind, by=errand.by, reason=wanted.reason, at_once=wanted.at_once
    )
    return key_view(turned)


async def forget(errand: RestRequest[KeyRooms]) -> ForgottenView:
    """Destroy a subject's key, so that its sealed values become unreadable."""
    wanted: SubjectToForget = errand.body
    await errand.rooms.people.forgetting.forget(wanted.subject, by=errand.by, reason=wanted.reason)
    return ForgottenView(subject=wanted.subject, forgotten=True)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/keys",
        summary="List remit's own keys with their purpose and state",
        serve=keys,
        people=Duty.OVERSEE,
        gives=Items[KeyView],
    ),
    Endpoint(
        method="POST",
        path="/api/v1/keys/{kind}/rotate",
        summary="Replace the signing key of a kind",
        serve=rotate,
        people=Duty.ADMINISTER,
        takes=RotateKey,
        gives=KeyView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/subjects/forget",
        summary="Destroy a subject's key: values sealed under it become unreadable, proofs stay valid",
        serve=forget,
        people=Duty.ADMINISTER,
        takes=SubjectToForget,
        gives=ForgottenView,
    ),
)
