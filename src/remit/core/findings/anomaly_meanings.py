# SPDX-License-Identifier: Apache-2.0
"""What each kind of anomaly means, what breaks by it, and what to do."""

from __future__ import annotations

from typing import Final

from remit.core.findings.kinds import FindingKind, FindingMeaning, Severity

_SEEN: Final = {
    "says": "the anomaly in one sentence, with its numbers",
    "events": "the events that it rests on: their indexes in the log, at most 20",
}

ANOMALIES: Final[dict[FindingKind, FindingMeaning]] = {
    FindingKind.NEW_TOOL: FindingMeaning(
        "An agent that is known for some time called a tool for the first time.",
        {**_SEEN, "tools": "the tools, the last 20"},
        "read the call; if the tool is not part of the agent's work, take its grant out of the task type",
        Severity.MEDIUM,
        ("ASI10", "ASI02"),
    ),
    FindingKind.NEW_DESTINATION: FindingMeaning(
        "An agent that sends to few places sent to another one for the first time.",
        {**_SEEN, "places": "the destinations, the last 20", "tools": "the tools that sent"},
        "read the call; end the task if no one asked for it, and bound the destinations in the task type",
        Severity.HIGH,
        ("ASI01", "ASI02"),
    ),
    FindingKind.UNUSUAL_VOLUME: FindingMeaning(
        "An agent made several times as many calls in an hour as in its busy hours before.",
        {**_SEEN, "calls": "its calls of that hour when it was noticed", "usual": "its usual busiest hour"},
        "look at its tasks; give their type a budget of calls",
        Severity.MEDIUM,
        ("ASI10", "ASI08"),
    ),
    FindingKind.REFUSED_RETRIED: FindingMeaning(
        "An agent went on after refusals: it tried a tool again and again, or until a call was permitted.",
        {**_SEEN, "tools": "the tools, the last 20"},
        "compare the refused calls with the permitted one; the task's data may instruct the agent",
        Severity.MEDIUM,
        ("ASI01", "ASI10"),
    ),
    FindingKind.APPROVAL_FATIGUE: FindingMeaning(
        "People are asked, or approve, so often or so fast that their approval no longer means a look.",
        {**_SEEN, "answers": "the answers or questions that were counted"},
        "grant what is always approved, bound it, or let several people approve; review the last approvals",
        Severity.MEDIUM,
        ("ASI09",),
    ),
    FindingKind.ANOMALIES_UNSEEN: FindingMeaning(
        "Anomalies are not being looked for: the watch is off or behind, which policies read by this word for"
        " every agent, or it could not read some events, which is a finding.",
        {"says": "what was not watched", "events": "the events that could not be read"},
        "turn `anomalies.watch` on; `remit doctor` and the process's log say why it is behind, or what it "
        "cannot read",
        Severity.MEDIUM,
        ("ASI10",),
    ),
}
