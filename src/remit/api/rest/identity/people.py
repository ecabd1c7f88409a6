# SPDX-License-Identifier: Apache-2.0
"""People: adding and changing them, and sign-in codes for them."""

from __future__ import annotations

from dataclasses import dataclass

from remit.api.rest.representations import Moment, PersonView, View, person_view
from remit.api.rest.route import Body, Endpoint, Items, RestRequest
from remit.core.identity.principals import Person, Role
from remit.services.identity.assembly import IdentityServices
from remit.services.identity.authenticator import CODE_TTL_S
from remit.services.identity.directory import NewPerson
from remit.services.identity.permissions import Duty
from remit.services.people.assembly import PeopleServices
from remit.services.separation.sign_in_methods import SignInMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRooms:
    """The rooms that these endpoints work with."""

    identity: IdentityServices
    people: PeopleServices


class CodeView(View, frozen=True, kw_only=True):
    """A one-time sign-in code; it is shown only once."""

    person: str
    code: str
    valid_s: int


class SignInMethodView(View, frozen=True, kw_only=True):
    """A reusable sign-in method of a person: `kind` is `passkey` or `provider`.

    `coded_by` are the people who made the sign-in code with which it was set up.
    """

    id: str
    kind: str
    name: str
    made: Moment
    last_used: Moment | None = None
    coded_by: tuple[str, ...] = ()


class ChangeRoles(Body, frozen=True, kw_only=True):
    """The complete new set of a person's roles."""

    roles: tuple[Role, ...]


class MovePerson(Body, frozen=True, kw_only=True):
    """Whether the person shall be active, and the reason."""

    active: bool
    reason: str = ""


def _view(errand: RestRequest[PersonRooms], person: Person) -> PersonView:
    return person_view(errand.rooms.identity.directory.with_groups(person))


async def people(errand: RestRequest[PersonRooms]) -> Items[PersonView]:
    """Return all people, with their groups from the configuration."""
    return Items(tuple(_view(errand, one) for one in await errand.rooms.identity.directory.people()))


async def add(errand: RestRequest[PersonRooms]) -> PersonView:
    """Add a person."""
    return _view(errand, await errand.rooms.identity.personnel.add(errand.body, by=errand.by))


async def shown(errand: RestRequest[PersonRooms]) -> PersonView:
    """Return a person."""
    return _view(errand, await errand.rooms.identity.directory.person(errand.place["name"]))


async def make_code(errand: RestRequest[PersonRooms]) -> CodeView:
    """Make a sign-in code for an existing person."""
    person, code = await errand.rooms.identity.personnel.make_code(errand.place["name"], by=errand.by)
    return CodeView(person=person.name, code=code, valid_s=CODE_TTL_S)


async def change_roles(errand: RestRequest[PersonRooms]) -> PersonView:
    """Replace a person's roles."""
    wanted: ChangeRoles = errand.body
    changed = await errand.rooms.identity.personnel.change_roles(
        errand.place["name"], frozenset(wanted.roles), by=errand.by
    )
    return _view(errand, changed)


async def move(errand: RestRequest[PersonRooms]) -> PersonView:
    """Deactivate or reactivate a person."""
    wanted: MovePerson = errand.body
    personnel, name = errand.rooms.identity.personnel, errand.place["name"]
    if wanted.active:
        return _view(errand, await personnel.activate(name, by=errand.by))
    return _view(errand, await personnel.deactivate(name, by=errand.by, reason=wanted.reason))


async def sign_out(errand: RestRequest[PersonRooms]) -> PersonView:
    """End all sessions and codes of a person, and their unused approvals."""
    return _view(errand, await errand.rooms.identity.personnel.sign_out(errand.place["name"], by=errand.by))


async def ways(errand: RestRequest[PersonRooms]) -> Items[SignInMethodView]:
    """Return the sign-in methods of a person."""
    person = await errand.rooms.identity.directory.person(errand.place["name"])
    return Items(tuple(map(_way, await errand.rooms.people.ways_in.of(person.name))))


async def remove_way(errand: RestRequest[PersonRooms]) -> SignInMethodView:
    """Remove a sign-in method of a person."""
    person = await errand.rooms.identity.directory.person(errand.place["name"])
    return _way(await errand.rooms.people.ways_in.remove(person.name, errand.place["way"], by=errand.by))


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
