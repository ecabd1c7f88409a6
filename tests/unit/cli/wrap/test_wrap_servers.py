# SPDX-License-Identifier: Apache-2.0
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remit.cli.wrap.client_file import read
from remit.cli.wrap.placeholders import Values
from remit.cli.wrap.servers import WrappedServer, rewritten, upstream_name, wrapped
from remit.config.settings import Config, UpstreamSection
from remit.core.coding.client_servers import common, is_off, is_ours
from remit.core.errors import ConfigInvalid
from remit.core.jsonc import parse, replaced, written_at

Json = Any
HOME = Path("/home/example")
TOKEN = "ghp_" + "a1" * 18
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


def problems(
    name: str, entry: Json, environ: dict[str, str] | None = None, project: Path | None = None
) -> list[str]:
    """Return what remit says against a server, with the remedies."""
    values = Values(environ or {}, project)
    faults = wrapped(name, entry, name, HOME, values, ".remit/secrets")[1]
    return [f"{one.message}; {one.remediation}" for one in faults]


def carried(
    name: str,
    entry: Json,
    upstream: str,
    environ: dict[str, str] | None = None,
    project: Path | None = None,
) -> WrappedServer:
    """Return a server that can be carried over."""
    server, faults = wrapped(name, entry, upstream, HOME, Values(environ or {}, project), ".remit/secrets")
    assert faults == []
    return server


def read_text(text: str, name: str = "mcp.json", project: str = "") -> Json:
    """Read a client's file."""
    return read(text.encode(), Path(f"/home/example/{name}"), project)


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
        ('{"context_servers": {"a": {"command": "b"}}, "theme": "One"}', ("context_servers",)),
        ('\ufeff{"mcpServers": {}}', ("mcpServers",)),
    ],
)
def test_the_servers_are_found_where_clients_keep_them(text: str, place: tuple[str, ...]) -> None:
    """Most clients, VS Code's own file, and its settings; Zed's settings; with a byte order mark."""
    assert read_text(text).place == place


@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"mcpServers": []}', '{"mcpServers": {"a": "b"}}', '{"mcp": 1}', "\udcff"]
)
def test_another_shape_is_refused(text: str) -> None:
    """A file without servers, with something else in their place, or without UTF-8, is refused."""
    with pytest.raises(ConfigInvalid):
        read(text.encode("utf-8", "surrogateescape"), Path("/home/example/mcp.json"))


def test_one_project_of_several_is_chosen() -> None:
    """Claude Code's file has servers for all projects and for each: `--project` chooses, and is told."""
    mine = {"command": "a"}
    text = json.dumps({"mcpServers": {}, "projects": {"/srv/x": {"mcpServers": {"m": mine}}, "/srv/y": {}}})
    assert read_text(text, ".claude.json", "/srv/x").place == ("projects", "/srv/x", "mcpServers")
    with pytest.raises(ConfigInvalid, match=r"--project.*/srv/x"):
        read_text(text, ".claude.json")
    with pytest.raises(ConfigInvalid, match="/srv/y"):
        read_text(text, ".claude.json", "/srv/y")
    both = read_text(
        text.replace('"mcpServers": {}', '"mcpServers": {"all": {"command": "b"}}'), ".claude.json"
    )
    assert both.place == ("mcpServers",)


CODEX = """# my models
model = "o3" # keep

[mcp_servers.notes] # mine
command = "npx" # why
args = ["-y", "notes"]
startup_timeout_sec = 20

[mcp_servers.notes.env]
TOKEN = "hunter2"

[mcp_servers."far away"]
url = "https://a.example.org/mcp"
bearer_token_env_var = "FAR"

[tui]
theme = 'dark'
"""


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_codex_file_keeps_everything_but_the_entries(ending: str) -> None:
    """Comments, order, blanks, line ends and the byte order mark stay; undoing gives equal entries."""
    text = "\ufeff" + CODEX.replace("\n", ending)
    before = read_text(text, "config.toml")
    assert before.place == ("mcp_servers",)
    fresh = {name: rewritten(entry, ["remit", "connect"]) for name, entry in before.entries.items()}
    changed, changes = before.changed(fresh)
    after = read_text(changed, "config.toml")
    assert after.entries == fresh
    assert after.entries["notes"]["startup_timeout_sec"] == 20
    assert "hunter2" not in changed
    assert 'command = "remit" # why' in changed
    head = text[: text.index("command")]
    assert changed.startswith(head)
    assert changed.endswith(text[text.index("[tui]") :])
    assert changed.count("\n") == changed.count(ending)
    back, names, left = after.restored(changes)
    assert (read_text(back, "config.toml").entries, names, left) == (
        before.entries,
        ["notes", "far away"],
        [],
    )


