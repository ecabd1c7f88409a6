# SPDX-License-Identifier: Apache-2.0
"""The desk with several approvers: `omar`, `ada` and `mona` of group `payments`, `gil` of group `leads`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit.core.canonical import digest
from remit.core.decisions.approval import Approval
from remit.core.errors import RemitError
from remit.core.identity.principals import Memberships, Role
from remit.core.tools.tool import Argument, ArgumentRole
from remit.ports.store.changes import Credential, PutPerson
from remit.ports.store.units import Unit
from remit.services.identity.directory import NewPerson
from tests.worlds.calls import ASK, CallWorld, a_bundle, call_world
from tests.worlds.services import PERMIT
from tests.worlds.values import TENANT

Json = Any
APPROVERS = ("omar", "ada", "mona", "gil")
GROUPS = Memberships(groups={"payments": ("ada", "mona"), "leads": ("gil",)})


def asking(notes: str, more: str = "") -> str:
    """Return policies that ask people about money, with notes on the rule that asks."""
    return PERMIT + ASK.replace("@otherwise", f"{notes} @otherwise") + more


TWO = asking('@approvers("2")')
PAYMENTS = asking('@approver_group("payments")')
TWO_OF_PAYMENTS = asking('@approvers("2") @approver_group("payments")')


async def under(
    world: CallWorld, policy: str, amount: ArgumentRole = ArgumentRole.AMOUNT, **changes: Json
) -> None:
    """Put policies in force; `amount` is the role of that argument of `pay`."""
    bundle = a_bundle(policy, digest([policy, amount.value]))
    described = {"text": Argument(ArgumentRole.CONTENT), "amount": Argument(amount)}
    pay = msgspec.structs.replace(bundle.tools["desk/pay"], arguments=described, **changes)
    tools = bundle.tools | {"desk/pay": pay}
    await world.services.policies.apply(msgspec.structs.replace(bundle, tools=tools), by="root")
    await world.learn()


async def yes(world: CallWorld, approval: str, name: str, *, approve: bool = True, **more: Json) -> Approval:
    """Answer an approval as a person."""
    person = await world.person(name)
    return await world.services.decisions.approvals.answer(approval, person, approve=approve, **more)


async def code_of(refused: Awaitable[Json]) -> str:
    """Return the code of a refusal, which names its remediation."""
    with pytest.raises(RemitError) as caught:
        await refused
    assert caught.value.remediation
    return caught.value.code


async def with_role(world: CallWorld, name: str, *roles: Role) -> None:
    """Let a person have exactly these roles, without the services knowing."""
    person = await world.person(name)
    changed = msgspec.structs.replace(person, roles=frozenset(roles))
    await world.services.store.commit(Unit((PutPerson(changed),)))


async def signed_in_by_code(world: CallWorld, name: str, maker: str) -> None:
    """Let a person sign in with a code that another one has made, and could have used."""
    authenticator = world.services.identity.authenticator
    code = await authenticator.make_code(name, by=maker)
    person, found = await authenticator.person_by_code(code)
    await authenticator.open_session(person, coded_by=found.coded_by)


def a_session(world: CallWorld, name: str, method: str = "passkey") -> Credential:
    """Return a session of a person who has just signed in."""
    now = world.clock.now()
    return Credential(
        tenant=TENANT, digest="", kind="session", person=name, created=now, expires=now, method=method
    )


@asynccontextmanager
async def approver_world(folder: Path, **outfit: Json) -> AsyncIterator[CallWorld]:
    """Provide the desk, whose payments ask two people."""
    async with call_world(folder, members=GROUPS, **outfit) as made:
        for name in APPROVERS[1:]:
            await made.services.identity.directory.add_person(
                NewPerson(name=name, roles=(Role.APPROVER,)), by="root"
            )
        await under(made, TWO)
        yield made
