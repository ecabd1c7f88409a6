# SPDX-License-Identifier: Apache-2.0
"""An MCP server for tickets that several agents and people share: create, comment, read, list.

Each ticket is one file, `T-1.jsonl`: the first line is the ticket, each further line a comment.

    python tickets.py FOLDER               over stdio
    python tickets.py FOLDER --http 8004   over streamable HTTP at /mcp on that port (0: any free one)
"""

import argparse
import itertools
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

TICKET = re.compile(r"T-[0-9]{1,6}")

TicketId = Annotated[str, Field(description="The ticket's number, such as T-1")]


class TicketFolder:
    """The tickets in one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(
        self,
        title: Annotated[str, Field(description="One line")],
        body: Annotated[str, Field(description="Plain text")],
    ) -> str:
        """Open a ticket that everyone in the company can read. Returns its number."""
        line = {"title": title, "body": body, "at": datetime.now(UTC).isoformat()}
        for number in itertools.count(len(list(self.root.glob("T-*.jsonl"))) + 1):
            try:
                # Exclusive creation is what keeps two writers from taking one number.
                with (self.root / f"T-{number}.jsonl").open("x", encoding="utf-8") as file:
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
            except FileExistsError:
                continue
            return f"T-{number}"
        raise AssertionError("unreachable: counting does not end")

    def comment(
        self,
        ticket: TicketId,
        text: Annotated[str, Field(description="Plain text")],
    ) -> str:
        """Add a comment to a ticket, readable by everyone in the company."""
        line = {"comment": text, "at": datetime.now(UTC).isoformat()}
        with self.file(ticket).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return f"commented on {ticket}"

    def read(self, ticket: TicketId) -> dict[str, Any]:
        """Read a ticket with all its comments, which anyone in the company may have written."""
        first, *comments = [json.loads(line) for line in self.file(ticket).read_text("utf-8").splitlines()]
        return {"ticket": ticket, **first, "comments": comments}

    def list_all(self) -> list[dict[str, str]]:
        """List all tickets: number and title."""
        files = sorted(self.root.glob("T-*.jsonl"), key=lambda f: int(f.stem[2:]))
        return [{"ticket": f.stem, "title": self.read(f.stem)["title"]} for f in files]

    def file(self, ticket: str) -> Path:
        """The file of a ticket; a ToolError if there is none."""
        file = self.root / f"{ticket}.jsonl"
        if not TICKET.fullmatch(ticket) or not file.is_file():
            raise ToolError(f"no ticket `{ticket}`; `list` shows those there are")
        return file


def build(root: Path) -> MCPServer:
    """The MCP server for the tickets in `root`."""
    server = MCPServer("tickets", version="1.0.0", instructions="Tickets that the whole company shares.")
    tickets = TicketFolder(root)
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    writes = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
    server.add_tool(tickets.create, annotations=writes)
    server.add_tool(tickets.comment, annotations=writes)
    server.add_tool(tickets.read, annotations=reads)
    server.add_tool(tickets.list_all, name="list", annotations=reads)
    return server


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="MCP server for shared tickets")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--http", type=int, metavar="PORT", help="serve streamable HTTP instead of stdio")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.http is None:
        build(given.folder).run("stdio")
    else:
        build(given.folder).run("streamable-http", host="127.0.0.1", port=given.http)
