# SPDX-License-Identifier: Apache-2.0
"""People: adding and changing them, and their sign-in codes."""

from __future__ import annotations

from remit.api.rest.representations import Moment, PersonView, View, person_view
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.identity.principals import Person, Role
from remit.services.identity.authenticator import CODE_TTL_S
from remit.services.identity.directory import NewPerson
from remit.services.identity.permissions import Duty
from remit.services.separation.sign_in_methods import SignInMethod


class CodeView(View, frozen=True, kw_only=True):
    """A one-time sign-in code, shown this once."""

    person: str
    code: str
    valid_s: int


class SignInMethodView(View, frozen=True, kw_only=True):
    """Something with which a person signs in again and again: `kind` is `passkey` or `provider`.
    `coded_by` is who made the sign-in code that it came of.
    """

    id: str
    kind: str
    name: str
    made: Moment
    last_used: Moment | None = None
    coded_by: tuple[str, ...] = ()


class ChangeRoles(Body, frozen=True, kw_only=True):
    """All roles that a person is to have."""

    roles: tuple[Role, ...]


class MovePerson(Body, frozen=True, kw_only=True):
    """Whether a person is to be active, and why."""

    active: bool
    reason: str = ""


def _view(errand: RestRequest, person: Person) -> PersonView:
    return person_view(errand.house.directory.with_groups(person))


async def people(errand: RestRequest) -> Items[PersonView]:
    """Return all people, with the groups that the configuration gives them."""
    return Items(tuple(_view(errand, one) for one in await errand.house.directory.people()))


async def add(errand: RestRequest) -> PersonView:
    """Add a person."""
    return _view(errand, await errand.house.personnel.add(errand.body, by=errand.by))


async def shown(errand: RestRequest) -> PersonView:
    """Return a person."""
    return _view(errand, await errand.house.directory.person(errand.place["name"]))


async def make_code(errand: RestRequest) -> CodeView:
    """Make a code for a person who is there."""
    person, code = await errand.house.personnel.make_code(errand.place["name"], by=errand.by)
    return CodeView(person=person.name, code=code, valid_s=CODE_TTL_S)


async def change_roles(errand: RestRequest) -> PersonView:
    """Return a person other roles."""
    wanted: ChangeRoles = errand.body
    changed = await errand.house.personnel.change_roles(
        errand.place["name"], frozenset(wanted.roles), by=errand.by
    )
    return _view(errand, changed)


async def move(errand: RestRequest) -> PersonView:
    """Deactivate a person, or bring them back."""
    wanted: MovePerson = errand.body
    personnel, name = errand.house.personnel, errand.place["name"]
    if wanted.active:
        return _view(errand, await personnel.activate(name, by=errand.by))
    return _view(errand, await personnel.deactivate(name, by=errand.by, reason=wanted.reason))


async def sign_out(errand: RestRequest) -> PersonView:
    """End all sessions and codes of a person, and their unused approvals."""
    return _view(errand, await errand.house.personnel.sign_out(errand.place["name"], by=errand.by))


async def ways(errand: RestRequest) -> Items[SignInMethodView]:
    """Return the ways in of a person."""
    person = await errand.house.directory.person(errand.place["name"])
    return Items(tuple(map(_way, await errand.house.people.ways_in.of(person.name))))


async def remove_way(errand: RestRequest) -> SignInMethodView:
    """Remove one of them."""
    person = await errand.house.directory.person(errand.place["name"])
    return _way(await errand.house.people.ways_in.remove(person.name, errand.place["way"], by=errand.by))


def _way(one: SignInMethod) -> SignInMethodView:
    return SignInMethodView(
        id=one.id,
        kind=one.kind,
        name=one.name,
        made=one.made,
        last_used=one.last_used,
        coded_by=one.coded_by,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/api/v1/people",
        summary="List people",
        serve=people,
        people=Duty.OVERSEE,
        gives=Items[PersonView],
    ),
    Endpoint(
        method="POST",
        path="/api/v1/people",
        summary="Add a person",
        serve=add,
        people=Duty.ADMINISTER,
        takes=NewPerson,
        gives=PersonView,
        status=201,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/people/{name}",
        summary="Show a person",
        serve=shown,
        people=Duty.OVERSEE,
        gives=PersonView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/people/{name}/code",
        summary="Make a one-time sign-in code for a person",
        serve=make_code,
        people=Duty.ADMINISTER,
        gives=CodeView,
        status=201,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/people/{name}/roles",
        summary="Change a person's roles; a person cannot change their own account",
        serve=change_roles,
        people=Duty.ADMINISTER,
        takes=ChangeRoles,
        gives=PersonView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/people/{name}/state",
        summary="Deactivate a person (their sessions and tasks end), or reactivate them",
        serve=move,
        people=Duty.ADMINISTER,
        takes=MovePerson,
        gives=PersonView,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/people/{name}/sign-out",
        summary="End all sessions and codes of a person, and their unused approvals",
        serve=sign_out,
        people=Duty.ADMINISTER,
        gives=PersonView,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/people/{name}/ways",
        summary="List a person's passkeys and accounts at providers",
        serve=ways,
        people=Duty.ADMINISTER,
        gives=Items[SignInMethodView],
    ),
    Endpoint(
        method="POST",
        path="/api/v1/people/{name}/ways/{way}/remove",
        summary="Remove a passkey of a person, or their account at a provider; their sessions end",
        serve=remove_way,
        people=Duty.ADMINISTER,
        gives=SignInMethodView,
    ),
)
