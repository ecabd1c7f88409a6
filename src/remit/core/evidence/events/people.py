# SPDX-License-Identifier: Apache-2.0
"""Events of people: who they are, how they sign in, and what they agreed to."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, UnsetType

from remit.core.evidence.event import EventBody, EventKind, Sealed
from remit.core.evidence.events.fields import By, Further, Person, Reason, RefusalCode
from remit.core.json_value import Json


class PersonAdded(EventBody, kw_only=True):
    """A person was added."""

    KIND = EventKind.PERSON_ADDED
    roles: Annotated[list[str], "their roles"]
    groups: Annotated[list[str], "their groups"]
    person: Person
    by: By


class PersonChanged(EventBody, kw_only=True):
    """Something about a person changed: how they sign in, a session that ended, or where they belong."""

    KIND = EventKind.PERSON_CHANGED
    change: Annotated[str, "what"]
    groups: Annotated[list[str] | UnsetType, "their groups now"] = UNSET
    roles: Annotated[list[str] | UnsetType, "their roles now"] = UNSET
    previous: Annotated[list[str] | UnsetType, "the roles before"] = UNSET
    upstream: Annotated[str, "the connected or disconnected upstream"] = ""
    reason: Annotated[str | UnsetType, "why"] = UNSET
    person: Person
    by: By


class PersonSignedIn(EventBody, kw_only=True):
    """A person signed in."""

    KIND = EventKind.PERSON_SIGNED_IN
    method: Annotated[str, "`code`, `passkey`, or `oidc` with the provider's name"]
    session: Annotated[str, "`session` of a program, or `browser`"]
    bound: Annotated[bool, "whether it needs a proof of a key"]
    person: Person


class SignInRefused(EventBody, kw_only=True):
    """A sign-in was refused."""

    KIND = EventKind.SIGN_IN_REFUSED
    code: RefusalCode
    endpoint: Annotated[str, "the endpoint"]
    further: Further = 0


class ConsentGiven(EventBody, kw_only=True):
    """A person agreed to what an application asked for, and a task was opened for it."""

    KIND = EventKind.CONSENT_GIVEN
    client: Annotated[str, "the application's own name"]
    redirect: Annotated[str, "the host that receives the answer"]
    task: Annotated[str, "the task"]
    registered: Annotated[bool, "`true`: this registered the agent"] = False
    person: Person


class ConsentDenied(EventBody, kw_only=True):
    """A person did not agree to what an application asked for."""

    KIND = EventKind.CONSENT_DENIED
    client: Annotated[str, "the application's own name"]
    redirect: Annotated[str, "the host that receives the answer"]
    person: Person


class DelegationMade(EventBody, kw_only=True):
    """A person let an agent act for them, for one kind of work and for a time."""

    KIND = EventKind.DELEGATION_MADE
    delegation: Annotated[str, "the record's id"]
    task_type: Annotated[str, "the task type"]
    expires: Annotated[str, "expiry"]
    open: Annotated[list[str], "the parameters that the agent may choose"]
    person: Person
    goal: Annotated[str, Sealed("the intent in the person's words")]
    params: Annotated[dict[str, Json], Sealed("the parameters that the person fixed")]


class DelegationRevoked(EventBody, kw_only=True):
    """A delegation record was revoked; the tasks opened under it end."""

    KIND = EventKind.DELEGATION_REVOKED
    delegation: Annotated[str, "the record's id"]
    reason: Reason
    person: Annotated[str, Sealed("the person of the record")] = ""
    by: By
