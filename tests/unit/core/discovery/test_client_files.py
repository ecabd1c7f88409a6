# SPDX-License-Identifier: Apache-2.0
"""Configurations of MCP clients are read in the forms that the clients write."""

import json

import pytest

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import DeclaredAgent, DeclaredServer, DeclaredTool, Read
from remit.core.discovery.discovered import Piece, SourceKind
from remit.core.discovery.sources.clients import CLIENT_READERS
from remit.core.json_value import Json

#: In parts, so that no scanner takes it for a real one.
TOKEN = "ghp_" + "a1B2" * 9


def read(file: str, text: str) -> list[Read]:
    """Read a file by the first reader that fits."""
    chunk = FileChunk(file=file, content=text.encode())
    reader = next(one for one in CLIENT_READERS if one.fits(chunk))
    return list(reader.read(chunk))


def servers(file: str, text: str) -> list[DeclaredServer]:
    """Return the servers of a file."""
    return [one for one in read(file, text) if isinstance(one, DeclaredServer)]


ENTRY = {"command": "npx", "args": ["-y", "server@1.2.3"], "env": {"API_KEY": "value-of-key"}}


@pytest.mark.parametrize(
    ("file", "document", "client"),
    [
        ("home/ann/.claude.json", {"mcpServers": {"one": ENTRY}}, "claude-code"),
        ("home/ann/.claude.json", {"projects": {"/w": {"mcpServers": {"one": ENTRY}}}}, "claude-code"),
        ("work/.mcp.json", {"mcpServers": {"one": ENTRY}}, "claude-code"),
        ("Claude/claude_desktop_config.json", {"mcpServers": {"one": ENTRY}}, "claude-desktop"),
        ("work/.cursor/mcp.json", {"mcpServers": {"one": ENTRY}}, "cursor"),
        ("work/.vscode/mcp.json", {"servers": {"one": ENTRY}, "inputs": []}, "vscode"),
        ("Code/User/settings.json", {"mcp": {"servers": {"one": ENTRY}}}, "vscode"),
        ("a.code-workspace", {"settings": {"mcp": {"servers": {"one": ENTRY}}}}, "vscode"),
        (".codeium/windsurf/mcp_config.json", {"mcpServers": {"one": ENTRY}}, "windsurf"),
        (".gemini/settings.json", {"mcpServers": {"one": ENTRY}}, "gemini"),
        ("zed/settings.json", {"context_servers": {"one": ENTRY}}, "zed"),
        ("zed/settings.json", {"context_servers": {"one": {"command": {"path": "npx", **ENTRY}}}}, "zed"),
        ("x/cline_mcp_settings.json", {"mcpServers": {"one": ENTRY}}, "cline"),
        ("work/.roo/mcp.json", {"mcpServers": {"one": ENTRY}}, "roo"),
        ("work/.junie/mcp/mcp.json", {"mcpServers": {"one": ENTRY}}, "junie"),
        (".lmstudio/mcp.json", {"mcpServers": {"one": ENTRY}}, "lm-studio"),
        (".aws/amazonq/mcp.json", {"mcpServers": {"one": ENTRY}}, "amazon-q"),
        (".kiro/settings/mcp.json", {"mcpServers": {"one": ENTRY}}, "kiro"),
        (
            "opencode.json",
            {"mcp": {"one": {"command": ["npx", *ENTRY["args"]], "environment": ENTRY["env"]}}},
            "opencode",
        ),
        ("somewhere/else.json", {"mcpServers": {"one": ENTRY}}, "mcp"),
    ],
)
def test_each_clients_own_form_gives_the_same_server(file: str, document: Json, client: str) -> None:
    """A server is the same, whichever client's file it stands in."""
    (one,) = servers(file, json.dumps(document, indent=2))
    if one.command != "npx":
        assert isinstance(document, dict)
    assert (one.name, one.client, one.arguments[-1]) == ("one", client, "server@1.2.3")
    assert one.environment == ("API_KEY",)
    assert one.place.line > 1


def test_codex_continue_and_goose_write_toml_and_yaml() -> None:
    """Servers in TOML and YAML are read with their lines."""
    (codex,) = servers(
        ".codex/config.toml",
        'model = "m"\n\n[mcp_servers.one]\ncommand = "uvx"\nargs = ["git-server"]\n'
        "[mcp_servers.one.env]\nA_KEY "
        '= "v"\n',
    )
    assert (codex.client, codex.command, codex.environment, codex.place.line) == (
        "codex",
        "uvx",
        ("A_KEY",),
        3,
    )
    (cont,) = servers(
        ".continue/config.yaml", "mcpServers:\n  - name: one\n    command: npx\n    args: [x]\n"
    )
    assert (cont.name, cont.client, cont.arguments) == ("one", "continue", ("x",))
    (goose,) = servers(
        ".config/goose/config.yaml",
        "extensions:\n  one:\n    cmd: uvx\n    args: [x]\n    enabled: false\n    envs: {A_KEY: v}\n",
    )
    assert (goose.name, goose.client, goose.disabled, goose.environment) == ("one", "goose", True, ("A_KEY",))


def test_comments_and_trailing_commas_are_read() -> None:
    """VS Code and Zed permit comments and trailing commas."""
    (one,) = servers(
        ".vscode/mcp.json", '{ // mine\n "servers": { /* x */ "one": {"url": "https://h/mcp",}, },\n}'
    )
    assert one.url == "https://h/mcp"


def test_servers_of_a_project_know_it_and_may_be_switched_off_beside() -> None:
    """`~/.claude.json` has servers for each project, and a list of those that are off."""
    document = {
        "projects": {"/home/ann/w": {"mcpServers": {"a": ENTRY, "b": ENTRY}, "disabledMcpServers": ["b"]}}
    }
    a, b = servers(".claude.json", json.dumps(document))
    assert (a.project, a.disabled, b.disabled) == ("/home/ann/w", False, True)


