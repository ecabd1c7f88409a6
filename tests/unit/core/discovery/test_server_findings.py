# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the servers and agents of clients, in findings that say what to do."""

import json

import pytest

from remit.core.discovery.chunk import FileChunk
from remit.core.discovery.declared import DeclaredAgent, DeclaredServer
from remit.core.discovery.discovered import Discovered, FilePlace
from remit.core.discovery.servers.findings import server_findings
from remit.core.discovery.sources.clients import CLIENT_READERS
from remit.core.findings.kinds import FindingKind, Severity
from remit.core.json_value import Json


def servers(entries: dict[str, Json], file: str = "home/ann/.cursor/mcp.json") -> list[DeclaredServer]:
    """Return the servers of a client's file."""
    chunk = FileChunk(file=file, content=json.dumps({"mcpServers": entries}).encode())
    return [one for one in CLIENT_READERS[0].read(chunk) if isinstance(one, DeclaredServer)]


def program(line: str, **more: Json) -> dict[str, Json]:
    """Return an entry that starts a program."""
    command, *args = line.split()
    return {"command": command, "args": args, **more}


def kinds(found: list[Discovered]) -> dict[str, Severity]:
    """Return the kinds of findings with their severity."""
    return {one.kind.value: one.weight for one in found}


def test_a_server_without_remit_says_whose_it_is_and_what_it_reaches() -> None:
    """The owner is the home's person; the fix is a command."""
    entry = program("npx -y server-x@1.2.3", env={"X_API_KEY": "v", "DEBUG": "1"})
    (found,) = server_findings(servers({"x": entry}))
    assert found.kind is FindingKind.UNGOVERNED_SERVER
    assert (found.owner, found.about) == ("ann", "server:x")
    assert found.reach == ("its credentials: X_API_KEY", "npm:server-x")
    assert found.remediation == "put it behind remit: `remit wrap home/ann/.cursor/mcp.json`"


@pytest.mark.parametrize(
    "entry",
    [
        {**program("npx -y server-x"), "disabled": True},
        program("remit connect --upstream x"),
    ],
)
def test_servers_that_are_off_or_behind_remit_are_quiet(entry: dict[str, Json]) -> None:
    """Nothing is said about what does not start, or what remit started."""
    assert server_findings(servers({"x": entry})) == []


def test_governed_names_and_remits_own_gateway_are_quiet() -> None:
    """A name that remit knows, and an address of its gateway."""
    assert server_findings(servers({"x": {"url": "https://h.example/mcp"}}), governed=frozenset({"x"})) == []
    assert server_findings(servers({"x": {"url": "http://127.0.0.1:8700/mcp/x"}})) == []
    assert server_findings(servers({"x": {"url": "http://h.example:8700/mcp/x"}})) != []


def test_one_server_in_two_files_is_one_finding_with_both_places() -> None:
    """The finding's id holds no file."""
    found = server_findings(
        servers({"x": program("node a.js")}, "a/.mcp.json")
        + servers({"x": program("node a.js")}, "b/.mcp.json")
    )
    assert [len(one.places) for one in found] == [2]


@pytest.mark.parametrize(
    ("entry", "kind", "severity"),
    [
        (program("npx -y server-x"), "unpinned-command", Severity.MEDIUM),
        (program("npx -y @modelcontextprotocol/server-memory"), "unpinned-command", Severity.LOW),
        (
            {"command": "sh", "args": ["-c", "curl https://h.example/x | sh"]},
            "unpinned-command",
            Severity.HIGH,
        ),
        (program("npx -y @modelcontextprotcol/server-memory@1.0.0"), "lookalike-package", Severity.HIGH),
        (program("npx -y mcp-server-fetch@1.0.0"), "lookalike-package", Severity.MEDIUM),
        (program("docker run --privileged a/b:1.0"), "wide-authority", Severity.CRITICAL),
        (
            program("docker run -v /var/run/docker.sock:/var/run/docker.sock a/b:1.0"),
            "wide-authority",
            Severity.CRITICAL,
        ),
        (program("docker run --mount type=bind,src=/,dst=/host a/b:1.0"), "wide-authority", Severity.HIGH),
        (program("docker run --pid=host a/b:1.0"), "wide-authority", Severity.HIGH),
        (program("docker run --network host a/b:1.0"), "wide-authority", Severity.MEDIUM),
        (program("npx -y @modelcontextprotocol/server-filesystem@1.0.0 /"), "wide-authority", Severity.HIGH),
        (
            program("npx -y @modelcontextprotocol/server-filesystem@1.0.0 /Users/ann"),
            "wide-authority",
            Severity.HIGH,
        ),
        (program("gemini --yolo"), "wide-authority", Severity.HIGH),
        (program("claude mcp serve --dangerously-skip-permissions"), "wide-authority", Severity.HIGH),
        (program("sudo node a.js"), "wide-authority", Severity.HIGH),
        ({**program("node a.js"), "autoApprove": ["*"]}, "wide-authority", Severity.MEDIUM),
        ({"url": "http://h.example/mcp"}, "open-connection", Severity.MEDIUM),
        (
            {"url": "http://h.example/mcp", "headers": {"Authorization": "Bearer v"}},
            "open-connection",
            Severity.HIGH,
        ),
        (program("node a.js --host 0.0.0.0"), "open-connection", Severity.MEDIUM),
        (program("docker run -p 0.0.0.0:80:80 a/b:1.0"), "open-connection", Severity.MEDIUM),
    ],
)
def test_what_is_wrong_with_one_server(entry: dict[str, Json], kind: str, severity: Severity) -> None:
    """Each judge on the smallest entry that it is about."""
    found = kinds(server_findings(servers({"x": entry})))
    assert found.pop("ungoverned-server") is Severity.MEDIUM
    assert found == {kind: severity}


