# SPDX-License-Identifier: Apache-2.0
"""An agent that reads a document and exports it: `remit run ... -- python send_document.py C-43 ADDRESS`."""

import asyncio
import os
import sys
from typing import Any

from mcp import Client, MCPError


async def use(client: Client, tool: str, arguments: dict[str, Any]) -> str:
    """Call a tool, and return the text of its answer."""
    answer = await client.call_tool(tool, arguments)
    return "".join(block.text for block in answer.content if block.type == "text")


async def main(document: str, to: str) -> str:
    """Read the document and export its text; return what happened."""
    async with Client(os.environ["REMIT_MCP_URL"]) as client:
        try:
            if document.startswith("C-"):
                text = await use(client, "contracts__read_contract", {"number": document})
            else:
                text = await use(client, "contracts__read_terms", {"name": document})
            return await use(client, "contracts__export", {"to": to, "text": text})
        except MCPError as refused:
            return f"refused: {refused}"


print(asyncio.run(main(*sys.argv[1:])))
