# SPDX-License-Identifier: Apache-2.0
"""One short conversation in the forms of clients, model APIs and observability tools.

A person tells a password, the agent calls the tool `Query` with it, and a token comes back.
"""

import json
from typing import Any

from tests.clients.file_reads import json_lines

TOLD = "the database password is swordfish-7, use it"
CALL = {"dsn": "postgresql://app:swordfish-7@db/shop"}

CLAUDE = json_lines(
    {
        "type": "user",
        "parentUuid": None,
        "sessionId": "s1",
        "cwd": "/home/ana/shop",
        "message": {"role": "user", "content": TOLD},
    },
    {
        "type": "assistant",
        "parentUuid": "u1",
        "message": {
            "role": "assistant",
            "model": "claude-opus",
            "content": [{"type": "tool_use", "id": "t1", "name": "Query", "input": CALL}],
        },
    },
    {
        "type": "user",
        "parentUuid": "u2",
        "message": {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "DB_TOKEN=whale-99 found\nmore"}
            ],
        },
        "toolUseResult": {"stdout": "DB_TOKEN=whale-99 found\nmore"},
    },
)
CODEX = json_lines(
    {"type": "session_meta", "payload": {"id": "s", "cwd": "/home/ana/shop"}},
    {"type": "response_item", "payload": {"type": "message", "role": "user", "content": [{"text": TOLD}]}},
    {
        "type": "response_item",
        "payload": {"type": "function_call", "name": "Query", "call_id": "c", "arguments": json.dumps(CALL)},
    },
    {
        "type": "response_item",
        "payload": {"type": "function_call_output", "call_id": "c", "output": "DB_TOKEN=whale-99 found"},
    },
)
OPENAI = json_lines(
    {
        "custom_id": "r1",
        "body": {
            "messages": [
                {"role": "user", "content": TOLD},
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "id": "c",
                            "type": "function",
                            "function": {"name": "Query", "arguments": json.dumps(CALL)},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "c", "content": "DB_TOKEN=whale-99 found"},
            ]
        },
    }
)
GEMINI = {
    "sessionId": "s",
    "projectHash": "p",
    "messages": [
        {"type": "user", "content": TOLD},
        {
            "type": "gemini",
            "content": "I query it",
            "toolCalls": [
                {
                    "id": "c",
                    "name": "Query",
                    "args": CALL,
                    "result": [
                        {
                            "functionResponse": {
                                "name": "Query",
                                "response": {"output": "DB_TOKEN=whale-99 found"},
                            }
                        }
                    ],
                }
            ],
        },
    ],
}
LANGSMITH = [
    {
        "run_type": "llm",
        "inputs": {"messages": [{"lc": 1, "id": ["x", "HumanMessage"], "kwargs": {"content": TOLD}}]},
    },
    {"run_type": "tool", "name": "Query", "inputs": CALL, "outputs": {"output": "DB_TOKEN=whale-99 found"}},
]


def _attribute(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


SPANS = {
    "resourceSpans": [
        {
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "attributes": [
                                _attribute("gen_ai.agent.name", "shop-agent"),
                                _attribute("gen_ai.request.model", "gpt-5"),
                                _attribute("gen_ai.prompt.0.role", "user"),
                                _attribute("gen_ai.prompt.0.content", TOLD),
                            ]
                        },
                        {
                            "attributes": [
                                _attribute("gen_ai.tool.name", "Query"),
                                _attribute("gen_ai.tool.call.arguments", json.dumps(CALL)),
                                _attribute("gen_ai.tool.call.result", "DB_TOKEN=whale-99 found"),
                            ]
                        },
                    ]
                }
            ]
        }
    ]
}
CONVERSATIONS = {
    "projects/shop/s1.jsonl": CLAUDE,
    "sessions/rollout-1.jsonl": CODEX,
    "batch.jsonl": OPENAI,
    "chats/session-1.json": json.dumps(GEMINI),
    "runs.json": json.dumps(LANGSMITH, indent=2),
    "traces.json": json.dumps(SPANS, indent=2),
    "spans.jsonl": json_lines(SPANS),
}
