# SPDX-License-Identifier: Apache-2.0
"""What each kind of finding means, what breaks by it, and what to do."""

from __future__ import annotations

from typing import Final

from remit.core.findings.anomaly_meanings import ANOMALIES
from remit.core.findings.kinds import FindingKind, FindingMeaning, Severity

_PLACES = {
    "says": "the use in one sentence",
    "first": "where it was seen: instance or address",
    "second": "where it was seen in between",
    "by": "what distinguishes the two: `instance`, `address`, `manifest`, `executable` or `client`",
}

_SECRET = {
    "upstream": "the upstream that uses it",
    "place": "its use in the configuration",
    "where": "its reference; never the secret itself",
    "since": "when it was last changed, as reported by its source or else first seen by remit",
    "version": "its version number at its source; 0 if the source has none",
}

_MADE_OF = {
    "places": "where it is, most recent first",
    "says": "the finding in one sentence",
    "evidence": "what was seen, without any secret",
    "steps": "the path, step by step",
    "reach": "what can be reached with it",
    "advice": "what the scan advises",
}


def _discovered(says: str, remediation: str, severity: Severity, *controls: str) -> FindingMeaning:
    return FindingMeaning(says, _MADE_OF, remediation, severity, controls)


#: The kinds that `remit discover` finds outside remit.
DISCOVERED: dict[FindingKind, FindingMeaning] = {
    FindingKind.SECRET_EXPOSED: _discovered(
        "A secret stands in a file, a prompt, a transcript or a history.",
        "let remit lease such a credential to each task (`remit finding fix`), then rotate the old one",
        Severity.HIGH,
        "NHI2",
        "NHI7",
    ),
    FindingKind.SECRET_SHARED: _discovered(
        "One secret is used by several workloads, or stands in several places.",
        "give each workload its own credential; remit leases one to each task",
        Severity.HIGH,
        "NHI9",
        "NHI2",
    ),
    FindingKind.PERSONAL_CREDENTIAL: _discovered(
        "An agent uses a person's credential, or a person uses an agent's.",
        "let the agent act for the person with its own task (`remit run`)",
        Severity.HIGH,
        "NHI10",
        "ASI03",
    ),
    FindingKind.CREDENTIAL_OUTLIVES: _discovered(
        "A credential outlives the agent or the person that it was made for.",
        "revoke it at its issuer",
        Severity.HIGH,
        "NHI1",
    ),
    FindingKind.LONG_LIVED_CREDENTIAL: _discovered(
        "A credential never expires, or was not rotated for a long time.",
        "let remit lease credentials that end with the task",
        Severity.MEDIUM,
        "NHI7",
        "NHI6",
    ),
    FindingKind.WIDE_AUTHORITY: _discovered(
        "An identity may do far more than a task needs: wildcards, administrator rights, broad scopes.",
        "name the actions and resources that the agent's tasks need",
        Severity.HIGH,
        "NHI5",
        "ASI03",
    ),
    FindingKind.UNUSED_AUTHORITY: _discovered(
        "An agent is granted tools or permissions that it does not use.",
        "remove what is not used, or grant it by a separate task type",
        Severity.LOW,
        "NHI5",
    ),
    FindingKind.UNBOUNDED_ARGUMENTS: _discovered(
        "A tool takes commands, queries, paths or addresses without a limit.",
        "describe the tool and bound its arguments in a task type",
        Severity.MEDIUM,
        "ASI02",
        "NHI5",
    ),
    FindingKind.ESCALATION_PATH: _discovered(
        "An identity can gain rights that it was not given.",
        "remove the permission that the first step needs, or limit it to fixed resources",
        Severity.CRITICAL,
        "NHI5",
        "NHI6",
        "ASI03",
    ),
    FindingKind.ENVIRONMENT_CROSSED: _discovered(
        "Something in development reaches production, or the reverse.",
        "use separate credentials for each environment",
        Severity.HIGH,
        "NHI8",
    ),
    FindingKind.UNGOVERNED_AGENT: _discovered(
        "An agent is at work that remit does not know.",
        "register it with `remit agent create`, and give it an owner",
        Severity.MEDIUM,
        "ASI10",
        "NHI1",
    ),
    FindingKind.UNGOVERNED_SERVER: _discovered(
        "A client reaches an MCP server without remit.",
        "put the server behind remit (`remit wrap`)",
        Severity.MEDIUM,
        "ASI04",
        "NHI3",
    ),
    FindingKind.UNPINNED_COMMAND: _discovered(
        "A server is started from a package without a fixed version.",
        "write the version, such as `npx PACKAGE@1.2.3` or `uvx PACKAGE==1.2.3`",
        Severity.MEDIUM,
        "ASI04",
        "NHI3",
    ),
    FindingKind.LOOKALIKE_PACKAGE: _discovered(
        "A server's package has a name that is easily taken for a well-known one.",
        "check the publisher, and use the well-known package",
        Severity.HIGH,
        "ASI04",
        "NHI3",
    ),
    FindingKind.POISONED_TOOL: _discovered(
        "The description of a tool holds instructions, or characters that people do not see.",
        "do not connect the server until its publisher has explained the text",
        Severity.CRITICAL,
        "ASI01",
        "ASI04",
    ),
    FindingKind.TOOL_CHANGED: _discovered(
        "A tool is not as it was when it was last seen.",
        "compare both descriptions, then accept the change",
        Severity.HIGH,
        "ASI04",
    ),
    FindingKind.SHADOWED_NAME: _discovered(
        "Two servers of one client offer a tool of the same name, or one speaks of the other's tools.",
        "rename or remove one of them",
        Severity.HIGH,
        "ASI04",
        "ASI02",
    ),
    FindingKind.TOXIC_COMBINATION: _discovered(
        "One agent reads untrusted content, reads private data and can send to the outside.",
        "split the work into two task types, or let people approve what leaves",
        Severity.HIGH,
        "ASI01",
        "ASI02",
    ),
    FindingKind.OPEN_CONNECTION: _discovered(
        "A server is reached without encryption, or listens to the whole network.",
        "use `https`, and listen on 127.0.0.1",
        Severity.MEDIUM,
        "ASI07",
        "NHI4",
    ),
}