@pytest.mark.parametrize("text", ["model = ", "mcp_servers = 3", "[mcp_servers]\na = 1", "x = 1"])
def test_a_broken_codex_file_is_refused(text: str) -> None:
    """What is not TOML, and what has no servers, is refused."""
    with pytest.raises(ConfigInvalid):
        read_text(text, "config.toml")


def test_what_codex_and_zed_write_is_carried_over() -> None:
    """Codex names variables for headers and for the environment; older Zed nests the command."""
    entry = {
        "url": "https://a.example.org/mcp", "bearer_token_env_var": "FAR", "http_headers": {"X-Team": "red"},
        "env_http_headers": {"X-Key": "KEY"}, "tool_timeout_sec": 9, "enabled": True,
    }  # fmt: skip
    server = carried("far", entry, "far", {"FAR": "1", "KEY": "2"})
    assert server.section["headers"] == {
        "Authorization": "Bearer env:FAR",
        "X-Team": "file:.remit/secrets/far.X-Team",
        "X-Key": "env:KEY",
    }
    passed = carried("p", {"command": "a", "env_vars": ["KEY"]}, "p", {"KEY": "2"})
    assert passed.section["env"] == {"KEY": "env:KEY"}
    zed = {"source": "custom", "command": {"path": "npx", "args": ["-y"], "env": {"DEBUG": "true"}}}
    assert common(zed)["args"] == ["-y"]
    fresh = rewritten(zed, ["remit", "connect", "--upstream", "a"])
    assert fresh == {"command": {"path": "remit", "args": ["connect", "--upstream", "a"]}, "source": "custom"}
    assert is_ours(fresh)
    assert is_off({"command": "a", "enabled": False})


@pytest.mark.parametrize("entry", [{"type": "sse", "url": "https://a.org/x"}, {"url": "https://a.org/sse"}])
def test_a_server_of_the_older_transport_is_behind_a_program(entry: Json) -> None:
    """Its headers are variables of the program, and secrets among them references."""
    section = carried("a", entry | {"headers": {"Authorization": "Bearer abc"}}, "a").section
    assert section["command"][1:] == ["-P", "-m", "remit.relay.sse_bridge", entry["url"]]
    assert section["env"] == {"HEADER_Authorization": "Bearer file:.remit/secrets/a.Authorization"}
    assert "headers" not in section


def test_windows_shaped_entries_are_carried_over() -> None:
    """`cmd /c`, backslashes, drive letters and CRLF are kept."""
    text = (
        '\ufeff{\r\n  "mcpServers": {\r\n    "a": {"command": "cmd", "args": ["/c", "npx"]}\r\n  }\r\n}\r\n'
    )
    before = read_text(text)
    changed, _ = before.changed({"a": rewritten(before.entries["a"], ["C:\\bin\\remit.exe", "connect"])})
    assert changed.count("\n") == changed.count("\r\n")
    assert changed.startswith(text[: text.index('{"command"')])
    env = {"LOGS": "C:\\Users\\me\\logs"}
    server = carried("a", {"command": "C:\\x\\y.exe", "cwd": "D:\\work", "env": env}, "a")
    assert (server.section["command"], server.section["cwd"]) == (["C:\\x\\y.exe"], "D:\\work")
    assert server.section["env"] == env
    assert is_ours({"command": "C:\\bin\\remit.exe", "args": ["connect", "--upstream", "a"]})


def test_variables_of_a_command_stay_variables() -> None:
    """A set variable is read at each start; one that is not has its default; a project's folder is known."""
    words = ["${TOOL:-npx}", "${ROOT}/x", "${workspaceFolder}/y", "--level=${LEVEL:-3}"]
    server = carried("a", {"command": words[0], "args": words[1:]}, "a", {"ROOT": "/srv"}, Path("/srv/p"))
    assert server.section["command"] == ["npx", "${ROOT}/x", "/srv/p/y", "--level=3"]
    assert server.section["arguments"] == {"ROOT": "env:ROOT"}
    env = {"A": "${X:-low}", "B": "pre-${ROOT}", "C": "${ROOT:-/opt}"}
    filled = carried("b", {"command": "b", "env": env}, "b", {"ROOT": "/srv"})
    assert filled.section["env"] == {
        "A": "file:.remit/secrets/b.A",
        "B": "file:.remit/secrets/b.B",
        "C": "env:ROOT",
    }
    assert filled.secrets == {"b.A": "low", "b.B": "pre-/srv"}
    assert filled.fixed == ("B: ROOT",)


