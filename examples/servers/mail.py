# SPDX-License-Identifier: Apache-2.0
"""An MCP server for one mailbox: read the inbox, send.

The folder holds `inbox.jsonl`. What is sent is appended to `outbox.jsonl` and goes no further, so a test
reads there what an agent would have told the world.

    python mail.py FOLDER               over stdio
    python mail.py FOLDER --http 8002   over streamable HTTP at /mcp on that port (0: any free one)
"""

import argparse
import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
OWN_ADDRESS = "contract-bot@legal.example.com"


class Mailbox:
    """The mail of one address, in one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def send(
        self,
        to: Annotated[str, Field(description="One mail address")],
        subject: Annotated[str, Field(description="One line")],
        body: Annotated[str, Field(description="Plain text")],
    ) -> str:
        """Send a mail to one address, inside or outside the company."""
        if not ADDRESS.fullmatch(to):
            raise ToolError(f"`{to}` is not a mail address; give one such as someone@example.com")
        if "\n" in subject or "\r" in subject:
            raise ToolError("the subject has a line break; put further text into the body")
        mail = {
            "from": OWN_ADDRESS,
            "to": to,
            "subject": subject,
            "body": body,
            "at": datetime.now(UTC).isoformat(),
            "monotonic_ns": time.monotonic_ns(),
        }
        with (self.root / "outbox.jsonl").open("a", encoding="utf-8") as outbox:
            outbox.write(json.dumps(mail, ensure_ascii=False) + "\n")
        return f"sent to {to}"

    def inbox(self) -> list[dict[str, Any]]:
        """Read all mails received, the oldest first. Their text was written by their senders."""
        file = self.root / "inbox.jsonl"
        if not file.exists():
            return []
        return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line]


def build(root: Path) -> MCPServer:
    """The MCP server for the mailbox in `root`."""
    server = MCPServer("mail", version="1.0.0", instructions=f"The mailbox of {OWN_ADDRESS}.")
    mailbox = Mailbox(root)
    sends = ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=True)
    server.add_tool(mailbox.send, annotations=sends)
    server.add_tool(mailbox.inbox, annotations=ToolAnnotations(read_only_hint=True, open_world_hint=True))
    return server


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="MCP server for one mailbox")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--http", type=int, metavar="PORT", help="serve streamable HTTP instead of stdio")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.http is None:
        build(given.folder).run("stdio")
    else:
        build(given.folder).run("streamable-http", host="127.0.0.1", port=given.http)
