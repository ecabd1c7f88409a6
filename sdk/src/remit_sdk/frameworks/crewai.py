# SPDX-License-Identifier: Apache-2.0
"""CrewAI: hooks before and after each tool.

with remit_hooks(ToolCalls(task, "billing")):
    crew.kickoff()
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from crewai.hooks import (
    ToolCallHookContext,
    register_after_tool_call_hook,
    register_before_tool_call_hook,
    unregister_after_tool_call_hook,
    unregister_before_tool_call_hook,
)

from remit_sdk.frameworks.tool_calls import ToolCalls, TurnOrder, as_text, structured


@contextlib.contextmanager
def remit_hooks(calls: ToolCalls) -> Iterator[None]:
    """Decide before each tool of this process's crews, and observe its result, while the block runs.

    CrewAI's hooks are global, and it runs a tool whose hook raises: these two do not raise. The task must be
    one of `with remit.task(...)`.
    """

    order = TurnOrder()

    def before(context: ToolCallHookContext) -> bool | None:
        if calls.passes(context.tool_name):
            return None
        try:
            with order.after(*_turn(context)):
                words = calls.before_now(_call(context), context.tool_name, context.tool_input)
        except Exception:  # noqa: BLE001
            return False
        return False if words else None

    def after(context: ToolCallHookContext) -> str | None:
        if calls.passes(context.tool_name):
            return None
        raw = context.raw_tool_result
        value = raw if isinstance(raw, dict | list) else context.tool_result
        return as_text(calls.after_now(_call(context), context.tool_name, value))

    register_before_tool_call_hook(before)
    register_after_tool_call_hook(after)
    try:
        yield
    finally:
        unregister_before_tool_call_hook(before)
        unregister_after_tool_call_hook(after)


def _call(context: ToolCallHookContext) -> str:
    """Return what both hooks of a call have in common: its arguments are one object."""
    return str(id(context.tool_input))


def _turn(context: ToolCallHookContext) -> tuple[list[str], str]:
    """Return the calls that the model made before this one in the same turn, and this one.

    CrewAI runs them in threads and does not tell which one a hook is for: equal calls are one here.
    """
    state = getattr(getattr(context.agent, "agent_executor", None), "state", None)
    messages: list[Any] = list(getattr(state, "messages", []))
    turns = [number for number, one in enumerate(messages) if one.get("tool_calls")]
    turn = turns[-1] if turns else -1
    made = [one.get("function", {}) for one in messages[turn]["tool_calls"]] if turns else []
    calls = [_name(turn, one.get("name"), structured(one.get("arguments"))) for one in made]
    own = _name(turn, context.tool_name, context.tool_input)
    return calls[: calls.index(own)] if own in calls else [], own


def _name(turn: int, name: Any, arguments: Any) -> str:
    return f"{turn} {name} {json.dumps(arguments, sort_keys=True, default=str)}"
