# SPDX-License-Identifier: Apache-2.0
"""A Strands agent, whose model is a script, with functions under remit.

python -m examples.frameworks.strands_agent
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from strands import Agent, tool
from strands.models import Model

import remit_sdk as remit
from examples.frameworks import billing
from remit_sdk.frameworks.strands import RemitHookProvider
from remit_sdk.frameworks.tool_calls import ToolCalls


class ScriptedModel(Model):
    """Makes the calls of a script, a turn at a time, then says `done`."""

    def __init__(self, turns: Any) -> None:
        """Keep the script."""
        self._left = list(enumerate(turns))

    def update_config(self, **_: Any) -> None:
        """Change nothing."""

    def get_config(self) -> Any:
        """Return nothing."""
        return {}

    def structured_output(self, *_: Any, **__: Any) -> Any:
        """Refuse: the script has none."""
        raise NotImplementedError

    async def stream(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        """Give the next turn."""
        turn, calls = self._left.pop(0) if self._left else (0, [])
        yield {"messageStart": {"role": "assistant"}}
        for number, (name, arguments) in enumerate(calls):
            yield {
                "contentBlockStart": {"start": {"toolUse": {"name": name, "toolUseId": f"{turn}-{number}"}}}
            }
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps(arguments)}}}}
            yield {"contentBlockStop": {}}
        if not calls:
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": "done"}}}
            yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use" if calls else "end_turn"}}


def work(turns: Any) -> Any:
    """Run the agent; return what its model read of each call, and what it said last."""
    functions = (billing.customer, billing.refund, billing.credit, billing.lose)
    with remit.task("settle-complaint", customer="C-1") as task:
        agent = Agent(
            model=ScriptedModel(turns),
            tools=[tool(one) for one in functions],
            hooks=[RemitHookProvider(ToolCalls(task, "billing", wait_s=60))],
            callback_handler=None,
        )
        said = str(agent("Settle the complaint of C-1")).strip()
    parts: list[Any] = [part for message in agent.messages for part in message["content"]]
    heard = [part["toolResult"]["content"][0]["text"] for part in parts if "toolResult" in part]
    return {"task": task.id, "heard": heard, "said": said}


if __name__ == "__main__":
    json.dump(work(billing.TURNS), sys.stdout, indent=2)
