# SPDX-License-Identifier: Apache-2.0
"""Hooks of the Codex CLI: commands that read one JSON object and may print another.

The client goes on after a hook that exits with another code than 0 and 2, prints garbage or takes too long.
It can neither put a call to the person nor take a permit for its own approval.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from remit.core.coding.calls import CODEX
from remit.core.hooks.event import HookKind, HookVerdict
from remit.core.hooks.form import HookForm, MemberNames, read_event
from remit.core.json_value import Json

_KINDS: Final = {
    "PreToolUse": HookKind.CALL,
    "PostToolUse": HookKind.RESULT,
    "UserPromptSubmit": HookKind.WORDS,
    "SubagentStart": HookKind.SUBAGENT_BEGINS,
    "SubagentStop": HookKind.SUBAGENT_ENDS,
    "Stop": HookKind.TURN_ENDS,
    "Interrupt": HookKind.TURN_ENDS,
    "SessionEnd": HookKind.SESSION_ENDS,
}


def written(name: str, verdict: HookVerdict) -> Json:
    """Return the body of a refusal."""
    if name == "PreToolUse":
        told: dict[str, Json] = {
            "hookEventName": name,
            "permissionDecision": "deny",
            "permissionDecisionReason": verdict.text,
        }
        return {"hookSpecificOutput": told}
    if name in ("PostToolUse", "UserPromptSubmit"):
        return {"decision": "block", "reason": verdict.text}
    return {}


FORM: Final = HookForm(
    client=CODEX,
    title="Codex CLI",
    version="0.171.0",
    kinds=_KINDS,
    read=partial(read_event, title="Codex CLI", kinds=_KINDS, names=MemberNames()),
    written=written,
    open_to=(
        "Codex runs the hooks of your own settings only after you have trusted them once in `/hooks`.",
        "Web search runs at the model's provider, and what is written to a running command has no hook.",
        "A hook that is killed together with the shell above it lets its call run.",
    ),
)
