# SPDX-License-Identifier: Apache-2.0
"""A small MCP server over contracts and standard terms, over stdio: `python contract_server.py FOLDER`."""

import re
import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

folder = Path(sys.argv[1])
server = MCPServer("contracts", version="1.0.0", instructions="Contracts and standard terms.")


def text_of(name: str, form: str) -> str:
    """Return the text of a document; a ToolError if the name has another form, or there is none."""
    file = folder / f"{name}.md"
    if not re.fullmatch(form, name) or not file.is_file():
        raise ToolError(f"no document `{name[:40]}` here")
    return file.read_text("utf-8")


@server.tool()
def read_contract(number: str) -> str:
    """Read a contract by its number, such as C-43."""
    return text_of(number, "C-[0-9]{1,6}")


@server.tool()
def read_terms(name: str) -> str:
    """Read standard terms by their name, such as delivery; anyone may know them."""
    return text_of(name, "[a-z]{1,40}")


@server.tool()
def export(to: str, text: str) -> str:
    """Deliver a text to a mail address outside the company."""
    with (folder / "exported.txt").open("a", encoding="utf-8") as out:
        out.write(f"to {to}:\n{text}\n")
    return f"delivered to {to}"


if __name__ == "__main__":
    server.run("stdio")
