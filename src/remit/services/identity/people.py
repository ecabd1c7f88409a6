# SPDX-License-Identifier: Apache-2.0
"""Administration of people: roles, activation, sessions, and sign-in codes.

An administrator changes other people, never themselves, and never the last administrator. The configuration
may require a second administrator, who must request the identical change. This applies to a change that makes
a person an approver or an administrator, and to a sign-in code for another person: a single administrator
could otherwise act as another person. A sign-in code that is made for another person is a finding.
"""

from __future__ import annotations

import asyncio

import msgspec

from remit.core.decisions.approval import may_approve
from remit.core.endings.closure import Cause
from remit.core.errors import ChangedMeanwhile, Conflict, Forbidden
from remit.core.evidence.event import Event
from remit.core.evidence.events.people import PersonChanged
from remit.core.findings.finding import Finding, finding_id
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import Person, Role
from remit.core.scope import ScopeKind, scope
from remit.ports.runtime import Clock
from remit.ports.store.changes import Change, EndCredentials, PutPerson
from remit.ports.store.sign_in import SignInStore
from remit.ports.store.units import Unit
from remit.services.decisions.approvals import Approvals
from remit.services.endings.ending import Endings
from remit.services.findings.findings import Findings
from remit.services.identity.authenticator import Authenticator
from remit.services.identity.directory import Directory, NewPerson
from remit.services.separation.last_administrators import keep_administrators
from remit.services.separation.second_person import SecondPerson
from remit.services.separation.sign_in_methods import AT_START, code_makers

#: Roles that decide what other people may do.
SENSITIVE = frozenset({Role.APPROVER, Role.ADMINISTRATOR})
#: Attempts at a change when an approval that expires with it is used at the same time.
TRIES = 5