@pytest.mark.parametrize(
    ("words", "command", "secret"),
    [
        (["--token", "abc"], ["--token", "${SECRET_1}"], "abc"),
        (["--api-key=abc"], ["--api-key=${SECRET_1}"], "abc"),
        (["postgres://u:pw@h/db"], ["${SECRET_1}"], "postgres://u:pw@h/db"),
        (["https://h/mcp?api_key=abc"], ["${SECRET_1}"], "https://h/mcp?api_key=abc"),
        (["--header", "Authorization: Bearer abc"], ["--header", "Authorization: Bearer ${SECRET_1}"], "abc"),
        (["ghp_" + "a1" * 18], ["${SECRET_1}"], "ghp_" + "a1" * 18),
    ],
)
def test_secrets_among_the_arguments_become_references(
    words: list[str], command: list[str], secret: str
) -> None:
    """The configuration names a file; the secret is put in when the program starts."""
    server = carried("a", {"command": "npx", "args": words}, "a")
    assert server.section["command"] == ["npx", *command]
    assert server.section["arguments"] == {"SECRET_1": "file:.remit/secrets/a.SECRET_1"}
    assert server.secrets == {"a.SECRET_1": secret}
    section = {key: value for key, value in server.section.items() if key in ("command", "arguments")}
    assert secret not in json.dumps(section)


@pytest.mark.parametrize(
    ("url", "shown", "secrets"),
    [
        ("https://a.org/mcp?api_key=s3&team=red", "https://a.org/mcp?api_key=${SECRET_1}&team=red", ["s3"]),
        ("https://a.org/?key=s3&sig=s4", "https://a.org/?key=${SECRET_1}&sig=${SECRET_2}", ["s3", "s4"]),
        (f"https://a.org/s/{TOKEN}/mcp", "https://a.org/s/${SECRET_1}/mcp", [TOKEN]),
        (f"https://a.org/mcp?with={TOKEN}", "https://a.org/mcp?with=${SECRET_1}", [TOKEN]),
        ("https://a.org/${API_KEY:-s3}/mcp?x=1", "https://a.org/${SECRET_1}/mcp?x=1", ["s3"]),
        ("https://a.org/mcp?api_key=%2Bs3&q", "https://a.org/mcp?api_key=${SECRET_1}&q", ["%2Bs3"]),
    ],
)  # fmt: skip
def test_secrets_in_an_address_become_references(url: str, shown: str, secrets: list[str]) -> None:
    """By the name beside it or by its form; the rest of the address stays readable, byte for byte."""
    server = carried("a", {"url": url}, "a")
    assert server.section["url"] == shown
    assert server.section["arguments"] == {
        f"SECRET_{number}": f"file:.remit/secrets/a.SECRET_{number}" for number in range(1, len(secrets) + 1)
    }
    assert list(server.secrets.values()) == secrets
    filled = shown
    for number, secret in enumerate(secrets, 1):
        filled = filled.replace(f"${{SECRET_{number}}}", secret)
    assert filled == url.replace("${API_KEY:-s3}", "s3")


def test_a_login_in_an_address_becomes_a_header() -> None:
    """As HTTP clients send it; the address has no login any more."""
    server = carried("a", {"url": "https://u:p%40w@a.org/mcp", "headers": {"X-Team": "1"}}, "a")
    assert server.section["url"] == "https://a.org/mcp"
    assert server.section["headers"] == {
        "Authorization": "Basic file:.remit/secrets/a.LOGIN",
        "X-Team": "1",
    }
    assert base64.b64decode(server.secrets["a.LOGIN"]) == b"u:p@w"


@pytest.mark.parametrize("url", ["https://u:pw@a.org/sse", "https://a.org/sse?token=pw"])
def test_a_secret_address_of_the_older_transport_is_a_variable(url: str) -> None:
    """Other users of the machine can read the arguments of a program."""
    server = carried("a", {"url": url}, "a")
    assert server.section["command"][1:] == ["-P", "-m", "remit.relay.sse_bridge"]
    assert server.section["env"] == {"SSE_URL": "file:.remit/secrets/a.SSE_URL"}
    assert server.secrets["a.SSE_URL"] == url
    assert "arguments" not in server.section


