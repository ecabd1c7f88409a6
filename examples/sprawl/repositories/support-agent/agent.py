# SPDX-License-Identifier: Apache-2.0
"""The support agent of Harbor Lane: answers tickets."""

import os

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_mcp_adapters.client import MultiServerMCPClient


@tool
def run_query(sql: str) -> list[dict]:
    """Run any SQL on the ticket database."""
    import psycopg

    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        return connection.execute(sql).fetchall()


@tool
def send_mail(to: str, subject: str, body: str) -> str:
    """Send a mail to anyone."""
    return "sent"


@tool
def read_page(url: str) -> str:
    """Read a page of the web."""
    return ""


client = MultiServerMCPClient({"files": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", "/"], "transport": "stdio"}})
agent = create_agent(
    "openai:gpt-5",
    tools=[run_query, send_mail, read_page],
    system_prompt=open("prompts/support.md").read(),
    name="support-agent",
)