class PersonAdministration:
    """Administers people."""

    def __init__(
        self,
        *,
        store: SignInStore,
        clock: Clock,
        directory: Directory,
        authenticator: Authenticator,
        revocations: Endings,
        approvals: Approvals,
        findings: Findings,
        second: SecondPerson,
        tenant: str,
        second_person: bool,
    ) -> None:
        """Take the parts; with `second_person` two administrators must stay."""
        self._store = store
        self._clock = clock
        self._directory = directory
        self._authenticator = authenticator
        self._revocations = revocations
        self._approvals = approvals
        self._findings = findings
        self._second = second
        self._tenant = tenant
        self._second_person = second_person
        # One change at a time, so that no two changes each rely on what the other one removes.
        self._one = asyncio.Lock()

    async def add(self, new: NewPerson, *, by: str) -> Person:
        """Add a person; a sensitive role may need two administrators."""
        if SENSITIVE & set(new.roles):
            await self._second.agreed({"act": "add", "person": msgspec.to_builtins(new)}, new.name, by)
        return await self._directory.add_person(new, by=by)

    async def change_roles(self, name: str, roles: frozenset[Role], *, by: str) -> Person:
        """Set a person's roles; they apply from the next request on."""
        words = sorted(role.value for role in roles)
        async with self._one:
            person = await self._other(name, by)
            kept = await self._keep(person, roles)
            if SENSITIVE & (roles - person.roles):
                await self._second.agreed({"act": "roles", "person": name, "roles": words}, name, by)
            changed = msgspec.structs.replace(person, roles=roles)
            told = PersonChanged(
                change="roles",
                roles=words,
                previous=sorted(role.value for role in person.roles),
                person=name,
                by=by,
            )
            await self._commit(person, changed, told, *kept, mute=not may_approve(changed))
        return changed

    async def deactivate(self, name: str, *, by: str, reason: str = "") -> Person:
        """Deactivate a person.

        The person's sessions and codes end at once. Work in the person's name ends too, and so does the work
        of agents that the person alone answers for.
        """
        async with self._one:
            changed = await self._out_of_service(name, by, reason)
        why = reason or "the person was deactivated"
        for kind, cause in (
            (ScopeKind.PERSON, Cause.PERSON_LEFT),
            # No one answers for these agents now: none of them works or begins work until a person does.
            (ScopeKind.OWNER, Cause.OWNER_LEFT),
        ):
            # Locked, so that a task that is being opened at the same time cannot slip through.
            await self._revocations.end_scope(kind, name, reason=why, by=by, lock=True, cause=cause)
        await self._directory.look_at_owners()
        return changed

    async def _out_of_service(self, name: str, by: str, reason: str, tries: int = TRIES) -> Person:
        person = await self._other(name, by)
        kept = await self._keep(person, frozenset())
        changed = msgspec.structs.replace(person, active=False)
        ended = EndCredentials(self._tenant, name)
        told = PersonChanged(change="deactivated", reason=reason, person=name, by=by)
        try:
            await self._commit(person, changed, told, *kept, ended, mute=True)
        except ChangedMeanwhile:
            # A concurrent sign-in that brings other groups must not keep a person in service.
            if tries == 1:
                raise
            return await self._out_of_service(name, by, reason, tries - 1)
        return changed

    async def activate(self, name: str, *, by: str) -> Person:
        """Activate a person again; what was ended stays ended, and the person has to sign in again."""
        async with self._one:
            person = await self._other(name, by)
            if SENSITIVE & person.roles:
                await self._second.agreed({"act": "activate", "person": name}, name, by)
            changed = msgspec.structs.replace(person, active=True)
            await self._commit(person, changed, PersonChanged(change="activated", person=name, by=by))
        shut = {(one.scope, one.cause) for one in await self._revocations.locks()}
        for kind, cause in ((ScopeKind.PERSON, Cause.PERSON_LEFT), (ScopeKind.OWNER, Cause.OWNER_LEFT)):
            # A lock that was set by hand stays.
            if (scope(kind, name), cause) in shut:
                await self._revocations.unlock(kind, name, by=by)
        await self._directory.look_at_owners()
        return changed

    async def sign_out(self, name: str, *, by: str) -> Person:
        """End all sessions and codes of a person, and the unused approvals that the person gave."""
        person = await self._directory.person(name)
        event = self._event(PersonChanged(change="signed-out", person=name, by=by))
        await self._put((EndCredentials(self._tenant, name),), event, mute=name)
        return person

    async def make_code(self, name: str, *, by: str) -> tuple[Person, str]:
        """Make a one-time sign-in code for a person.

        A code for another person may need two administrators, and is a finding that is reported to that
        person.
        """
        person = await self._directory.person(name)
        if not person.active:
            raise Forbidden(f"`{name}` is not active", remediation=f"run `remit person activate {name}`")
        makers = [by]
        if by != name:
            makers += await self._second.agreed({"act": "code", "person": name}, name, by)
        # The maker of a code may have signed in by another person's code: that person is then behind both.
        behind = await code_makers(self._store, self._tenant, makers, self._clock.now())
        code = await self._authenticator.make_code(name, by=by, coded_by={*makers} | behind)
        if by != name:
            await self._tell_of_code(person, makers)
        return person, code

    async def code_at_start(self, name: str) -> str:
        """Make a sign-in code for the operator who starts remit.

        The operator controls remit's machine, and no one else can agree to this code.
        """
        person = await self._directory.person(name)
        code = await self._authenticator.make_code(name, by=AT_START)
        await self._tell_of_code(person, [AT_START])
        return code

    async def _tell_of_code(self, person: Person, makers: list[str]) -> None:
        facts = {"by": sorted(makers), "roles": sorted(role.value for role in person.roles)}
        await self._findings.see(FindingKind.SIGN_IN_CODE, f"person:{person.name}", person.name, facts)

    async def code_made(self, name: str) -> Finding | None:
        """Return the finding of the last code that another person made for a person.

        It is meant for that person.
        """
        return await self._findings.find(finding_id(FindingKind.SIGN_IN_CODE, f"person:{name}", name))

    async def _other(self, name: str, by: str) -> Person:
        person = await self._directory.person(name)
        if name == by:
            raise Forbidden(
                "a person cannot change their own account",
                code="self",
                remediation="ask another administrator",
            )
        return person

    async def _keep(self, person: Person, roles: frozenset[Role]) -> tuple[Change, ...]:
        return await keep_administrators(self._store, person, roles=roles, second_person=self._second_person)

    async def _commit(
        self,
        was: Person,
        person: Person,
        told: PersonChanged,
        *changes: Change,
        mute: bool = False,
    ) -> None:
        event = self._event(told)
        # A sign-in may have changed the person's groups in the meantime: neither change undoes the other.
        await self._put((PutPerson(person, was=was), *changes), event, mute=person.name if mute else "")

    async def _put(self, changes: tuple[Change, ...], event: Event, *, mute: str) -> None:
        """Commit; with `mute` the unused approvals of that person expire in the same transaction."""
        for left in reversed(range(TRIES)):
            given = await self._approvals.given_by(mute) if mute else []
            try:
                await self._store.commit(Unit((*changes, *given), (event,)))
            except Conflict:
                # One of the approvals was used in the meantime, so trying again helps. Any other conflict
                # persists.
                if not given or not left:
                    raise
            else:
                return

    def _event(self, told: PersonChanged) -> Event:
        return Event.of(told, at=self._clock.now(), tenant=self._tenant, subject=told.person)