def test_no_secret_reaches_the_configuration() -> None:
    """Whatever is not evidently harmless goes into a file; references and switches stay readable."""
    env = {
        "API_KEY": "hunter2", "NICKNAME": "hunter2", "DEBUG": "true", "TOKEN": "${GITHUB_TOKEN}",
        "OTHER": "${env:OTHER}", "PORT": 8080, "HOME_DIR": "/srv/data",
    }  # fmt: skip
    around = {"GITHUB_TOKEN": "1", "OTHER": "2", "KEY": "3"}
    entry = {"command": "npx", "args": ["-y", "x"], "env": env}
    server = carried("My Server", entry, "my-server", around)
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
    remote = carried("r", {"url": "https://a.example.org/mcp", "headers": headers}, "r", around)
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
        section = carried("r", {key: "https://a.example.org/mcp"}, "r").section
        assert section == {"url": "https://a.example.org/mcp", "mode": "observe"}
    entry = {"command": "a", "args": None, "env": {"TOKEN": "$MY_TOKEN", "DEBUG": "", "PRICE": "$5"}}
    server = carried("p", entry, "p", {"MY_TOKEN": "x"})
    assert server.section["command"] == ["a"]
    assert server.section["env"] == {
        "TOKEN": "env:MY_TOKEN",
        "DEBUG": "",
        "PRICE": "file:.remit/secrets/p.PRICE",
    }
    assert carried("n", {"command": "a", "env": None}, "n").section == {
        "command": ["a"],
        "cwd": str(HOME),
        "environment": "inherit",
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
        {"command": "a", "env": {"X": "pre-${VAR}"}},
        {"command": "a", "env": {"KEY": "-----BEGIN\nPRIVATE"}},
        {"command": "a", "env": {"KEY": ["a"]}},
        {"type": "websocket", "url": "wss://a.example.org"},
        {"url": "https://a.example.org/mcp", "httpUrl": "https://a.example.org/mcp"},
        {"command": "a", "env": {"API_TOKEN": ""}},
        {"url": "https://a.example.org/mcp", "headers": {"X-Team": ""}},
        {"url": "https://u:p@a.example.org/mcp", "headers": {"authorization": "Bearer x"}},
        {"url": "https://[a.example.org/mcp"},
        {"url": "${input:address}"},
        {"url": "https://${API_KEY:-x}.example.org/mcp"},
        {"source": "extension", "settings": {}},
    ],
)
def test_what_cannot_be_carried_over_is_refused_with_a_way_out(entry: Json) -> None:
    """A server that would not be the same behind remit is refused by name, never half carried over."""
    said = problems("srv", entry)
    assert said
    assert all("`srv`" in one and "--skip srv" in one for one in said)


def test_all_problems_are_told_at_once() -> None:
    """Each setting that cannot be carried over is told in the same run."""
    entry = {
        "command": "a",
        "args": ["${A}"],
        "envFile": ".env",
        "dev": {},
        "env": {"X": "${B}", "Y": "a\nb"},
    }
    said = "\n".join(problems("srv", entry))
    assert all(word in said for word in ("`A`", "`B`", "`Y`", "`envFile`", "`dev`"))


def test_a_variable_that_is_not_set_is_told_while_nothing_is_changed() -> None:
    """remit starts with all variables or not at all: one that is missing would take every server away."""
    entry = {"command": "a", "env": {"TOKEN": "${GITHUB_TOKEN}", "DEBUG": "true"}}
    assert problems("srv", entry, {"GITHUB_TOKEN": "x"}) == []
    (said,) = problems("srv", entry)
    assert "`srv` needs `GITHUB_TOKEN`" in said
    assert "set GITHUB_TOKEN, or" in said
    remote = {"url": "https://a.example.org", "headers": {"A": "Bearer ${KEY}"}}
    assert "KEY" in problems("r", remote)[0]


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
    for start in (["/usr/bin/remit"], ["/usr/bin/python3", "-P", "-m", "remit"]):
        fresh = rewritten(entry, [*start, "connect", "--upstream", "a"])
        assert is_ours(fresh)
        assert fresh["type"] == "stdio"
        assert fresh["disabled"] is False
    assert not is_ours(entry)
    assert not is_ours({"command": "remit", "args": ["run", "--upstream"]})
