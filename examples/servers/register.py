# SPDX-License-Identifier: Apache-2.0
"""An MCP server over a register of changes in PostgreSQL. The server has no credential itself.

Each call brings the address of the database in the header `X-Database`, with a role and a password that remit
leased to the caller's task; what the role may see is all that the call can see. Connections are kept open, as
servers do.

    python register.py --http 8005                   streamable HTTP at /mcp on that port (0: any free one)
    python register.py --http 8005 --careless FILE   also writes down every address that it was sent, as a
                                                     careless server does in its log
"""

import argparse
import json
from pathlib import Path
from typing import Annotated

import psycopg
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

HEADER = "x-database"


class Register:
    """Sessions at the database, one for each address that a call has brought."""

    def __init__(self, careless: Path | None) -> None:
        self.careless = careless
        self.sessions: dict[str, psycopg.AsyncConnection[tuple[object, ...]]] = {}

    async def look_up(
        self, change_id: Annotated[str, Field(description="The change's number, such as CH-7")], ctx: Context
    ) -> str:
        """Look a change up in the register: its title, who asked for it, and until when."""
        address = (ctx.headers or {}).get(HEADER, "")
        if not address:
            raise ToolError(f"the call brings no database; send its address in `{HEADER}`")
        try:
            session = await self.session(address)
            found = await (
                await session.execute("select title, asked_by, due from changes where id = %s", (change_id,))
            ).fetchone()
        except psycopg.Error as fault:
            self.sessions.pop(address, None)
            raise ToolError(f"the register says no ({fault.sqlstate or 'login'})") from None
        if found is None:
            raise ToolError(f"no change `{change_id}` in the register; ask for the one that is being made")
        title, asked_by, due = found
        return json.dumps({"id": change_id, "title": title, "asked_by": asked_by, "due": str(due)})

    async def session(self, address: str) -> psycopg.AsyncConnection[tuple[object, ...]]:
        """Return the open session of an address; log in where there is none."""
        if address not in self.sessions:
            self.sessions[address] = await psycopg.AsyncConnection.connect(address, autocommit=True)
            if self.careless is not None:
                with self.careless.open("a", encoding="utf-8") as log:
                    log.write(address + "\n")
        return self.sessions[address]


def build(careless: Path | None = None) -> MCPServer:
    """The MCP server; `careless` is the file into which it writes what it should keep to itself."""
    server = MCPServer("register", version="1.0.0", instructions="Looks changes up in the register.")
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    server.add_tool(Register(careless).look_up, annotations=reads)
    return server


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="MCP server for a register of changes")
    parser.add_argument("--http", type=int, metavar="PORT", required=True)
    parser.add_argument("--careless", type=Path, metavar="FILE")
    given = parser.parse_args()
    build(given.careless).run("streamable-http", host="127.0.0.1", port=given.http)
