# SPDX-License-Identifier: Apache-2.0
"""An event of a client's session, and remit's verdict on it, in terms that all clients share."""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from remit.core.decisions.decision import Decision, Outcome, Reason
from remit.core.json_value import Json


class HookKind(enum.StrEnum):
    """The kinds of events that remit knows; every other event changes nothing."""

    CALL = "call"
    RESULT = "result"
    WORDS = "words"
    SUBAGENT_BEGINS = "subagent-begins"
    SUBAGENT_ENDS = "subagent-ends"
    TURN_ENDS = "turn-ends"
    SESSION_ENDS = "session-ends"
    SETTINGS = "settings"
    OTHER = "other"


class HookEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event, as the client reports it.

    `name` is the client's own name of the event, `agent` the subagent that it is about (empty for the session
    itself), `parent` the session or subagent above that one, where the client says so. `call` is the client's
    id of a call. `source` is what the client says of the author of words, or which settings have changed.
    """

    kind: HookKind
    name: str
    session: str
    agent: str = ""
    parent: str = ""
    cwd: str = ""
    transcript: str = ""
    prompt: str = ""
    call: str = ""
    tool: str = ""
    arguments: Json = None
    text: str = ""
    error: bool = False
    source: str = ""


class HookAnswer(enum.StrEnum):
    """What the client is to do: its own rules apply (`pass`), or remit's word counts."""

    PASS = "pass"
    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class HookVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an event; `text` says why, for the model or the person."""

    answer: HookAnswer = HookAnswer.PASS
    text: str = ""


PASS: Final = HookVerdict()


def refusal_text(tool: str, decision: Decision) -> str:
    """Return what a model or a person reads of a call that remit does not simply permit."""
    reasons = decision.reasons or (Reason(code="refused", text="the call is not permitted"),)
    first = reasons[0]
    waits = decision.outcome is Outcome.DEFER and not decision.observed
    head = "is not decided yet; it waits for a person's approval" if waits else "was refused by remit"
    if decision.observed:
        head = "needs your answer"
    lines = [f"This call of `{tool}` {head}: {first.text}{_rule_of(first)}."]
    lines += [f"Also: {one.text}{_rule_of(one)}." for one in reasons[1:]]
    if waits:
        lines.append(
            f"To get it permitted: an approver runs `remit approve {decision.approval}` in another "
            "terminal. Then make the same call again, unchanged; go on with other work meanwhile."
        )
    elif first.remediation:
        lines.append(f"What would help: {first.remediation}.")
    if decision.outcome is Outcome.DENY and not decision.observed:
        lines.append(
            "The same call gets the same answer. Go on without it, or tell the person what you need."
        )
    if decision.id:
        lines.append(f"For people: `remit explain {decision.id}` shows the whole decision.")
    return "\n".join(lines)


def _rule_of(reason: Reason) -> str:
    return f" (rule `{reason.rule}`)" if reason.rule else ""
