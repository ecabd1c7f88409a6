# SPDX-License-Identifier: Apache-2.0
"""Hooks of the GitHub Copilot CLI: commands in separate files. Events do not name themselves.

A hook before a call that fails denies it; one that takes too long lets it run. Notices of the client come as
prompts. A subagent has a separate session and names the one above it.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from remit.core.coding.calls import COPILOT
from remit.core.hooks.event import HookKind, HookVerdict
from remit.core.hooks.form import HookForm, MemberNames, read_event
from remit.core.json_value import Json

_KINDS: Final = {
    "preToolUse": HookKind.CALL,
    "postToolUse": HookKind.RESULT,
    "postToolUseFailure": HookKind.RESULT,
    "userPromptSubmitted": HookKind.WORDS,
    "subagentStop": HookKind.SUBAGENT_ENDS,
    "agentStop": HookKind.TURN_ENDS,
    "sessionEnd": HookKind.SESSION_ENDS,
}
_NAMES: Final = MemberNames(
    session="sessionId",
    tool="toolName",
    arguments="toolArgs",
    call="",
    results=("toolResult",),
    errors=("error",),
    agent="agentId",
    parent="parentAgentId",
    event="",
    transcript="transcriptPath",
)


def written(name: str, verdict: HookVerdict) -> Json:
    """Return the body of an answer."""
    if name == "preToolUse":
        return {"permissionDecision": verdict.answer.value, "permissionDecisionReason": verdict.text}
    if name == "postToolUse":
        told: dict[str, Json] = {"resultType": "failure", "textResultForLlm": verdict.text}
        return {"modifiedResult": told}
    return {}


FORM: Final = HookForm(
    client=COPILOT,
    title="GitHub Copilot CLI",
    version="1.0.102",
    kinds=_KINDS,
    read=partial(read_event, title="GitHub Copilot CLI", kinds=_KINDS, names=_NAMES),
    written=written,
    names=_NAMES,
    asks=True,
    allows=True,
    open_to=(
        "A prompt cannot be stopped by a hook: while remit does not run, only its calls are.",
        "The cloud agent of GitHub runs elsewhere and does not ask this remit.",
    ),
)