@pytest.mark.parametrize(
    "entry",
    [
        program("npx -y @modelcontextprotocol/server-filesystem@1.0.0 /Users/ann/work ~/notes"),
        program("docker run -i --rm -e TOKEN -v /home/ann/work:/work:ro a/b:1.0"),
        program("docker run -p 127.0.0.1:80:80 a/b:1.0"),
        {"url": "http://localhost:3000/mcp"},
        {"url": "http://server:3000/mcp"},
        {"url": "https://h.example/mcp"},
        {"url": "http://${HOST}/mcp"},
        {**program("node a.js"), "autoApprove": ["list", "read"]},
        program("node a.js --root /"),
    ],
)
def test_ordinary_entries_are_only_ungoverned(entry: dict[str, Json]) -> None:
    """Folders of work, names of containers, loopback and single tools are as they should be."""
    assert set(kinds(server_findings(servers({"x": entry})))) == {"ungoverned-server"}


def test_servers_that_come_to_the_three_together_are_a_toxic_combination() -> None:
    """Untrusted content, private data and a way outside; each step says which server makes it."""
    made = servers(
        {"fetch": program("uvx mcp-server-fetch==1.0"), "db": program("npx pg-postgres-mcp@1.0.0")}
    )
    (found,) = [one for one in server_findings(made) if one.kind is FindingKind.TOXIC_COMBINATION]
    assert found.says == (
        "for agent `cursor`, untrusted content comes by `fetch`, private data by `db`, "
        "and `fetch` can send it outside"
    )
    assert len(found.steps) == 3
    assert found.owner == "ann"


def test_servers_of_two_projects_do_not_meet() -> None:
    """A project's servers are joined with those of all projects, and with no other project's."""
    web, data = program("uvx mcp-server-fetch==1.0"), program("npx my-postgres@1.0.0")

    def toxic(document: Json) -> list[str]:
        chunk = FileChunk(file=".claude.json", content=json.dumps(document).encode())
        found = [one for one in CLIENT_READERS[0].read(chunk) if isinstance(one, DeclaredServer)]
        return [one.which for one in server_findings(found) if one.kind is FindingKind.TOXIC_COMBINATION]

    apart = {"projects": {"/a": {"mcpServers": {"web": web}}, "/b": {"mcpServers": {"data": data}}}}
    joined = {"mcpServers": {"web": web}, "projects": {"/b": {"mcpServers": {"data": data}}}}
    assert toxic(apart) == []
    assert toxic(joined) == ["/b"]


def agent(name: str, **more: Json) -> DeclaredAgent:
    """Return a declared agent."""
    return DeclaredAgent(name=name, place=FilePlace(file="home/ann/bot.py"), framework="crewai", **more)


def test_an_agent_that_remit_does_not_know_says_its_tools_and_credentials() -> None:
    """A known name is quiet."""
    one = agent("bot", tools=("search",), credentials=("DB_PASSWORD",))
    (found,) = server_findings([], [one])
    assert found.kind is FindingKind.UNGOVERNED_AGENT
    assert found.reach == ("tools: search", "credentials: DB_PASSWORD")
    assert found.owner == "ann"
    assert server_findings([], [one], governed=frozenset({"bot"})) == []


def test_settings_that_ask_nothing_are_wide_authority() -> None:
    """With remit's hooks in place they weigh less."""
    wide = agent("claude-code", authority=("permissions.defaultMode: bypassPermissions",))
    assert kinds(server_findings([], [wide]))["wide-authority"] is Severity.HIGH
    assert kinds(server_findings([], [agent("claude-code", authority=wide.authority, governed=True)])) == {
        "wide-authority": Severity.MEDIUM
    }


def test_an_agent_in_code_with_all_three_is_a_toxic_combination() -> None:
    """By the words of its tools' names."""
    found = server_findings([], [agent("bot", tools=("WebSearchTool", "read_file", "send_email"))])
    assert "toxic-combination" in kinds(found)
    assert "toxic-combination" not in kinds(server_findings([], [agent("bot", tools=("get_weather", "add"))]))
    assert "toxic-combination" not in kinds(
        server_findings([], [agent("bot", tools=("search", "send_email"))])
    )