#: The meaning of each kind. The reference of findings is generated from it.
FINDING_MEANINGS: dict[FindingKind, FindingMeaning] = {
    FindingKind.MANIFEST_DRIFT: FindingMeaning(
        "An agent reports another manifest (model, prompt, tools, code) than the registered one.",
        {"registered": "the registered digest", "reported": "the reported digest"},
        "review what changed, then register the new digest with `remit agent manifest`",
        Severity.HIGH,
        (
            "ASI04",
            "ASI10",
        ),
    ),
    FindingKind.OWNERLESS: FindingMeaning(
        "An agent has no accountable owner: the owner was deactivated, or the team has no active member.",
        {"owner": "the registered owner", "why": "what is wrong with it"},
        "give the agent another owner with `remit agent owner`, or retire it",
        Severity.HIGH,
        (
            "NHI1",
            "ASI03",
        ),
    ),
    FindingKind.SHARED_KEY: FindingMeaning(
        "The same private key is used in two places at once.",
        {"key": "thumbprint of the key or certificate", **_PLACES},
        "give each instance its own key, or suspend the agent if one instance is unknown",
        Severity.HIGH,
        (
            "NHI9",
            "ASI03",
        ),
    ),
    FindingKind.SHARED_TOKEN: FindingMeaning(
        "The same token was presented from two places in turn.",
        {"token": "the token's id, never the token", **_PLACES},
        "end the agent's tasks if one of the places is unknown, and bind its tokens to a key",
        Severity.HIGH,
        (
            "NHI9",
            "ASI03",
        ),
    ),
    FindingKind.TWO_PROGRAMS: FindingMeaning(
        "Two programs act under one identity.",
        {"workload": "the identity that was proven", **_PLACES},
        "register the second program as a separate agent",
        Severity.HIGH,
        (
            "NHI9",
            "ASI03",
        ),
    ),
    FindingKind.SIGN_IN_CODE: FindingMeaning(
        "A person made a sign-in code for another person and could have used it themselves. The other "
        "person sees it on their account page.",
        {"by": "the person who made it", "roles": "the roles that the code opens"},
        "ask the person whether they asked for it; `remit person sign-out` and `remit person ways` remove "
        "its results; require two administrators with `people.second_person: true`",
        Severity.MEDIUM,
        ("NHI4",),
    ),
    FindingKind.LAST_ADMINISTRATOR: FindingMeaning(
        "One of the last administrators signed in at the provider without the administrator group. The "
        "role is kept: otherwise no one could change people.",
        {"groups": "the person's groups here"},
        "make another administrator, then remove the person's role, or add the person to the group",
        Severity.MEDIUM,
        ("NHI1",),
    ),
    FindingKind.SINK_OPEN: FindingMeaning(
        "A credential of an ended task still works at its sink. The finding is settled once the sink "
        "refuses it.",
        {
            "lease": "the credential's lease",
            "kind": "the kind of its source",
            "sink": "where it is accepted",
            "task": "its task",
            "why": "the last answer when it was revoked or tried",
        },
        "check its source and sink; revoke it there by hand if they do not answer",
        Severity.CRITICAL,
        (
            "NHI1",
            "ASI03",
        ),
    ),
    FindingKind.STANDING_SECRET: FindingMeaning(
        "remit stores a secret that outlives tasks: anyone who has seen it can use it.",
        {
            **_SECRET,
            "rotated_every_s": "remit's rotation interval in seconds; 0 if remit does not rotate it",
        },
        "lease a credential to each task (`lease`), have it rotated (`lease.password`, `rotate` of "
        "`lease.oauth`), or resolve this with the reason why the secret is needed",
        Severity.MEDIUM,
        ("NHI7",),
    ),
    FindingKind.OLD_SECRET: FindingMeaning(
        "A standing secret has not changed for longer than `limits.secret_age_s`.",
        {**_SECRET, "age_days": "its age in days, as far as remit knows"},
        "change it at its source and at the place in `where`; the finding is settled when remit sees a "
        "new value",
        Severity.MEDIUM,
        ("NHI7",),
    ),
    FindingKind.SECRET_STUCK: FindingMeaning(
        "A standing secret that remit rotates cannot be rotated, or the previous value still works.",
        {**_SECRET, "why": "the last error", "remediation": "what a person can do"},
        "follow `remediation`; remit tries again every minute, and the finding is settled when the "
        "rotation succeeds",
        Severity.HIGH,
        ("NHI7",),
    ),
    FindingKind.CREDENTIAL_LEAKED: FindingMeaning(
        "An upstream credential came back in a result or was reported as compromised. A task's credential "
        "was revoked; a standing one still works.",
        {
            "how": "`result`: an upstream returned it, and it was removed; `reported`: a person or "
            "transmitter reported it",
            "lease": "the credential's lease; empty for a standing one, and where all credentials are meant",
            "task": "its task",
            "sink": "where it is accepted",
        },
        "rotate a standing credential at its source; ask why the upstream sends credentials back",
        Severity.CRITICAL,
        ("NHI2",),
    ),
    FindingKind.SIGNALS_SILENT: FindingMeaning(
        "A transmitter of signals has been silent for longer than permitted. The finding is settled once "
        "it sends something.",
        {
            "transmitter": "the transmitter's name in the configuration",
            "since": "issue time of the last event; empty if none was ever received",
            "why": "the error when remit asks for a verification event",
        },
        "check the stream at the transmitter and the network to it; until then its events end nothing here",
        Severity.MEDIUM,
        ("NHI1",),
    ),
    FindingKind.EXPORT_LATE: FindingMeaning(
        "A sink of the evidence is behind for too long. Nothing is lost; it settles once it has caught up.",
        {"export": "the export's name", "why": "the last error; empty if the sink is only slow"},
        "check the sink and the network to it",
        controls=("ASI10",),
    ),
    FindingKind.LOG_CHANGED: FindingMeaning(
        "The evidence log was changed in the store: an event differs from the one that was recorded and "
        "signed.",
        {
            "event": "the index of the first such event; -1 if only the whole log does not match",
            "why": "the mismatch",
        },
        "find out who can write to the store; `remit audit verify` lists each fault, and an earlier "
        "backup of the store has the original events",
        Severity.CRITICAL,
        ("ASI10",),
    ),
    FindingKind.STATE_CHANGED: FindingMeaning(
        "A row of state (a task, an approval, a fence, a person, ...) is not what the evidence log says of "
        "it: it was changed, added, restored or deleted in the store, and not by remit. Decisions that rest "
        "on it are refused.",
        {
            "table": "the table",
            "row": "the row's key where it exists, else its name in the log",
            "why": "the mismatch",
        },
        "find out who can write to the store; put the row back from a backup, or replace what it stands for; "
        "if the rows are right as they are, start once with `remit up --adopt-state`",
        Severity.CRITICAL,
        ("ASI10",),
    ),
    FindingKind.LOG_UNWITNESSED: FindingMeaning(
        "The quorum of witnesses does not cosign the log, or a witness remembers another history or lies.",
        {"witness": "which one", "size": "events cosigned by the quorum", "why": "the errors"},
        "check the witnesses; with another history, find out who rolled back the store or also signs the log",
        Severity.HIGH,
        ("ASI10",),
    ),
    FindingKind.REVIEW_DUE: FindingMeaning(
        "A task of a runbook has ended. Its steps were approved in advance, so a person reviews its calls.",
        {
            "task": "the task",
            "task_type": "its type",
            "review_by": "the people or groups who review it",
            "ended": "how it ended: `completed`, `expired` or `revoked`",
        },
        "read its calls with `remit audit --task TASK`, then resolve this with what you found",
        Severity.MEDIUM,
        ("ASI09",),
    ),
    FindingKind.BROKEN_GLASS: FindingMeaning(
        "A person approved a call in place of the people that the rules demand. Another person reviews it.",
        {
            "approval": "the approval",
            "tool": "the tool that was called",
            "task": "its task",
            "agent": "its agent",
            "missing": "the people who had not approved it",
        },
        "read the call and the reason with `remit audit --task TASK`, then run "
        "`remit approvals review APPROVAL`",
        Severity.HIGH,
        ("ASI09",),
    ),
    FindingKind.ACCESS_REVIEW_DUE: FindingMeaning(
        "What an agent is granted was not reviewed for longer than `agents.reviews.every`.",
        {
            "due": "since when its review is due",
            "last": "its last review; empty if there was none",
            "until": "when others are told, or the agent is suspended",
        },
        "review it on its page, or with `remit agent review AGENT`",
        Severity.MEDIUM,
        ("NHI5", "NHI1"),
    ),
    **ANOMALIES,
    **DISCOVERED,
}

#: Kinds that only a review resolves, and the command that gives it.
REVIEWED = {
    FindingKind.BROKEN_GLASS: "remit approvals review",
    FindingKind.ACCESS_REVIEW_DUE: "remit agent review",
}
#: The kinds that remit observes itself: they alone count in decisions.
OBSERVED: Final = tuple(one for one in FindingKind if one not in DISCOVERED)
