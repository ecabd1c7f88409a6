# SPDX-License-Identifier: Apache-2.0
"""A small MCP server over a folder of notes, to try remit on: `python notes.py FOLDER`, over stdio."""

import re
import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

NAME = re.compile(r"[a-z0-9-]{1,40}")

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "notes")
server = MCPServer("notes", version="1.0.0", instructions="Short notes, one file each.")


def file_of(name: str) -> Path:
    """The file of a note; a ToolError if no note can have that name."""
    if not NAME.fullmatch(name):
        raise ToolError(f"`{name[:80]}` cannot name a note; use a-z, 0-9 and `-`")
    return folder / f"{name}.md"


@server.tool()
def list_notes() -> list[str]:
    """List the names of all notes."""
    return sorted(file.stem for file in folder.glob("*.md"))


@server.tool()
def read_note(name: str) -> str:
    """Read a note."""
    file = file_of(name)
    if not file.is_file():
        raise ToolError(f"note `{name}` does not exist; `list_notes` shows the existing notes")
    return file.read_text("utf-8")


@server.tool()
def write_note(name: str, text: str) -> str:
    """Write a note, in place of an earlier one."""
    folder.mkdir(parents=True, exist_ok=True)
    file_of(name).write_text(text, "utf-8")
    return f"wrote {name}"


if __name__ == "__main__":
    server.run("stdio")
