# SPDX-License-Identifier: Apache-2.0
"""Hooks of the Gemini CLI: commands in its settings. Calls have no id; subagents are not named.

The client goes on after a hook that exits with another code than 0 and 2 or takes too long.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from remit.core.coding.calls import GEMINI
from remit.core.hooks.event import HookKind, HookVerdict
from remit.core.hooks.form import HookForm, MemberNames, read_event
from remit.core.json_value import Json

_KINDS: Final = {
    "BeforeTool": HookKind.CALL,
    "AfterTool": HookKind.RESULT,
    "BeforeAgent": HookKind.WORDS,
    "AfterAgent": HookKind.TURN_ENDS,
    "SessionEnd": HookKind.SESSION_ENDS,
}
_NAMES: Final = MemberNames(call="", agent="", server="mcp_context")


def written(name: str, verdict: HookVerdict) -> Json:
    """Return the body of a refusal."""
    # A refusal after the turn or the session would start them again.
    refusable = name in ("BeforeTool", "AfterTool", "BeforeAgent")
    return {"decision": "deny", "reason": verdict.text} if refusable else {}


FORM: Final = HookForm(
    client=GEMINI,
    title="Gemini CLI",
    version="0.61.0",
    kinds=_KINDS,
    read=partial(read_event, title="Gemini CLI", kinds=_KINDS, names=_NAMES),
    written=written,
    names=_NAMES,
    open_to=(
        "`hooksConfig.disabled` in the user's settings switches single hooks off, managed ones, too.",
        "A GEMINI_CLI_SYSTEM_SETTINGS_PATH in the client's environment replaces the managed settings.",
        "Web search runs at the model's provider: its query is decided, its sources are not.",
        "A hook that is killed together with the shell above it lets its call run.",
    ),
)
