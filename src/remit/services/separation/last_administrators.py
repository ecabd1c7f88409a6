# SPDX-License-Identifier: Apache-2.0
"""The last administrators: whoever takes one away asks here first, a person or a provider's groups."""

from __future__ import annotations

from typing import Final

from remit.core.errors import Conflict
from remit.core.identity.principals import Person, Role
from remit.ports.store.changes import Change, PutPerson
from remit.ports.store.principals import PrincipalStore

#: The code of a refusal to take one of them away.
LAST: Final = "last-administrators"


async def keep_administrators(
    store: PrincipalStore, person: Person, *, roles: frozenset[Role], second_person: bool
) -> tuple[Change, ...]:
    """Refuse to take away one of the last administrators, who is to have `roles`; where two must agree, two
    stay.

    Gives what sees to it that those who stay are what they are now, for another replica may be taking one of
    these away. Raises `Conflict`.
    """
    if Role.ADMINISTRATOR not in person.roles - roles:
        return ()
    others = [
        one
        for one in await store.people(person.tenant)
        if one.active and Role.ADMINISTRATOR in one.roles and one.name != person.name
    ]
    needed = 2 if second_person else 1
    if len(others) < needed:
        raise Conflict(
            f"`{person.name}` is one of the last administrators, and {needed} must stay",
            code=LAST,
            remediation="make another one first",
        )
    return tuple(PutPerson(one, was=one) for one in others[:needed])
