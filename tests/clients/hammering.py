# SPDX-License-Identifier: Apache-2.0
"""Calls without a pause, over connections that are kept and over fresh ones, by a real HTTP client."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from remit_sdk.auth import TaskAuth
from remit_sdk.key import AgentKey
from remit_sdk.session import AgentSession

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "hammer", "version": "1"},
}
#: Longest wait for one answer, also while remit starts again on a busy machine.
ANSWER_S = 300.0


@dataclass
class Hammer:
    """Calls `tool` of `upstream` for one task until `over`; `failed` says what went wrong, each time."""

    url: str
    key: Path
    task: str
    upstream: str = "notes"
    tool: str = "list_notes"
    ca_file: str = ""
    answered: int = 0
    failed: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def swinging(self, lines: int = 4) -> Iterator[Hammer]:
        """Hammer in a thread, over as many connections; half of them are fresh for each call."""
        thread = threading.Thread(target=lambda: asyncio.run(self._all(lines)))
        thread.start()
        try:
            yield self
        finally:
            self.over.set()
            thread.join()

    async def _all(self, lines: int) -> None:
        async with AgentSession(self.url, "note-bot", AgentKey.load(self.key), ca_file=self.ca_file) as agent:
            auth = TaskAuth(agent.task({"id": self.task}), agent.prover, upstream=self.upstream)
            await asyncio.gather(*(self._one(auth, kept=bool(number % 2)) for number in range(lines)))

    async def _one(self, auth: TaskAuth, *, kept: bool) -> None:
        verify = ssl.create_default_context(cafile=self.ca_file or None)
        limits = httpx2.Limits(max_keepalive_connections=None if kept else 0)
        async with httpx2.AsyncClient(
            auth=auth, trust_env=False, timeout=ANSWER_S, verify=verify, limits=limits
        ) as http:
            while not self.over.is_set():
                try:
                    fault = await self._call(http)
                except Exception as error:  # noqa: BLE001 - every failure counts
                    fault = repr(error)
                if fault:
                    self.failed.append(fault)
                else:
                    self.answered += 1

    async def _call(self, http: httpx2.AsyncClient) -> str:
        """Make one call; return what is wrong with its answer."""
        answer = await http.post(
            f"{self.url}/mcp/{self.upstream}",
            json={
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": self.tool, "arguments": {}, "_meta": META},
            },
            headers={
                "MCP-Protocol-Version": VERSION,
                "Mcp-Method": "tools/call",
                "Mcp-Name": self.tool,
                "Accept": "application/json, text/event-stream",
            },
        )
        right = (
            answer.status_code == 200 and '"result"' in answer.text and '"isError":true' not in answer.text
        )
        return "" if right else f"{answer.status_code} {answer.text[:500]}"
