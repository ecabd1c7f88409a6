# SPDX-License-Identifier: Apache-2.0
"""Hooks of Claude Code: each event is one JSON object, which the client sends by HTTP POST.

Checked against Claude Code 2.1.332. An event of a known name without the members that it had there is
`Malformed`: a client whose format has changed must not pass for one that reported nothing.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from remit.core.errors import Malformed
from remit.core.hooks.event import HookAnswer, HookEvent, HookKind, HookVerdict
from remit.core.json_value import Json

KNOWN_VERSION: Final = "2.1.332"

KINDS: Final = {
    "PreToolUse": HookKind.CALL,
    "PostToolUse": HookKind.RESULT,
    "PostToolUseFailure": HookKind.RESULT,
    "UserPromptSubmit": HookKind.WORDS,
    "SubagentStart": HookKind.SUBAGENT_BEGINS,
    "SubagentStop": HookKind.SUBAGENT_ENDS,
    "Stop": HookKind.TURN_ENDS,
    "SessionEnd": HookKind.SESSION_ENDS,
    "ConfigChange": HookKind.SETTINGS,
}
#: The events that the guard asks for.
EVENTS: Final = tuple(KINDS)
#: Events whose failed hook stops what they report. The client ignores `onFailure` on the others.
BLOCKING: Final = frozenset(EVENTS) - {"Stop", "SubagentStop", "SessionEnd"}
_MAX_DEPTH: Final = 64


def read(told: dict[str, Any]) -> HookEvent:
    """Return the event of a hook's body; raises `Malformed`."""
    name = _text(told, "hook_event_name")
    kind = KINDS.get(name, HookKind.OTHER)
    event = HookEvent(
        kind=kind,
        name=name,
        session=_text(told, "session_id"),
        agent=_optional(told, "agent_id"),
        cwd=_text(told, "cwd"),
        transcript=_optional(told, "transcript_path"),
        prompt=_optional(told, "prompt_id"),
    )
    return _completed(event, told)


def _completed(event: HookEvent, told: dict[str, Any]) -> HookEvent:
    more: dict[str, Any] = {}
    match event.kind:
        case HookKind.CALL:
            more = _called(told)
        case HookKind.RESULT:
            failed = event.name == "PostToolUseFailure"
            given = told.get("error") if failed else told.get("tool_response")
            if not failed and "tool_response" not in told:
                raise _changed("tool_response")
            more = _called(told) | {"text": _words(given), "error": failed}
        case HookKind.WORDS:
            more = {"text": _text(told, "prompt"), "source": _optional(told, "source")}
        case HookKind.SUBAGENT_BEGINS | HookKind.SUBAGENT_ENDS:
            more = {"agent": _text(told, "agent_id")}
        case HookKind.SETTINGS:
            more = {"source": _text(told, "source"), "text": _optional(told, "file_path")}
    return msgspec.structs.replace(event, **more)


def _called(told: dict[str, Any]) -> dict[str, Any]:
    if "tool_input" not in told:
        raise _changed("tool_input")
    return {
        "call": _text(told, "tool_use_id"),
        "tool": _text(told, "tool_name"),
        "arguments": told["tool_input"],
    }


def _text(told: dict[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or (not value and name != "prompt"):
        raise _changed(name)
    return value


def _optional(told: dict[str, Any], name: str) -> str:
    value = told.get(name)
    return value if isinstance(value, str) else ""


def _changed(name: str) -> Malformed:
    return Malformed(
        f"the hook lacks `{name}`: this version of the client reports in another form than remit knows",
        code="hook-format",
        remediation=f"use Claude Code {KNOWN_VERSION}, or a remit that knows this version; "
        "`remit guard status` shows both",
    )


def _words(value: object, depth: int = 0) -> str:
    """Return all texts in a result, which has another shape for each tool."""
    if isinstance(value, str):
        return value
    if depth > _MAX_DEPTH:
        raise Malformed("a result is nested too deeply", code="hook-format")
    if isinstance(value, dict):
        return "\n".join(filter(None, (_words(one, depth + 1) for one in value.values())))
    if isinstance(value, list):
        return "\n".join(filter(None, (_words(one, depth + 1) for one in value)))
    return ""


def written(name: str, verdict: HookVerdict) -> Json:
    """Return the body of the answer to an event."""
    answer, text = verdict.answer, verdict.text
    if answer is HookAnswer.PASS:
        return {}
    if name == "PreToolUse":
        told: dict[str, Json] = {
            "hookEventName": name,
            "permissionDecision": answer.value,
            "permissionDecisionReason": text,
        }
        return {"hookSpecificOutput": told}
    if answer is HookAnswer.DENY:
        return {"decision": "block", "reason": text}
    return {}
