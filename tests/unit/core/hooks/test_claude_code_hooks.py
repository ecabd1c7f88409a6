# SPDX-License-Identifier: Apache-2.0
"""Events as Claude Code 2.1.332 sent them, and the answers that it understands."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.errors import Malformed
from remit.core.hooks import claude_code
from remit.core.hooks.event import PASS, HookAnswer, HookKind, HookVerdict

BASE: dict[str, Any] = {"session_id": "4a11", "cwd": "/p", "transcript_path": "/t.jsonl", "prompt_id": "3b3e"}
CALL = {"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "toolu_1"}
SEEN: list[tuple[dict[str, Any], HookKind]] = [
    ({"hook_event_name": "PreToolUse", **CALL}, HookKind.CALL),
    ({"hook_event_name": "PostToolUse", **CALL, "tool_response": {"stdout": "hi"}}, HookKind.RESULT),
    ({"hook_event_name": "PostToolUseFailure", **CALL, "error": "Exit code 1"}, HookKind.RESULT),
    ({"hook_event_name": "UserPromptSubmit", "prompt": "go"}, HookKind.WORDS),
    ({"hook_event_name": "SubagentStart", "agent_id": "a1", "agent_type": "x"}, HookKind.SUBAGENT_BEGINS),
    ({"hook_event_name": "SubagentStop", "agent_id": "a1"}, HookKind.SUBAGENT_ENDS),
    ({"hook_event_name": "Stop", "stop_hook_active": False}, HookKind.TURN_ENDS),
    ({"hook_event_name": "SessionEnd", "reason": "other"}, HookKind.SESSION_ENDS),
    ({"hook_event_name": "ConfigChange", "source": "user_settings"}, HookKind.SETTINGS),
    ({"hook_event_name": "Notification", "message": "x"}, HookKind.OTHER),
]


@pytest.mark.parametrize(("told", "kind"), SEEN)
def test_each_event_is_read(told: dict[str, Any], kind: HookKind) -> None:
    """Kind and session are as the client says."""
    event = claude_code.read({**BASE, **told})
    assert (event.kind, event.session, event.name) == (kind, "4a11", told["hook_event_name"])


@pytest.mark.parametrize(("told", "kind"), [one for one in SEEN if one[1] is not HookKind.OTHER])
def test_an_event_without_a_member_that_it_had_is_refused(told: dict[str, Any], kind: HookKind) -> None:
    """A changed format is not taken for an empty report."""
    needed = {
        HookKind.CALL: ("tool_name", "tool_input", "tool_use_id"),
        HookKind.RESULT: ("tool_name", "tool_input", "tool_use_id"),
        HookKind.WORDS: ("prompt",),
        HookKind.SUBAGENT_BEGINS: ("agent_id",),
        HookKind.SUBAGENT_ENDS: ("agent_id",),
        HookKind.SETTINGS: ("source",),
    }
    for name in ("session_id", "cwd", "hook_event_name", *needed.get(kind, ())):
        with pytest.raises(Malformed) as refused:
            claude_code.read({key: value for key, value in {**BASE, **told}.items() if key != name})
        assert refused.value.code == "hook-format"


def test_a_result_is_all_its_texts() -> None:
    """Whatever shape a tool's result has, each text in it is observed."""
    told = {"hook_event_name": "PostToolUse", **CALL, "tool_response": {"a": [{"b": "one"}, "two"], "n": 1}}
    event = claude_code.read({**BASE, **told})
    assert event.text == "one\ntwo"


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)
    )
)
def test_nothing_that_a_client_sends_breaks_the_reading(value: Any) -> None:
    """Every value of every member is read, or refused as another form."""
    for name in ("tool_response", "tool_input", "prompt", "session_id"):
        told = {**BASE, "hook_event_name": "PostToolUse", **CALL, "tool_response": "", name: value}
        code = ""
        try:
            claude_code.read(told)
        except Malformed as refused:
            code = refused.code
        assert code in ("", "hook-format")


def test_answers_are_in_the_clients_form() -> None:
    """A decision before a call, a block elsewhere, and nothing where the client's own rules apply."""
    deny = HookVerdict(answer=HookAnswer.DENY, text="no")
    assert claude_code.written("PreToolUse", deny) == {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": "no",
        }
    }
    assert claude_code.written("UserPromptSubmit", deny) == {"decision": "block", "reason": "no"}
    assert claude_code.written("PreToolUse", PASS) == {}
