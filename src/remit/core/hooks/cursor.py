# SPDX-License-Identifier: Apache-2.0
"""Hooks of Cursor: commands in `hooks.json`, with `failClosed`. Written from its documentation, not tried.

One event comes before each call of the agent's tools, so that the older events for single tools are not
needed: a call would be decided twice. That event knows no question to the person.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from remit.core.coding.calls import CURSOR
from remit.core.hooks.event import HookKind, HookVerdict
from remit.core.hooks.form import HookForm, MemberNames, read_event
from remit.core.json_value import Json

_KINDS: Final = {
    "preToolUse": HookKind.CALL,
    "postToolUse": HookKind.RESULT,
    "postToolUseFailure": HookKind.RESULT,
    "beforeSubmitPrompt": HookKind.WORDS,
    "stop": HookKind.TURN_ENDS,
    "sessionEnd": HookKind.SESSION_ENDS,
}
_NAMES: Final = MemberNames(
    session="conversation_id", results=("tool_output",), errors=("error_message",), agent=""
)


def written(name: str, verdict: HookVerdict) -> Json:
    """Return the body of a refusal."""
    if name == "beforeSubmitPrompt":
        return {"continue": False, "user_message": verdict.text}
    if name == "preToolUse":
        return {"permission": "deny", "user_message": verdict.text, "agent_message": verdict.text}
    return {}


FORM: Final = HookForm(
    client=CURSOR,
    title="Cursor",
    version="",
    kinds=_KINDS,
    read=partial(read_event, title="Cursor", kinds=_KINDS, names=_NAMES),
    written=written,
    names=_NAMES,
    open_to=(
        "Written from Cursor's documentation: remit was never run with Cursor itself.",
        "Tab completions and cloud agents do not ask this remit.",
        "A tool of an MCP server does not name its server, so that remit decides it as an unknown tool.",
    ),
)
