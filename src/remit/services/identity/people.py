# SPDX-License-Identifier: Apache-2.0
"""Changing people: their roles, whether they are active, their sessions and their codes.

An administrator changes others, never themselves, and never the last administrator. Where the configuration
says so, what makes somebody an approver or an administrator, and a sign-in code for anybody else, needs a
second administrator who asks for the very same: one alone could otherwise act as somebody else. A code that
is made for somebody else is a finding.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import msgspec

from remit.core.canonical import digest
from remit.core.decisions.approval import may_approve
from remit.core.endings.closure import Cause
from remit.core.errors import ChangedMeanwhile, Conflict, Forbidden
from remit.core.evidence.event import Event
from remit.core.evidence.events.people import PersonChanged
from remit.core.findings.finding import Finding, FindingKind, finding_id
from remit.core.identity.principals import Person, Role
from remit.core.json_value import Json
from remit.core.scope import ScopeKind, scope
from remit.ports.runtime import Clock
from remit.ports.store.changes import Change, EndCredentials, PutPerson, PutValue
from remit.ports.store.sign_in import SignInStore
from remit.ports.store.units import Unit
from remit.services.decisions.approvals import Approvals
from remit.services.endings.ending import Endings
from remit.services.findings.findings import Findings
from remit.services.identity.authenticator import Authenticator
from remit.services.identity.directory import Directory, NewPerson
from remit.services.separation.last_administrators import keep_administrators
from remit.services.separation.sign_in_methods import AT_START, code_makers, hands_of

#: Roles that decide what others may do.
SENSITIVE = frozenset({Role.APPROVER, Role.ADMINISTRATOR})
#: How long the first administrator's word waits for the second's.
WAIT = timedelta(minutes=15)
#: How often a change is tried again where an approval that expires with it was used meanwhile.
TRIES = 5


class PersonAdministration:
    """Changes who people are."""

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
        tenant: str,
        second_person: bool,
    ) -> None:
        """Take the parts; `second_person` demands two administrators for what is sensitive."""
        self._store = store
        self._clock = clock
        self._directory = directory
        self._authenticator = authenticator
        self._revocations = revocations
        self._approvals = approvals
        self._findings = findings
        self._tenant = tenant
        self._second_person = second_person
        # One change at a time, so that two of them do not each rest on what the other takes away.
        self._one = asyncio.Lock()
        # One word counts for one act: two that come at once do not both rest on it.
        self._agreeing = asyncio.Lock()

    async def add(self, new: NewPerson, *, by: str) -> Person:
        """Add a person; with a sensitive role, maybe at the word of two."""
        if SENSITIVE & set(new.roles):
            await self._agreed({"act": "add", "person": msgspec.to_builtins(new)}, new.name, by)
        return await self._directory.add_person(new, by=by)

    async def change_roles(self, name: str, roles: frozenset[Role], *, by: str) -> Person:
        """Return a person other roles; they count from the next request on."""
        words = sorted(role.value for role in roles)
        async with self._one:
            person = await self._other(name, by)
            kept = await self._keep(person, roles)
            if SENSITIVE & (roles - person.roles):
                await self._agreed({"act": "roles", "person": name, "roles": words}, name, by)
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
        """Take a person out of service: their sessions and codes end at once, and so does what is done in
        their name, and by the agents that they alone answer for.
        """
        async with self._one:
            changed = await self._out_of_service(name, by, reason)
        why = reason or "the person was deactivated"
        for kind, cause in (
            (ScopeKind.PERSON, Cause.PERSON_LEFT),
            # Nobody answers for their agents now: none of these works on, or begins, until somebody does.
            (ScopeKind.OWNER, Cause.OWNER_LEFT),
        ):
            # Locked, so that a task that is being opened meanwhile does not slip through.
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
            # A sign-in that brings other groups at the same moment keeps nobody in service.
            if tries == 1:
                raise
            return await self._out_of_service(name, by, reason, tries - 1)
        return changed

    async def activate(self, name: str, *, by: str) -> Person:
        """Bring a person back; what was ended stays ended, and they sign in again."""
        async with self._one:
            person = await self._other(name, by)
            if SENSITIVE & person.roles:
                await self._agreed({"act": "activate", "person": name}, name, by)
            changed = msgspec.structs.replace(person, active=True)
            await self._commit(person, changed, PersonChanged(change="activated", person=name, by=by))
        shut = {(one.scope, one.cause) for one in await self._revocations.locks()}
        for kind, cause in ((ScopeKind.PERSON, Cause.PERSON_LEFT), (ScopeKind.OWNER, Cause.OWNER_LEFT)):
            # What somebody locked by hand stays locked.
            if (scope(kind, name), cause) in shut:
                await self._revocations.unlock(kind, name, by=by)
        await self._directory.look_at_owners()
        return changed

    async def sign_out(self, name: str, *, by: str) -> Person:
        """End all sessions and codes of a person, and the approvals that they gave and nobody has used."""
        person = await self._directory.person(name)
        event = self._event(PersonChanged(change="signed-out", person=name, by=by))
        await self._put((EndCredentials(self._tenant, name),), event, mute=name)
        return person

    async def make_code(self, name: str, *, by: str) -> tuple[Person, str]:
        """Make a one-time sign-in code for a person; for another one maybe at the word of two, and a finding
        of which that person is told.
        """
        person = await self._directory.person(name)
        if not person.active:
            raise Forbidden(f"`{name}` is not active", remediation=f"run `remit person activate {name}`")
        makers = [by]
        if by != name:
            makers += await self._agreed({"act": "code", "person": name}, name, by)
        # Who lets somebody in may be let in themselves by somebody else, who is then behind both.
        behind = await code_makers(self._store, self._tenant, makers, self._clock.now())
        code = await self._authenticator.make_code(name, by=by, coded_by={*makers} | behind)
        if by != name:
            await self._tell_of_code(person, makers)
        return person, code

    async def code_at_start(self, name: str) -> str:
        """Make a sign-in code for whoever starts remit, and has its machine: nobody else can agree to it."""
        person = await self._directory.person(name)
        code = await self._authenticator.make_code(name, by=AT_START)
        await self._tell_of_code(person, [AT_START])
        return code

    async def _tell_of_code(self, person: Person, makers: list[str]) -> None:
        facts = {"by": sorted(makers), "roles": sorted(role.value for role in person.roles)}
        await self._findings.see(FindingKind.SIGN_IN_CODE, f"person:{person.name}", person.name, facts)

    async def code_made(self, name: str) -> Finding | None:
        """Return the finding of the last code that somebody else made for a person, for the person to see."""
        return await self._findings.find(finding_id(FindingKind.SIGN_IN_CODE, f"person:{name}", name))

    async def agreed(self, act: str, about: str, *, by: str) -> None:
        """Go on with something sensitive that is not about a person, maybe at the word of two."""
        await self._agreed({"act": act, "about": about}, by, by)

    async def _agreed(self, act: dict[str, Json], name: str, by: str) -> list[str]:
        """Go on where another administrator has asked for the very same a short while ago, and give that one;
        nobody where no second one is demanded. Else remember this one, and refuse until another asks.
        """
        if not self._second_person:
            return []
        key, now = f"second:{digest(act)[7:39]}", self._clock.now()
        async with self._agreeing:
            asked = await self._store.value(self._tenant, key)
            first = msgspec.convert(asked, _Asked) if asked else None
            other = first if first and first.by != by and await self._stands(first, now) else None
            hands = await hands_of(self._store, self._tenant, by, now)
            # One person may be behind both words, by a code that was made for one of them.
            one_hand = other is not None and not hands.isdisjoint(other.hands)
            if other is not None and not one_hand:
                await self._store.commit(Unit((PutValue(self._tenant, key, None),)))
                return [other.by]
            event = self._event(PersonChanged(change=f"asked: {act['act']}", person=name, by=by))
            kept = msgspec.to_builtins(_Asked(by, now + WAIT, tuple(sorted(hands))))
            await self._store.commit(Unit((PutValue(self._tenant, key, kept),), (event,)))
        if one_hand:
            raise Forbidden(
                "the first requester may be the same person: one made a sign-in code for the other, or "
                "another person made one for both",
                code="code-maker",
                remediation="let another administrator request it, or remove the sign-in methods made "
                "with the code (`remit person ways`)",
            )
        raise Forbidden(
            "a second administrator must agree to this",
            code="second-person",
            remediation=f"let another administrator make the same request within {WAIT.seconds // 60} "
            "minutes",
        )

    async def _stands(self, first: _Asked, now: datetime) -> bool:
        """Whether who asked first may still ask: a word does not outlive the authority to give it."""
        person = await self._store.person(self._tenant, first.by)
        return (
            now < first.until and person is not None and person.active and Role.ADMINISTRATOR in person.roles
        )

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
        # A sign-in may have changed their groups meanwhile: neither undoes the other.
        await self._put((PutPerson(person, was=was), *changes), event, mute=person.name if mute else "")

    async def _put(self, changes: tuple[Change, ...], event: Event, *, mute: str) -> None:
        """Commit; with `mute` the approvals of that person that nobody has used expire with it."""
        for left in reversed(range(TRIES)):
            given = await self._approvals.given_by(mute) if mute else []
            try:
                await self._store.commit(Unit((*changes, *given), (event,)))
            except Conflict:
                # One of them was used meanwhile, which is as good; or it is something else, and stays so.
                if not given or not left:
                    raise
            else:
                return

    def _event(self, told: PersonChanged) -> Event:
        return Event.of(told, at=self._clock.now(), tenant=self._tenant, subject=told.person)


class _Asked(msgspec.Struct, frozen=True):
    """A first word. `hands` are all who may have given it: they are kept, for at the second word the session
    that shows it may be gone.
    """

    by: str
    until: datetime
    hands: tuple[str, ...] = ()
