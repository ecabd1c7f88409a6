# SPDX-License-Identifier: Apache-2.0
"""Protection of the last administrators: any removal of one is checked here first.

A removal may come from a person or from a provider's groups.
"""

from __future__ import annotations

from typing import Final

from remit.core.errors import Conflict
from remit.core.identity.principals import Person, Role
from remit.ports.store.changes import Change, PutPerson
from remit.ports.store.principals import PrincipalStore

#: The code of a refusal to remove one of the last administrators.
LAST: Final = "last-administrators"


async def keep_administrators(
    store: PrincipalStore, person: Person, *, roles: frozenset[Role], second_person: bool
) -> tuple[Change, ...]:
    """Refuse to remove one of the last administrators, who is to have `roles`.

    Where two administrators must agree, two must remain. Returns the checks that the remaining administrators
    are unchanged at the commit, because another replica may be removing one of them. Raises `Conflict`.
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
