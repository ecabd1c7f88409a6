# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remit.cli.wrap.jsonc import parse, replaced, written_at
from remit.cli.wrap.servers import check_variables, is_ours, rewritten, servers_of, upstream_name, wrapped
from remit.config.settings import Config, UpstreamSection
from remit.core.errors import ConfigInvalid

Json = Any
HOME = Path("/home/example")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
COMMENTED = """// servers of mine
{
\t/* all of "them" */ "mcpServers": {
\t\t"one": { "command": "a", /* why */ "args": ["//", "/*"], }, // the first
\t\t"two": {"url": "https://tickets.example.org/mcp"},
\t},
}
"""


@given(VALUES, st.sampled_from([None, 2, "\t"]))
def test_plain_json_is_read_as_json(value: Json, indent: int | str | None) -> None:
    """Whatever the standard library writes is read to the same value, from first character to last."""
    text = json.dumps(value, indent=indent)
    span = parse(text, "mcp.json")
    assert (span.value, span.start, span.end) == (value, 0, len(text))


def test_comments_and_trailing_commas_are_read_over() -> None:
    """Comments are no part of the values; what looks like one inside a string is."""
    root = parse(COMMENTED, "mcp.json")
    assert root.value["mcpServers"]["one"] == {"command": "a", "args": ["//", "/*"]}


def test_a_change_leaves_everything_else_byte_for_byte() -> None:
    """Only the entry that is replaced changes; comments, tabs and the other entries stay."""
    one = parse(COMMENTED, "mcp.json").at(("mcpServers", "one"))
    assert one is not None
    changed = replaced(COMMENTED, [(one, written_at(COMMENTED, one, {"command": "remit", "args": []}))])
    assert parse(changed, "mcp.json").value["mcpServers"]["one"] == {"command": "remit", "args": []}
    assert changed.startswith(COMMENTED[: one.start])
    assert changed.endswith(COMMENTED[one.end :])
    assert '\n\t\t\t"command": "remit"' in changed


@pytest.mark.parametrize(
    "text", ["", "{", '{"a" 1}', '{"a": 1, "a": 2}', "{} {}", "{'a': 1}", '{"a": "\n"}', "[" * 100, "// only"]
)
def test_what_is_not_json_is_refused_with_its_line(text: str) -> None:
    """Broken files, a key given twice, and nesting without end are refused by file and line."""
    with pytest.raises(ConfigInvalid, match=r"mcp\.json:1|mcp\.json:2"):
        parse(text, "mcp.json")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"mcpServers": {}}', ("mcpServers",)),
        ('{"servers": {}, "inputs": []}', ("servers",)),
        ('{"editor.fontSize": 9, "mcp": {"servers": {}}}', ("mcp", "servers")),
    ],
)
def test_the_servers_are_found_where_clients_keep_them(text: str, place: tuple[str, ...]) -> None:
    """Most clients, VS Code's own file, and its settings."""
    assert servers_of(parse(text, "mcp.json"), "mcp.json")[0] == place


@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"mcpServers": []}', '{"mcpServers": {"a": "b"}}', '{"mcp": 1}']
)
def test_another_shape_is_refused(text: str) -> None:
    """A file without servers, or with something else in their place, is refused."""
    with pytest.raises(ConfigInvalid):
        servers_of(parse(text, "mcp.json"), "mcp.json")


def test_no_secret_reaches_the_configuration() -> None:
    """Whatever is not evidently harmless goes into a file; references and switches stay readable."""
    env = {
        "API_KEY": "hunter2", "NICKNAME": "hunter2", "DEBUG": "true", "TOKEN": "${GITHUB_TOKEN}",
        "OTHER": "${env:OTHER}", "PORT": 8080, "HOME_DIR": "/srv/data",
    }  # fmt: skip
    server = wrapped("My Server", {"command": "npx", "args": ["-y", "x"], "env": env}, "my-server", HOME)
    assert server.section["env"] == {
        "API_KEY": "file:.remit/secrets/my-server.API_KEY",
        "NICKNAME": "file:.remit/secrets/my-server.NICKNAME",
        "DEBUG": "true",
        "TOKEN": "env:GITHUB_TOKEN",
        "OTHER": "env:OTHER",
        "PORT": "8080",
        "HOME_DIR": "/srv/data",
    }
    assert server.secrets == {"my-server.API_KEY": "hunter2", "my-server.NICKNAME": "hunter2"}
    assert server.section["mode"] == "observe"
    headers = {"Authorization": "Bearer abc", "X-Key": "${KEY}", "X-Auth": "Bearer ${KEY}"}
    remote = wrapped("r", {"url": "https://a.example.org/mcp", "headers": headers}, "r", HOME)
    assert remote.section["headers"] == {
        "Authorization": "Bearer file:.remit/secrets/r.Authorization",
        "X-Key": "env:KEY",
        "X-Auth": "Bearer env:KEY",
    }
    assert remote.secrets == {"r.Authorization": "abc"}
    assert "hunter2" not in json.dumps([server.section, remote.section])


