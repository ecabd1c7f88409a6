# SPDX-License-Identifier: Apache-2.0
"""Delegation records: made, listed and revoked by the person in whose name an agent may act."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec

from remit.core.endings.closure import Cause, Closure
from remit.core.errors import Forbidden, Malformed, NotFound
from remit.core.evidence.event import Event
from remit.core.evidence.events.people import DelegationMade, DelegationRevoked
from remit.core.identity.principals import Memberships, Person
from remit.core.ids import ID_BYTES, make_id
from remit.core.json_value import Json
from remit.core.scope import ScopeKind
from remit.core.tasks.delegation_record import Delegation
from remit.core.tasks.task import TaskType, check_parameters
from remit.core.tools.constraint import Verdict, load
from remit.ports.runtime import Clock, Entropy
from remit.ports.store.changes import PutDelegation, UsePerson
from remit.ports.store.combined import TasksAndSignIn
from remit.ports.store.units import Unit
from remit.services.endings.ending import Endings
from remit.services.policy.bundle import Policies
from remit.services.separation.sign_in_methods import code_makers
from remit.services.tasks.opening_rules import check_words, may_run, may_state

MAX_VALID_S = 366 * 86_400
#: Largest number of live records of one person.
MAX_LIVING = 200


class NewDelegation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person lets an agent do: one kind of work, for `valid_s` seconds.

    The person fixes some parameters and leaves the parameters named in `open` to the agent.
    """

    agent: str
    task_type: str
    goal: str = ""
    params: dict[str, Json] = {}
    open: tuple[str, ...] = ()
    valid_s: Annotated[int, msgspec.Meta(ge=60, le=MAX_VALID_S)] = 7 * 86_400


class Delegations:
    """Keeps the records with which people let agents act for them."""

    def __init__(
        self,
        *,
        store: TasksAndSignIn,
        clock: Clock,
        entropy: Entropy,
        policies: Policies,
        revocations: Endings,
        members: Memberships,
        tenant: str,
    ) -> None:
        """Take the dependencies."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._policies = policies
        self._revocations = revocations
        self._members = members
        self._tenant = tenant

    async def add(self, new: NewDelegation, person: Person) -> Delegation:
        """Make a record in the name of the requesting person.

        The person must be permitted to state the intent of such work, and the agent to run it. Raises
        `NotFound`, `Forbidden` or `Malformed`.
        """
        task_type = self._policies.applied.bundle.task_types.get(new.task_type)
        agent = await self._store.agent(self._tenant, new.agent)
        if task_type is None:
            raise NotFound(
                f"task type `{new.task_type[:80]}` does not exist", remediation="see `remit task types`"
            )
        if agent is None:
            raise NotFound(f"agent `{new.agent[:80]}` does not exist", remediation="see `remit agent list`")
        may_state(task_type, person)
        may_run(task_type, self._members.of_agent(agent))
        check_words(new.goal, "the intent")
        _check_parameters(task_type, new)
        now = self._clock.now()
        living = [one for one in await self.of(person.name) if one.live_at(now)]
        if len(living) >= MAX_LIVING:
            raise Forbidden(
                f"`{person.name}` has {len(living)} valid delegations",
                code="too-many-delegations",
                remediation="revoke some of them first",
            )
        record = Delegation(
            tenant=self._tenant,
            id=make_id("dlg", self._entropy.bytes(ID_BYTES)),
            person=person.name,
            agent=agent.name,
            task_type=task_type.name,
            goal=new.goal or task_type.purpose,
            params=new.params,
            open=tuple(dict.fromkeys(new.open)),
            made=now,
            expires=now + timedelta(seconds=new.valid_s),
            coded_by=tuple(sorted(await code_makers(self._store, self._tenant, (person.name,), now))),
        )
        made = DelegationMade(
            delegation=record.id,
            task_type=record.task_type,
            expires=record.expires.isoformat(),
            open=sorted(record.open),
            person=person.name,
            goal=record.goal,
            params=record.params,
        )
        event = Event.of(made, at=now, tenant=self._tenant, agent=record.agent, subject=person.name)
        await self._store.commit(
            Unit((UsePerson(self._tenant, person.name), PutDelegation(record, expect_new=True)), (event,))
        )
        return record

    async def of(self, person: str = "", agent: str = "") -> list[Delegation]:
        """Return records, newest first, including those that are no longer live."""
        return await self._store.delegations(self._tenant, person=person, agent=agent)

    async def get(self, name: str) -> Delegation:
        """Return a record; raises `NotFound`."""
        found = await self.find(name)
        if found is None:
            raise NotFound(
                f"delegation `{name[:80]}` does not exist", remediation="see `remit delegation list`"
            )
        return found

    async def find(self, name: str) -> Delegation | None:
        """Return a record; `None` where there is none."""
        return await self._store.delegation(self._tenant, name)

    async def revoke(self, name: str, *, by: str, reason: str) -> Closure:
        """Revoke a record, and end every task that was opened under it, with all descendants."""
        record = await self.get(name)
        if record.revoked is None:
            # Where the record's words were erased, the record of its end must not name their author again.
            told = DelegationRevoked(
                delegation=record.id,
                reason=reason,
                person=record.person if record.goal else "",
                by=by,
            )
            revoked = msgspec.structs.replace(record, revoked=self._clock.now())
            event = Event.of(
                told,
                at=self._clock.now(),
                tenant=self._tenant,
                agent=record.agent,
                subject=told.person or by,
            )
            await self._store.commit(Unit((PutDelegation(revoked),), (event,)))
        # The lock also covers a task that was being opened while the record was revoked.
        return await self._revocations.end_scope(
            ScopeKind.DELEGATION,
            name,
            reason=reason or "the delegation was revoked",
            by=by,
            lock=True,
            cause=Cause.DELEGATION,
        )


def _check_parameters(task_type: TaskType, new: NewDelegation) -> None:
    """Check that every parameter is known, and is fixed with a valid value or left open by name."""
    known = task_type.parameters
    names = ", ".join(known) or "none"
    for name in (*new.params, *new.open):
        if name not in known:
            raise Malformed(
                f"`{task_type.name}` has no parameter `{name[:80]}`", remediation=f"it takes: {names}"
            )
    both = sorted(set(new.params) & set(new.open))
    if both:
        raise Malformed(f"`{both[0]}` is both fixed and open", remediation="choose one of the two")
    for name, spec in known.items():
        if name in new.params:
            value = new.params[name]
            alone = msgspec.structs.replace(task_type, parameters={name: spec})
            check_parameters(alone, {name: value})
            rule = load(spec.constraint) if spec.constraint is not None else None
            if rule is not None and rule.judge(value) is not Verdict.YES:
                raise Malformed(f"parameter `{name}` {rule.describe()}", remediation="give a value that fits")
        elif name not in new.open and spec.required and spec.default is None:
            raise Malformed(
                f"parameter `{name}` has no value",
                remediation="fix it, or leave it `open` for the agent",
            )
