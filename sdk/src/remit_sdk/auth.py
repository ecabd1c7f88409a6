# SPDX-License-Identifier: Apache-2.0
"""A task's token on every request of an `httpx2` client, such as the `auth` of the official MCP client.

async with AgentSession(url, "note-bot", key) as agent:
    task = await agent.open("tidy-note")
    http = httpx2.AsyncClient(auth=TaskAuth(task, agent.prover))
    async with Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client:
        ...

Call an HTTP API with `TaskAuth(task, agent.prover, upstream="crm", endpoint="http")`, at `{url}/http/crm`.
Clients that still use `httpx` take `remit_sdk.httpx_auth`.
"""

from __future__ import annotations

import httpx2

from remit_sdk.auth_flow import TaskAuthFlow


class TaskAuth(TaskAuthFlow, httpx2.Auth):
    """Authentication for `httpx2`, with the arguments of `TaskAuthFlow`."""
