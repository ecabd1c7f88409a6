# SPDX-License-Identifier: Apache-2.0
"""An MCP server over a folder of contracts: read, list, summarise, export.

The folder holds `contracts/C-42.md` and so on. Summaries are written to `summaries/`. An export is queued in
`exports.jsonl` for the document exchange, which is where a test looks for what has left the company.

    python contracts.py FOLDER               over stdio
    python contracts.py FOLDER --http 8001   over streamable HTTP at /mcp on that port (0: any free one)
"""

import argparse
import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import mcp_types as types
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from pydantic import Field

CONTRACT = re.compile(r"[A-Z]{1,4}-[0-9]{1,6}")

ContractId = Annotated[str, Field(description="The contract's number, such as C-42")]
RelativePath = Annotated[str, Field(description="Path below the folder, such as contracts/C-42.md")]


class ContractFolder:
    """The contracts in one folder, and what may be done with them."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def list_all(self) -> list[str]:
        """List the paths of all contracts."""
        return sorted(p.relative_to(self.root).as_posix() for p in self.root.glob("contracts/*.md"))

    def read(self, path: RelativePath) -> str:
        """Read one contract or summary as Markdown text."""
        file = (self.root / path).resolve()
        if not file.is_relative_to(self.root):
            raise ToolError(f"path `{path}` leaves the folder; use a path that `list` gives")
        if not file.is_file():
            raise ToolError(f"no file `{path}`; use a path that `list` gives")
        return file.read_text("utf-8")

    async def write_summary(
        self,
        contract: ContractId,
        text: Annotated[str, Field(description="The summary, as Markdown")],
        ctx: Context,
    ) -> str:
        """Write the summary of a contract, in place of an earlier one. Returns the summary's path."""
        self.contract_file(contract)
        file = self.root / "summaries" / f"{contract}.md"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
        await ctx.notify_resource_updated(f"summary://{contract}")
        return file.relative_to(self.root).as_posix()

    def export(
        self,
        contract: ContractId,
        to: Annotated[str, Field(description="Where to: a mail address or URL outside the company")],
    ) -> str:
        """Hand a contract's full text to the document exchange, which delivers it outside the company."""
        text = self.contract_file(contract).read_bytes()
        line = {
            "contract": contract,
            "to": to,
            "size_bytes": len(text),
            "sha256": hashlib.sha256(text).hexdigest(),
            "at": datetime.now(UTC).isoformat(),
        }
        with (self.root / "exports.jsonl").open("a", encoding="utf-8") as queue:
            queue.write(json.dumps(line) + "\n")
        return f"{contract} is queued for {to}"

    def contract_file(self, contract: str) -> Path:
        """The file of a contract; a ToolError if there is none."""
        file = self.root / "contracts" / f"{contract}.md"
        if not CONTRACT.fullmatch(contract) or not file.is_file():
            raise ToolError(f"no contract `{contract}`; `list` shows those there are")
        return file

    def resource(self, contract: str) -> str:
        """The text of a contract."""
        try:
            return self.contract_file(contract).read_text("utf-8")
        except ToolError as e:
            raise ResourceNotFoundError(str(e)) from e

    def summary(self, contract: str) -> str:
        """The summary of a contract, once one has been written."""
        file = self.root / "summaries" / f"{contract}.md"
        if not CONTRACT.fullmatch(contract) or not file.is_file():
            raise ResourceNotFoundError(f"no summary of `{contract}`; `write_summary` makes one")
        return file.read_text("utf-8")

    def summarise(self, contract: ContractId) -> str:
        """Ask for a contract's summary in plain words."""
        return (
            f"Read contracts/{contract}.md. Summarise in plain words: the parties, what each owes the other, "
            f"the term, and how it ends. Then store the summary with write_summary for {contract}."
        )

    async def complete(
        self,
        ref: types.PromptReference | types.ResourceTemplateReference,
        argument: types.CompletionArgument,
        context: types.CompletionContext | None,
    ) -> types.Completion | None:
        """Complete a contract number in the prompt and in the resource templates."""
        known = [Path(p).stem for p in self.list_all()]
        return types.Completion(values=[c for c in known if c.startswith(argument.value)][:100])


def build(root: Path) -> MCPServer:
    """The MCP server over the contracts in `root`."""
    server = MCPServer("contracts", version="1.0.0", instructions="Contracts of the legal team.")
    folder = ContractFolder(root)
    reads = types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
    writes = types.ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
    sends = types.ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=True)
    server.add_tool(folder.read, annotations=reads)
    server.add_tool(folder.list_all, name="list", annotations=reads)
    server.add_tool(folder.write_summary, annotations=writes)
    server.add_tool(folder.export, annotations=sends)
    server.resource("contract://{contract}", mime_type="text/markdown")(folder.resource)
    server.resource("summary://{contract}", mime_type="text/markdown")(folder.summary)
    server.prompt("summarise")(folder.summarise)
    server.completion()(folder.complete)  # type: ignore[no-untyped-call]  # the SDK leaves it unannotated
    return server


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="MCP server over a folder of contracts")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--http", type=int, metavar="PORT", help="serve streamable HTTP instead of stdio")
    given = parser.parse_args()
    if given.http is None:
        build(given.folder).run("stdio")
    else:
        build(given.folder).run("streamable-http", host="127.0.0.1", port=given.http)
