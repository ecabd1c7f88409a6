# SPDX-License-Identifier: Apache-2.0
"""Events of agents: registering them, their tokens, and the documents of local workloads."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, UnsetType

from remit.core.evidence.event import EventBody, EventKind, Sealed
from remit.core.evidence.events.fields import By, Further, Reason, RefusalCode
from remit.core.identity.principals import AgentState

_Uid = Annotated[int, "user id of the process that asked"]
_Executable = Annotated[str, "SHA-256 of its program"]
_ProcessIsolation = Annotated[
    str, "`none`: the process runs as the user of remit and could read remit's keys"
]


class AgentRegistered(EventBody, kw_only=True):
    """An agent was registered."""

    KIND = EventKind.AGENT_REGISTERED
    owner: Annotated[str, "the owner"]
    purpose: Annotated[str, "its purpose"]
    environment: Annotated[str, "its team"]
    initiative: Annotated[str, "its AI programme"]
    manifest: Annotated[str, "digest over model, prompt, tools and code"]
    by: By


class AgentChanged(EventBody, kw_only=True):
    """An agent changed: its state, by what it may prove itself, its manifest, or who answers for it."""

    KIND = EventKind.AGENT_CHANGED
    change: Annotated[str, "`state`, `bound`, `unbound`, `manifest`, `owner` or `provisioned`"]
    state: Annotated[AgentState | UnsetType, "the new state"] = UNSET
    workload: Annotated[str | UnsetType, "the workload that was bound or unbound"] = UNSET
    manifest: Annotated[str | UnsetType, "the new digest"] = UNSET
    owner: Annotated[str | UnsetType, "the new owner"] = UNSET
    previous: Annotated[str | UnsetType, "the previous value"] = UNSET
    reason: Annotated[str | UnsetType, "why"] = UNSET
    by: By


class AgentReviewed(EventBody, kw_only=True):
    """A person reviewed what an agent is granted and uses, and answered for each of its task types."""

    KIND = EventKind.AGENT_REVIEWED
    grants: Annotated[str, "digest of what it was granted then"]
    shown: Annotated[str, "digest of these grants and of the counted calls"]
    since: Annotated[str, "since when calls were counted"]
    first: Annotated[int, "the first event that was looked at for them"]
    size: Annotated[int, "the size of the log up to which they were counted"]
    certified: Annotated[list[str], "task types that stay"]
    trimmed: Annotated[dict[str, list[str]], "tools that should go, by task type"]
    removed: Annotated[list[str], "task types that the agent should no longer run"]
    waits: Annotated[bool, "`true`: it counts once a second person has agreed"] = False
    comment: Annotated[str, Sealed("the reviewer's comment")] = ""
    first_by: Annotated[str, Sealed("the person whose same review this one completes")] = ""
    by: By


class ReviewOverdue(EventBody, kw_only=True):
    """An access review was due and not given: others were told, or the agent was suspended."""

    KIND = EventKind.REVIEW_OVERDUE
    asked: Annotated[str, "when it was asked for"]
    to: Annotated[str, "the owner's substitute, or `administrators`"] = ""
    suspended: Annotated[bool, "`true`: the agent was suspended"] = False


class InitiativeCrossed(EventBody, kw_only=True):
    """An initiative crossed the boundary of identity: its first call above the tier `conversation`."""

    KIND = EventKind.INITIATIVE_CROSSED
    initiative: Annotated[str, "the AI programme; empty for the agents that are in none"]
    sponsor: Annotated[str, "the accountable person by configuration"]
    tool: Annotated[str, "the tool"]
    effect: Annotated[str, "what the call changes"]
    tier: Annotated[str, "computed tier of all calls so far"]
    first: Annotated[int, "the index of the event that decided the call"]
    first_at: Annotated[str, "when it was decided"]
    observed: Annotated[bool, "`true`: policy refused the call in observe mode"] = False
    acts: Annotated[bool, "`true`: the configuration says that it does"] = False


class TokenIssued(EventBody, kw_only=True):
    """An access token was issued to an agent."""

    KIND = EventKind.TOKEN_ISSUED
    token: Annotated[str, "the token's id (`jti`), never the token"]
    expires: Annotated[int, "its expiry, in seconds since the epoch"]
    assurance: Annotated[str, "the agent's assurance level"]
    method: Annotated[str, "the agent's proof of identity"]
    grant: Annotated[str, "the kind of grant of the request"]
    audience: Annotated[list[str], "its resources"]
    bound: Annotated[str, "its sender constraint: `dpop`, `mtls`, or `no`"]
    isolation: Annotated[str, "`none`: the agent runs as the user of remit and could read remit's keys"] = ""
    chain: Annotated[list[str], "the agents that act, the current one first, where there are several"] = []
    family: Annotated[str, "the id that all tokens of one grant share"] = ""


class TokenRevoked(EventBody, kw_only=True):
    """A token was taken back, or everything that was issued under one grant."""

    KIND = EventKind.TOKEN_REVOKED
    token: Annotated[str, "the token's id"] = ""
    family: Annotated[str, "the grant's id"] = ""
    reason: Reason


class TokenRefused(EventBody, kw_only=True):
    """A credential was refused at an endpoint."""

    KIND = EventKind.TOKEN_REFUSED
    code: RefusalCode
    endpoint: Annotated[str, "the endpoint"]
    further: Further = 0


class SvidIssued(EventBody, kw_only=True):
    """A local workload was given a document of the own trust domain."""

    KIND = EventKind.SVID_ISSUED
    spiffe_id: Annotated[str, "its SPIFFE ID"]
    form: Annotated[str, "`x509` or `jwt`"]
    serial: Annotated[str, "the certificate's serial number, or the token's `jti`"]
    expires: Annotated[int, "its expiry, in seconds since the epoch"]
    uid: _Uid
    executable: _Executable
    audiences: Annotated[list[str], "audience of a JWT-SVID"] = []
    isolation: _ProcessIsolation = ""
    further: Annotated[int, "earlier documents that were only counted"] = 0


class SvidRefused(EventBody, kw_only=True):
    """A local process asked for a document of the own trust domain and got none."""

    KIND = EventKind.SVID_REFUSED
    code: RefusalCode
    uid: _Uid
    executable: _Executable
    isolation: _ProcessIsolation = ""
    further: Further = 0
