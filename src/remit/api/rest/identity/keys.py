# SPDX-License-Identifier: Apache-2.0
"""Remit's own keys, without the keys: seeing and replacing them; and forgetting a subject."""

from __future__ import annotations

from remit.api.rest.representations import Moment, View
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.errors import NotFound
from remit.core.keys.own_keys import SERVES, HeldKey, KeyKind, KeyStanding
from remit.services.identity.permissions import Duty


class KeyView(View, frozen=True, kw_only=True):
    """One key: for what it serves, its public name, and where it stands. `until` is when its work is accepted
    no longer.
    """

    kind: KeyKind
    serves: str
    id: str
    standing: KeyStanding
    made: Moment
    until: Moment | None


class RotateKey(Body, frozen=True, kw_only=True):
    """Why a key is replaced. `at_once`: it may be in other hands, so what it signed is refused at once."""

    reason: str = ""
    at_once: bool = False


class SubjectToForget(Body, frozen=True, kw_only=True):
    """Whose sealed values shall never be read again: a person's or an agent's name."""

    subject: str
    reason: str = ""


class ForgottenView(View, frozen=True, kw_only=True):
    """What was done."""

    subject: str
    forgotten: bool


def key_view(key: HeldKey) -> KeyView:
    """Return the public shape of a key."""
    return KeyView(
        kind=key.kind,
        serves=SERVES[key.kind],
        id=key.id,
        standing=key.standing,
        made=key.made,
        until=key.until,
    )


async def keys(errand: RestRequest) -> Items[KeyView]:
    """List keys."""
    return Items(tuple(key_view(one) for one in errand.house.rotations.held()))


async def rotate(errand: RestRequest) -> KeyView:
    """Replace the keys of a kind."""
    wanted: RotateKey = errand.body
    try:
        kind = KeyKind(errand.place["kind"])
    except ValueError:
        raise NotFound(
            f"key kind `{errand.place['kind'][:80]}` does not exist",
            remediation=f"use one of {', '.join(KeyKind)}",
        ) from None
    turned = await errand.house.rotations.rotate(
        kind, by=errand.by, reason=wanted.reason, at_once=wanted.at_once
    )
    return key_view(turned)


async def forget(errand: RestRequest) -> ForgottenView:
    """Forget a subject."""
    wanted: SubjectToForget = errand.body
    await errand.house.forgetting.forget(wanted.subject, by=errand.by, reason=wanted.reason)
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
