# SPDX-License-Identifier: Apache-2.0
"""An interactive MCP client that others wrote, from the refusal of its first request to a tool's answer."""

import asyncio
import queue
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from mcp_types import CallToolResult, TextContent
from playwright.sync_api import Page, expect
from pydantic import AnyUrl

from tests.gateways.browser import (
    Application,
    application,
    browser,
    context,
    needs_browser,
    page,
    shoot,
    sign_in_by_code,
)

__all__ = ["application", "browser", "context", "page"]

pytestmark = pytest.mark.slow


class Memory:
    """Keeps what the client keeps."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.info: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        """Return the tokens."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep the tokens."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Return who the client is."""
        return self.info

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep who the client is."""
        self.info = client_info


class Notebook:
    """The application: it sends its person to the browser, and calls a tool after. Run it on a thread."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.sent_to: queue.Queue[str] = queue.Queue()
        self.memory = Memory()
        self.tools: set[str] = set()
        self.text = ""

    def run(self) -> None:
        """Do it all."""
        asyncio.run(self._work())

    async def _send(self, address: str) -> None:
        self.sent_to.put(address)

    async def _come_back(self) -> AuthorizationCodeResult:
        while not self.application.answers:  # noqa: ASYNC110 - the answer comes to another thread
            await asyncio.sleep(0.02)
        told = self.application.answers[-1]
        return AuthorizationCodeResult(code=told["code"], state=told["state"], iss=told["iss"])

    async def _work(self) -> None:
        url = f"{self.application.gateway.url}/mcp/notes"
        signing = OAuthClientProvider(
            url,
            OAuthClientMetadata(redirect_uris=[AnyUrl(self.application.callback)], client_name="Notebook"),
            self.memory,
            self._send,
            self._come_back,
            client_metadata_url=self.application.server.url("/client.json"),
        )
        async with (
            httpx2.AsyncClient(auth=signing, timeout=120, trust_env=False) as http,
            Client(streamable_http_client(url, http_client=http), read_timeout_seconds=120) as client,
        ):
            self.tools = {tool.name for tool in (await client.list_tools()).tools}
            result: Any = await client.call_tool("list_notes", {})
            assert isinstance(result, CallToolResult)
            assert isinstance(result.content[0], TextContent)
            self.text = result.content[0].text


@needs_browser
def test_an_interactive_client_works_for_a_person(application: Application, page: Page) -> None:
    """It is refused, finds the authorization server, sends its person there, and calls a tool of the task."""
    notebook = Notebook(application)
    threads = ThreadPoolExecutor(1)
    working = threads.submit(notebook.run)
    address = notebook.sent_to.get(timeout=120)
    page.goto(address)
    sign_in_by_code(page, application.gateway)
    page.get_by_role("link", name="Answer a question from the notes").click()
    page.get_by_label("What do you want done?").fill("Which notes are there?")
    shoot(page, "interactive")
    page.get_by_role("button", name="Permit", exact=True).click()
    expect(page.get_by_role("heading", name="Back in Notebook")).to_be_visible()
    working.result(180)
    threads.shutdown()
    assert notebook.tools == {"list_notes"}
    assert "shopping" in notebook.text
    (task,) = application.gateway.tasks()
    assert (task.agent, task.on_behalf_of, task.intent.goal) == ("notebook", "ana", "Which notes are there?")
