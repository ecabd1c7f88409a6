# SPDX-License-Identifier: Apache-2.0
"""Findings: observations that lack an explanation.

A finding is a standing question about something that remit knows (`about`, such as `agent:contract-bot`). A
repeated observation updates the same finding; a resolved finding opens again when it is observed again.
"""

from __future__ import annotations

import enum
from datetime import datetime

import msgspec

from remit.core.canonical import digest
from remit.core.json_value import Json


class FindingKind(enum.StrEnum):
    """The closed set of kinds; it grows with what remit can observe."""

    MANIFEST_DRIFT = "manifest-drift"
    OWNERLESS = "ownerless"
    SHARED_KEY = "shared-key"
    SHARED_TOKEN = "shared-token"
    TWO_PROGRAMS = "two-programs"
    SIGN_IN_CODE = "sign-in-code"
    LAST_ADMINISTRATOR = "last-administrator"
    SINK_OPEN = "sink-open"
    STANDING_SECRET = "standing-secret"
    OLD_SECRET = "old-secret"
    SECRET_STUCK = "secret-stuck"
    CREDENTIAL_LEAKED = "credential-leaked"
    SIGNALS_SILENT = "signals-silent"
    LOG_CHANGED = "log-changed"


class FindingMeaning(msgspec.Struct, frozen=True):
    """The meaning of a kind of finding and of its facts, and the action to take."""

    says: str
    facts: dict[str, str]
    remediation: str


_PLACES = {
    "first": "where it was seen, by instance or address",
    "second": "where it was seen in between",
    "by": "what tells the two apart: `instance`, `address`, `manifest`, `executable` or `client`",
}

_SECRET = {
    "upstream": "the upstream that it is for",
    "place": "what the configuration uses it as",
    "where": "the reference by which it is found; never the secret",
    "since": "since when it is the one that it is: by its source where that tells, else by remit",
    "version": "its number at its source, where that counts them; 0 elsewhere",
}