def test_values_are_yielded_as_text_and_stand_in_no_declaration() -> None:
    """A token in an argument, a variable, a header or an address is a piece, and is hidden elsewhere."""
    words = ["-y", "x@1.0.0", "--token", TOKEN, f"--api-key={TOKEN}", f"Authorization: Bearer {TOKEN}"]
    document = {
        "mcpServers": {
            "a": {"command": "npx", "args": words, "env": {"GITHUB_TOKEN": TOKEN}},
            "b": {
                "url": f"https://ann:{TOKEN}@h.example/{TOKEN}/mcp?key={TOKEN}",
                "headers": {"X-Key": TOKEN},
            },
        }
    }
    found = read(".cursor/mcp.json", json.dumps(document))
    declared = [one for one in found if not isinstance(one, Piece)]
    assert len(declared) == 2
    assert TOKEN not in repr(declared)
    texts = {one.names[2:]: one.text for one in found if isinstance(one, Piece) and TOKEN in one.text}
    assert {("env", "GITHUB_TOKEN"), ("args", "3"), ("url",), ("headers", "X-Key")} <= texts.keys()


def test_what_a_person_typed_is_a_transcript() -> None:
    """Prompts that Claude Code keeps in its settings are spoken by a person."""
    document = {"projects": {"/w": {"history": [{"display": "the password is on the door"}]}}}
    (piece,) = [one for one in read(".claude.json", json.dumps(document)) if isinstance(one, Piece)]
    assert (piece.kind, piece.speaker) == (SourceKind.TRANSCRIPT, "person")


@pytest.mark.parametrize(
    ("file", "text", "authority"),
    [
        (
            ".claude/settings.json",
            '{"permissions": {"defaultMode": "bypassPermissions"}}',
            "permissions.defaultMode: bypassPermissions",
        ),
        (".claude/settings.json", '{"permissions": {"allow": ["Bash(*)"]}}', "permissions.allow: Bash(*)"),
        (".codex/config.toml", 'sandbox_mode = "danger-full-access"', "sandbox_mode: danger-full-access"),
        (
            ".codex/config.toml",
            '[profiles.x]\napproval_policy = "never"',
            "profiles.x.approval_policy: never",
        ),
        (".gemini/settings.json", '{"tools": {"autoAccept": true}}', "tools.autoAccept: true"),
        (".vscode/settings.json", '{"chat.tools.autoApprove": true}', "chat.tools.autoApprove: true"),
        ("goose/config.yaml", "GOOSE_MODE: auto", "GOOSE_MODE: auto"),
    ],
)
def test_settings_that_ask_nothing_are_authority(file: str, text: str, authority: str) -> None:
    """What a client may do without a question is told in the words of its settings."""
    (agent,) = [one for one in read(file, text) if isinstance(one, DeclaredAgent)]
    assert agent.authority == (authority,)


def test_ordinary_rules_are_no_wide_authority() -> None:
    """A list of single commands is what these rules are for."""
    text = '{"permissions": {"allow": ["Bash(npm run:*)", "Read(src/**)"], "defaultMode": "acceptEdits"}}'
    (agent,) = [one for one in read(".claude/settings.json", text) if isinstance(one, DeclaredAgent)]
    assert agent.authority == ()
    assert not agent.governed


def test_a_client_whose_hooks_ask_remit_is_governed() -> None:
    """remit's hook is known by its program, or by its header."""
    for hook in (
        {"command": "python3 -I remit_hook.py"},
        {"url": "http://h", "headers": {"X-Remit-Guard": "s"}},
    ):
        text = json.dumps({"hooks": {"PreToolUse": [{"hooks": [hook]}]}})
        (agent,) = [one for one in read(".claude/settings.json", text) if isinstance(one, DeclaredAgent)]
        assert agent.governed


def test_a_server_that_remit_wrapped_is_governed() -> None:
    """`remit connect` is remit's own relay."""
    entry = {"command": "/usr/bin/remit", "args": ["connect", "--upstream", "x"]}
    (one,) = servers(".mcp.json", json.dumps({"mcpServers": {"x": entry}}))
    assert one.governed


def test_tools_that_a_client_keeps_and_approves_are_read() -> None:
    """Cached tools have their descriptions, and tools that are called without asking are named."""
    entry = {
        **ENTRY,
        "tools": [{"name": "add", "description": "Adds."}],
        "alwaysAllow": ["add"],
        "trust": True,
    }
    found = read(".mcp.json", json.dumps({"mcpServers": {"one": entry}}))
    (server,) = [one for one in found if isinstance(one, DeclaredServer)]
    (tool,) = [one for one in found if isinstance(one, DeclaredTool)]
    assert server.allowed == ("add", "*")
    assert (tool.name, tool.server, tool.description) == ("add", "one", "Adds.")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[" * 50_000,
        "{" * 50_000,
        "\x00\xff",
        '{"mcpServers": 3}',
        '{"mcpServers": {"a": 1}}',
        "",
        "null",
        (
            '{"mcpServers": {"a": {"command": {"path": []}, "env": [], "args": {}, '
            '"headers": 1, "env_vars": ["x"]}}}'
        ),
        '{"mcpServers": {"a": {"url": "http://[::1"}}}',
    ],
)
@pytest.mark.parametrize("file", [".mcp.json", ".codex/config.toml", "goose/config.yaml", ".claude.json"])
def test_hostile_content_raises_nothing(file: str, text: str) -> None:
    """Broken, deep and odd files are read as far as they can be; their text still reaches the detectors."""
    for one in read(file, text):
        assert one.place.file == file