def test_what_clients_write_in_their_own_ways_is_carried_over() -> None:
    """Windsurf's and Gemini's names of an address, Gemini's variables, nothing where nothing is needed."""
    for key in ("url", "serverUrl", "httpUrl"):
        section = wrapped("r", {key: "https://a.example.org/mcp"}, "r", HOME).section
        assert section == {"url": "https://a.example.org/mcp", "mode": "observe"}
    entry = {"command": "a", "args": None, "env": {"TOKEN": "$MY_TOKEN", "DEBUG": "", "PRICE": "$5"}}
    server = wrapped("p", entry, "p", HOME)
    assert server.section["command"] == ["a"]
    assert server.section["env"] == {
        "TOKEN": "env:MY_TOKEN",
        "DEBUG": "",
        "PRICE": "file:.remit/secrets/p.PRICE",
    }
    assert wrapped("n", {"command": "a", "env": None}, "n", HOME).section == {
        "command": ["a"],
        "cwd": str(HOME),
        "mode": "observe",
    }


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"command": "a", "url": "https://a.example.org"},
        {"command": "a", "envFile": ".env"},
        {"command": "a", "args": "b c"},
        {"command": "a", "args": ["${workspaceFolder}/x"]},
        {"command": "a", "args": ["--token", "ghp_" + "a1" * 18]},
        {"command": "a", "env": {"X": "pre-${VAR}"}},
        {"command": "a", "env": {"KEY": "-----BEGIN\nPRIVATE"}},
        {"command": "a", "env": {"KEY": ["a"]}},
        {"type": "sse", "url": "https://a.example.org/sse"},
        {"url": "https://a.example.org/sse"},
        {"url": "https://a.example.org/mcp", "httpUrl": "https://a.example.org/mcp"},
        {"command": "a", "env": {"API_TOKEN": ""}},
        {"url": "https://a.example.org/mcp", "headers": {"X-Team": ""}},
        {"url": "https://a.example.org/mcp?api_key=1"},
        {"url": "https://u:p@a.example.org/mcp"},
        {"url": "${input:address}"},
    ],
)
def test_what_cannot_be_carried_over_is_refused_with_a_way_out(entry: Json) -> None:
    """A server that would not be the same behind remit is refused by name, never half carried over."""
    with pytest.raises(ConfigInvalid, match=r"`srv`.*--skip srv"):
        wrapped("srv", entry, "srv", HOME)


def test_a_variable_that_is_not_set_is_told_while_nothing_is_changed() -> None:
    """remit starts with all variables or not at all: one that is missing would take every server away."""
    entry = {"command": "a", "env": {"TOKEN": "${GITHUB_TOKEN}", "DEBUG": "true"}}
    server = wrapped("srv", entry, "srv", HOME)
    check_variables(server, {"GITHUB_TOKEN": "x"})
    with pytest.raises(ConfigInvalid, match=r"`srv`.*`GITHUB_TOKEN`.*set GITHUB_TOKEN, or .*--skip srv"):
        check_variables(server, {})
    remote = wrapped("r", {"url": "https://a.example.org", "headers": {"A": "Bearer ${KEY}"}}, "r", HOME)
    with pytest.raises(ConfigInvalid, match="KEY"):
        check_variables(remote, {})


@example("remit", set())
@given(st.text(max_size=80), st.sets(st.sampled_from(["server", "a", "a-2"])))
def test_any_name_becomes_one_that_the_configuration_takes(name: str, taken: set[str]) -> None:
    """Whatever a client calls a server, its upstream has a valid name that no other has."""
    import msgspec

    chosen = upstream_name(name, taken)
    assert chosen not in taken
    assert chosen != "remit"
    msgspec.convert({"upstreams": {chosen: {"command": ["x"]}}}, Config)
    assert UpstreamSection(command=("x",)).observed is False


def test_a_rewritten_entry_is_known_again() -> None:
    """What wrapping writes is recognised, so that wrapping twice changes nothing; other entries are not."""
    entry = {"type": "stdio", "command": "a", "args": [], "disabled": False}
    for start in (["/usr/bin/remit"], ["/usr/bin/python3", "-m", "remit"]):
        fresh = rewritten(entry, [*start, "connect", "--upstream", "a"])
        assert is_ours(fresh)
        assert fresh["type"] == "stdio"
        assert fresh["disabled"] is False
    assert not is_ours(entry)
    assert not is_ours({"command": "remit", "args": ["run", "--upstream"]})