#: The meaning of each kind. The reference of findings is generated from it.
FINDING_MEANINGS: dict[FindingKind, FindingMeaning] = {
    FindingKind.MANIFEST_DRIFT: FindingMeaning(
        "An agent reports another manifest (model, prompt, tools, code) than the registered one.",
        {"registered": "the registered digest", "reported": "the reported digest"},
        "review what changed, then register the new digest with `remit agent manifest`",
    ),
    FindingKind.OWNERLESS: FindingMeaning(
        "Nobody answers for an agent: its owner was deactivated, or its team has no active member.",
        {"owner": "the registered owner", "why": "what is wrong with it"},
        "give it another owner with `remit agent owner`, or retire it",
    ),
    FindingKind.SHARED_KEY: FindingMeaning(
        "The same private key is in use in two places at once.",
        {"key": "thumbprint of the key or certificate", **_PLACES},
        "give each instance a key of its own, or suspend the agent if one of them is unknown",
    ),
    FindingKind.SHARED_TOKEN: FindingMeaning(
        "The same token was shown from two places in turn.",
        {"token": "the token's id, never the token", **_PLACES},
        "end the agent's tasks if one of the places is unknown, and bind its tokens to a key",
    ),
    FindingKind.TWO_PROGRAMS: FindingMeaning(
        "Two programs act under one identity.",
        {"workload": "the identity that was proven", **_PLACES},
        "register the second program as an agent of its own",
    ),
    FindingKind.SIGN_IN_CODE: FindingMeaning(
        "Somebody made a sign-in code for somebody else, and could have used it themselves. The person sees "
        "it on their account page.",
        {"by": "who made it", "roles": "the roles that the code opens"},
        "ask the person whether they asked for it; `remit person sign-out` and `remit person ways` take away "
        "what came of it; demand two with `people.second_person: true`",
    ),
    FindingKind.LAST_ADMINISTRATOR: FindingMeaning(
        "One of the last administrators signed in at the provider without the group that makes them one, and "
        "stays one: nobody could change people any more.",
        {"groups": "the groups that the person has here now"},
        "make another administrator, then take the role from the person, or put them in the group",
    ),
    FindingKind.SINK_OPEN: FindingMeaning(
        "A credential whose task has ended still opens its sink. It settles by itself once that refuses.",
        {
            "lease": "the credential's lease",
            "kind": "the kind of its source",
            "sink": "what it opens",
            "task": "the task that it was for",
            "why": "what was last heard when it was taken back or tried",
        },
        "look at its source and sink; end it there by hand where they do not answer",
    ),
    FindingKind.STANDING_SECRET: FindingMeaning(
        "remit holds a secret that ends with no task: whoever has seen it can use it.",
        {
            **_SECRET,
            "rotated_every_s": "how often remit changes it, in seconds; 0 where it does not",
        },
        "lease a credential to each task (`lease`), have it rotated (`lease.password`, `rotate` of "
        "`lease.oauth`), or resolve this with the reason why it has to stand",
    ),
    FindingKind.OLD_SECRET: FindingMeaning(
        "A standing secret has been the same for longer than `limits.secret_age_s`.",
        {**_SECRET, "age_days": "its age in days, as far as remit knows"},
        "change it at its source, and where `where` says; this is settled when remit sees another one",
    ),
    FindingKind.SECRET_STUCK: FindingMeaning(
        "A standing secret that remit rotates cannot be rotated, or the one before it still works.",
        {**_SECRET, "why": "what stands in the way", "remediation": "what a person can do about it"},
        "do what `remediation` says; it is tried again every minute, and this is settled when it came "
        "through",
    ),
    FindingKind.CREDENTIAL_LEAKED: FindingMeaning(
        "A credential of an upstream came back in a result, or was reported as compromised. One of a task "
        "was taken back; a standing one is still good.",
        {
            "how": "`result`: an upstream sent it back, and it was scrubbed; `reported`: somebody said so",
            "lease": "the credential's lease; empty for a standing one, and where all of them are meant",
            "task": "the task that it was for",
            "sink": "what it opens",
        },
        "rotate a standing credential at its source; ask why the upstream sends credentials back",
    ),
    FindingKind.SIGNALS_SILENT: FindingMeaning(
        "Nothing was heard of a transmitter of signals for longer than it may be silent. It settles by "
        "itself once something is heard.",
        {
            "transmitter": "who is silent, as the configuration calls them",
            "since": "when what was heard last was issued; empty where nothing ever was",
            "why": "what stands in the way of asking for a verification event, where remit asks",
        },
        "look at the stream at the transmitter, and at the way from there; until then what it would tell of "
        "ends nothing here",
    ),
    FindingKind.LOG_CHANGED: FindingMeaning(
        "The evidence log was changed in the store: an event is not the one that was recorded and signed.",
        {
            "event": "the index of the first such event; -1 where only the whole does not fit",
            "why": "what does not fit",
        },
        "find out who can write to the store; `remit audit verify` names each fault, and a copy of the store "
        "from before holds what was there",
    ),
}


class FindingState(enum.StrEnum):
    """Whether a finding has been resolved."""

    OPEN = "open"
    RESOLVED = "resolved"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. `count` is the number of sightings; sightings within a minute of each other count once."""

    tenant: str
    id: str
    kind: FindingKind
    about: str
    facts: dict[str, Json] = {}
    first_seen: datetime
    last_seen: datetime
    count: int = 1
    state: FindingState = FindingState.OPEN
    resolved: datetime | None = None
    resolved_by: str = ""
    resolution: str = ""

    @property
    def agent(self) -> str:
        """The agent that the finding is about; empty where it is about something else."""
        kind, _, name = self.about.partition(":")
        return name if kind == "agent" else ""


def finding_id(kind: FindingKind, about: str, which: str) -> str:
    """Return the id of a finding: equal for equal observations, so that no finding is opened twice.

    `which` distinguishes findings of one kind about one thing, such as the key in question.
    """
    return f"fnd_{digest({'kind': kind.value, 'about': about, 'which': which})[7:23]}"


def seen_again(finding: Finding, facts: dict[str, Json], now: datetime) -> Finding:
    """Return a finding with one more sighting; a resolved finding opens again."""
    return msgspec.structs.replace(
        finding,
        facts=facts,
        last_seen=now,
        count=finding.count + 1,
        state=FindingState.OPEN,
        resolved=None,
        resolved_by="",
        resolution="",
    )


def settled(finding: Finding, *, by: str, resolution: str, now: datetime) -> Finding:
    """Return a finding as resolved."""
    return msgspec.structs.replace(
        finding, state=FindingState.RESOLVED, resolved=now, resolved_by=by, resolution=resolution
    )
